-- The tags of each tag set that is seen for the first time.
INSERT INTO tag_set (tags, key, value)
SELECT code, split_part(tag, '=', 1), split_part(tag, '=', 2)
FROM (
    SELECT code, unnest(string_split(value, ',')) AS tag
    FROM dictionary
    WHERE dimension = 'tags'
      AND value IN (SELECT unnest(from_json($sets, '["VARCHAR"]')))
      AND code NOT IN (SELECT tags FROM tag_set)
)

-- The groups of each group set that is seen for the first time.
INSERT INTO group_set (groups, group_id)
SELECT code, unnest(string_split(value, ','))
FROM dictionary
WHERE dimension = 'groups'
  AND value IN (SELECT unnest(from_json($sets, '["VARCHAR"]')))
  AND code NOT IN (SELECT groups FROM group_set)

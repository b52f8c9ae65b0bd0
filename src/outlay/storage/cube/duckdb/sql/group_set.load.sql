-- The groups behind each group set seen for the first time.
INSERT INTO group_set (groups, group_id)
SELECT groups, unnest(string_split(groups, ','))
FROM (SELECT unnest(from_json($sets, '["VARCHAR"]')) AS groups)
WHERE groups NOT IN (SELECT groups FROM group_set)

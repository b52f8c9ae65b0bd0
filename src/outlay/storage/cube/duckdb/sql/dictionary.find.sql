-- The codes of those texts that have one.
SELECT known.dimension, known.value, known.code
FROM dictionary AS known
JOIN (
    SELECT unnest(given.dimension) AS dimension, unnest(given.value) AS value
    FROM (SELECT from_json($rows, '{"dimension": ["VARCHAR"], "value": ["VARCHAR"]}') AS given)
) AS wanted USING (dimension, value)

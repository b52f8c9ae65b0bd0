-- Add texts that are seen for the first time.
INSERT INTO dictionary (dimension, value, code)
SELECT unnest(given.dimension), unnest(given.value), unnest(given.code)
FROM (
    SELECT from_json(
        $rows, '{"dimension": ["VARCHAR"], "value": ["VARCHAR"], "code": ["INTEGER"]}'
    ) AS given
)

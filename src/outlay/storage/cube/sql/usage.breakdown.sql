-- Measures per step and dimension value: the top values by any rank are kept, the rest is Other.
-- Cells whose requests have all been voided do not count as usage, here and in the other questions.
WITH cell AS MATERIALIZED (
    SELECT {step} AS step, {column} AS label, {sums}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
),
stepped AS MATERIALIZED (
    {stepped}
),
ranked AS MATERIALIZED (
    SELECT value, {place} AS place
    FROM stepped
    WHERE value <> ''
    GROUP BY value
)
SELECT
    stepped.step,
    CASE WHEN stepped.value = '' THEN 'unattributed'
         WHEN ranked.place <= $top THEN 'value'
         ELSE 'other' END AS kind,
    CASE WHEN ranked.place <= $top THEN stepped.value ELSE '' END AS key,
    (SELECT count(*) FROM ranked WHERE place > $top) AS others,
    {found}
FROM stepped LEFT JOIN ranked ON ranked.value = stepped.value
GROUP BY ALL

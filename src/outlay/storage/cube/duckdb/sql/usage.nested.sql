-- Measures per step, named value of a first dimension and value of a second one: within each value
-- of the first the top values of the second are kept, the rest is Other.
WITH {step_map},
cell AS MATERIALIZED (
    SELECT {step} AS step, {column} AS label, {second} AS second_label, {sums}
    FROM ({source}) AS usage{step_join}
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
),
placed AS MATERIALIZED (
    SELECT
        step,
        CASE WHEN {first_value} = '' THEN 'unattributed'
             WHEN {first_value} IN ({named}) THEN 'value'
             ELSE 'other' END AS kind,
        CASE WHEN {first_value} IN ({named}) THEN {first_value} ELSE '' END AS key,
        {second_value} AS value,
        {sums}
    FROM cell{first_join}{second_join}
    GROUP BY ALL
),
ranked AS MATERIALIZED (
    SELECT kind, key, value,
           row_number() OVER (PARTITION BY kind, key ORDER BY {rank} DESC, value) AS place
    FROM placed
    WHERE value <> ''
    GROUP BY kind, key, value
),
remainder AS MATERIALIZED (
    SELECT kind, key, count(*) AS others FROM ranked WHERE place > $top GROUP BY kind, key
)
SELECT
    placed.step, placed.kind, placed.key,
    CASE WHEN placed.value = '' THEN 'unattributed'
         WHEN ranked.place <= $top THEN 'value'
         ELSE 'other' END AS part_kind,
    CASE WHEN ranked.place <= $top THEN placed.value ELSE '' END AS part_key,
    coalesce(any_value(remainder.others), 0) AS others,
    {placed_sums}
FROM placed
LEFT JOIN ranked USING (kind, key, value)
LEFT JOIN remainder USING (kind, key)
GROUP BY ALL

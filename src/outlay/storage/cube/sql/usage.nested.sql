-- Measures per step, named value of a first dimension, and value of a second one: within each value
-- of the first, the top values of the second are kept, the rest is Other. The kept values are found
-- over the whole window first, so that only they are summed by step, not every combination.
WITH cell AS MATERIALIZED (
    SELECT {column} AS label, {second} AS second_label, {ranked_sums}
    FROM ({placing}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
),
placed AS MATERIALIZED (
    SELECT
        label,
        second_label,
        CASE WHEN {first_value} = '' THEN 'unattributed'
             WHEN {first_value} IN ({named}) THEN 'value'
             ELSE 'other' END AS kind,
        CASE WHEN {first_value} IN ({named}) THEN {first_value} ELSE '' END AS key,
        {second_value} AS value,
        {ranked_measures}
    FROM cell{first_join}{second_join}
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
),
kept AS MATERIALIZED (
    SELECT
        placed.label AS label,
        placed.second_label AS second_label,
        placed.kind AS kind,
        placed.key AS key,
        CASE WHEN placed.value = '' THEN 'unattributed'
             WHEN ranked.place <= $top THEN 'value'
             ELSE 'other' END AS part_kind,
        CASE WHEN ranked.place <= $top THEN placed.value ELSE '' END AS part_key,
        coalesce(remainder.others, 0) AS others
    FROM placed
    LEFT JOIN ranked USING (kind, key, value)
    LEFT JOIN remainder USING (kind, key)
),
target AS MATERIALIZED (
    SELECT kind, key, part_kind, part_key, others, CAST(
        row_number() OVER (ORDER BY kind, key, part_kind, part_key, others) AS INTEGER
    ) AS id
    FROM (SELECT DISTINCT kind, key, part_kind, part_key, others FROM kept)
),
aim AS MATERIALIZED (
    SELECT label, second_label, id
    FROM kept JOIN target USING (kind, key, part_kind, part_key, others)
),
summed AS MATERIALIZED (
    SELECT {step} AS step, aim.id, {sums}
    FROM ({source}) AS usage
    JOIN aim ON aim.label = usage.{column} AND aim.second_label = usage.{second}
    WHERE usage.organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(usage.requests) <> 0
)
SELECT step, kind, key, part_kind, part_key, others, {found}
FROM summed JOIN target USING (id)

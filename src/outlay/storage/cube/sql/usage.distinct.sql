-- How many values of some dimensions had usage per step, each counted once in it.
WITH cell AS MATERIALIZED (
    SELECT {step} AS step, {columns}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
)
SELECT step, {counts} FROM cell{group_join} GROUP BY step

-- The number of values of some dimensions with usage per step, each counted once per step.
WITH cell AS MATERIALIZED (
    SELECT {step} AS step, {columns}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
)
SELECT step, {counts} FROM cell{group_join} GROUP BY step

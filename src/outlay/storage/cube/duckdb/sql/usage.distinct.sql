-- How many values of some dimensions had usage per step, each counted once in it.
WITH {step_map},
cell AS MATERIALIZED (
    SELECT DISTINCT {step} AS step, {columns}
    FROM ({source}) AS usage{step_join}
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
)
SELECT step, {counts} FROM cell{group_join} GROUP BY step

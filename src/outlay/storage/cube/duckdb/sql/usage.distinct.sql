-- How many values of some dimensions had usage per step, each counted once in it.
WITH edge AS (
    SELECT CAST(string_split($edges, ',') AS INTEGER[]) AS marks
),
step AS MATERIALIZED (
    SELECT CAST(step AS SMALLINT) AS step, unnest(range(marks[step + 1], marks[step + 2])) AS bucket
    FROM (SELECT marks, unnest(range(len(marks) - 1)) AS step FROM edge)
),
cell AS MATERIALIZED (
    SELECT DISTINCT {step} AS step, {columns}
    FROM ({source}) AS usage{step_join}
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
)
SELECT step, {counts} FROM cell{group_join} GROUP BY step

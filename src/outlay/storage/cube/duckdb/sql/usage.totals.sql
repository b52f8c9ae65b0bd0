-- Measures per step over everything, each event once.
WITH edge AS (
    SELECT CAST(string_split($edges, ',') AS INTEGER[]) AS marks
),
step AS MATERIALIZED (
    SELECT CAST(step AS SMALLINT) AS step, unnest(range(marks[step + 1], marks[step + 2])) AS bucket
    FROM (SELECT marks, unnest(range(len(marks) - 1)) AS step FROM edge)
)
SELECT {step} AS step, {sums}
FROM ({source}) AS usage{step_join}
WHERE organization_id = $organization_id
  AND usage.bucket >= $start AND usage.bucket < $end{filters}
GROUP BY ALL

-- Measures per step over everything, each event once.
WITH cell AS MATERIALIZED (
    SELECT {bucket} AS bucket, {sums}
    FROM (SELECT * FROM usage_rollup UNION ALL SELECT * FROM usage_delta)
    WHERE organization_id = $organization_id
      AND bucket >= $start AND bucket < $end{filters}
    GROUP BY ALL
),
edge AS (
    SELECT CAST(string_split($edges, ',') AS INTEGER[]) AS marks
),
step AS (
    SELECT step, unnest(range(marks[step + 1], marks[step + 2])) AS bucket
    FROM (SELECT marks, unnest(range(len(marks) - 1)) AS step FROM edge)
)
SELECT {step} AS step, {sums}
FROM cell{step_join}
GROUP BY ALL

-- Measures per step and combination of dimension values, in that order.
WITH edge AS (
    SELECT CAST(string_split($edges, ',') AS INTEGER[]) AS marks
),
step AS MATERIALIZED (
    SELECT CAST(step AS SMALLINT) AS step, unnest(range(marks[step + 1], marks[step + 2])) AS bucket
    FROM (SELECT marks, unnest(range(len(marks) - 1)) AS step FROM edge)
),
cell AS MATERIALIZED (
    SELECT {step} AS step{columns}, {sums}
    FROM ({source}) AS usage{step_join}
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
)
SELECT step{values}, {sums}
FROM cell{group_join}{after}
GROUP BY step{values}
ORDER BY step{values}{limit}

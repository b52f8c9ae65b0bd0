-- The bucket-to-step map comes from local edges computed in Python: no engine needs to know zones.
edge AS (
    SELECT CAST(string_split($edges, ',') AS INTEGER[]) AS marks
),
step AS MATERIALIZED (
    SELECT CAST(step AS SMALLINT) AS step, unnest(range(marks[step + 1], marks[step + 2])) AS bucket
    FROM (SELECT marks, unnest(range(len(marks) - 1)) AS step FROM edge)
)

-- The number of sessions with requests in a period, and their sums.
WITH cell AS MATERIALIZED (
    SELECT session_id, {sums}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY session_id
    HAVING sum(requests) <> 0
)
SELECT count(*) AS sessions, {found} FROM cell

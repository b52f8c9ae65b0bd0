-- The values of some sessions in some dimensions, and the cost of each combination.
WITH cell AS MATERIALIZED (
    SELECT session_id{columns}, {sums}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
)
SELECT cell.session_id{values}, {found}
FROM cell{join}
GROUP BY ALL

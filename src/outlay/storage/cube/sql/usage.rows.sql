-- Measures per step and combination of dimension values, in that order.
WITH cell AS MATERIALIZED (
    SELECT {step} AS step{columns}, {sums}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
)
SELECT step{values}, {found}
FROM cell{group_join}{after}
GROUP BY step{values}
ORDER BY step{values}{limit}

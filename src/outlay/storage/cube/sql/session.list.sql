-- One page of the sessions with requests in a period. A voided request is neither the first nor the
-- last one of its session.
WITH cell AS MATERIALIZED (
    SELECT session_id, usage.bucket AS bucket, second, {sums}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
),
summed AS MATERIALIZED (
    SELECT
        session_id,
        min(CAST(cell.bucket AS BIGINT) * 900 + second) AS first_at,
        max(CAST(cell.bucket AS BIGINT) * 900 + second) AS last_at,
        {summed}
    FROM cell
    GROUP BY session_id
)
SELECT session_id, first_at, last_at, {found}
FROM summed
ORDER BY {order}, session_id
LIMIT {limit} OFFSET {offset}

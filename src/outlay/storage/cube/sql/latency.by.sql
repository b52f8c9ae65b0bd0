-- Requests per value of a dimension and latency bin, for percentiles of each value.
WITH cell AS MATERIALIZED (
    SELECT {column} AS label, latency_bin, sum(requests) AS requests
    FROM ({source})
    WHERE organization_id = $organization_id
      AND bucket >= $start AND bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
)
SELECT {value} AS value, latency_bin, CAST(sum(requests) AS BIGINT) AS requests
FROM cell{join}
GROUP BY ALL

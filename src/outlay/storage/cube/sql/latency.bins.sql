-- Requests per latency bin, for percentiles of any period and filter.
SELECT latency_bin, CAST(sum(requests) AS BIGINT) AS requests
FROM ({source})
WHERE organization_id = $organization_id
  AND bucket >= $start AND bucket < $end{filters}
GROUP BY latency_bin
HAVING sum(requests) <> 0

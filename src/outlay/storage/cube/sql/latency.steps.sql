-- Requests per step and latency bin, for percentiles of each step.
SELECT {step} AS step, latency_bin, CAST(sum(requests) AS BIGINT) AS requests
FROM ({source}) AS usage
WHERE organization_id = $organization_id
  AND usage.bucket >= $start AND usage.bucket < $end{filters}
GROUP BY ALL
HAVING sum(requests) <> 0

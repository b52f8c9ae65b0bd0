-- Requests per step and latency bin, for percentiles of each step.
WITH {step_map}
SELECT {step} AS step, latency_bin, CAST(sum(requests) AS BIGINT) AS requests
FROM ({source}) AS usage{step_join}
WHERE organization_id = $organization_id
  AND usage.bucket >= $start AND usage.bucket < $end{filters}
GROUP BY ALL

-- Requests per latency bin, for percentiles merged over any window and filter.
SELECT latency_bin, CAST(sum(requests) AS BIGINT) AS requests
FROM (SELECT * FROM latency_rollup UNION ALL SELECT * FROM latency_delta)
WHERE organization_id = $organization_id
  AND bucket >= $start AND bucket < $end{filters}
GROUP BY latency_bin

-- The buckets with matching requests, newest first, and the number of requests in each.
SELECT bucket, CAST(sum(requests) AS BIGINT) AS requests
FROM ({source}) AS usage
WHERE organization_id = $organization_id
  AND usage.bucket >= $start AND usage.bucket < $end{filters}
GROUP BY bucket
HAVING sum(requests) <> 0
ORDER BY bucket DESC

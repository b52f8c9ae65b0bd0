-- The buckets in which something matches, newest first, and how many requests each has.
SELECT bucket, CAST(sum(requests) AS BIGINT) AS requests
FROM ({source}) AS usage
WHERE organization_id = $organization_id
  AND usage.bucket >= $start AND usage.bucket < $end{filters}
GROUP BY bucket
HAVING sum(requests) <> 0
ORDER BY bucket DESC

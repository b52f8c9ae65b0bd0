-- Measures per step over all events, each counted once.
SELECT {step} AS step, {found}
FROM ({source}) AS usage
WHERE organization_id = $organization_id
  AND usage.bucket >= $start AND usage.bucket < $end{filters}
GROUP BY ALL
HAVING sum(requests) <> 0

-- Measures per step over everything, each event once.
WITH {step_map}
SELECT {step} AS step, {sums}
FROM ({source}) AS usage{step_join}
WHERE organization_id = $organization_id
  AND usage.bucket >= $start AND usage.bucket < $end{filters}
GROUP BY ALL

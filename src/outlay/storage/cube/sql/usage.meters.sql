-- The quantity and cost of each meter per step.
WITH cell AS MATERIALIZED (
    SELECT {step} AS step, meter, {sums}
    FROM ({source}) AS usage
    WHERE organization_id = $organization_id
      AND usage.bucket >= $start AND usage.bucket < $end{filters}
    GROUP BY ALL
    HAVING sum(requests) <> 0
)
SELECT cell.step, {meter} AS meter, {found}
FROM cell{join}
GROUP BY ALL

-- Every cell of one organization in a range of buckets, folded and pending rows together: for
-- verification.
WITH cell AS (
    SELECT {dimensions}, {sums}
    FROM ({source})
    WHERE organization_id = $organization_id AND bucket >= $start AND bucket < $end
    GROUP BY {dimensions}
)
SELECT {values}, {found}
FROM cell{joins}

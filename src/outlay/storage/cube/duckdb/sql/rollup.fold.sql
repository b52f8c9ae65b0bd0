-- Fold pending rows into the rollup: one row per cell, in the order that is fastest to read.
INSERT INTO {rollup} ({columns})
SELECT {dimensions}, {sums}
FROM {delta}
GROUP BY {dimensions}
ORDER BY organization_id, bucket

-- A closed month, one row per cell, sorted by organization and bucket.
CREATE OR REPLACE TEMP TABLE compacted AS
SELECT {dimensions}, {sums}
FROM {rollup}
WHERE bucket >= {start} AND bucket < {end}
GROUP BY {dimensions}

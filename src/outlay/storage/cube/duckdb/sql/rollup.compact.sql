-- A closed month, with one row per cell.
CREATE OR REPLACE TEMP TABLE compacted AS
SELECT {dimensions}, {sums}
FROM {rollup}
WHERE bucket >= {start} AND bucket < {end}
GROUP BY {dimensions}

-- Move pending rows into the rollup as they are: for sums that one row cannot hold.
INSERT INTO {rollup} ({columns})
SELECT {columns}
FROM {delta}

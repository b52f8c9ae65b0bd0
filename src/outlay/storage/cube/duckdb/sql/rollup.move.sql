-- Move pending rows into the rollup unsummed, because a sum does not fit one row.
INSERT INTO {rollup} ({columns})
SELECT {columns}
FROM {delta}

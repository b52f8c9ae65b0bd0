-- Cells in which a narrow rollup says something else than the rollup that it is made of: what the one
-- has less what the other has is not zero.
SELECT count(*) FROM (
    SELECT {dimensions} FROM ({mine} UNION ALL {theirs}) AS every
    GROUP BY {dimensions}
    HAVING {differs}
)

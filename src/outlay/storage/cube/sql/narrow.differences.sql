-- Cells in which a narrow rollup differs from its source: the difference of their sums is not zero.
SELECT count(*) FROM (
    SELECT {dimensions} FROM ({mine} UNION ALL {theirs}) AS every
    GROUP BY {dimensions}
    HAVING {differs}
)

-- Cells in which a narrow rollup says something else than the rollup that it is made of.
WITH mine AS ({mine}), theirs AS ({theirs})
SELECT count(*) FROM (
    (SELECT * FROM mine EXCEPT ALL SELECT * FROM theirs)
    UNION ALL
    (SELECT * FROM theirs EXCEPT ALL SELECT * FROM mine)
)

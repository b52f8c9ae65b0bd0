-- Sums per organization and day, plain and weighted by a hash of each cell's labels: for
-- verification. Rows with different numbers of groups, or different latency bins, stay separate.
SELECT organization, day, part, count(*) AS cells, {sums}
FROM (
    SELECT {organization} AS organization, {day} AS day, {part} AS part, {weight} AS weight,
        {measures}
    FROM (
        SELECT * FROM ({source}) AS every WHERE bucket >= $start AND bucket < $end
    ) AS cell{joins}
) AS weighed
GROUP BY organization, day, part
ORDER BY organization

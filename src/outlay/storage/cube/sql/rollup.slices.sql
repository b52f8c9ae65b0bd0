-- The ranges of buckets that have rows: for verification, which reads one after the other.
SELECT DISTINCT {slice} AS slice FROM ({source}) AS every ORDER BY slice

-- Which runs of buckets have rows: for verify, which reads one after the other.
SELECT DISTINCT {slice} AS slice FROM ({source}) AS every ORDER BY slice

-- Pending rows from one JSON object of columns: the fastest way to load without another dependency.
INSERT INTO {delta} ({columns})
SELECT {unnested}
FROM (SELECT from_json($cells, {structure}) AS cells)

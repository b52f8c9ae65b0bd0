"""Ten million rollup rows of one year, the same in every engine."""

from pathlib import Path
from typing import Final

from outlay.storage.cube.duckdb.dialect import DuckDBDialect
from outlay.storage.cube.duckdb.statements import cells_of_narrow
from outlay.storage.cube.duckdb.store import DuckDBCube
from outlay.storage.cube.rollups import NARROWS, USAGE

ORGANIZATION: Final = "org_bench"
FIRST_BUCKET: Final = 1_763_596_800 // 900
"""2025-11-20 00:00 UTC."""

YEAR_BUCKETS: Final = 365 * 96
SLICE_BUCKETS: Final = 15 * 96
"""Rows encoded at a time: few enough for the cube's memory limit."""

ROWS_SQL: Final = """
CREATE TABLE staged AS
SELECT
    $organization AS organization_id,
    CAST($first + i * $buckets // $rows AS INTEGER) AS bucket,
    'prj_' || (key // 10) AS project_id,
    'key_' || key AS api_key_id,
    'mem_' || (key % 200) AS member_id,
    'mem_' || (key % 200) AS user_id,
    'grp_' || (key % 20) AS groups,
    '' AS tags,
    CASE WHEN h1 % 10 < 3 THEN 'cust_' || (h1 % 2000) ELSE '' END AS end_user,
    'app_' || (h2 % 30) AS app,
    'provider_' || (model % 12) AS provider,
    'provider_' || (model % 12) || '/model-' || model AS mapping,
    'model-' || model AS model,
    CASE WHEN h2 % 100 < 96 THEN 'ok' ELSE 'upstream_error' END AS status,
    CAST(1 + h1 % 4 AS BIGINT), 500 + h1 % 9000, 50 + h2 % 900, h1 % 300, h2 % 90, h2 % 40,
    (500 + h1 % 9000) * 2500000, (500 + h1 % 9000) * 1500000, 0, 0, (50 + h2 % 900) * 10000000,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 400000 + h1 % 5000000, 1, h2 % 900000, 1
FROM (
    SELECT i, h1, h2,
        CAST(500 * pow((h1 % 100003) / 100003.0, 3) AS BIGINT) AS key,
        CAST(40 * pow((h2 % 100003) / 100003.0, 3) AS BIGINT) AS model
    FROM (SELECT i, hash(i) >> 2 AS h1, hash(i + 1000000007) >> 2 AS h2 FROM range($rows) t(i))
)
"""


LATENCY_SQL: Final = f"""
INSERT INTO latency_rollup
SELECT {", ".join(USAGE.dimensions)}, CAST(400 + hash(rowid) % 350 AS SMALLINT), requests
FROM usage_rollup
"""
"""A bin for each of those rows."""


def fill_cube(cube: DuckDBCube, rows: int) -> None:
    """Fill the usage rollup with `rows` generated rows, in order of time."""
    put_rows(cube, rows)
    settle(cube)


def put_rows(cube: DuckDBCube, rows: int) -> None:
    """Insert only the rows, with their texts encoded by SQL: a loader would take an hour."""
    database = cube._database
    database.execute(
        ROWS_SQL,
        {
            "organization": ORGANIZATION,
            "first": FIRST_BUCKET,
            "buckets": YEAR_BUCKETS,
            "rows": rows,
        },
    )
    for name in USAGE.texts:
        of_it = f"FROM dictionary WHERE dimension = '{name}'"
        database.execute(
            f"INSERT INTO dictionary SELECT '{name}', value, row_number() OVER () + "
            f"(SELECT coalesce(max(code), 0) {of_it}) "
            f"FROM (SELECT DISTINCT {name} AS value FROM staged) "
            f"WHERE value NOT IN (SELECT value {of_it})"
        )
    names, joins = [], ""
    for name in USAGE.dimensions:
        names.append(f"staged.{name}")
        if name in USAGE.texts:
            names[-1] = f"known_{name}.code"
            joins += (
                f" JOIN dictionary AS known_{name} ON known_{name}.dimension = '{name}' "
                f"AND known_{name}.value = staged.{name}"
            )
    for first in range(FIRST_BUCKET, FIRST_BUCKET + YEAR_BUCKETS, SLICE_BUCKETS):
        database.execute(
            f"INSERT INTO usage_rollup SELECT {', '.join(names)}, "
            f"COLUMNS(staged.* EXCLUDE ({', '.join(USAGE.dimensions)})) FROM staged{joins} "
            f"WHERE staged.bucket >= {first} AND staged.bucket < {first + SLICE_BUCKETS}"
        )
    database.execute("DROP TABLE staged")
    database.execute(
        "INSERT INTO group_set SELECT code, value FROM dictionary WHERE dimension = 'groups' "
        "AND value <> '' AND code NOT IN (SELECT groups FROM group_set)"
    )


def settle(cube: DuckDBCube) -> None:
    """Build the narrow rollups and compact the months that have ended."""
    for narrow in NARROWS:
        names = ", ".join(narrow.shape.dimensions)
        sums = ", ".join(f"sum({name})" for name in narrow.shape.measures)
        cube._database.execute(
            f"INSERT INTO {narrow.table} SELECT {names}, {sums} FROM "
            f"(SELECT {cells_of_narrow(narrow)}, {', '.join(narrow.shape.measures)} "
            f"FROM {narrow.source.tables[0]}) GROUP BY {names} ORDER BY organization_id, bucket"
        )
    cube._database.execute(
        "INSERT INTO changed_month SELECT DISTINCT CAST(date_trunc('month', "
        "TIMESTAMP '1970-01-01' + to_seconds(bucket * 900)) AS DATE) FROM usage_whole_rollup"
    )
    while cube.compact_one(FIRST_BUCKET + YEAR_BUCKETS):
        pass
    cube._database.execute("CHECKPOINT")


def export_csv(cube: DuckDBCube, path: Path) -> None:
    """The same rows for the other engines."""
    dialect = DuckDBDialect(lambda column, value: 0)
    columns, joins = [], ""
    for name in USAGE.columns:
        column, join = f"usage_rollup.{name}", ""
        if name in USAGE.texts:
            column, join = dialect.text(name, column, f"known_{name}")
        columns.append(column)
        joins += join
    cube._database.execute(
        f"COPY (SELECT {', '.join(columns)} FROM usage_rollup{joins}) TO '{path}' (HEADER false)"
    )

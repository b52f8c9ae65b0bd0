"""SQL of the cube's tables on ClickHouse."""

from typing import Final

from outlay.storage.cube.rollups import ROLLUPS, RollupSpec

DEDUPLICATED_BLOCKS: Final = 10_000
"""Number of inserts per table that are recognised if repeated: the default of replicated tables."""

_TYPES: Final = {
    "BIGINT": "Int64 CODEC(T64, ZSTD(1))",
    "SMALLINT": "Int16",
    "INTEGER": "Int32 CODEC(Delta, ZSTD(1))",
    "VARCHAR": "LowCardinality(String)",
}

SEQ_PER_PARTITION: Final = 1_000_000
"""Ledger positions per partition of a delta table, which is dropped once it is folded."""

_MONTH: Final = "toYYYYMM(toDateTime(toInt64(bucket) * 900, 'UTC'))"


def schema(on_cluster: str) -> list[str]:
    """The statements that create the tables of a cube, replicated if there is a cluster."""
    family = "Replicated" if on_cluster else ""
    window = (
        ""
        if on_cluster
        else f" SETTINGS non_replicated_deduplication_window = {DEDUPLICATED_BLOCKS}"
    )

    def table(name: str, columns: str, engine: str, layout: str) -> str:
        return (
            f"CREATE TABLE IF NOT EXISTS {name}{on_cluster} ({columns}) "
            f"ENGINE = {family}{engine} {layout}{window}"
        )

    statements = []
    for spec in ROLLUPS:
        rollup, delta = spec.tables
        columns = ", ".join(f"{name} {_type(spec, name)}" for name in spec.columns)
        order = ", ".join(spec.order)
        statements += [
            table(
                rollup,
                f"{columns}, fold UInt64 CODEC(Delta, ZSTD(1))",
                "MergeTree",
                f"PARTITION BY {_MONTH} ORDER BY ({order})",
            ),
            table(
                delta,
                f"{columns}, seq UInt64 CODEC(Delta, ZSTD(1))",
                "MergeTree",
                f"PARTITION BY intDiv(seq, {SEQ_PER_PARTITION}) ORDER BY ({order})",
            ),
        ]
    return [
        *statements,
        table(
            "group_set",
            "groups String, group_id String",
            "ReplacingMergeTree",
            "ORDER BY (groups, group_id)",
        ),
        table(
            "tag_set",
            "tags String, key String, value String",
            "ReplacingMergeTree",
            "ORDER BY (tags, key)",
        ),
        table(
            "cube_identity",
            "edition String, schema_version UInt32",
            "MergeTree",
            "ORDER BY edition",
        ),
        table(
            "cube_loaded",
            "place UInt8, through_seq UInt64",
            "ReplacingMergeTree(through_seq)",
            "ORDER BY place",
        ),
        table(
            "cube_fold",
            "through_seq UInt64, folded_at DateTime DEFAULT now()",
            "MergeTree",
            "ORDER BY through_seq",
        ),
        table(
            "cube_plan",
            "kind LowCardinality(String), from_seq UInt64, through_seq UInt64, "
            "planned_at DateTime DEFAULT now()",
            "MergeTree",
            "PARTITION BY toYYYYMM(planned_at) ORDER BY (kind, from_seq) "
            "TTL planned_at + INTERVAL 90 DAY",
        ),
    ]


def _type(spec: RollupSpec, column: str) -> str:
    """The type of a column; texts with too many values for a dictionary are plain."""
    return "String" if column in spec.uncoded else _TYPES[spec.column_type(column)]


def fold(spec: RollupSpec, from_seq: int, through_seq: int, *, is_summed: bool = True) -> str:
    """The statement that folds deltas into the rollup, summed by cell unless `is_summed` is False.

    A sum that does not fit the column is an error, because it would overflow. Rows are ordered so
    that a repeated insert has the same blocks.
    """
    rollup, delta = spec.tables
    names = ", ".join(spec.dimensions)
    measures = ", ".join(
        f"accurateCast(sum(toInt128({name})), 'Int64') AS {name}" if is_summed else name
        for name in spec.measures
    )
    grouped = f"GROUP BY {names} " if is_summed else ""
    rest = "" if is_summed else f", {', '.join(spec.measures)}"
    return (
        f"INSERT INTO {rollup} ({', '.join(spec.columns)}, fold) "  # noqa: S608 - constants and integers
        f"SELECT {names}, {measures}, {int(through_seq)} AS fold FROM {delta} "
        f"WHERE seq > {int(from_seq)} AND seq <= {int(through_seq)} "
        f"{grouped}ORDER BY {names}{rest}"
    )

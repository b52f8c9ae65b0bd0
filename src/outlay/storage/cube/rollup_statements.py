"""SQL that reads the stored rollups, for verification."""

from outlay.domain.period import BUCKETS_PER_DAY
from outlay.kit.sqlfiles import load_sql
from outlay.storage.cube.fragments import PACKAGE, Fragments
from outlay.storage.cube.rollups import RollupSpec


class RollupStatements(Fragments):
    """The statement of each question about a rollup."""

    def cells(self, spec: RollupSpec) -> str:
        """The statement that reads every cell of an organization in a range of buckets."""
        values, joins = [], ""
        for name in spec.dimensions:
            value, join = f"cell.{name}", ""
            if name in spec.coded:
                value, join = self._dialect.text(name, value, f"known_{name}")
            values.append(value)
            joins += join
        return load_sql(PACKAGE, "rollup.cells").format(
            source=self._dialect.every(spec, spec.dimensions, spec.measures),
            dimensions=", ".join(spec.dimensions),
            sums=self._sums(spec.measures),
            values=", ".join(values),
            found=self._dialect.select_sums({name: name for name in spec.measures}),
            joins=joins,
        )

    def slices(self, spec: RollupSpec, buckets: int) -> str:
        """The statement that finds the ranges of buckets in which a rollup has rows."""
        return load_sql(PACKAGE, "rollup.slices").format(
            slice=self._dialect.quotient("bucket", buckets),
            source=self._dialect.every(spec, (), ()),
        )

    def fingerprints(self, spec: RollupSpec) -> str:
        """The statement that sums a range of buckets by day, plain and weighted.

        It binds the separator of a cell's labels and the salt at their end.
        """
        joins = ""
        texts: dict[str, str] = {}
        for name in spec.texts:
            value, join = f"cell.{name}", ""
            if name in spec.coded:
                value, join = self._dialect.text(name, value, f"known_{name}")
            texts[name] = value
            joins += join
        is_binned = "latency_bin" in spec.dimensions
        numbers = [
            self._dialect.as_text(f"cell.{name}") for name in spec.integers if name != "latency_bin"
        ]
        commas = f"length({texts['groups']}) - length(replace({texts['groups']}, ',', ''))"
        return load_sql(PACKAGE, "rollup.fingerprints").format(
            organization=texts["organization_id"],
            day=self._dialect.quotient("cell.bucket", BUCKETS_PER_DAY),
            part="cell.latency_bin" if is_binned else commas,
            weight=self._dialect.weight([*texts.values(), *numbers]),
            measures=", ".join(f"cell.{name} AS {name}" for name in spec.measures),
            sums=", ".join(
                value
                for name in spec.measures
                for value in (
                    self._dialect.sum(f"weighed.{name}"),
                    *self._dialect.weighted_sums("weighed.weight", f"weighed.{name}"),
                )
            ),
            source=self._dialect.every(spec, spec.dimensions, spec.measures),
            joins=joins,
        )

"""The schema version of a ledger, and upgrades of older versions.

A schema change is one more step at the end of an engine's list, and the same change in its
`schema.sql` for new ledgers. Steps run in one exclusive transaction: a process that is killed
during it leaves the tables unchanged.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.kit.sqlfiles import load_statements
from outlay.storage.ledger import queries
from outlay.storage.ledger.connection import Connection

logger = logging.getLogger(__name__)

Step = Callable[[Connection], None]
"""Upgrades tables to the next version, in the current transaction."""

BeforeUpgrade = Callable[[int, int], None]
"""Called with the current and the next version before an existing ledger is changed, while no other
process can write to it. An exception stops the upgrade.
"""


def announce(present: int, following: int) -> None:
    """Log the start of an upgrade."""
    logger.warning("upgrading the ledger from schema %d to %d", present, following)


def run_statements(package: str, name: str) -> Step:
    """A step that runs the statements of `<name>.sql` in a package."""

    def step(connection: Connection) -> None:
        for statement in load_statements(package, name):
            connection.execute(statement)

    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The schema history of one engine."""

    first: int
    """The oldest version that can be upgraded."""
    steps: Sequence[Step]
    """From each version to the next, oldest first."""

    @property
    def version(self) -> int:
        """The version after all steps: the one that this code reads and writes."""
        return self.first + len(self.steps)

    def check(self, version: int) -> None:
        """Raise Damaged for tables that this version cannot upgrade."""
        if version > self.version:
            raise Damaged(
                f"The ledger was written by a newer version of Outlay (schema {version}). This "
                f"version reads up to schema {self.version}; install the newer version.",
                code=ErrorCode.LEDGER_TOO_NEW,
            )
        if version < self.first:
            raise Damaged(
                f"The ledger has schema {version}, which this version cannot upgrade. Open it "
                f"once with a version that has schema {self.first}.",
                code=ErrorCode.LEDGER_TOO_OLD,
            )

    def upgrade(self, connection: Connection, before: BeforeUpgrade) -> None:
        """Upgrade existing tables to this version, in the current transaction.

        Raises Damaged if a newer version wrote them.
        """
        _, present = connection.execute(queries.IDENTITY).fetchone()
        self.check(present)
        if present == self.version:
            return
        before(present, self.version)
        for step in self.steps[present - self.first :]:
            step(connection)
        connection.execute(queries.SET_SCHEMA, (self.version,))

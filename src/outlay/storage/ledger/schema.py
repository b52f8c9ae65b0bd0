"""The version of a ledger's tables, and how older tables are upgraded to it.

A change of the tables is one more step at the end of an engine's list, and the same change in its
`schema.sql`, which new ledgers are made with. Steps run in one transaction that nobody else is in:
a process that is killed in the middle leaves the tables as they were.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.kit.sqlfiles import load_statements
from outlay.storage.ledger import queries
from outlay.storage.ledger.reading import Connection

logger = logging.getLogger(__name__)

Step = Callable[[Connection], None]
"""Changes tables of one version to those of the next, in the transaction under way."""

BeforeUpgrade = Callable[[int, int], None]
"""Called with the present and the next version before an existing ledger is changed, while nobody
else can write to it. What it raises stops the upgrade."""


def announce(present: int, following: int) -> None:
    """Say in the log that an upgrade begins."""
    logger.warning("upgrading the ledger from schema %d to %d", present, following)


def run_statements(package: str, name: str) -> Step:
    """A step that is a file of statements, `<name>.sql` in a package."""

    def step(connection: Connection) -> None:
        for statement in load_statements(package, name):
            connection.execute(statement)

    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The tables of one engine."""

    first: int
    """The oldest version that can be upgraded."""
    steps: Sequence[Step]
    """From each version to the next, oldest first."""

    @property
    def version(self) -> int:
        """The version after all steps: what this Outlay reads and writes."""
        return self.first + len(self.steps)

    def check(self, version: int) -> None:
        """Raise Damaged for tables that this Outlay cannot upgrade."""
        if version > self.version:
            raise Damaged(
                f"the ledger was written by a newer Outlay (schema {version}); this one reads up "
                f"to schema {self.version}: install the newer version",
                code=ErrorCode.LEDGER_TOO_NEW,
            )
        if version < self.first:
            raise Damaged(
                f"the ledger has schema {version}, which this Outlay cannot upgrade: open it once "
                f"with a version that has schema {self.first}",
                code=ErrorCode.LEDGER_TOO_OLD,
            )

    def upgrade(self, connection: Connection, before: BeforeUpgrade) -> None:
        """Upgrade tables that exist to this version, in the transaction under way.

        Raises Damaged when a newer Outlay wrote them.
        """
        _, present = connection.execute(queries.IDENTITY).fetchone()
        self.check(present)
        if present == self.version:
            return
        before(present, self.version)
        for step in self.steps[present - self.first :]:
            step(connection)
        connection.execute(queries.SET_SCHEMA, (self.version,))

"""Long work on a whole installation: prove it, rebuild it, erase what its rows say of people."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outlay.domain.errors import Unavailable
from outlay.services.progress import Progress
from outlay.services.projection import Projection
from outlay.services.verification import Verification, VerifyReport
from outlay.storage.ledger.store import Ledger


class Maintenance:
    """Long work on the whole installation, one piece at a time."""

    def __init__(
        self,
        ledger: Ledger,
        projection: Projection,
        verification: Verification,
    ) -> None:
        self._ledger = ledger
        self._projection = projection
        self._verification = verification
        self._busy = threading.Lock()

    def verify(self) -> Iterator[Progress | VerifyReport]:
        """Prove ledger and cube equal; the last item is the report."""
        with self._alone():
            yield from self._verification.run()

    def rebuild(self) -> Iterator[Progress]:
        """Recreate the cube from the ledger while the present one goes on answering."""
        with self._alone():
            yield from self._projection.rebuild()

    def rewrite(self, change: Callable[[], int]) -> int:
        """Let `change` rewrite rows of the ledger, and make the cube anew; what `change` returned.

        The cube is made anew, too, when this was interrupted before.
        """
        with self._alone():
            try:
                changed = change()
            finally:
                if self._projection.is_outdated:
                    self._ledger.purge()
            if self._projection.is_outdated:
                for _ in self._projection.rebuild():
                    pass
        return changed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._busy.acquire(blocking=False):
            raise Unavailable("a verification, rebuild or erasure is running", code="busy")
        try:
            yield
        finally:
            self._busy.release()

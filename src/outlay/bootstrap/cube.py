"""Opening the cube of a ledger, and rebuilding it if it does not match."""

import logging

from outlay.domain.errors import Damaged, Unavailable
from outlay.services.cube.projection import LOAD_EVENTS, fill
from outlay.storage.cube.store import Cube, CubeHome, CubeMismatch
from outlay.storage.cube.unreachable import UnreachableCube
from outlay.storage.ledger.store import Ledger

logger = logging.getLogger(__name__)


def open_cube(home: CubeHome, ledger: Ledger) -> tuple[Cube, bool]:
    """The cube of this ledger, and whether it was rebuilt because it was missing, damaged, foreign
    or ahead.

    When this returns, a local cube has the complete ledger: no query is answered before.
    """
    try:
        cube = home.open(ledger.edition)
        with cube.read() as reader:
            loaded = reader.loaded_seq
        # Concurrent commits and loads of other nodes are no reason to distrust the cube.
        is_fit = home.is_shared or loaded <= ledger.newest_seq()
        if is_fit and ledger.is_source_of(cube.edition):
            if not home.is_shared:
                try:
                    _load_rest(ledger, cube, loaded)
                except Damaged as error:  # the rest stays unloaded; answers say how fresh they are
                    logger.warning("The cube cannot be loaded: %s", error.message)
            return cube, False
        cube.close()
        reason = f"The cube belongs to another ledger, or is ahead of it (at event {loaded})."
    except CubeMismatch as error:
        reason = error.message
    except Unavailable as error:
        if not home.is_shared:
            raise
        logger.warning("%s Serving without it until it is reachable.", error.message)
        return UnreachableCube(), False
    logger.warning("%s Rebuilding it from the ledger.", reason)
    home.clear()
    cube = home.open(ledger.edition)
    if (
        not home.is_shared
    ):  # otherwise the loading node does this, and answers say how fresh they are
        _load_rest(ledger, cube, 0)
    return cube, True


def _load_rest(ledger: Ledger, cube: Cube, loaded: int) -> None:
    missing = ledger.newest_seq() - loaded
    if missing > LOAD_EVENTS:
        logger.warning("loading %d events into the cube before queries are answered", missing)
    for _ in fill(ledger, cube, loaded):
        pass

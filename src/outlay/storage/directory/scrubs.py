"""Reading and writing the progress of the scrub."""

from dataclasses import dataclass, field

import msgspec

from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import ScrubRow


@dataclass(slots=True, kw_only=True)
class ScrubState:
    """The progress of the scrub."""

    begun_at_us: int | None = None
    """When the current round began; None between two rounds."""
    stage: int = 0
    position: int = 0
    """Within the stage."""
    faults: list[str] = field(default_factory=list)
    """Found so far in the current round."""
    finished_at_us: int | None = None
    """When the last round ended."""
    found: list[str] = field(default_factory=list)
    """Everything found in the last round."""


def find_scrub(session: ReadSession) -> ScrubState:
    """The stored progress."""
    row = session.get(ScrubRow, 1)
    if row is None:
        return ScrubState()
    try:
        return ScrubState(
            begun_at_us=row.begun_at_us,
            stage=row.stage,
            position=row.position,
            faults=msgspec.json.decode(row.faults, type=list[str]),
            finished_at_us=row.finished_at_us,
            found=msgspec.json.decode(row.found, type=list[str]),
        )
    except msgspec.DecodeError:  # the state itself is damaged
        return ScrubState()


def put_scrub(session: WriteSession, state: ScrubState) -> None:
    """Replace the stored progress."""
    session.merge(
        ScrubRow(
            only=1,
            begun_at_us=state.begun_at_us,
            stage=state.stage,
            position=state.position,
            faults=msgspec.json.encode(state.faults).decode(),
            finished_at_us=state.finished_at_us,
            found=msgspec.json.encode(state.found).decode(),
        )
    )

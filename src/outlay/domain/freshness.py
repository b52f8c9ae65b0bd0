"""How complete answers are, and when they were last verified."""

from dataclasses import dataclass
from datetime import datetime

from outlay.domain.verification import Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How complete the cube is."""

    data_through: datetime
    """Every event acknowledged before this instant is included in the answer."""
    pending_events: int
    failure: str | None
    """Why loading the cube has stopped; None if it is running."""
    verified: Verified

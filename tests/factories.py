"""Values for tests, with defaults for everything that a test is not about."""

import itertools
from datetime import UTC, datetime
from typing import Any

from outlay.domain.event import UsageEvent
from outlay.kit.clock import to_us

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_event(**changes: Any) -> UsageEvent:
    """An event of organization `org_test`, a minute before NOW, with a unique id."""
    values: dict[str, Any] = {
        "event_id": f"evt-{next(_numbers):08d}",
        "organization_id": "org_test",
        "event_time_us": to_us(NOW) - 60_000_000,
        "provider": "openai",
        "mapping": "openai/gpt-5.5",
        "model": "gpt-5.5",
    }
    return UsageEvent(**{**values, **changes})

"""The columns that an event's cost depends on, for reading many rows."""

from typing import Final, NamedTuple


class CostRow(NamedTuple):
    """Part of a row, by the events' field names."""

    seq: int
    event_time_us: int
    provider: str
    mapping: str
    response_model: str
    price_context: str
    operation: str
    status: str
    usage_source: str
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    cache_write_1h_input_tokens: int
    reasoning_output_tokens: int
    meters: str
    unread: str
    reported_cost_pusd: int | None
    source: str
    amendment: str
    model: str
    user_id: str
    cost_pusd: int


COSTS_OF_WINDOW: Final = (
    f"SELECT {', '.join(CostRow._fields)} FROM usage_event WHERE organization_id = ? "  # noqa: S608 - column names are constants
    "AND event_time_us >= ? AND event_time_us < ? AND (event_time_us, seq) > (?, ?) AND seq <= ? "
    "ORDER BY event_time_us, seq LIMIT ?"
)

"""A time to first token counts only for streamed answers, whatever is recorded."""

from tests.factories import make_event

from outlay.domain.measure import MEASURES
from outlay.services.cube.exact_comparison import measures_of
from outlay.storage.cube.aggregation import Deltas, aggregate
from outlay.storage.ledger.rows import EVENT_FIELDS


def test_unstreamed_answer_is_not_averaged() -> None:
    """Gateways of earlier versions recorded it: the time of the first bytes is the latency."""
    events = [
        make_event(event_id="whole", duration_us=900, time_to_first_token_us=890, is_stream=0),
        make_event(event_id="stream", duration_us=900, time_to_first_token_us=20, is_stream=1),
    ]
    rows = [(0, 0, b"", *(getattr(event, name) for name in EVENT_FIELDS)) for event in events]
    (cell,) = aggregate(rows, Deltas()).usage.values()
    found = dict(zip([measure.name for measure in MEASURES], cell, strict=True))

    assert (found["streamed_requests"], found["time_to_first_token_us"]) == (1, 20)
    assert found["timed_requests"] == 2
    assert sum(measures_of(event).time_to_first_token_us for event in events) == 20

"""A provider answer counts once, in whatever order and however often it is reported."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.factories import NOW, make_event

from outlay.domain.amendment import restated, root_of, standing, void_id, voided
from outlay.domain.event import SIGN, Amendment, UsageEvent, UsageSource
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.outcome import Outcome
from outlay.domain.same_answer import GATEWAY, MAX_REPORTS
from outlay.kit.clock import to_us
from outlay.services.cube.exact_comparison import measures_of
from outlay.storage.ledger.log import NEWEST_FIRST, LogFilter
from outlay.storage.ledger.rows import from_row
from outlay.storage.ledger.store import Ledger

_numbers = itertools.count(1)


def answer_id() -> str:
    """A unique id in the format of providers."""
    return f"chatcmpl-{next(_numbers):024d}"


def report(response_id: str, source: str = GATEWAY, **changes: object) -> UsageEvent:
    return make_event(response_id=response_id, source=source, **changes)


def stored(ledger: Ledger) -> list[UsageEvent]:
    return [from_row(row) for batch in ledger.read_batches(0) for row in batch.rows]


def counted(ledger: Ledger) -> list[UsageEvent]:
    """The sums over the rows of a ledger, by their signs only."""
    signs: dict[str, int] = {}
    events: dict[str, UsageEvent] = {}
    for event in stored(ledger):
        target = event.amends if event.amendment == Amendment.VOID else event.event_id
        signs[target] = signs.get(target, 0) + SIGN[event.amendment]
        if event.amendment != Amendment.VOID:
            events[target] = event
    assert set(signs.values()) <= {0, 1}
    return [events[target] for target, sign in signs.items() if sign]


def logged(ledger: Ledger) -> list[str]:
    """The ids in the request log."""
    now_us = to_us(NOW)
    wanted = LogFilter(
        organization_id=OrganizationId("org_test"),
        start_us=now_us - 10**12,
        end_us=now_us + 10**12,
        through_seq=10**9,
    )
    positions = ledger.read_positions(wanted, NEWEST_FIRST, None, 1_000)
    assert ledger.read_sums(wanted).requests == len(positions)
    return [
        entry.event.event_id for entry in ledger.read_logged(OrganizationId("org_test"), positions)
    ]


def test_later_report_of_an_answer_is_kept_uncounted(ledger: Ledger) -> None:
    first = report(answer_id(), input_tokens=10, cost_pusd=7)
    second = replace(first, event_id=EventId("span-1"), source="otel")

    assert ledger.append([first]) == [Outcome.ACCEPTED]
    assert ledger.append([second]) == [Outcome.DUPLICATE]
    assert ledger.append([second]) == [Outcome.DUPLICATE]  # the way senders repeat reports

    assert counted(ledger) == [first]
    assert stored(ledger)[1:] == [
        replace(second, amends=first.event_id, amendment=Amendment.REPEAT)
    ]
    assert logged(ledger) == [first.event_id]
    assert ledger.count_requests(10) == 1


def test_gateway_record_replaces_a_trace(ledger: Ledger) -> None:
    trace = report(answer_id(), "otel", input_tokens=10, cost_pusd=7)
    relayed = replace(
        trace, event_id=EventId("req-1"), source=GATEWAY, project_id="prj_1", cost_pusd=8
    )

    assert ledger.append([trace]) == [Outcome.ACCEPTED]
    assert ledger.append([relayed]) == [Outcome.ACCEPTED]

    assert counted(ledger) == [relayed]
    assert [event.amendment for event in stored(ledger)] == ["", "", Amendment.VOID]
    assert logged(ledger) == ["req-1"]
    history = ledger.read_history(OrganizationId("org_test"), trace.event_id)
    assert [entry.event.event_id for entry in history] == [trace.event_id, void_id(trace.event_id)]
    assert standing(ledger.read_reports(trace)) == [relayed]


def test_report_with_usage_replaces_one_without(ledger: Ledger) -> None:
    """A queued answer has none yet; the poll that fetches it has."""
    queued = report(answer_id(), usage_source=UsageSource.UNKNOWN)
    fetched = replace(
        queued,
        event_id=EventId("poll-1"),
        source="gateway-poll",
        usage_source=UsageSource.PROVIDER,
        input_tokens=5,
    )
    again = replace(fetched, event_id=EventId("poll-2"))

    outcomes = [ledger.append([event])[0] for event in (queued, fetched, again)]

    assert outcomes == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.DUPLICATE]
    assert counted(ledger) == [fetched]


def test_two_relayed_requests_are_two_despite_equal_answer_ids(
    ledger: Ledger,
) -> None:
    same = answer_id()
    events = [report(same), report(same), report("chatcmpl-1"), report("chatcmpl-1")]

    assert ledger.append(events) == [Outcome.ACCEPTED] * 4
    assert counted(ledger) == events


def test_answer_id_shared_by_too_many_is_ignored(ledger: Ledger) -> None:
    """As from a server that gives all answers the same id: the cost of the search does not grow."""
    relayed = [
        report("constant", provider="local", input_tokens=n) for n in range(MAX_REPORTS + 50)
    ]
    for start in range(0, len(relayed), 90):
        ledger.append(relayed[start : start + 90])
    # Among many other ids, so that the number of rows alone does not show it.
    others = [
        replace(report(answer_id(), "otel"), event_id=EventId(f"many-{n}")) for n in range(200)
    ]
    among = replace(relayed[9], event_id=EventId("span-among-many"), source="otel")
    assert ledger.append([*others, among]) == [Outcome.ACCEPTED] * 201
    traced = replace(relayed[7], event_id=EventId("span-of-constant"), source="otel")

    assert ledger.append([traced]) == [Outcome.ACCEPTED]
    assert ledger.read_reports(traced) == []
    # Other reports of the same commit are recognised by their own ids.
    other = report(answer_id(), "otel")
    again = replace(other, event_id=EventId(f"again-{other.event_id}"), source="litellm")
    more = [report("constant", provider="local"), other, again]
    assert [*map(str, ledger.append(more))] == ["accepted", "accepted", "duplicate"]


@pytest.mark.parametrize(
    "difference",
    [
        {"provider": "azure"},
        {"organization_id": "org_other"},
        {"event_time_us": to_us(NOW) - 36 * 86_400_000_000},
        {"response_id": ""},
    ],
)
def test_different_answers_are_different_requests(
    ledger: Ledger, difference: dict[str, str]
) -> None:
    first = report(answer_id(), "otel")
    second = replace(first, event_id="other", **difference)  # type: ignore[arg-type]  # all text

    assert ledger.append([first, second]) == [Outcome.ACCEPTED] * 2
    assert counted(ledger) == [first, second]


def test_short_answer_id_needs_matching_fields(ledger: Ledger) -> None:
    """Local servers draw their ids from a thousand values."""
    first = report("chatcmpl-417", "otel", provider="ollama", input_tokens=100, output_tokens=9)
    events = [
        first,
        replace(first, event_id=EventId("a"), source="litellm"),
        replace(first, event_id=EventId("b"), source="litellm", output_tokens=10),
        replace(first, event_id=EventId("c"), source="litellm", model="llama3"),
        replace(
            first,
            event_id=EventId("d"),
            source="x",
            event_time_us=first.event_time_us - 3_600_000_001,
        ),
        replace(first, event_id=EventId("d2")),
        replace(first, event_id=EventId("e"), provider="openai", source="litellm"),
        replace(
            first,
            event_id=EventId("f"),
            provider="openai",
            event_time_us=first.event_time_us - 10**11,
        ),
    ]

    assert [*map(str, ledger.append(events))] == [
        "accepted", "duplicate", "accepted", "accepted", "accepted", "accepted", "accepted",
        "duplicate",
    ]  # fmt: skip


def test_event_can_be_voided_once(ledger: Ledger) -> None:
    event = make_event(cost_pusd=5)
    ledger.append([event])
    once, twice = (
        restated(event, "run-1", replace(event, cost_pusd=6)),
        restated(event, "run-2", replace(event, cost_pusd=7)),
    )

    assert ledger.append(once) == [Outcome.ACCEPTED] * 2
    assert ledger.append(twice) == [Outcome.DUPLICATE] * 2

    assert [(each.event_id, each.cost_pusd) for each in counted(ledger)] == [
        (f"amendment:2:{event.event_id}", 6)
    ]
    third = restated(counted(ledger)[0], "run-3", replace(counted(ledger)[0], cost_pusd=9))
    assert ledger.append(third) == [Outcome.ACCEPTED] * 2
    assert [each.cost_pusd for each in counted(ledger)] == [9]
    assert logged(ledger) == [event.event_id]
    history = ledger.read_history(OrganizationId("org_test"), event.event_id)
    assert [(entry.version, entry.event.amendment) for entry in history] == [
        (1, ""), (1, "void"), (2, "restate"), (1, "void"), (3, "restate"),
    ]  # fmt: skip
    assert {root_of(row.event_id) for row in stored(ledger)} == {event.event_id}


def test_repriced_event_is_still_found_by_its_answer(ledger: Ledger) -> None:
    event = report(answer_id(), cost_pusd=5)
    ledger.append([event])
    ledger.append(restated(event, "run-1", replace(event, cost_pusd=6)))

    trace = replace(event, event_id=EventId("span-1"), source="otel")
    assert ledger.append([trace]) == [Outcome.DUPLICATE]
    assert [each.cost_pusd for each in counted(ledger)] == [6]


SOURCES = (GATEWAY, "otel", "litellm", "import:helicone")


@st.composite
def reports_of_answers(draw: st.DrawFn) -> tuple[list[list[UsageEvent]], int]:
    """Commits with reports of some answers, at most one by the gateway each; and the number of
    answers."""
    answers = [answer_id() for _ in range(draw(st.integers(1, 4)))]
    reports = []
    for number, answer in enumerate(answers):
        sources = draw(st.lists(st.sampled_from(SOURCES), min_size=1, unique=True))
        reports += [
            report(
                answer,
                source,
                input_tokens=number,
                usage_source=draw(st.sampled_from([UsageSource.PROVIDER, UsageSource.UNKNOWN])),
                event_time_us=to_us(NOW) - draw(st.integers(0, 10**9)),
            )
            for source in sources
        ]
    repeated = reports + draw(st.lists(st.sampled_from(reports), max_size=4))
    shuffled = draw(st.permutations(repeated))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    edges = [0, *cuts, len(shuffled)]
    commits = [shuffled[start:end] for start, end in itertools.pairwise(edges)]
    return [commit for commit in commits if commit], len(answers)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(reports_of_answers())
def test_any_mixture_of_sources_of_one_answer_counts_once(
    ledger: Ledger, mixture: tuple[list[list[UsageEvent]], int]
) -> None:
    commits, answers = mixture
    before = {event.event_id for event in counted(ledger)}
    offered: dict[str, UsageEvent] = {}
    for commit in commits:
        ledger.append(commit)
        offered.update({event.event_id: event for event in commit})

    now = [event for event in counted(ledger) if event.event_id not in before]

    assert len({event.response_id for event in now}) == len(now) == answers
    for event in now:
        assert event == offered[event.event_id]
        assert rank(event) == max(
            rank(other) for other in offered.values() if other.response_id == event.response_id
        )
    assert {*logged(ledger)} == before | {event.event_id for event in now}
    assert set(offered) <= {row.event_id for row in stored(ledger)}  # nothing is lost


def rank(event: UsageEvent) -> tuple[bool, bool]:
    return event.usage_source is not UsageSource.UNKNOWN, event.source == GATEWAY


def test_amendments_sum_to_the_current_versions(ledger: Ledger) -> None:
    events = [make_event(cost_pusd=number, input_tokens=number) for number in range(5)]
    ledger.append(events)
    ledger.append(
        [*restated(events[1], "run", replace(events[1], cost_pusd=100)), voided(events[2], "merge")]
    )

    total = [0, 0, 0]
    for row in stored(ledger):
        measures = measures_of(row)
        values: Sequence[int] = (measures.requests, measures.cost_pusd, measures.input_tokens)
        total = [old + SIGN[row.amendment] * new for old, new in zip(total, values, strict=True)]

    assert total == [4, 0 + 100 + 3 + 4, 0 + 1 + 3 + 4]
    assert ledger.count_requests(100) == 4


def test_event_voided_for_another_report_is_not_restated(ledger: Ledger) -> None:
    """A repricing run has read the request before it was merged."""
    event = report(answer_id(), "otel", cost_pusd=5)
    ledger.append([event])
    relayed = replace(event, event_id=EventId("req"), source=GATEWAY)
    ledger.append([relayed])

    late = restated(event, "run", replace(event, cost_pusd=6))

    assert ledger.append(late) == [Outcome.DUPLICATE] * 2
    assert counted(ledger) == [relayed]
    assert ledger.append([late[1]]) == [Outcome.DUPLICATE]  # a version alone, too


def test_better_report_and_amendment_in_one_commit_count_once(ledger: Ledger) -> None:
    event = report(answer_id(), "otel", cost_pusd=5)
    ledger.append([event])
    relayed = replace(event, event_id=EventId(f"req-{event.event_id}"), source=GATEWAY)

    ledger.append([*restated(event, "run", replace(event, cost_pusd=6)), relayed])

    assert counted(ledger) == [relayed]

"""LiteLLM's `StandardLoggingPayload`, as its `generic_api` logger posts it.

Source: BerriAI/litellm `litellm/types/utils.py` and bodies captured from 1.106 and 1.109. Only the
necessary fields are decoded: prompts, answers and the price table in each event are skipped.

Meanings that the field names do not show:
- `id` is the provider's id of the answer and not unique; `litellm_call_id` is. Each failed try is
  posted with the id of its call, so a failure has an id of its own.
- `prompt_tokens` includes cached tokens; `metadata.usage_object` tells which of them were cached.
- `aretrieve_batch` reports a finished batch with its sums, each time it is polled; `id` is the
  batch's. A poll before the batch has finished used nothing and is skipped.
- An answer from LiteLLM's own cache repeats the counts of the first one and used nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT, Status, UsageSource, status_of_code
from outlay.domain.ids import EventId
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.wire.answer import (
    Fields,
    count_of,
    list_of,
    object_of,
    text_of,
    tier_context,
)
from outlay.wire.bodies import MAX_EVENTS, Objects
from outlay.wire.caller import Caller, read_caller
from outlay.wire.counters import Counted, read_counters
from outlay.wire.end_users import end_user_of
from outlay.wire.litellm.calls import is_poll, operation_of, settled
from outlay.wire.providers import route_of
from outlay.wire.values import elapsed_us, first_of, pusd_of, time_us_of

SOURCE: Final = "litellm"


class Teams(StrEnum):
    """What a LiteLLM team maps to."""

    PROJECTS = "projects"
    GROUPS = "groups"


class _Payload(msgspec.Struct):
    """The fields that are read. Types are lenient, because a rejected batch is a lost one."""

    id: Any = None
    litellm_call_id: Any = None
    call_type: Any = None
    stream: Any = None
    cache_hit: Any = None
    status: Any = None
    custom_llm_provider: Any = None
    model: Any = None
    model_group: Any = None
    start_time: Any = msgspec.field(default=None, name="startTime")
    end_time: Any = msgspec.field(default=None, name="endTime")
    completion_start_time: Any = msgspec.field(default=None, name="completionStartTime")
    prompt_tokens: Any = None
    completion_tokens: Any = None
    response_cost: Any = None
    cost_breakdown: Any = None
    metadata: Any = None
    hidden_params: Any = None
    model_parameters: Any = None
    request_tags: Any = None
    session_id: Any = None
    end_user: Any = None
    user_agent: Any = None
    error_information: Any = None


_bodies: Final = Objects(_Payload)

_PAYLOAD: Final = {
    "type": "object",
    "description": "LiteLLM's StandardLoggingPayload; most of it is skipped.",
    "required": ["startTime"],
    "properties": {
        "litellm_call_id": {"description": "Text; `id` is used if it is missing."},
        "startTime": {"type": ["number", "string"], "description": "Seconds since the epoch."},
    },
}
PAYLOADS_SCHEMA: Final = {
    "anyOf": [{"type": "array", "maxItems": MAX_EVENTS, "items": _PAYLOAD}, _PAYLOAD]
}
"""JSON Schema of what `parse_payloads` accepts."""


def parse_payloads(body: bytes, teams: Teams = Teams.PROJECTS) -> list[UsageReport]:
    """Reports from LiteLLM's logger: an array, one payload per line, or a single one.

    Calls that are not model calls have no report.

    Invalid names the index and the field.
    """
    return [
        report
        for at, payload in enumerate(_bodies.parse(body))
        if (report := _report(payload, at, teams)) is not None
    ]


def _report(payload: _Payload, at: int, teams: Teams) -> UsageReport | None:
    """The report of a payload; None for a call that is not a model call, such as a poll."""
    call_id = text_of(payload.litellm_call_id) or text_of(payload.id)
    if not call_id:
        raise _invalid(at, "litellm_call_id", "and `id` are missing. Send the complete payload")
    start_us = time_us_of(payload.start_time)
    if start_us is None:
        raise _invalid(at, "startTime", f"must be a time, not {payload.start_time!r}")
    metadata = _object(payload.metadata)
    hidden = _object(payload.hidden_params)
    failure = _object(payload.error_information)
    has_failed = payload.status == "failure"
    code = _code(failure.get("error_code"))
    end_us = time_us_of(payload.end_time)
    provider, mapping = route_of(
        text_of(payload.custom_llm_provider) or text_of(failure.get("llm_provider")),
        text_of(hidden.get("litellm_model_name"))
        or text_of(payload.model)
        or text_of(payload.model_group)
        or "unknown",
    )
    caller = _caller(metadata, payload)
    tags = list(_tags(payload.request_tags))
    project, groups, names = _owners_of(metadata, teams)
    key = text_of(metadata.get("user_api_key_hash"))
    names[key] = text_of(metadata.get("user_api_key_alias"))
    is_stream = payload.stream is True
    call_type = text_of(payload.call_type)
    counted = _counted(payload, metadata, has_failed=has_failed)
    report = UsageReport(
        event_id=EventId(f"{call_id[: MAX_TEXT - 8]}:failure" if has_failed else call_id),
        event_time_us=start_us,
        provider=provider,
        mapping=mapping,
        usage=counted.usage,
        meters=counted.meters,
        unread=counted.unread,
        project_id=project,
        api_key_id=key,
        user_id=_user_of(metadata),
        groups=groups,
        end_user=end_user_of(first_of(metadata, "user_api_key_end_user_id"))
        or end_user_of(payload.end_user)
        or end_user_of(_object(payload.model_parameters).get("user"))
        or caller.user,
        app=next((tag[4:] for tag in tags if tag.lower().startswith("app:")), "") or caller.app,
        session_id=text_of(first_of(metadata, "session_id", "litellm_session_id"))
        or text_of(payload.session_id)
        or caller.session,
        tags=_keyed(tags, caller),
        operation=operation_of(call_type),
        status=_status(code) if has_failed else Status.OK,
        usage_source=UsageSource.REPORTED,
        duration_us=elapsed_us(start_us, end_us),
        time_to_first_token_us=(
            elapsed_us(start_us, time_us_of(payload.completion_start_time)) if is_stream else None
        ),
        reported_cost_pusd=pusd_of(payload.response_cost),
        is_stream=is_stream,
        http_status=code,
        error_code=text_of(first_of(failure, "normalized_error", "error_class"))
        if has_failed
        else "",
        response_id=text_of(payload.id),
        price_context=tier_context(_object(payload.cost_breakdown).get("service_tier")),
        names={claim: name for claim, name in names.items() if claim and name and name != claim},
        source=SOURCE,
    )
    if not has_failed and is_poll(call_type, report):
        return None
    return settled(call_type, report, is_cached=_is_cached(payload))


def _is_cached(payload: _Payload) -> bool:
    return payload.cache_hit is True or payload.cache_hit == "True"


def _owners_of(metadata: Fields, teams: Teams) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Project, user groups and their names: LiteLLM's own project wins over its team."""
    team = text_of(metadata.get("user_api_key_team_id")) or text_of(metadata.get("team_id"))
    project = text_of(metadata.get("user_api_key_project_id")) or text_of(
        object_of(metadata, "spend_logs_metadata").get("project")
    )
    names = {
        team: text_of(first_of(metadata, "user_api_key_team_alias", "team_alias")),
        project: text_of(metadata.get("user_api_key_project_alias")),
    }
    if teams is Teams.GROUPS:
        return project, (team,) if team else (), names
    return project or team, (), names


def _user_of(metadata: Fields) -> str:
    """The owner of the key: the e-mail address, which other systems know too, or the id."""
    email = text_of(metadata.get("user_api_key_user_email"))
    return email or text_of(metadata.get("user_api_key_user_id"))


def _counted(payload: _Payload, metadata: Fields, *, has_failed: bool) -> Counted:
    """Usage: the payload's counts, with the details of the provider's usage object."""
    if _is_cached(payload):
        return Counted(TokenUsage(), {}, ())
    incoming, outgoing = count_of(payload.prompt_tokens), count_of(payload.completion_tokens)
    if incoming is None or outgoing is None:
        return Counted(TokenUsage() if has_failed else None, {}, ())
    usage = object_of(metadata, "usage_object")
    counts = {"prompt_tokens": incoming, "completion_tokens": outgoing}
    return read_counters({**usage, **counts})


def _caller(metadata: Fields, payload: _Payload) -> Caller:
    """The claims in the caller's headers, if LiteLLM forwards them."""
    headers = {
        name.lower().encode(errors="ignore"): value.encode(errors="ignore")
        for found in (
            object_of(object_of(metadata, "requester_metadata"), "headers"),
            object_of(metadata, "requester_custom_headers"),
        )
        for name, value in found.items()
        if isinstance(value, str)
    }
    agent = text_of(payload.user_agent) or text_of(metadata.get("user_agent"))
    if agent:
        headers.setdefault(b"user-agent", agent.encode())
    return read_caller(headers)


def _keyed(tags: Sequence[str], caller: Caller) -> Mapping[str, str]:
    """Tags of the form `key:value`, and those in the caller's headers."""
    pairs = (tag.partition(":") for tag in tags)
    keyed = {key.strip().lower(): value.strip() for key, sign, value in pairs if sign}
    return {**caller.tags, **keyed}


def _tags(tags: object) -> Iterator[str]:
    """The user's tags; LiteLLM adds the User-Agent as another one."""
    for tag in list_of({"tags": tags}, "tags"):
        if (text := text_of(tag)) and not text.lower().startswith("user-agent:"):
            yield text


def _status(code: int | None) -> Status:
    return status_of_code(code) if code is not None and code >= 400 else Status.UPSTREAM_ERROR


def _code(value: object) -> int | None:
    """An HTTP status; None for anything else: failures without one have a word or nothing."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 100 <= int(text) <= 599 else None


def _object(value: object) -> Fields:
    return value if isinstance(value, dict) else {}


def _invalid(at: int, field: str, message: str) -> Invalid:
    path = f"$[{at}].{field}"
    return Invalid(f"`{path}` {message}.", code=ErrorCode.INVALID_EVENT, field=path)

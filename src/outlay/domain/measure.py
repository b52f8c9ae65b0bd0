"""The catalogue of measures, for the rollup tables, the API, the pages and the docs."""

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """The unit of a measure."""

    COUNT = "count"
    TOKENS = "tokens"
    PUSD = "pico-USD"
    MICROSECONDS = "µs"


@dataclass(frozen=True, slots=True)
class Measure:
    """An additive number of the cube: the sum over any disjoint parts is the value of the whole."""

    name: str
    """Column and identifier, snake_case."""
    api_name: str
    """Name in JSON, camelCase; amounts are in USD there."""
    unit: Unit
    meaning: str


MEASURES: tuple[Measure, ...] = (
    Measure("requests", "requestCount", Unit.COUNT, "client requests, regardless of outcome"),
    Measure("input_tokens", "inputTokens", Unit.TOKENS, "input tokens, cached ones included"),
    Measure("output_tokens", "outputTokens", Unit.TOKENS, "output tokens, reasoning included"),
    Measure(
        "cache_read_input_tokens",
        "cacheReadInputTokens",
        Unit.TOKENS,
        "the part of the input that was read from a prompt cache",
    ),
    Measure(
        "cache_write_input_tokens",
        "cacheWriteInputTokens",
        Unit.TOKENS,
        "the part of the input that was written to a prompt cache",
    ),
    Measure(
        "reasoning_output_tokens",
        "reasoningOutputTokens",
        Unit.TOKENS,
        "the part of the output that was reasoning",
    ),
    Measure(
        "cost_pusd",
        "cost",
        Unit.PUSD,
        "the cost that counts: computed or, where the sender's is preferred, reported",
    ),
    Measure("input_cost_pusd", "inputCost", Unit.PUSD, "part of the cost: uncached input and fees"),
    Measure("cache_read_cost_pusd", "cacheReadCost", Unit.PUSD, "part of the cost: cache reads"),
    Measure("cache_write_cost_pusd", "cacheWriteCost", Unit.PUSD, "part of the cost: cache writes"),
    Measure("output_cost_pusd", "outputCost", Unit.PUSD, "part of the cost: output"),
    Measure(
        "meter_cost_pusd",
        "meterCost",
        Unit.PUSD,
        "part of the cost: meters, which are audio, images, searches and other kinds of usage",
    ),
    Measure("reported_cost_pusd", "reportedCost", Unit.PUSD, "the cost reported by senders"),
    Measure(
        "computed_beside_pusd",
        "computedBesideReportedCost",
        Unit.PUSD,
        "the computed cost of requests with a reported cost, if the price book has a price "
        "for all of their usage",
    ),
    Measure(
        "uncompared_cost_pusd",
        "uncomparedReportedCost",
        Unit.PUSD,
        "the reported cost of requests without a complete computed cost, which cannot be compared",
    ),
    Measure(
        "errors",
        "errorCount",
        Unit.COUNT,
        "requests that failed upstream or in the gateway",
    ),
    Measure(
        "client_errors",
        "clientErrorCount",
        Unit.COUNT,
        "requests that failed because of the client",
    ),
    Measure(
        "unpriced_requests",
        "unpricedRequestCount",
        Unit.COUNT,
        "requests with token counts but without a price",
    ),
    Measure(
        "partly_priced_requests",
        "partlyPricedRequestCount",
        Unit.COUNT,
        "requests with a part that has no price",
    ),
    Measure(
        "reported_cost_requests",
        "reportedCostRequestCount",
        Unit.COUNT,
        "requests with a reported cost",
    ),
    Measure(
        "uncompared_requests",
        "uncomparedRequestCount",
        Unit.COUNT,
        "requests with a reported cost that the price book cannot fully price",
    ),
    Measure(
        "estimated_requests",
        "estimatedRequestCount",
        Unit.COUNT,
        "requests whose tokens were estimated",
    ),
    Measure(
        "unknown_usage_requests",
        "unknownUsageRequestCount",
        Unit.COUNT,
        "requests without token counts",
    ),
    Measure(
        "adjusted_requests",
        "adjustedRequestCount",
        Unit.COUNT,
        "requests whose contradictory token counts were clamped",
    ),
    Measure("duration_us", "durationUs", Unit.MICROSECONDS, "sum of durations"),
    Measure("timed_requests", "timedRequestCount", Unit.COUNT, "requests with a duration"),
    Measure(
        "time_to_first_token_us",
        "timeToFirstTokenUs",
        Unit.MICROSECONDS,
        "sum of times to the first token of streamed answers",
    ),
    Measure(
        "streamed_requests",
        "streamedRequestCount",
        Unit.COUNT,
        "streamed answers with a time to first token",
    ),
)

MEASURES_BY_NAME: dict[str, Measure] = {measure.name: measure for measure in MEASURES}


class Rank(StrEnum):
    """What groups are ranked by; its value is the word used in the API."""

    COST = "cost"
    REQUESTS = "requestCount"
    TOKENS = "totalTokens"

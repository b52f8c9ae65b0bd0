"""Our prices are those of genai-prices' own calculation, or the difference is explained."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tools.price_check.__main__ import Report
from tools.price_check.genai import read_genai
from tools.price_check.known import BadList, read_known
from tools.price_check.litellm import read_litellm
from tools.price_check.quotes import Quote, Verdict, compare

from outlay.domain.usage import TokenUsage
from outlay.pricing.book import PriceBook
from outlay.pricing.rates import NO_METERS

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def compared(share: float) -> Report:
    report = Report(read_known())
    report.take(read_genai(AT, share))
    return report


def test_no_difference_from_genai_prices_is_unexplained() -> None:
    report = compared(0.2)

    assert [str(found) for found in report.unknown] == []
    assert report.counts["genai-prices", "equal"] > 1_000


@pytest.mark.long
def test_no_difference_from_genai_prices_is_unexplained_in_any_model() -> None:
    report = compared(1.0)

    assert [str(found) for found in report.unknown] == []
    assert report.counts["genai-prices", "equal"] > 15_000


def quote(
    cost: str,
    mapping: str = "openai/gpt-5.5",
    what: str = "input",
    context: Mapping[str, str] = NO_METERS,
) -> Quote:
    return Quote(
        table="litellm",
        provider=mapping.partition("/")[0],
        mapping=mapping,
        what=what,
        cost=Decimal(cost),
        at=AT,
        usage=TokenUsage(10_000),
        context=context,
    )


@pytest.mark.parametrize(
    ("cost", "mapping", "context", "verdict"),
    [
        ("0.05", "openai/gpt-5.5", {}, Verdict.EQUAL),
        ("0.0500000004", "openai/gpt-5.5", {}, Verdict.EQUAL),
        ("0.051", "openai/gpt-5.5", {}, Verdict.DIFFERENT),
        ("0.05", "acme/gpt-5.5", {}, Verdict.FLAGGED),
        ("0.02", "openai/gpt-5.5", {"service_tier": "scale"}, Verdict.FLAGGED),
    ],
)
def test_quote_is_equal_different_or_flagged(
    cost: str, mapping: str, context: dict[str, str], verdict: Verdict
) -> None:
    assert compare(PriceBook(), quote(cost, mapping, context=context)).verdict is verdict


def test_unlisted_difference_is_reported_and_listed_one_has_a_reason(
    tmp_path: Path,
) -> None:
    path = tmp_path / "known.toml"
    path.write_text(
        '[[known]]\ntable = "litellm"\nprovider = "open*"\nmodel = "gpt-5.5"\nwhat = "in*"\n'
        'right = "ours"\nwhy = "theirs is old"\nat_most_percent = "10"\n',
        encoding="utf-8",
    )
    report = Report(read_known(path))

    report.take([quote("0.051"), quote("0.1"), quote("0.051", what="output")])

    assert [(found.quote.cost, found.quote.what) for found in report.unknown] == [
        (Decimal("0.1"), "input"),
        (Decimal("0.051"), "output"),
    ]


@pytest.mark.parametrize("right", ["nobody", ""])
def test_entry_says_who_is_right_and_why(tmp_path: Path, right: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(
        f'[[known]]\ntable = "litellm"\nprovider = "openai"\nright = "{right}"\nwhy = "so"\n',
        encoding="utf-8",
    )

    with pytest.raises(BadList, match="entry 1: say who is right"):
        read_known(path)


def test_litellm_names_state_rate_size_and_tier(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(
        """{"sample_spec": {"litellm_provider": "x"}, "gpt-5.5": {"litellm_provider": "openai",
        "input_cost_per_token_above_272k_tokens_batches": 5e-6,
        "output_cost_per_token_above_272k_tokens_batches": 22.5e-6,
        "cache_read_input_token_cost": 5e-7, "mode": "chat",
        "input_cost_per_audio_token_ultrafast": 1,
        "search_context_cost_per_query": {"search_context_size_medium": 0.01}}}""",
        encoding="utf-8",
    )

    found = list(read_litellm(path, AT))

    assert [(one.what, one.cost, one.usage, dict(one.context)) for one in found] == [
        (
            "batches input above 272,000",
            Decimal("1.360005"),
            TokenUsage(272_001),
            {"processing": "batch"},
        ),
        (
            "batches output above 272,000",
            Decimal("1.585005"),
            TokenUsage(272_001, 10_000),
            {"processing": "batch"},
        ),
        ("cache_read", Decimal("0.005"), TokenUsage(10_000, 0, 10_000), {}),
        ("web_searches", Decimal(10), TokenUsage(), {}),
    ]
    assert {compare(PriceBook(), one).verdict for one in found} == {Verdict.EQUAL}

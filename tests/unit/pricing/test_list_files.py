"""A data file of genai-prices is accepted completely or not at all; its changes are shown."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.errors import Invalid
from outlay.domain.usage import TokenUsage
from outlay.kit.clock import to_us
from outlay.pricing.list_changes import PriceChange, compare_lists
from outlay.pricing.list_files import read_list
from outlay.pricing.rates import cost_of
from outlay.pricing.seed import PriceList

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
VERSION = "2026-11-20-0123456789ab"


def model(name: str, prices: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "match": {"equals": name}, "prices": prices, **more}


def document(*models: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": "acme", "name": "Acme", "api_pattern": "https://acme", "models": list(models)}]


def parsed(*models: dict[str, Any]) -> PriceList:
    return read_list(json.dumps(document(*models)).encode(), VERSION)


PLAIN = model("m", {"input_mtok": 2.5, "output_mtok": 10})


def test_prices_of_a_file_are_exact_and_versioned() -> None:
    tiers = {"base": 0.1, "tiers": [{"start": 1000, "price": 0.3}]}
    found = parsed(
        model(
            "m",
            [
                {"prices": {"input_mtok": 1}},
                {"constraint": {"start_date": "2026-11-01"}, "prices": {"input_mtok": tiers}},
            ],
            price_variants=[{"when": {"processing": "batch"}, "prices": {"input_mtok": 0.05}}],
        )
    ).find("acme", "acme/m", to_us(AT))

    assert found is not None
    assert cost_of(found.rates, TokenUsage(1_001)).total == 1_001 * 300_000
    assert found.ref == f"genai-prices:{VERSION}/acme/m?from=2026-11-01"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"{}", "Use the array of providers"),
        (b"[]", "The list has no models"),
        (b"[1]", "Use the array of providers"),
        (b'[{"id": "acme"}]', "Field required"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_invalid_price_lists_are_refused(body: bytes, fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        read_list(body, VERSION)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (model("m", {"input_mtok": -1}), "acme/m, input_mtok: -1 is not a price"),
        (model("m", {"input_mtok": 100_001}), "100001 is not a price"),
        (model("m", {"input_mtok": "NaN"}), "finite number|not a price"),
        (model("m", {"input_mtok": "dear"}), "valid decimal"),
        (model("m", []), "acme/m has no prices."),
        (model("m?x", {"input_mtok": 1}), "is not a valid model id."),
        (model("m" * 101, {"input_mtok": 1}), "is not a valid model id."),
        (
            model("m", {"input_mtok": {"base": 1, "tiers": [{"start": 0, "price": 2}]}}),
            "tiers must start at different sizes above 0.",
        ),
        (
            {**model("m", {"input_mtok": 1}), "match": {"or": [{"regex": "("}]}},
            "not a regular expression",
        ),
        ({**model("m", {"input_mtok": 1}), "match": {"sounds_like": "m"}}, "sounds_like"),
        (
            model(
                "m",
                {"input_mtok": 1},
                price_variants=[{"when": {"above": "1"}, "prices": {"input_mtok": 1}}],
            ),
            "uses the reserved context above.",
        ),
    ],
)
def test_each_error_is_named(wrong: dict[str, Any], fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        parsed(PLAIN, wrong)


VALID = json.dumps(document(PLAIN, model("n", [{"prices": {"input_mtok": 1}}]))).encode()


@given(st.integers(0, len(VALID) - 1), st.integers(0, len(VALID) - 1), st.binary(max_size=4))
def test_damaged_file_is_refused_or_still_valid(start: int, end: int, put: bytes) -> None:
    try:
        found = read_list(VALID[:start] + put + VALID[end:], VERSION)
    except Invalid:
        return
    assert found.providers


def test_added_and_removed_models_and_changed_prices_are_listed() -> None:
    batch = [{"when": {"processing": "batch"}, "prices": {"input_mtok": 1}}]
    halved = [{"when": {"processing": "batch"}, "prices": {"input_mtok": 0.5}}]
    before = parsed(PLAIN, model("gone", {"input_mtok": 1}), model("b", {}, price_variants=batch))
    after = parsed(
        model("m", {"input_mtok": 2, "output_mtok": 10}),
        model("new", {"input_mtok": 1}),
        model("b", {}, price_variants=halved),
    )

    changes = compare_lists(before, after, AT)

    assert (changes.added, changes.removed, changes.kept) == (("acme/new",), ("acme/gone",), 2)
    assert changes.prices == (
        PriceChange(model="acme/m", price="input_mtok", before=Decimal("2.5"), after=Decimal(2)),
        PriceChange(
            model="acme/b",
            price="input_mtok with processing=batch",
            before=Decimal(1),
            after=Decimal("0.5"),
        ),
    )
    assert changes.suspicious == []


@pytest.mark.parametrize(
    ("after", "is_doubtful"),
    [(250, False), (250.1, True), (0.025, False), (0.02499, True), (0, True)],
)
def test_extreme_price_changes_are_suspicious(after: float, is_doubtful: bool) -> None:
    changes = compare_lists(
        parsed(PLAIN), parsed(model("m", {"input_mtok": after, "output_mtok": 10})), AT
    )

    assert bool(changes.suspicious) is is_doubtful


def test_list_without_most_models_is_suspicious() -> None:
    before = parsed(PLAIN, model("a", {"input_mtok": 1}), model("b", {"input_mtok": 1}))

    assert compare_lists(before, parsed(PLAIN), AT).suspicious == ["2 of 3 models are gone"]

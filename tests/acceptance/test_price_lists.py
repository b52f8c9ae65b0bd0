"""`outlay prices`: a newer list without a new release; reverted completely or not at all."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from tests.factories import NOW
from typer.testing import CliRunner, Result

from outlay.bootstrap.installation import open_installation
from outlay.cli.main import app
from outlay.domain.errors import Conflict, Damaged, Invalid
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.pricing.seed import BUNDLED
from outlay.services.bundle import Services
from outlay.services.repricing.price_lists import USED, PriceLists
from outlay.settings import Settings


def newer(price: float) -> bytes:
    """A list with one model."""
    models = [{"id": "gpt-9", "match": {"equals": "gpt-9"}, "prices": {"input_mtok": price}}]
    provider = {"id": "openai", "name": "OpenAI", "api_pattern": "https://x", "models": models}
    return json.dumps([provider]).encode()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of an installation."""
    folder = tmp_path / "data"
    with open_installation(Settings(data=folder)):
        return folder


def outlay(data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(data)])


def taken(data: Path, price: float = 3, *, more: tuple[str, ...] = ("--accept", "--yes")) -> Result:
    path = data.parent / f"list-{price}.json"
    path.write_bytes(newer(price))
    return outlay(data, "prices", "update", str(path), *more)


def record(services: Services, event_id: str = "e") -> UsageEvent:
    """Record a request with a model that only newer lists have."""
    report = UsageReport(
        event_id=EventId(event_id),
        event_time_us=to_us(NOW),
        provider="openai",
        mapping="openai/gpt-9",
        usage=TokenUsage(1_000),
    )
    return services.recorder.event(OrganizationId("org"), report, to_us(NOW))


def files(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.glob("price-list*")}


def test_imported_list_is_active_from_the_next_start_and_revertible(data: Path) -> None:
    done = taken(data)

    assert done.exit_code == 0, done.output
    version = PriceLists(data).version
    assert version != BUNDLED
    assert version in outlay(data, "prices", "list").output
    assert version in outlay(data, "doctor").output
    with open_installation(Settings(data=data)) as services:
        event = record(services)
        assert event.cost_pusd == 3_000_000_000
        assert event.price_ref == f"genai-prices:{version}/openai/gpt-9"
        # Other processes that price with this book use the same list.
        elsewhere = pickle.loads(pickle.dumps(services.price_books.base))  # noqa: S301 - of this process
        assert elsewhere.price_list.version == version

    assert outlay(data, "prices", "update", "--revert").exit_code == 0
    with open_installation(Settings(data=data)) as services:
        assert services.price_books.base.price_list.version == BUNDLED
        # Costs priced with it are still explained: its file is kept.
        assert [line.amount_pusd for line in services.price_books.explain(event).lines] == [
            3_000_000_000
        ]


def test_changes_are_shown_before_confirmation(data: Path) -> None:
    path = data.parent / "list.json"
    path.write_bytes(newer(3))

    asked = CliRunner().invoke(
        app, ["prices", "update", str(path), "--accept", "--data", str(data)], input="n\n"
    )

    assert asked.exit_code == 1
    assert "models added" in asked.output
    assert "models removed" in asked.output
    assert "Use this list?" in asked.output
    assert files(data) == {}


def test_suspicious_list_must_be_accepted(data: Path) -> None:
    refused = taken(data, more=("--yes",))

    assert isinstance(refused.exception, Invalid)
    assert "models are gone" in str(refused.exception)
    assert files(data) == {}
    assert taken(data).exit_code == 0
    jumping = taken(data, 301, more=("--yes",))
    assert "openai/gpt-9, input_mtok: 3 becomes 301" in str(jumping.exception)


@pytest.mark.parametrize("body", [b"", b"{}", newer(-1), newer(3)[:-1], b"\x00" * 100])
def test_invalid_list_changes_nothing(data: Path, body: bytes) -> None:
    assert taken(data).exit_code == 0
    before = files(data)
    path = data.parent / "wrong.json"
    path.write_bytes(body)

    refused = outlay(data, "prices", "update", str(path), "--accept", "--yes")

    assert isinstance(refused.exception, Invalid)
    assert str(path) in refused.exception.message
    assert "\n" not in refused.exception.message
    assert files(data) == before


def test_same_list_is_not_imported_twice_or_reverted_twice(data: Path) -> None:
    taken(data)

    assert isinstance(taken(data).exception, Conflict)
    assert outlay(data, "prices", "update", "--revert").exit_code == 0
    assert isinstance(outlay(data, "prices", "update", "--revert").exception, Conflict)


def test_reverting_the_second_list_restores_the_first(data: Path) -> None:
    taken(data, 3)
    first = PriceLists(data).version
    taken(data, 4)

    outlay(data, "prices", "update", "--revert")

    assert PriceLists(data).version == first


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_damaged_active_list_refuses_to_start(data: Path, damage: str) -> None:
    taken(data)
    (path,) = data.glob("price-list-*.json")
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(newer(4))

    with (
        pytest.raises(Damaged, match="prices update --revert"),
        open_installation(Settings(data=data)),
    ):
        pass
    assert outlay(data, "prices", "update", "--revert").exit_code == 0
    with open_installation(Settings(data=data)):
        pass


def test_new_release_uses_its_own_list(data: Path) -> None:
    taken(data)
    used = data / USED
    used.write_text(used.read_text().replace(f" {BUNDLED}", " 0.0.1"))

    assert PriceLists(data).version == BUNDLED
    assert "older than this release and not in use" in outlay(data, "doctor").output


def test_backup_includes_price_lists(data: Path) -> None:
    taken(data)
    archive = data.parent / "copy.outlay"
    assert outlay(data, "backup", str(archive)).exit_code == 0
    target = data.parent / "restored"

    done: Any = outlay(target, "restore", str(archive))

    assert done.exit_code == 0, done.output
    assert files(target) == files(data)

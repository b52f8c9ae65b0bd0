"""The documents name everything that there is, and nothing that is not."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
import typer

from outlay import settings
from outlay.cli.main import app
from outlay.domain.actor import Plan, Role
from outlay.domain.audit import Action
from outlay.domain.dimension import Dimension
from outlay.domain.event import Status, UsageSource
from outlay.domain.measure import MEASURES, Rank
from outlay.domain.period import Preset
from outlay.domain.policy import POLICY
from outlay.domain.upstream import BASE_URLS
from outlay.pricing.overrides import read_overrides
from outlay.services.bundle import Services
from outlay.web.app import create_pages
from outlay.web.http.openapi import describe
from outlay.web.http.usage_params import FILTERS, QUERY
from outlay.web.proxy.endpoints import ENDPOINTS
from outlay.wire.native import NativeEvent, NativeTokens

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "api.md").read_text()


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_every_measure_is_explained(measure: object) -> None:
    assert f"| `{getattr(measure, 'api_name', '')}` |" in API
    assert getattr(measure, "meaning", "?") in API


def test_every_parameter_choice_and_field_is_documented() -> None:
    fields = (*NativeEvent.__struct_encode_fields__, *NativeTokens.__struct_encode_fields__)
    words = (*QUERY, *FILTERS, *fields, *Dimension, *Preset, *Rank, *Status, *UsageSource)

    assert [word for word in words if f"`{word}`" not in API] == []


def test_every_command_is_documented() -> None:
    operate = (DOCS / "operate.md").read_text()
    names = names_of(app)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            names += [f"{group.name} {name}" for name in names_of(group.typer_instance)]

    assert [name for name in names if f"`outlay {name}" not in operate] == []


def names_of(commands: typer.Typer) -> list[str]:
    """The names of the commands of a group."""
    return [
        command.name or command.callback.__name__
        for command in commands.registered_commands
        if command.callback is not None
    ]


def test_every_path_of_the_gateway_and_every_variable_is_documented() -> None:
    gateway = (DOCS / "gateway.md").read_text()
    operate = (DOCS / "operate.md").read_text()
    variables = re.findall(r"OUTLAY_[A-Z_]+", inspect.getsource(settings))

    assert [path for path in ENDPOINTS if f"`{path}`" not in gateway] == []
    assert [provider for provider in BASE_URLS if f"`{provider}`" not in gateway] == []
    assert [name for name in variables if f"`{name}`" not in operate] == []


def test_the_example_of_a_price_file_is_one(tmp_path: Path) -> None:
    text = (DOCS / "pricing.md").read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    path = tmp_path / "prices.toml"
    path.write_text(example[1])

    overrides = read_overrides(path)

    assert overrides.aliases == {"my-fast-model": "gpt-5.5"}
    assert overrides.prices[0].rates.at(272_001).input == 8_500_000_000_000


def test_links_between_documents_lead_somewhere() -> None:
    root = DOCS.parent
    for document in (*root.glob("*.md"), *DOCS.rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), (document, target)


def test_the_table_of_rights_is_the_policy() -> None:
    text = (DOCS / "access.md").read_text()
    for permission, rule in POLICY.items():
        limited = rule.own if rule.own != frozenset(Role) else ()
        roles = [
            "" if role not in rule.roles else "own" if role in limited else "yes" for role in Role
        ]
        plan = "any" if rule.plans == frozenset(Plan) else " or ".join(sorted(rule.plans))
        cells = [permission.value, f"`{rule.scope}`", *roles, plan]
        assert f"| {' | '.join(cells)} |".replace("  ", " ") in text


def test_every_endpoint_is_documented(services: Services) -> None:
    described = describe(create_pages(services, "operator"))
    wanted = [
        f"`{method.upper()} {path}`"
        for path, methods in described["paths"].items()
        for method in methods
    ]
    fields = [
        f"`{name}`"
        for kind, schema in described["components"]["schemas"].items()
        if kind.endswith(("Body", "Change"))
        for name in schema["properties"]
    ]

    assert [entry for entry in (*wanted, *fields) if entry not in API] == []


def test_every_action_of_the_audit_trail_is_documented() -> None:
    text = (DOCS / "audit.md").read_text()

    assert [action for action in Action if f"`{action}`" not in text] == []


def test_every_folder_with_tests_is_run() -> None:
    root = DOCS.parent
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    with_tests = {path.relative_to(root).parts[1] for path in root.glob("tests/**/test_*.py")}
    assert sorted(listed["testpaths"]) == sorted(f"tests/{name}" for name in with_tests)

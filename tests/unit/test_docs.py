"""The documentation covers everything that exists, and nothing else."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import typer
from mkdocs.commands.build import build
from mkdocs.config import load_config
from tools.docs import reference as pages

from outlay.cli.main import app
from outlay.domain.actor import Plan, Role
from outlay.domain.audit import Action
from outlay.domain.dimension import Dimension
from outlay.domain.error_codes import ErrorCode
from outlay.domain.event import Status, UsageSource
from outlay.domain.failure import FAILURES
from outlay.domain.kind import KINDS
from outlay.domain.measure import MEASURES, Rank
from outlay.domain.meter import METERS
from outlay.domain.period import Preset
from outlay.domain.policy import POLICY
from outlay.domain.upstream import BASE_URLS
from outlay.pricing.overrides import read_overrides
from outlay.settings import declared_settings
from outlay.settings.reading import CLI_VARIABLES, SECRETS_DIR
from outlay.web.app import ALIASES
from outlay.web.http.usage_params import FILTERS, QUERY
from outlay.web.proxy.endpoints import ENDPOINTS
from outlay.wire.native import NativeEvent, NativeTokens

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))
}
NOW = {name: text for name, text in WRITTEN.items() if name != "CHANGELOG.md"}
"""Pages about the current version; the changelog also contains former names."""
TEST_VARIABLES = {"OUTLAY_TEST_LONG", "OUTLAY_TOKEN"}
"""Variables of tests and examples."""


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    """The generated pages by path."""
    return pages.generate()


def missing(words: Iterable[str], text: str) -> list[str]:
    """The words that a text does not contain as code."""
    return [word for word in words if f"`{word}`" not in text]


def test_measures_dimensions_meters_and_kinds_are_in_the_reference(
    reference: Mapping[str, str],
) -> None:
    measures = reference["reference/measures-and-dimensions.md"]
    meters = reference["reference/meters-and-kinds.md"]

    assert missing((each.api_name for each in MEASURES), measures) == []
    assert [each.name for each in MEASURES if each.meaning not in measures] == []
    assert missing([*Dimension, *Rank], measures) == []
    assert missing([*METERS, *KINDS], meters) == []


def test_parameters_choices_and_fields_are_described() -> None:
    fields = (*NativeEvent.__struct_encode_fields__, *NativeTokens.__struct_encode_fields__)

    api = WRITTEN["docs/reference/api.md"]
    assert missing((*QUERY, *FILTERS, *Preset, *Rank), api) == []
    assert missing((*fields, *Status, *UsageSource), WRITTEN["docs/reference/events.md"]) == []


def test_every_endpoint_and_field_is_in_the_reference(reference: Mapping[str, str]) -> None:
    document = json.loads(reference["reference/openapi.json"])
    operations = [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    ]
    schemas = document["components"]["schemas"]
    fields = [name for schema in schemas.values() for name in schema.get("properties", ())]

    assert missing(operations, reference["reference/endpoints.md"]) == []
    assert missing(fields, reference["reference/schemas.md"]) == []


def test_every_command_is_in_the_reference(reference: Mapping[str, str]) -> None:
    named = re.findall(r"^##+ `outlay (.+)`$", reference["reference/commands.md"], re.MULTILINE)

    assert [name for name in commands() if name not in named] == []


def commands() -> list[str]:
    """All commands, `key create` for one of a group."""
    names = names_of(app)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            names += [f"{group.name} {name}" for name in names_of(group.typer_instance)]
            for inner in group.typer_instance.registered_groups:
                assert inner.typer_instance is not None
                names += [
                    f"{group.name} {inner.name} {name}" for name in names_of(inner.typer_instance)
                ]
    return names


def names_of(group: typer.Typer) -> list[str]:
    """The names of the commands of a group."""
    return [
        command.name or command.callback.__name__
        for command in group.registered_commands
        if command.callback is not None and not command.hidden
    ]


def test_every_setting_is_in_the_reference(reference: Mapping[str, str]) -> None:
    names = [declared.variable.name for declared in declared_settings()]

    assert missing(names, reference["reference/settings.md"]) == []


def test_permissions_are_in_the_reference(reference: Mapping[str, str]) -> None:
    text = reference["reference/permissions.md"]
    for permission, rule in POLICY.items():
        limited = rule.own if rule.own != frozenset(Role) else ()
        roles = [
            "" if role not in rule.roles else "own" if role in limited else "yes" for role in Role
        ]
        plan = "any" if rule.plans == frozenset(Plan) else " or ".join(sorted(rule.plans))
        cells = [permission.value, f"`{rule.scope}`", *roles, plan]
        assert f"| {' | '.join(cells)} |" in text


def test_audit_actions_and_error_codes_are_in_the_reference(
    reference: Mapping[str, str],
) -> None:
    errors = reference["reference/request-errors.md"]

    assert missing(Action, reference["reference/audit-actions.md"]) == []
    api_errors = reference["reference/error-codes.md"]
    assert [each for each in ErrorCode if f"| `{each}` | {each.meaning} |" not in api_errors] == []
    assert [code for code, text in FAILURES.items() if f"| `{code}` | {text} |" not in errors] == []


def test_paths_and_providers_of_the_gateway_are_described() -> None:
    assert missing([*ENDPOINTS, *BASE_URLS], WRITTEN["docs/reference/gateway.md"]) == []


def test_documents_name_only_commands_that_exist() -> None:
    known = {name.split()[0] for name in commands()}
    named = {
        (name, word)
        for name, text in NOW.items()
        for word in re.findall(r"`(?:[A-Z_]+=\S+ )?outlay ([a-z-]+)", text)
    }

    assert {(name, word) for name, word in named if word not in known} == set()


def test_documents_name_only_settings_that_exist() -> None:
    declared = {each.variable.name for each in declared_settings()}
    known = declared | CLI_VARIABLES | TEST_VARIABLES | {SECRETS_DIR}
    named = {
        (name, word) for name, text in NOW.items() for word in re.findall(r"OUTLAY_[A-Z_]+", text)
    }

    assert {(name, word) for name, word in named if word not in known} == set()


def test_documents_name_only_endpoints_that_exist(reference: Mapping[str, str]) -> None:
    document = json.loads(reference["reference/openapi.json"])
    known = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    } | {f"GET {path}" for path in ALIASES}
    named = {
        (name, f"{method} {path.rstrip('.,…')}")
        for name, text in NOW.items()
        for method, path in re.findall(
            r"\b(GET|POST|PUT|PATCH|DELETE) (/api/v1/[\w{}/.-]+|/analytics/[\w{}/]+)", text
        )
    }

    assert {(name, word) for name, word in named if word not in known} == set()


def test_documents_name_only_files_that_exist() -> None:
    places = [ROOT, ROOT / "src/outlay", ROOT / "src/outlay/web", ROOT / "src/outlay/web/dashboard"]
    for name, text in NOW.items():
        if not name.startswith(("CONTRIBUTING", "docs/architecture", "docs/decisions")):
            continue
        for path in re.findall(r"`([a-z_]\w*/[\w./-]+)`", text):
            assert any((place / path).exists() for place in places), (name, path)


def test_the_example_of_a_price_file_is_valid(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", WRITTEN["docs/reference/price-file.md"], re.DOTALL)
    assert example is not None
    path = tmp_path / "prices.toml"
    path.write_text(example[1])

    overrides = read_overrides(path)

    assert overrides.aliases == {"my-fast-model": "gpt-5.5"}
    assert overrides.prices[0].rates.at(272_001).input == 8_500_000_000_000


def test_links_between_documents_work(reference: Mapping[str, str]) -> None:
    generated = {*reference, *(name.lower() for name in pages.COPIED)}
    for name, text in WRITTEN.items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            path = ((ROOT / name).parent / target).resolve()
            is_generated = path.is_relative_to(DOCS) and str(path.relative_to(DOCS)) in generated
            assert is_generated or path.exists(), (name, target)


def test_the_site_builds_without_warnings_and_loads_nothing_from_elsewhere(
    tmp_path: Path, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "generate", lambda: reference)
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")

    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site")))

    loaded = re.compile(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)')
    for page in (tmp_path / "site").rglob("*.html"):
        assert loaded.findall(page.read_text()) == []


def test_every_folder_with_tests_is_run() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    with_tests = {path.relative_to(ROOT).parts[1] for path in ROOT.glob("tests/**/test_*.py")}
    assert sorted(listed["testpaths"]) == sorted(f"tests/{name}" for name in with_tests)

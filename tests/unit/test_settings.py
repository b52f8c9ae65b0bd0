"""Settings: accepted values, error messages, the origin of values, and secrets that are never
shown."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outlay.cli.main import app
from outlay.domain.errors import Invalid
from outlay.settings import (
    EdgeSettings,
    LogLevel,
    LogSettings,
    Origin,
    ProxySettings,
    Settings,
    declared_settings,
    explain_settings,
    read_settings,
)

PASSWORD = "a-password-that-nobody-may-see"


def test_without_variables_every_setting_has_its_declared_default(tmp_path: Path) -> None:
    assert read_settings(data=tmp_path, environment={}) == Settings(data=tmp_path)


def test_an_option_precedes_the_environment_which_precedes_a_file(tmp_path: Path) -> None:
    (tmp_path / "OUTLAY_PORT").write_text("1\n")
    (tmp_path / "outlay_master_key").write_text("ab" * 32 + "\n")
    environment = {"OUTLAY_SECRETS_DIR": str(tmp_path), "OUTLAY_WORKERS": "4", "OUTLAY_HOST": ""}

    from_file = read_settings(environment=environment)
    from_environment = read_settings(environment={**environment, "OUTLAY_PORT": "2"})
    from_option = read_settings(port=3, environment={**environment, "OUTLAY_PORT": "2"})

    assert [each.port for each in (from_file, from_environment, from_option)] == [1, 2, 3]
    assert from_file.master_key == "ab" * 32
    origins = {
        each.declared.variable.name: each.origin
        for each in explain_settings(data="x", environment=environment).settings
    }
    assert origins["OUTLAY_DATA"] is Origin.OPTION
    assert origins["OUTLAY_WORKERS"] is Origin.ENVIRONMENT
    assert origins["OUTLAY_PORT"] is Origin.FILE
    assert origins["OUTLAY_HOST"] is Origin.DEFAULT  # an empty variable counts as not set


def test_the_former_name_of_a_setting_is_accepted_with_a_warning() -> None:
    old = read_settings(environment={"OUTLAY_JOURNAL_EVENTS": "7"})
    both = read_settings(environment={"OUTLAY_JOURNAL_EVENTS": "7", "OUTLAY_BUFFER_EVENTS": "8"})

    assert old.buffer_events == 7
    assert both.buffer_events == 8
    assert "rename it to OUTLAY_BUFFER_EVENTS" in old.warnings[0]


def test_misspelt_variables_cause_warnings_and_those_of_kubernetes_do_not() -> None:
    environment = {
        "OUTLAY_PROT": "1",
        "OUTLAY_SERVICE_HOST": "10.0.0.1",
        "OUTLAY_PORT_4100_TCP": "tcp://10.0.0.1:4100",
        "OUTLAY_OWNER_PASSWORD": PASSWORD,
    }

    assert read_settings(environment=environment).warnings == (
        "OUTLAY_PROT is not a setting of Outlay; `outlay config` lists all settings",
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OUTLAY_PORT", "x", "OUTLAY_PORT must be a port number from 0 to 65535, not 'x'."),
        ("OUTLAY_PORT", "65536", "OUTLAY_PORT must be a port number from 0 to 65535, not '65536'."),
        ("OUTLAY_WORKERS", "0", "OUTLAY_WORKERS must be a number from 1 to 64, not '0'"),
        (
            "OUTLAY_GRACE",
            "nan",
            "OUTLAY_GRACE must be a number of seconds above 0, at most 86400, not 'nan'",
        ),
        (
            "OUTLAY_JOURNAL_EVENTS",
            "-1",
            "OUTLAY_JOURNAL_EVENTS must be a number of events from 0 to 100000000, not '-1'",
        ),
        ("OUTLAY_UPGRADE_BACKUP", "?", "OUTLAY_UPGRADE_BACKUP must be on or off, not '?'"),
        (
            "OUTLAY_VERIFY_HOUR",
            "24",
            "OUTLAY_VERIFY_HOUR must be an hour from 0 to 23, in UTC, or off, not '24'",
        ),
        ("OUTLAY_LOG", "loud", "OUTLAY_LOG must be debug, info, warning or error"),
        ("OUTLAY_LOG", "info,warning", "more than one level is named"),
        ("OUTLAY_PUBLIC_URL", "outlay", "OUTLAY_PUBLIC_URL must be like https://"),
        ("OUTLAY_SECURITY_CONTACT", "me", "OUTLAY_SECURITY_CONTACT must begin with mailto:"),
        ("OUTLAY_TRACES", "collector:4318", "OUTLAY_TRACES must be like http://127.0.0.1:4318"),
        ("OUTLAY_TRUSTED_HOSTS", "a.example.com:1", "without port"),
        ("OUTLAY_TRUSTED_PROXIES", "10.0.0.0/99", "does not appear to be an IPv4 or IPv6 network"),
        ("OUTLAY_SECRETS_DIR", "/nowhere", "OUTLAY_SECRETS_DIR must be an existing folder"),
    ],
)
def test_an_error_names_the_variable_and_what_it_must_be(
    name: str, value: str, sentence: str
) -> None:
    with pytest.raises(Invalid) as found:
        read_settings(environment={name: value})

    assert sentence in found.value.message


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(Invalid) as found:
        read_settings(environment={"OUTLAY_PORT": "x", "OUTLAY_GRACE": "0", "OUTLAY_LOG": "loud"})

    first, *others = found.value.message.splitlines()
    assert first == "3 settings are wrong:"
    assert [line.split()[0] for line in others] == ["OUTLAY_PORT", "OUTLAY_LOG", "OUTLAY_GRACE"]


@pytest.mark.parametrize("name", ["OUTLAY_DATABASE_URL", "OUTLAY_CUBE_URL"])
def test_an_error_does_not_show_a_secret(name: str) -> None:
    with pytest.raises(Invalid) as found:
        read_settings(environment={name: f"mysql://outlay:{PASSWORD}@db/outlay"})

    assert f"{name} must begin with" in found.value.message
    assert PASSWORD not in found.value.message


def test_accepted_settings_are_parsed() -> None:
    settings = read_settings(
        environment={
            "OUTLAY_VERIFY_HOUR": "off",
            "OUTLAY_UPGRADE_BACKUP": "off",
            "OUTLAY_PUBLIC_URL": "https://outlay.example.com/",
            "OUTLAY_TRUSTED_HOSTS": "Outlay, *.example.com",
            "OUTLAY_TRUSTED_PROXIES": "10.0.0.5 192.168.7.9/24",
            "OUTLAY_PRIVATE_UPSTREAMS": " Refuse ",
            "OUTLAY_AUDIT_CHECKPOINTS": "~/ends.jsonl",
            "OUTLAY_DATA": "~/data",
            "OUTLAY_HEAD_TIMEOUT": "0.5",
            "OUTLAY_CUBE_URL": "chdb://x",
            "OUTLAY_PORT": "004100",
            "OUTLAY_LOG": "JSON",
        }
    )

    assert settings.verify_hour is None
    assert not settings.upgrade_backup
    assert settings.public_url == "https://outlay.example.com"
    assert settings.edge.trusted_hosts == ("outlay", "*.example.com")
    assert [str(each) for each in settings.edge.trusted_proxies] == [
        "10.0.0.5/32",
        "192.168.7.0/24",
    ]
    assert not settings.egress.is_private_open
    assert settings.audit_checkpoints == Path.home() / "ends.jsonl"
    assert settings.data == Path.home() / "data"
    assert settings.edge.head_seconds == 0.5
    assert settings.cube_url == "chdb://x"
    assert settings.port == 4100
    assert settings.log == LogSettings(LogLevel.INFO, is_json=True)


def test_the_names_of_variables_and_fields_are_unique() -> None:
    names = [
        name
        for each in declared_settings()
        for name in (each.variable.name, each.variable.old_name)
        if name
    ]
    declared = [each.field for each in declared_settings()]

    assert len(names) == len(set(names))
    assert len(declared) == len(set(declared))


def test_every_configuration_field_has_a_variable() -> None:
    all_fields = {
        field.name for group in (Settings, ProxySettings, EdgeSettings) for field in fields(group)
    }

    assert all_fields - {each.field for each in declared_settings()} == {
        "drain_bytes",
        "edge",
        "proxy",
        "warnings",
        "worker",
    }


def test_config_prints_values_and_origins_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(
        "OUTLAY_DATABASE_URL", f"postgresql://{PASSWORD}:{PASSWORD}@db:1/x?password={PASSWORD}"
    )
    monkeypatch.setenv("OUTLAY_MASTER_KEY", PASSWORD)
    monkeypatch.setenv("OUTLAY_GRACE", "2.5")

    table = CliRunner().invoke(app, ["config", "--data", str(tmp_path)])
    as_json = CliRunner().invoke(app, ["config", "--json"])

    assert table.exit_code == as_json.exit_code == 0
    assert PASSWORD not in table.output + as_json.output
    found = {each["variable"]: each for each in json.loads(as_json.stdout)}
    assert found["OUTLAY_DATABASE_URL"]["value"] == "postgresql://********@db:1/x?********"
    assert found["OUTLAY_MASTER_KEY"]["value"] == "********"
    assert found["OUTLAY_GRACE"]["value"] == "2.5"
    assert found["OUTLAY_GRACE"]["origin"] == "environment"
    assert found["OUTLAY_GRACE"]["unit"] == "seconds"
    assert found["OUTLAY_PORT"]["origin"] == "default"
    assert str(tmp_path) in table.stdout
    assert "`" not in table.stdout  # the marks are for the reference

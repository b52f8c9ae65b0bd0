"""The reference of the settings, generated from their declaration."""

from typing import Final

from tools.docs.markdown import code, page, table

from outlay.settings import Declared, EdgeSettings, ProxySettings, Settings, declared_settings

_SECTIONS: Final = {
    Settings: "Installation",
    ProxySettings: "Gateway: timeouts and bounds",
    EdgeSettings: "Clients, connections and proxies",
}

_LEAD: Final = """\
A setting is read from a command-line option, else from an environment variable, else from a file of
secrets; otherwise it has its default. `outlay config` prints the settings in effect and where each
comes from, without secrets; `outlay config --json` is for programs. A server with an invalid
setting does not start, and reports all invalid settings at once.

**Files of secrets.** `OUTLAY_SECRETS_DIR` names a directory, such as `/run/secrets`, with one file
per setting. A file has the name of its variable, in upper or lower case: `OUTLAY_MASTER_KEY`,
`OUTLAY_DATABASE_URL`. Secrets then appear neither in the environment nor in the description of a
container."""


def settings() -> str:
    """Every setting that has a variable."""
    parts = []
    for group, title in _SECTIONS.items():
        rows = (_row(declared) for declared in declared_settings() if declared.group is group)
        parts += [f"## {title}", table(["variable", "option", "default", "meaning"], rows)]
    return page("Settings", _LEAD, *parts)


def _row(declared: Declared) -> list[str]:
    variable = declared.variable
    option = code(variable.option) if variable.option else ""
    old = f" Formerly {code(variable.old_name)}, which is deprecated." if variable.old_name else ""
    return [code(variable.name), option, declared.default_text, f"{variable.about}{old}"]

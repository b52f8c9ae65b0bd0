"""Named SQL files next to the code that runs them."""

from functools import cache
from importlib.resources import files


@cache
def load_sql(package: str, name: str) -> str:
    """The text of `<name>.sql` in a package; raises FileNotFoundError if it is not part of the
    package."""
    return files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


@cache
def load_statements(package: str, name: str) -> tuple[str, ...]:
    """The statements of a schema file, in order: split at semicolons at line ends."""
    parts = load_sql(package, name).split(";\n")
    return tuple(part.strip() for part in parts if part.strip())

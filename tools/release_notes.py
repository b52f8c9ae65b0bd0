"""The release notes of a tag: `python -m tools.release_notes v1.2.3` prints the section of
CHANGELOG.md.

Fails unless the tag is the version of the package, and CHANGELOG.md has a section for it and
nothing unreleased.
"""

import re
import sys
from pathlib import Path
from typing import Final

from outlay import __version__

CHANGELOG: Final = Path(__file__).parents[1] / "CHANGELOG.md"


def notes_of(tag: str, version: str, changelog: str) -> str:
    """The notes of a release; raises ValueError for a tag that does not match."""
    if tag != f"v{version}":
        raise ValueError(f"the tag {tag} is not that of version {version}; tag v{version}")
    heading = rf"^## \[?{re.escape(version)}\]?[^\n]*\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ValueError(f"CHANGELOG.md has no section {version}; rename Unreleased to it")
    unreleased = re.search(
        r"^## \[?Unreleased\]?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if unreleased is not None and unreleased[1].strip():
        raise ValueError("CHANGELOG.md has entries under Unreleased; rename it to the new version")
    return found[1].strip()


def main(tag: str) -> int:
    """Print the notes; returns the exit code."""
    try:
        print(notes_of(tag, __version__, CHANGELOG.read_text()))
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""The list of mutants: the change, what it would break, and the tests that should fail."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LISTS: Final = Path(__file__).parent / "lists"
_FIELDS: Final = {"id", "file", "old", "new", "breaks", "tests"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file."""

    id: str
    file: str
    """Path of the source file, from the root of the repository."""
    old: str
    """Text that the file has exactly once."""
    new: str
    breaks: str
    """The guarantee that the mutant breaks."""
    tests: tuple[str, ...]
    """Arguments of pytest: test files, or single tests of them (`file.py::test_name`)."""

    def apply(self, root: Path) -> None:
        """Change the file in the tree at `root`."""
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))


class BadList(Exception):
    """A list of mutants is not well-formed."""


def read_mutants(folder: Path = LISTS) -> list[Mutant]:
    """All mutants, in the order of their files; raises BadList."""
    found: list[Mutant] = []
    for path in sorted(folder.glob("*.toml")):
        for entry in tomllib.loads(path.read_text()).get("mutant", []):
            if set(entry) != _FIELDS:
                raise BadList(
                    f"{path.name}, mutant {entry.get('id', '?')}: it has {sorted(entry)}, "
                    f"it must have {sorted(_FIELDS)}"
                )
            found.append(Mutant(**{**entry, "tests": tuple(entry["tests"])}))
    ids = [mutant.id for mutant in found]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise BadList(f"these ids are given twice: {', '.join(twice)}")
    return found


def problems_of(mutants: Sequence[Mutant], root: Path = ROOT) -> list[str]:
    """Mutants that do not fit the tree at `root`, one paragraph each."""
    return [problem for mutant in mutants for problem in _problems(mutant, root)]


def _problems(mutant: Mutant, root: Path) -> Iterator[str]:
    path = root / mutant.file
    if not path.is_file():
        yield f"{mutant.id}: there is no {mutant.file}{_elsewhere(mutant, root)}"
        return
    text = path.read_text()
    if text.count(mutant.old) != 1:
        yield _misplaced(mutant, text, root)
    elif mutant.old == mutant.new:
        yield f"{mutant.id}: it changes nothing"
    elif path.suffix == ".py":
        try:
            compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")
        except SyntaxError as error:
            yield f"{mutant.id}: the changed {mutant.file} is not Python: {error}"
    for test in mutant.tests:
        name, _, function = test.partition("::")
        tests = root / name
        if not tests.is_file():
            yield f"{mutant.id}: there is no {name}"
        elif function and f"def {function.partition('[')[0]}(" not in tests.read_text():
            yield f"{mutant.id}: {name} has no {function}"


def _misplaced(mutant: Mutant, text: str, root: Path) -> str:
    count = text.count(mutant.old)
    shown = "\n".join(f"    {line}" for line in mutant.old.splitlines())
    found = [
        f"{mutant.id}: {mutant.file} has this text {count} times instead of once; "
        f"change `old` (and `new`) in {LISTS.relative_to(ROOT)}\n{shown}"
    ]
    if count:
        starts = _starts(text, mutant.old)
        found.append(f"  It is in the lines {', '.join(map(str, starts))}: take in more of it.")
    else:
        found += _nearest(mutant.old, text)
    return "\n".join(found) + _elsewhere(mutant, root)


def _starts(text: str, part: str) -> list[int]:
    """The lines on which `part` begins."""
    pieces = text.split(part)[:-1]
    lines, before = [], 0
    for piece in pieces:
        before += piece.count("\n")
        lines.append(before + 1)
        before += part.count("\n")
    return lines


def _nearest(old: str, text: str) -> Iterator[str]:
    """Lines similar to those of `old`."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        lines.setdefault(line.strip(), number)
    for wanted in filter(None, map(str.strip, old.splitlines())):
        for close in get_close_matches(wanted, lines, n=2, cutoff=0.6):
            yield f"  Line {lines[close]} has: {close}"


def _elsewhere(mutant: Mutant, root: Path) -> str:
    """Where the text is now, if it was moved to another file."""
    name = Path(mutant.file)
    others = [
        path.relative_to(root)
        for path in sorted((root / name.parts[0]).rglob(f"*{name.suffix}"))
        if path != root / name and mutant.old in path.read_text()
    ]
    return "".join(f"\n  The text is in {path}." for path in others)

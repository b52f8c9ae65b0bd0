"""Tables and text of generated pages."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; empty without rows."""
    lines = [_row(row) for row in rows]
    if not lines:
        return ""
    return "\n".join([_row(head), _row(["---"] * len(head)), *lines, ""])


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def page(title: str, lead: str, *parts: str) -> str:
    """A page: its title, what it has, and its parts."""
    return "\n\n".join([f"# {title}", lead, *(part for part in parts if part)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    texts = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"

"""Tables and text of generated pages."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table without the columns that are empty in every row; empty without rows."""
    cells = [tuple(row) for row in rows]
    used = [index for index in range(len(head)) if any(row[index] for row in cells)]
    if not used:
        return ""
    lines = [_row([row[index] for index in used]) for row in (head, *cells)]
    return "\n".join([lines[0], _row(["---"] * len(used)), *lines[1:], ""])


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def page(title: str, lead: str, *parts: str) -> str:
    """A page: its title, introduction and parts."""
    return "\n\n".join([f"# {title}", lead, *(part for part in parts if part)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    texts = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"

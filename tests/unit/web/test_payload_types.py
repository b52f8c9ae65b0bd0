"""The scripts' type declarations of server data match the server's types."""

from typing import TypedDict

import pytest
from tools import payload_types


def test_declarations_match_the_python_types() -> None:
    assert payload_types.TARGET.read_text() == payload_types.declarations(), (
        "run python -m tools.payload_types"
    )


def test_type_without_a_typescript_counterpart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(TypedDict):
        """Has a field of a plain class."""

        value: Exception

    monkeypatch.setattr(payload_types, "PAYLOADS", (Odd,))
    with pytest.raises(TypeError, match="Exception is neither"):
        payload_types.declarations()

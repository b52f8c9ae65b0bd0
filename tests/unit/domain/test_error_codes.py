"""The registry of error codes: each is raised somewhere and explained in one sentence."""

import re
from pathlib import Path

import outlay
from outlay.domain.error_codes import ErrorCode

_NAMED = re.compile(r"ErrorCode\.([A-Z_]+)")
_CHOICE = re.compile(r"unknown-")


def test_every_code_has_one_sentence() -> None:
    meanings = [code.meaning for code in ErrorCode]

    assert [text for text in meanings if not re.fullmatch(r"[A-Z`][^\n]+\.", text)] == []
    assert len(set(meanings)) == len(meanings)
    assert [code for code in ErrorCode if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)] == []


def test_every_code_is_in_use() -> None:
    sources = Path(outlay.__file__).parent.rglob("*.py")
    named = {name for source in sources for name in _NAMED.findall(source.read_text())}

    unused = {code for code in ErrorCode if code.name not in named}

    assert {code for code in unused if not _CHOICE.match(code)} == set()


def test_unknown_error_code_is_read_as_the_given_one() -> None:
    assert ErrorCode.read("busy", ErrorCode.ERROR) is ErrorCode.BUSY
    assert ErrorCode.read("quick", ErrorCode.ERROR) is ErrorCode.ERROR

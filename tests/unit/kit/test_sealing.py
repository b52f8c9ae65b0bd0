"""Sealed secrets open with their key, in their place, and nowhere else."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.kit.sealing import (
    SealBroken,
    Sealer,
    create_key,
    parse_key,
    read_key,
)

SEALER = Sealer(bytes(range(32)))


@given(st.text(), st.text(), st.text())
def test_a_secret_opens_in_its_place_only(secret: str, place: str, other: str) -> None:
    sealed = SEALER.seal(secret, place)
    assert SEALER.open(sealed, place) == secret
    if other != place:
        with pytest.raises(SealBroken):
            SEALER.open(sealed, other)


def test_nothing_of_a_secret_shows() -> None:
    first, second = (SEALER.seal("sk-secret", "row") for _ in range(2))
    assert b"secret" not in first
    assert first != second


def test_another_key_says_so() -> None:
    with pytest.raises(SealBroken, match="another master key"):
        Sealer(bytes(32)).open(SEALER.seal("x", "row"), "row")


def test_a_changed_byte_is_noticed() -> None:
    sealed = bytearray(SEALER.seal("x", "row"))
    sealed[-1] ^= 1
    with pytest.raises(SealBroken, match="damaged"):
        SEALER.open(bytes(sealed), "row")


def test_the_key_file_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    assert read_key(path) is None
    key = create_key(path)
    assert read_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert create_key(path) == key, "the first stays"


def test_an_empty_key_file_is_none(tmp_path: Path) -> None:
    """A kill between making and writing the file leaves one."""
    path = tmp_path / "master.key"
    path.touch()
    assert read_key(path) is None
    assert create_key(path) == read_key(path)


def test_many_that_make_a_key_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            path = tmp_path / f"{number}.key"
            found = list(pool.map(create_key, [path] * 8))
            assert set(found) == {read_key(path)}


@pytest.mark.parametrize("text", ["", "xyz", "00" * 31, "00" * 33])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"hex|digits"):
        parse_key(text)

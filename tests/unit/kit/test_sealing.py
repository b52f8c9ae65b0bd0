"""Sealed secrets open with their key and their associated data only."""

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
def test_secret_opens_only_with_its_associated_data(secret: str, place: str, other: str) -> None:
    sealed = SEALER.seal(secret, place)
    assert SEALER.open(sealed, place) == secret
    if other != place:
        with pytest.raises(SealBroken):
            SEALER.open(sealed, other)


def test_sealed_secret_reveals_nothing() -> None:
    first, second = (SEALER.seal("sk-secret", "row") for _ in range(2))
    assert b"secret" not in first
    assert first != second


def test_wrong_key_is_reported() -> None:
    with pytest.raises(SealBroken, match="another master key"):
        Sealer(bytes(32)).open(SEALER.seal("x", "row"), "row")


def test_changed_byte_is_detected() -> None:
    sealed = bytearray(SEALER.seal("x", "row"))
    sealed[-1] ^= 1
    with pytest.raises(SealBroken, match="damaged"):
        SEALER.open(bytes(sealed), "row")


def test_key_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    assert read_key(path) is None
    key = create_key(path)
    assert read_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert create_key(path) == key, "the first stays"


def test_empty_key_file_is_ignored(tmp_path: Path) -> None:
    """A kill between creating and writing the file leaves one."""
    path = tmp_path / "master.key"
    path.touch()
    assert read_key(path) is None
    assert create_key(path) == read_key(path)


def test_concurrent_key_creation_yields_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            path = tmp_path / f"{number}.key"
            found = list(pool.map(create_key, [path] * 8))
            assert set(found) == {read_key(path)}


@pytest.mark.parametrize("text", ["", "xyz", "00" * 31, "00" * 33])
def test_malformed_keys_are_refused_with_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"hex|digits"):
        parse_key(text)

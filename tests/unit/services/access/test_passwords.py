"""Passwords: which are accepted, and that hashing is bounded."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from outlay.domain.errors import Invalid, Unavailable
from outlay.services.access.passwords import MAX_WAITING, Passwords, check_password


@pytest.mark.parametrize(
    "password",
    [
        "",
        "fourteen chars",
        "x" * 1025,
        "abababababababab",
        "Password Password",
        "qwertyqwertyqwerty",
        "123456123456123456",
        "password-admin-2026!",
        "P@ssw0rd!P@ssw0rd!",
        "letmein123letmein123",
    ],
)
def test_common_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_password(password)
    assert refused.value.field == "password"


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "fifteen letters",
        "пароль из нескольких слов",
        "é" * 3 + "x y z w v u t s",
    ],
)
def test_passphrases_are_accepted(password: str) -> None:
    assert check_password(password) == password


def test_hashes_are_argon2id_with_recommended_parameters() -> None:
    passwords = Passwords()
    parameters = extract_parameters(passwords.hash("several words are best"))
    passwords.close()

    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2
    assert RFC_9106_LOW_MEMORY.type is Type.ID


def test_unknown_account_takes_as_long_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    original = PasswordHasher.verify

    def verify(hasher: PasswordHasher, stored: str, password: str) -> bool:
        checked.append(extract_parameters(stored))
        return original(hasher, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    passwords = Passwords()
    known = passwords.hash("several words are best")
    assert passwords.verify(known, "several words are best")
    assert not passwords.verify(known, "another few words here")
    assert not passwords.verify(None, "several words are best")
    passwords.close()

    assert len(checked) == 3
    assert len(set(map(str, checked))) == 1


def test_flood_of_sign_ins_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passwords = Passwords()
    gate = Event()
    monkeypatch.setattr(PasswordHasher, "verify", lambda *_: gate.wait())

    async def flood() -> list[object]:
        waiting = [
            asyncio.ensure_future(passwords.verify_async(None, "several words are best"))
            for _ in range(MAX_WAITING + 20)
        ]
        await asyncio.sleep(0.1)
        gate.set()
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    try:
        with ThreadPoolExecutor(1) as pool:  # page tests leave an event loop running in this one
            outcomes = pool.submit(asyncio.run, flood()).result()
    finally:
        gate.set()
        passwords.close()

    refused = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    assert len(refused) >= 19
    assert outcomes.count(False) == len(outcomes) - len(refused)

"""Password rules, hashing and verification, with bounded concurrency."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from outlay.domain.errors import Invalid, Unavailable
from outlay.kit.secrets import new_secret

MIN_LENGTH: Final = 15
"""NIST SP 800-63B-4: at least 15 characters if the password is the only factor."""
MAX_LENGTH: Final = 1024

MAX_WAITING: Final = 64
"""Maximum number of queued sign-ins; further ones are refused immediately."""

# The minimum of OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane. More memory
# would let a flood of sign-ins overload a machine with two cores.
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


_LOOKALIKES: Final = str.maketrans("013457@$", "oleastas")


@cache
def _hash_of_nobody() -> str:
    """A hash to verify for unknown accounts, so that these take as long as known ones."""
    return _hasher.hash(new_secret())


def check_password(password: str, *, field: str = "password") -> str:
    """`password` itself; raises Invalid if it is too short, too long or too easy to guess."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Invalid(
            f"A password must have {MIN_LENGTH} to {MAX_LENGTH} characters. Several words work "
            "best.",
            field=field,
        )
    plain = "".join(password.lower().split())
    letters = "".join(filter(str.isalpha, plain))
    spelt_out = "".join(filter(str.isalpha, plain.translate(_LOOKALIKES)))
    if len(set(plain)) < 5 or any(map(_is_made_of_common, (plain, letters, spelt_out))):
        raise Invalid("This password is too easy to guess. Choose another.", field=field)
    return password


def _is_made_of_common(text: str) -> bool:
    """Whether a text consists of common passwords only."""
    ends = {0}
    for end in range(1, len(text) + 1):
        if any(end - len(word) in ends and text.endswith(word, 0, end) for word in _common()):
            ends.add(end)
    return bool(text) and len(text) in ends


@cache
def _common() -> tuple[str, ...]:
    text = files("outlay.services.access").joinpath("common_passwords.txt").read_text("ascii")
    return tuple(line for line in text.split() if line)


class Passwords:
    """Hashes in one thread with a bounded queue, which limits the load of a flood of sign-ins."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="argon2")
        self._waiting = 0
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        """The Argon2id hash of a password; raises Unavailable if the queue is full."""
        return self._submit(password, None).result()[1]

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether a password is right; without a hash it takes as long and returns False."""
        return self._submit(password, password_hash or _hash_of_nobody()).result()[0] and bool(
            password_hash
        )

    async def verify_async(self, password_hash: str | None, password: str) -> bool:
        """Like `verify`, for event loops."""
        future = self._submit(password, password_hash or _hash_of_nobody())
        return (await asyncio.wrap_future(future))[0] and bool(password_hash)

    def _submit(self, password: str, password_hash: str | None) -> "Future[tuple[bool, str]]":
        with self._lock:
            if self._waiting >= MAX_WAITING:
                raise Unavailable("Too many people are signing in at once. Try again in a moment.")
            self._waiting += 1
        future = self._executor.submit(_hash_or_verify, password, password_hash)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        with self._lock:
            self._waiting -= 1

    def close(self) -> None:
        """Stop the thread."""
        self._executor.shutdown(wait=True)


def _hash_or_verify(password: str, password_hash: str | None) -> tuple[bool, str]:
    if password_hash is None:
        return True, _hasher.hash(password)
    try:
        return _hasher.verify(password_hash, password), password_hash
    except (VerificationError, InvalidHashError):
        return False, password_hash

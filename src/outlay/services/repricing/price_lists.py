"""Imported price lists, in addition to the one that comes with Outlay.

In the data directory, `price-list-<version>.json` is an imported list, and `price-lists.txt`
records which lists were activated, each with the list of the release that it replaced; the last one
is active. A new release uses its own list again: it is unknown which of the two is newer, and a
forgotten import must not override all later releases.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Damaged, Invalid
from outlay.kit.clock import Clock
from outlay.kit.durable import create_file, write_file

if TYPE_CHECKING:
    from outlay.pricing.seed import PriceList

USED: Final = "price-lists.txt"
PREFIX: Final = "price-list-"
MAX_KEPT: Final = 3
"""Maximum number of lists in memory, in addition to the one that comes with Outlay."""


@dataclass(frozen=True, slots=True)
class TakenList:
    """An activated list."""

    version: str
    replaced: str
    """The list of the release at that time."""


def digest_of(body: bytes) -> str:
    """The suffix of a list's version, after its import date."""
    return sha256(body).hexdigest()[:12]


class PriceLists:
    """The lists of a data directory. Calling it returns the active one."""

    def __init__(self, folder: Path, used: str = "") -> None:
        """`used` is the version to use instead of the active one."""
        self._folder = folder
        self._used = used
        self._kept: dict[str, PriceList] = {}

    def __call__(self) -> "PriceList":
        """The active list."""
        return self.current

    @override
    def __reduce__(self) -> tuple[type["PriceLists"], tuple[Path, str]]:
        """Pickle for another process, which then uses the same list."""
        return PriceLists, (self._folder, self.current.version)

    @property
    def files(self) -> list[Path]:
        """All list files."""
        return [*sorted(self._folder.glob(f"{PREFIX}*.json")), self._folder / USED]

    def taken(self) -> list[TakenList]:
        """The activated lists that were not reverted, the active one last."""
        try:
            lines = (self._folder / USED).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [TakenList(*line.split(" ")) for line in lines]

    @property
    def version(self) -> str:
        """The version of the list that a new process uses."""
        from outlay.pricing.seed import BUNDLED

        taken = self.taken()
        return taken[-1].version if taken and taken[-1].replaced == BUNDLED else BUNDLED

    @cached_property
    def current(self) -> "PriceList":
        """The active list, fixed for the lifetime of this process; raises Damaged if its file is
        damaged."""
        version = self._used or self.version
        found = self.find(version)
        if found is None:
            raise self._damaged(version, "missing")
        return found

    def check(self) -> None:
        """Raise Damaged if the file of the active list has changed. Does not parse it."""
        version = self.version
        if self.taken() and version == self.taken()[-1].version:
            self._body(version)

    def _body(self, version: str) -> bytes:
        path = self._path(version)
        body = path.read_bytes() if path.exists() else b""
        if not version.endswith(f"-{digest_of(body)}"):
            raise self._damaged(version, "damaged" if body else "missing")
        return body

    def _damaged(self, version: str, how: str) -> Damaged:
        return Damaged(
            f"The price list {self._path(version)} is {how}. Restore the file or run `outlay "
            "prices update --revert`.",
            code=ErrorCode.PRICE_LIST_DAMAGED,
        )

    def find(self, version: str) -> "PriceList | None":
        """A list by its version; None if it no longer exists."""
        from outlay.pricing.list_files import read_list
        from outlay.pricing.seed import BUNDLED, bundled_list

        if version == BUNDLED:
            return bundled_list()
        if version not in self._kept and self._path(version).exists():
            if len(self._kept) >= MAX_KEPT:
                self._kept = {}
            self._kept[version] = read_list(self._body(version), version)
        return self._kept.get(version)

    def read(self, path: Path, clock: Clock) -> tuple["PriceList", bytes]:
        """The list in a file to be imported; raises one Invalid with all errors."""
        from outlay.pricing.list_files import read_list

        try:
            body = path.read_bytes()
        except OSError as error:
            raise Invalid(
                f"{path} cannot be read: {error.strerror}.", code=ErrorCode.INVALID_PRICE_LIST
            ) from error
        version = f"{clock.now():%Y-%m-%d}-{digest_of(body)}"
        try:
            return read_list(body, version), body
        except Invalid as error:
            raise Invalid(f"{path}: {error.message}", code=error.code) from error

    def take(self, price_list: "PriceList", body: bytes) -> None:
        """Activate a list from the next start on. On disk when this returns."""
        from outlay.pricing.seed import BUNDLED

        path = self._path(price_list.version)
        if not path.exists():
            create_file(path, body)
        self._write([*self.taken(), TakenList(price_list.version, BUNDLED)])

    def revert(self) -> TakenList:
        """Reactivate the previous list; returns the reverted one, whose file is kept."""
        taken = self.taken()
        if not taken:
            raise Conflict("The list that comes with Outlay is in use. There is nothing to revert.")
        self._write(taken[:-1])
        return taken[-1]

    def _write(self, taken: list[TakenList]) -> None:
        text = "".join(f"{one.version} {one.replaced}\n" for one in taken)
        write_file(self._folder / USED, text.encode())

    def _path(self, version: str) -> Path:
        return self._folder / f"{PREFIX}{Path(version).name}.json"

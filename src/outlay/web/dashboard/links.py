"""URLs of the current page with changed parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from outlay.web.dashboard.page_query import refused_of
from outlay.web.http.usage_params import CARRIED


@dataclass(frozen=True, slots=True)
class Links:
    """Builds URLs from the query string of a request."""

    path: str
    items: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: Request) -> "Links":
        """Links based on a request's own URL, without its refused parameters."""
        names = refused_of(request).names
        items = [item for item in request.query_params.multi_items() if item[0] not in names]
        return cls(request.url.path, tuple(items))

    def put(self, **changes: str | None) -> str:
        """This page with some parameters set, or removed if None."""
        kept = [(name, value) for name, value in self.items if name not in changes]
        added = [(name, value) for name, value in changes.items() if value is not None]
        return self._url([*kept, *added])

    def values(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value for other, value in self.items if other == name]

    def add(self, name: str, value: str) -> str:
        """This page with one more value of a repeatable parameter."""
        return self._url(
            [*((n, v) for n, v in self.items if (n, v) != (name, value)), (name, value)]
        )

    def drop(self, name: str, value: str) -> str:
        """This page without one value of a repeatable parameter."""
        return self._url([item for item in self.items if item != (name, value)])

    def period(self, changes: Mapping[str, str]) -> str:
        """This page with another period."""
        kept = [item for item in self.items if item[0] not in {"preset", "from", "to", "hour"}]
        return self._url([*kept, *changes.items()])

    def without(self, *names: str) -> "Links":
        """Links from this page without some parameters."""
        return Links(self.path, tuple(item for item in self.items if item[0] not in names))

    def other(self, path: str, without: frozenset[str] = frozenset()) -> str:
        """Another page with the same period and filters."""
        kept = urlencode([item for item in self.items if item[0] not in without])
        return f"{path}{'&' if '?' in path else '?'}{kept}" if kept else path

    def compare(self, how: str) -> str:
        """This page compared with another period."""
        return self.without("compareFrom").put(compare=how)

    def travel(self, path: str, **more: str) -> str:
        """Another page with the same period and comparison only, plus `more`."""
        kept = [item for item in self.items if item[0] in CARRIED]
        return Links(path, ())._url([*kept, *more.items()])

    def _url(self, items: list[tuple[str, str]]) -> str:
        return f"{self.path}?{urlencode(items)}" if items else self.path

"""Detecting changes of the directory."""

import pytest

from outlay.domain.actor import Actor
from outlay.domain.errors import Damaged
from outlay.services.bundle import Administration
from outlay.services.directory.watch import DirectoryWatch
from outlay.storage.directory.engine import Directory


def test_everything_is_refreshed_once_for_each_change(
    administration: Administration, operator: Actor, directory: Directory
) -> None:
    seen: list[str] = []
    watch = DirectoryWatch(
        directory, [lambda: seen.append("later")], urgent=[lambda: seen.append("first")]
    )
    watch.check()
    assert seen == []
    administration.projects.create(operator, "Web")
    watch.check()
    watch.check()

    assert seen == ["first", "later"]


def test_damaged_row_does_not_stop_other_refreshes_and_is_reported_again(
    administration: Administration, operator: Actor, directory: Directory
) -> None:
    seen: list[str] = []

    def fail() -> None:
        raise Damaged("a row")

    watch = DirectoryWatch(directory, [fail, lambda: seen.append("other")], urgent=[])
    administration.projects.create(operator, "Web")
    for _ in range(2):
        with pytest.raises(Damaged, match="a row"):
            watch.check()

    assert seen == ["other", "other"]

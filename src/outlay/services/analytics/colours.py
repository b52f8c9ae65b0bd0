"""Chart colours: an entity has the same colour slot in all charts, pages, metrics and ranges."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from outlay.domain.answers import Entry, EntryKind
from outlay.domain.dimension import Grouping
from outlay.domain.errors import Unavailable
from outlay.domain.ids import OrganizationId
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.palette_slots import create_slots, list_slots

logger = logging.getLogger(__name__)

SLOT_COUNT: Final = 16
"""Number of palette colours: `--s1` … `--s16` in the style sheet."""

SLOTS: Final = range(1, SLOT_COUNT + 1)

MAIN_SLOTS: Final = 8
"""The first slots, which differ most; the others are lighter or darker variants of them."""


def remember_slots(
    directory: Directory,
    organization_id: OrganizationId,
    dimension: Grouping,
    entries: Sequence[Entry],
) -> Mapping[str, int]:
    """The slot of each value entry, in order of importance.

    An entity that is shown for the first time gets the least used slot and keeps it.
    """
    keys = [entry.key for entry in entries if entry.kind is EntryKind.VALUE]
    slots: Mapping[str, int]
    with directory.read() as session:
        slots = list_slots(session, organization_id, dimension.value)
    if not all(key in slots for key in keys):
        slots = _add_slots(directory, organization_id, dimension, keys, slots)
    return {key: slots[key] for key in keys}


def _add_slots(
    directory: Directory,
    organization_id: OrganizationId,
    dimension: Grouping,
    keys: Sequence[str],
    slots: Mapping[str, int],
) -> Mapping[str, int]:
    """All slots, with those of the keys that had none."""
    try:
        with directory.write() as session:
            slots = list_slots(session, organization_id, dimension.value)
            new = _new_slots(slots, keys)
            create_slots(session, organization_id, dimension.value, new)
    except Unavailable as error:
        # Colours are no reason to fail a request; they are stored with the next one.
        logger.debug("chart colours are not stored: %s", error.message)
        new = _new_slots(slots, keys)
    return {**slots, **new}


def _new_slots(remembered: Mapping[str, int], keys: Sequence[str]) -> dict[str, int]:
    uses = dict.fromkeys(SLOTS, 0)
    for slot in remembered.values():
        uses[slot] += 1
    new = {}
    for key in keys:
        if key not in remembered:
            slot = min(uses, key=lambda candidate: (uses[candidate], candidate))
            uses[slot] += 1
            new[key] = slot
    return new


def assign_slots(
    keys: Sequence[str], remembered: Mapping[str, int], lists: Sequence[Collection[str]]
) -> dict[str, int]:
    """One slot for each key of a page, the same in every list.

    `keys` are all keys on the page, the largest by cost first, and `lists` are those shown
    together: no two keys of a list share a slot. If two keys of a page have stored the same slot,
    the less important one gets another; the first eight never give way to the rest.
    """
    first = keys[:MAIN_SLOTS]
    together = [frozenset(found) for found in (*lists, first)]
    # Keys that are in most lists come first, while slots are free: then sixteen slots suffice for
    # three lists of eight, however they overlap.
    places = {key: sum(key in found for found in together) for key in keys}
    rest = sorted(keys[MAIN_SLOTS:], key=lambda key: -places[key])
    wanted_first = {remembered[key] for key in first}
    wanted = {remembered[key] for key in keys}
    slots: dict[str, int] = {}
    for key in [*first, *rest]:
        beside = frozenset[str]().union(*(found for found in together if key in found))
        closed = {slot for one, slot in slots.items() if one in beside}
        slots[key] = _choose(remembered[key], closed, (wanted_first, {*wanted, *slots.values()}))
    return {key: slots[key] for key in keys}


def _choose(
    wanted: int, closed: Collection[int], avoided: tuple[Collection[int], Collection[int]]
) -> int:
    """The wanted slot if it is free; otherwise the lowest free one, those in `avoided` last.

    In a list with more keys than slots all may be taken; then the wanted one is as good as any.
    """
    if wanted not in closed:
        return wanted
    free = [slot for slot in SLOTS if slot not in closed]
    return min(free, key=lambda slot: ([slot in some for some in avoided], slot), default=wanted)

"""Chart colours: an entity keeps its slot across charts, pages, metrics and ranges."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.errors import Unavailable
from outlay.domain.result import Entry, EntryKind
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.palette_slots import create_slots, list_slots

logger = logging.getLogger(__name__)

SLOT_COUNT: Final = 8


def remember_slots(
    directory: Directory, organization_id: str, dimension: Dimension, entries: Sequence[Entry]
) -> Mapping[str, int]:
    """The slot (1..8) of each value entry, in order of importance.

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
    organization_id: str,
    dimension: Dimension,
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
        # Colours are no reason to refuse an answer; they are stored with the next one.
        logger.debug("chart colours are not stored: %s", error.message)
        new = _new_slots(slots, keys)
    return {**slots, **new}


def _new_slots(remembered: Mapping[str, int], keys: Sequence[str]) -> dict[str, int]:
    uses = dict.fromkeys(range(1, SLOT_COUNT + 1), 0)
    for slot in remembered.values():
        uses[slot] += 1
    new = {}
    for key in keys:
        if key not in remembered:
            slot = min(uses, key=lambda candidate: (uses[candidate], candidate))
            uses[slot] += 1
            new[key] = slot
    return new


def distinct_slots(keys: Sequence[str], remembered: Mapping[str, int]) -> dict[str, int]:
    """Slots for one chart: where two collide, the less important takes the lowest free one."""
    slots: dict[str, int] = {}
    waiting = []
    for key in keys:
        if remembered[key] in slots.values():
            waiting.append(key)
        else:
            slots[key] = remembered[key]
    for key in waiting:
        taken = set(slots.values())
        free = [slot for slot in range(1, SLOT_COUNT + 1) if slot not in taken]
        slots[key] = free[0] if free else remembered[key]
    return slots

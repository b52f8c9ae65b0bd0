"""Chart colours: an entity keeps its slot across charts, pages, metrics and ranges."""

from collections.abc import Mapping, Sequence
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.result import Entry, EntryKind
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.palette_slots import create_slots, list_slots

SLOT_COUNT: Final = 8


def assign_slots(
    directory: Directory, organization_id: str, dimension: Dimension, entries: Sequence[Entry]
) -> Mapping[str, int]:
    """Colour slot (1..8) by key for the value entries, in order of importance.

    A slot is remembered when an entity is first shown: the least used one. Where two remembered
    slots collide in one chart, the less important entity takes the lowest free slot, as long as
    there is one.
    """
    keys = [entry.key for entry in entries if entry.kind is EntryKind.VALUE]
    with directory.unit() as session:
        remembered = list_slots(session, organization_id, dimension.value)
        new = _new_slots(remembered, keys)
        if new:
            create_slots(session, organization_id, dimension.value, new)
    return _without_collisions(keys, {**remembered, **new})


def _new_slots(remembered: Mapping[str, int], keys: Sequence[str]) -> dict[str, int]:
    uses = {slot: 0 for slot in range(1, SLOT_COUNT + 1)}
    for slot in remembered.values():
        uses[slot] += 1
    new = {}
    for key in keys:
        if key not in remembered:
            slot = min(uses, key=lambda candidate: (uses[candidate], candidate))
            uses[slot] += 1
            new[key] = slot
    return new


def _without_collisions(keys: Sequence[str], preferred: Mapping[str, int]) -> dict[str, int]:
    slots: dict[str, int] = {}
    for key in keys:
        taken = set(slots.values())
        free = [slot for slot in range(1, SLOT_COUNT + 1) if slot not in taken]
        slots[key] = preferred[key] if preferred[key] not in taken or not free else free[0]
    return slots

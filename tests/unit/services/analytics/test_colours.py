"""One colour for each value of a page, and none twice in a list."""

from hypothesis import given
from hypothesis import strategies as st

from outlay.services.analytics.colours import MAIN_SLOTS, SLOT_COUNT, SLOTS, assign_slots

KEYS = [f"key-{number:02}" for number in range(30)]


@st.composite
def pages(draw: st.DrawFn) -> tuple[list[str], dict[str, int], list[list[str]]]:
    """Values by cost, the stored slot of each, and the lists by three metrics, the first by
    cost."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=24))
    lists = [keys[:8]]
    lists += [draw(st.permutations(keys))[:8] for _ in range(2)] if keys else []
    shown = [key for key in keys if any(key in found for found in lists)]
    slots = st.integers(1, draw(st.sampled_from([1, MAIN_SLOTS, SLOT_COUNT])))
    return shown, {key: draw(slots) for key in shown}, lists


@given(pages())
def test_rows_of_a_list_have_distinct_colours(
    page: tuple[list[str], dict[str, int], list[list[str]]],
) -> None:
    keys, remembered, lists = page

    found = assign_slots(keys, remembered, lists)

    assert list(found) == keys
    assert set(found.values()) <= set(SLOTS)
    for shown in lists:
        assert len({found[key] for key in shown}) == len(shown)


@given(pages())
def test_first_eight_by_cost_have_priority(
    page: tuple[list[str], dict[str, int], list[list[str]]],
) -> None:
    keys, remembered, lists = page
    first = keys[:MAIN_SLOTS]

    found = assign_slots(keys, remembered, lists)

    largest_with = {remembered[key]: key for key in reversed(first)}
    assert {key: found[key] for key in largest_with.values()} == {
        key: slot for slot, key in largest_with.items()
    }


def test_list_longer_than_the_palette_keeps_colours_if_possible() -> None:
    keys = KEYS[: SLOT_COUNT + 4]

    found = assign_slots(keys, dict.fromkeys(keys, 3), [keys])

    assert len(set(found.values())) == SLOT_COUNT


def test_displaced_row_takes_a_colour_unused_on_the_page() -> None:
    found = assign_slots(["a", "b", "c"], {"a": 1, "b": 1, "c": 2}, [["a", "b", "c"]])

    assert found == {"a": 1, "b": 3, "c": 2}

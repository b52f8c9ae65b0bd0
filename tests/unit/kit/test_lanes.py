"""Many sums in one integer."""

from hypothesis import given
from hypothesis import strategies as st

from outlay.kit.lanes import pack, unpack

values = st.lists(st.integers(-(2**100), 2**100), min_size=1, max_size=25)


@given(values, st.data())
def test_lanes_add_and_multiply_independently(one: list[int], data: st.DataObject) -> None:
    other = data.draw(
        st.lists(st.integers(-(2**100), 2**100), min_size=len(one), max_size=len(one))
    )
    factor = data.draw(st.integers(0, 2**62))

    packed = pack(one) * factor + pack(other)

    assert unpack(packed, len(one)) == [
        left * factor + right for left, right in zip(one, other, strict=True)
    ]

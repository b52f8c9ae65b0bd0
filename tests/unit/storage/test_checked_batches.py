"""The cache of checked batches: bounded, and exact per row."""

from outlay.storage.ledger.checking import BatchHead, CheckedBatches


def head(batch_id: int, size: int = 10, restated: bytes | None = None) -> BatchHead:
    first = batch_id * 100
    return BatchHead(batch_id, first, first + size - 1, 0, b"sum", 3, restated, b"before")


def rows(of: BatchHead) -> list[tuple[int, str]]:
    return [(seq, f"value {seq}") for seq in range(of.first_seq, of.last_seq + 1)]


def test_row_is_compared_with_the_checked_one() -> None:
    known, batch = CheckedBatches(), head(1)
    known.add(batch, rows(batch))

    assert known.vouches_for(batch, rows(batch)[3:6])
    assert not known.vouches_for(batch, [(103, "value 104")])
    assert not known.vouches_for(batch, [(batch.last_seq + 1, "beyond")])
    assert not known.vouches_for(head(2), [])


def test_restated_batch_counts_as_unchecked() -> None:
    known, batch = CheckedBatches(), head(1)
    known.add(batch, rows(batch))

    assert not known.vouches_for(head(1, restated=b"other"), rows(batch))


def test_least_recently_used_batches_are_evicted() -> None:
    known = CheckedBatches(capacity=25)
    first, second, third, large = head(1), head(2), head(3), head(4, size=60)
    for batch in (first, second):
        known.add(batch, rows(batch))
    assert known.vouches_for(first, [])
    known.add(third, rows(third))

    assert known.vouches_for(first, [])
    assert known.vouches_for(third, [])
    assert not known.vouches_for(second, [])

    known.add(large, rows(large))
    assert known.vouches_for(large, rows(large))
    assert not known.vouches_for(first, [])
    known.add(first, rows(first))
    assert not known.vouches_for(large, [])

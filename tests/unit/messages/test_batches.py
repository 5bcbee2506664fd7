from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoplan.audience.schemas import MESSAGES
from octoplan.digests import number_hash
from octoplan.limits import BUCKET_BITS_MAX
from octoplan.messages.batches import PackedBatch, bucket_bits, pack_batches
from tests.unit.messages.samples import phone


def messages(texts: Sequence[int]) -> pa.Table:
    """One row for each text number, of one or two segments, in France or Germany."""
    phones = [phone(number) for number in range(len(texts))]
    rows = {
        "hash": [number_hash(each) for each in phones],
        "phone": phones,
        "country": ["FR" if number % 3 else "DE" for number in range(len(texts))],
        "text": list(texts),
        "contact": [f'{{"phone_number":"{each}"}}' for each in phones],
        "units": [10] * len(texts),
        "segments": [1 + number % 2 for number in range(len(texts))],
        "ucs2": [False] * len(texts),
    }
    order = [(name, "ascending") for name in ("text", "hash", "phone")]
    return pa.table(rows, schema=MESSAGES).sort_by(order)


def pack(table: pa.Table, *, bits: Sequence[int], size: int, cuts: Sequence[int] = ()) -> list[PackedBatch]:
    edges = [0, *sorted(cut for cut in cuts if cut < table.num_rows), table.num_rows]
    pieces = [table.slice(start, stop - start).combine_chunks() for start, stop in pairwise(edges)]
    rows = [batch for piece in pieces for batch in piece.to_batches()]
    names = [f"text {number}" for number in range(len(bits))]
    return list(pack_batches(iter(rows), texts=names, bucket_bits=bits, batch_size=size))


def content(batches: Sequence[PackedBatch]) -> list[object]:
    return [
        (each.text, each.text_index, each.bucket, each.recipients, each.segments, each.strata, each.contacts, phones)
        for each in batches
        for phones in [each.phones.to_pylist()]
    ]


@pytest.mark.parametrize(
    ("count", "bits"),
    [(0, 0), (1, 0), (32_768, 0), (32_769, 1), (65_536, 1), (65_537, 2), (10_000_000, 9), (10**15, BUCKET_BITS_MAX)],
)
def test_number_of_buckets(count: int, bits: int) -> None:
    """There are as few buckets as leave at most 32,768 recipients in each on average, and never over 2^24."""
    assert bucket_bits(count) == bits


def test_empty_input_gives_no_batch() -> None:
    """No recipient, no request: neither for no Arrow batch nor for an empty one."""
    assert pack(messages([]), bits=[0], size=500) == []
    empty = pa.RecordBatch.from_pylist([], schema=MESSAGES)
    assert list(pack_batches([empty], texts=["text"], bucket_bits=[0], batch_size=500)) == []


def test_batches_are_full_but_for_the_last_of_a_bucket() -> None:
    """Inside a bucket, recipients come in the order of their hash and are cut at the batch size."""
    batches = pack(messages([0] * 1001), bits=[0], size=500)
    assert [batch.recipients for batch in batches] == [500, 500, 1]
    hashes = [number_hash(number) for batch in batches for number in batch.phones.to_pylist()]
    assert hashes == sorted(hashes)


def test_bucket_is_the_first_bits_of_the_hash() -> None:
    """A batch holds one bucket: recipients whose hash starts with the same bits."""
    batches = pack(messages([0] * 300), bits=[3], size=500)
    assert [batch.bucket for batch in batches] == list(range(8))
    for batch in batches:
        assert {number_hash(each) >> 61 for each in batch.phones.to_pylist()} == {batch.bucket}


def test_each_text_has_its_own_buckets() -> None:
    """The number of buckets belongs to a text; batches never mix texts."""
    batches = pack(messages([0, 1] * 40), bits=[0, 2], size=500)
    assert [(batch.text, batch.bucket) for batch in batches] == [
        ("text 0", 0),
        *(("text 1", bucket) for bucket in range(4)),
    ]


def test_strata_and_segments_are_counted() -> None:
    """A batch tells how many recipients it has by country and segments, and all its segments."""
    table = messages([0] * 60)
    (batch,) = pack(table, bits=[0], size=500)
    expected = Counter(zip(table.column("country").to_pylist(), table.column("segments").to_pylist(), strict=True))
    assert batch.strata == expected
    assert batch.segments == sum(table.column("segments").to_pylist())


def test_contacts_are_json() -> None:
    """Contacts in brackets are a JSON list, in the order of the phones."""
    for batch in pack(messages([0] * 25), bits=[1], size=10, cuts=[3, 14]):
        listed = orjson.loads(b"[" + batch.contacts + b"]")
        assert [contact["phone_number"] for contact in listed] == batch.phones.to_pylist()


def test_repr_shows_no_recipient() -> None:
    """What is printed of a batch holds neither number nor text."""
    (batch,) = pack(messages([0] * 3), bits=[0], size=10)
    assert "+33" not in repr(batch)
    assert "text 0" not in repr(batch)


@given(
    texts=st.lists(st.integers(0, 2), max_size=120),
    bits=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    size=st.integers(1, 12),
    cuts=st.lists(st.integers(0, 119), max_size=8),
)
def test_every_recipient_is_in_exactly_one_batch(texts: list[int], bits: list[int], size: int, cuts: list[int]) -> None:
    """Nobody is lost or doubled, no batch is too large, and cuts between Arrow batches change no byte."""
    table = messages(texts)
    batches = pack(table, bits=bits, size=size, cuts=cuts)
    assert [number for batch in batches for number in batch.phones.to_pylist()] == table.column("phone").to_pylist()
    assert all(1 <= batch.recipients == len(batch.phones) <= size for batch in batches)
    assert content(batches) == content(pack(table, bits=bits, size=size))
    followed = [(batch.text_index, batch.bucket, batch.recipients) for batch in batches]
    assert all(first[2] == size for first, second in pairwise(followed) if first[:2] == second[:2])

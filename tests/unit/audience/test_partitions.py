from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from octoplan.audience import partitions
from octoplan.audience.partitions import PARTITION_BITS, PARTITIONS, Partitions
from octoplan.audience.schemas import VALUE

SCHEMA = pa.schema([pa.field("hash", pa.uint64()), pa.field("name", pa.string())])
WITH_VALUES = SCHEMA.append(pa.field("v_shop", VALUE))
WIDTH = 1 << (64 - PARTITION_BITS)


def rows(hashes: Sequence[int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"hash": hashes, "name": [f"n{each}" for each in hashes]}, schema=SCHEMA)


def spread(count: int, step: int = 7_919) -> list[int]:
    """Hashes all over the range, in no order."""
    return [(number * step * 0x9E3779B97F4A7C15) % 2**64 for number in range(1, count + 1)]


@pytest.fixture(params=[None, 1, 2_000], ids=["in memory", "all on disk", "some on disk"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """How many bytes may wait in memory; `None`: as many as octoplan allows."""
    limit: int | None = request.param
    if limit is not None:
        monkeypatch.setattr(partitions, "PARTITION_MEMORY_BYTES", limit)
    return limit


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_rows_are_where_their_hash_says(tmp_path: Path, memory: int | None) -> None:
    """A row is in exactly one partition, that of its first bits; partitions in order hold rising hashes."""
    kept = Partitions(SCHEMA, tmp_path, "rows")
    hashes = [*spread(300), 0, WIDTH - 1, WIDTH, 2**63, 2**64 - 1]
    for start in range(0, len(hashes), 50):
        kept.shuffle(rows(hashes[start : start + 50]))
    found = [kept.take(number).column("hash").to_pylist() for number in range(PARTITIONS)]
    assert [[each // WIDTH for each in part] for part in found] == [[n] * len(part) for n, part in enumerate(found)]
    assert sorted(each for part in found for each in part) == sorted(hashes)
    assert kept.rows == len(hashes)
    assert bool(files(tmp_path)) is (memory is not None)
    kept.clear()


def test_rows_keep_their_order_and_what_they_hold(tmp_path: Path, memory: int | None) -> None:
    """Inside a partition rows come in the order in which they were added, whole."""
    kept = Partitions(SCHEMA, tmp_path, "rows")
    hashes = [9, 3, 5, 3, WIDTH + 1, 1]
    for start in (0, 2, 4):
        kept.shuffle(rows(hashes[start : start + 2]))
    assert kept.take(0).to_pylist() == [{"hash": each, "name": f"n{each}"} for each in (9, 3, 5, 3, 1)]
    assert kept.take(1).num_rows == 1
    assert kept.take(2) == SCHEMA.empty_table()
    kept.clear()


def test_partitions_can_be_read_again_and_at_once(tmp_path: Path, memory: int | None) -> None:
    """Each reading starts anew, also while another one is under way."""
    kept = Partitions(SCHEMA, tmp_path, "rows")
    for start in range(0, 90, 30):
        kept.shuffle(rows([start + number for number in range(30)]))
    first, second = kept.batches(0), kept.batches(0)
    assert next(first) == next(second)
    assert kept.take(0).column("hash").to_pylist() == list(range(90))
    assert sum(len(batch) for batch in first) == sum(len(batch) for batch in second)
    assert kept.take(0) == kept.take(0)
    kept.clear()


def test_values_of_different_dictionaries(tmp_path: Path, memory: int | None) -> None:
    """Columns by what is distinct come back as they were, though each piece brings a dictionary of its own."""
    kept = Partitions(WITH_VALUES, tmp_path, "settled")
    expected = []
    for number in range(4):
        values = pa.array([f"shop {number}", None, "shop 0", f"shop {number}"]).dictionary_encode().cast(VALUE)
        columns = [pa.array([number] * 4, pa.uint64()), pa.array(list("abcd")), values]
        kept.put(0, pa.Table.from_arrays(columns, schema=WITH_VALUES))
        expected += values.to_pylist()
    assert kept.take(0).column("v_shop").to_pylist() == expected
    assert [each for batch in kept.batches(0) for each in batch.column("v_shop").to_pylist()] == expected
    assert kept.rows == len(expected)
    kept.clear()


def test_what_is_done_with_goes(tmp_path: Path, memory: int | None) -> None:
    """A dropped partition takes its file along, and the others stay."""
    kept = Partitions(SCHEMA, tmp_path, "rows")
    kept.shuffle(rows(spread(200)))
    kept.shuffle(rows(spread(200, 104_729)))
    before, last = set(files(tmp_path)), kept.take(1)
    kept.drop(0)
    assert before - set(files(tmp_path)) == ({"rows-0"} if memory else set())
    assert kept.take(1) == last
    kept.clear()


def test_nothing_is_left_after_clear(tmp_path: Path, memory: int | None) -> None:
    """No row, no file; and rows can be added anew, as when a file turns out to have faulty records."""
    kept = Partitions(SCHEMA, tmp_path, "rows")
    for step in (7_919, 104_729):
        kept.shuffle(rows(spread(100, step)))
    kept.take(3)
    kept.clear()
    assert (files(tmp_path), kept.rows) == ([], 0)
    assert all(kept.take(number).num_rows == 0 for number in range(PARTITIONS))
    kept.shuffle(rows([1, 2]))
    assert (kept.take(0).column("hash").to_pylist(), kept.rows) == ([1, 2], 2)
    kept.clear()
    assert files(tmp_path) == []


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is added, no more than the limit and one addition waits in memory."""
    monkeypatch.setattr(partitions, "PARTITION_MEMORY_BYTES", 20_000)
    kept = Partitions(SCHEMA, tmp_path, "rows")
    for start in range(40):
        batch = rows(spread(100, 7_919 + start))
        kept.shuffle(batch)
        assert sum(each.nbytes for waiting in kept._waiting for each in waiting) < 20_000 + 2 * batch.nbytes
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 20_000
    assert sum(kept.take(number).num_rows for number in range(PARTITIONS)) == kept.rows == 4_000
    kept.clear()


def test_no_rows_are_no_rows(tmp_path: Path, memory: int | None) -> None:
    """An empty batch or table is nothing."""
    kept = Partitions(SCHEMA, tmp_path, "rows")
    kept.shuffle(rows([]))
    kept.put(3, SCHEMA.empty_table())
    assert (kept.rows, kept.take(3).num_rows) == (0, 0)
    kept.clear()

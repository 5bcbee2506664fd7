from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from octoplan.audience import rules
from octoplan.audience.kernel import Ask, Exclusions, Winners, choose, leading_bits
from octoplan.audience.phone_rules import PhoneRules
from octoplan.audience.schemas import VALUE
from octoplan.digests import DigestKey, batch_digest, number_hash
from octoplan.limits import EXCLUSION_EXAMPLES_MAX
from octoplan.messages.batches import pack_batches
from octoplan.messages.compose import MessageSource, compose_message
from octoplan.messages.template import parse_template
from tests.data.generate import as_csv, customers, french

from .cluster import Numbered, Resolved, as_bytes, numbered_rows, slices, step_one, step_two
from .support import see, stop

KEY = DigestKey(bytes(range(32)))
ONE, TWO, THREE = "+33612340001", "+33612340002", "+33612340003"
VARIABLES = ("magasin", "prenom")
HEADER, *ROWS = customers(Random(4), 1_500, 600)
STOPPED = tuple(f"+3361234{number:04d}" for number in range(0, 600, 7))
WHERE = "consent = 'oui' and magasin is not null"
ASK = Ask(phone=2, values=(3, 0), where="coalesce(c5 = 'oui' AND c3 IS NOT NULL, false)")
MERGED = "Bonjour {{ prenom|title }}, votre boutique {{ magasin }} vous attend."
BRANCHES = "Bonjour{% if magasin > 'N' %} de {{ magasin }} " + "et encore merci " * 24 + "{% endif %}"


def records(rows: Sequence[int] = range(len(ROWS))) -> pa.Table:
    """The customers with these numbers, as a source hands them on."""
    chosen = [ROWS[row] for row in rows]
    columns = {f"c{index}": pa.array([each[index] or None for each in chosen], pa.string()) for index in (0, 2, 3, 5)}
    return pa.table({"row": pa.array(rows, pa.int64()), "faulty": pa.array([False] * len(chosen)), **columns})


@pytest.fixture(scope="module")
def phones() -> PhoneRules:
    return PhoneRules.load("FR")


@pytest.fixture(scope="module")
def reference(phones: PhoneRules) -> Resolved:
    """Everything in one piece, in the order of the file."""
    return resolve(phones, records(), cut=len(ROWS), partitions=1)


def resolve(phones: PhoneRules, table: pa.Table, *, cut: int, partitions: int, quick: bool = False) -> Resolved:
    exclusions = Exclusions()
    read = partial(phones.select, codes=[33, 1, 49]) if quick else None
    rows = pa.Table.from_batches(step_one(phones, slices(table, cut), ASK, exclusions, read))
    resolved = step_two(rows, VARIABLES, partitions=partitions, suppressed=STOPPED)
    resolved.exclusions.merge(exclusions)
    return resolved


def batches(resolved: Resolved, template: str, cut: int) -> list[tuple[str, int, str]]:
    """The digests of the requests: what is sent to whom, in which bucket, as which text."""

    def read() -> Iterator[pa.RecordBatch]:
        for part in resolved.recipients:
            yield from slices(part, cut)

    message = compose_message(MessageSource(parse_template(template)), read)
    bits = [3] * len(message.texts)
    packed = pack_batches(message.batches(), texts=message.texts, bucket_bits=bits, batch_size=40)
    return [(each.text, each.bucket, batch_digest(KEY, each.contacts)) for each in packed]


@pytest.mark.parametrize(("partitions", "cut", "quick"), [(1, 1_500, True), (7, 211, False), (64, 90, False)])
def test_partitions_and_cuts_change_no_byte(
    phones: PhoneRules, reference: Resolved, partitions: int, cut: int, quick: bool
) -> None:
    """
    Recipients, requests, exclusions: the same bytes for 1, 7 and 64 partitions, for shuffled records in batches of any
    size, and for both ways of reading numbers.
    """
    order = list(range(len(ROWS)))
    Random(partitions).shuffle(order)
    resolved = resolve(phones, records(order), cut=cut, partitions=partitions, quick=quick)
    assert as_bytes(resolved.table) == as_bytes(reference.table)
    assert resolved.exclusions == reference.exclusions
    assert (resolved.suppressed, resolved.unique) == (reference.suppressed, reference.unique)
    for template in (MERGED, BRANCHES):
        made = batches(resolved, template, cut)
        assert made == batches(reference, template, 1_000)
        assert len(made) > 8


def test_the_audience_of_a_file_is_the_kernel_s(reference: Resolved, tmp_path: Path) -> None:
    """From the same rows as a file octoplan makes the same recipients; it drives the same two steps."""
    path, off = tmp_path / "c.csv", tmp_path / "stop.csv"
    path.write_bytes(as_csv([HEADER, *ROWS], ";", "\n").encode())
    off.write_text("\n".join(STOPPED) + "\n", encoding="utf-8")
    seen = see(path, variables=VARIABLES, where=WHERE, suppressions=(stop(off),))
    expected = reference.table.drop_columns(["row"])
    assert [list(row.values()) for row in seen.without_rows.to_pylist()] == [
        list(row.values()) for row in expected.to_pylist()
    ]
    assert seen.reasons == reference.exclusions.counts


def test_nothing_is_lost(reference: Resolved) -> None:
    """Every record is a recipient or counted under one reason, and every reason of the sample occurs."""
    counts = reference.exclusions.counts
    assert reference.table.num_rows + counts.total() == len(ROWS)
    assert reference.unique == reference.table.num_rows + len(reference.suppressed)
    assert counts[rules.SUPPRESSED] == len(reference.suppressed)
    expected = {rules.DUPLICATE, rules.SUPPRESSED, rules.NOT_SELECTED, rules.EMPTY_NUMBER, rules.INVALID_NUMBER}
    assert expected < set(counts)


def test_recipients_are_in_the_order_of_their_hash(reference: Resolved) -> None:
    """By the first 64 bits of the SHA-256 of the number, each number once."""
    hashes = [number_hash(phone) for phone in reference.phones]
    assert reference.table.column("hash").to_pylist() == hashes == sorted(hashes)
    assert len(set(reference.phones)) == len(reference.phones)


def test_faulty_records_are_counted_as_such(phones: PhoneRules) -> None:
    """A faulty record is out whatever its columns hold, and a record outside the filter whatever its number is."""
    table = pa.table(
        {
            "row": [3, 9, 12],
            "faulty": [True, False, False],
            "c0": ["06 12 34 00 01", "nobody", "06 12 34 00 02"],
            "c1": ["a", "b", "a"],
        }
    )
    exclusions = Exclusions()
    (rows,) = step_one(phones, slices(table, 3), Ask(phone=0, values=(1,), where="c1 = 'a'"), exclusions)
    assert rows.column("phone").to_pylist() == [TWO]
    assert exclusions.examples == {rules.FAULTY_ROW: [3], rules.NOT_SELECTED: [9]}


def test_no_records_are_no_rows(phones: PhoneRules) -> None:
    """An empty batch passes step one, and an empty partition step two."""
    exclusions = Exclusions()
    empty = pa.RecordBatch.from_pylist([], schema=records([]).schema)
    assert [rows.num_rows for rows in step_one(phones, [empty], ASK, exclusions)] in ([], [0])
    resolved = step_two(numbered_rows([]), ())
    assert (resolved.table.num_rows, resolved.exclusions, exclusions) == (0, Exclusions(), Exclusions())


# --- step two --------------------------------------------------------------------------------------------------------


def winner(*rows: Numbered) -> int:
    """The record of the row that wins, wherever it stands."""
    (first,) = {_first(choose(numbered_rows(order))) for order in (rows, rows[::-1])}
    return first


def _first(winners: Winners) -> int:
    return int(winners.rows.column("row")[winners.order[0].as_py()].as_py())


def test_the_smallest_key_wins() -> None:
    """As text, by its UTF-8 bytes, whatever the values say; a row without key loses to any."""
    assert winner((ONE, "9", ["a"], 1), (ONE, "10", ["b"], 2)) == 2
    assert winner((ONE, None, ["a"], 1), (ONE, "\U0001f600", ["b"], 2)) == 2
    assert winner((ONE, "\uffff", ["b"], 1), (ONE, "\U0001f600", ["a"], 2)) == 1
    assert winner((ONE, "", ["b"], 1), (ONE, "0", ["a"], 2)) == 1


def test_equal_keys_are_decided_by_the_values() -> None:
    """In name order, the smallest first, a missing one last; rows that agree in all are one, the first is named."""
    assert winner((ONE, "k", ["b", "a"], 1), (ONE, "k", ["a", "b"], 2)) == 2
    assert winner((ONE, None, ["a", None], 1), (ONE, None, ["a", "z"], 2)) == 2
    assert winner((ONE, None, ["é"], 1), (ONE, None, ["z"], 2)) == 2
    assert winner((ONE, "k", ["a"], 8), (ONE, "k", ["a"], 3), (ONE, "k", ["a"], 5)) == 3


def test_numbers_that_share_their_hash_are_two_people() -> None:
    """Both stay, in the order of their text, and each has its own winner; so it is in any partition."""
    hashes = {ONE: 7, TWO: 7, THREE: 7}
    rows = [
        (TWO, "b", ["x"], 1),
        (ONE, "z", ["x"], 2),
        (TWO, "a", ["y"], 3),
        (THREE, None, ["x"], 4),
        (ONE, "y", ["z"], 5),
    ]
    for partitions in (1, 7, 64):
        for order in (rows, rows[::-1]):
            resolved = step_two(
                numbered_rows(order, hashes), ["v"], partitions=partitions, suppressed=[THREE], hashes=hashes
            )
            assert resolved.table.select(["phone", "row"]).to_pylist() == [
                {"phone": ONE, "row": 5},
                {"phone": TWO, "row": 3},
            ]
            assert resolved.suppressed == [THREE]
            assert resolved.exclusions.counts == {rules.DUPLICATE: 2, rules.SUPPRESSED: 1}
            assert resolved.exclusions.examples == {rules.DUPLICATE: [1, 2], rules.SUPPRESSED: [4]}


def test_hashes_at_the_ends_of_the_range() -> None:
    """The hash is unsigned: its first bit is a bit like others."""
    hashes = {ONE: 2**64 - 1, TWO: 0, THREE: 2**63}
    rows = [(phone, None, (), number) for number, phone in enumerate(hashes)]
    for partitions in (1, 7, 64):
        assert step_two(numbered_rows(rows, hashes), (), partitions=partitions).phones == [TWO, THREE, ONE]


def test_suppressed_goes_before_not_allowed() -> None:
    """Who is on both lists' wrong side is counted once, as suppressed; numbers that nobody has do no harm."""
    rows = numbered_rows([(ONE, None, ["a"], 1), (TWO, None, ["a"], 2), (THREE, None, ["a"], 3)])
    resolved = step_two(rows, ["v"], suppressed=[ONE, "+33612349999"], allowed=[ONE, TWO, "+33612349998"])
    assert resolved.phones == [TWO]
    assert resolved.exclusions.examples == {rules.SUPPRESSED: [1], rules.NOT_ALLOWED: [3]}
    assert step_two(rows, ["v"], allowed=[]).exclusions.counts == {rules.NOT_ALLOWED: 3}


def test_values_come_by_what_is_distinct() -> None:
    """A column of values is a dictionary, with null where there is none."""
    rows = numbered_rows([(french_number(number), None, ["ab"[number % 2], None], number) for number in range(50)])
    (recipients,) = step_two(rows, ["x", "y"]).recipients
    assert [recipients.schema.field(name).type for name in ("v_x", "v_y")] == [VALUE, VALUE]
    assert len(recipients.column("v_x").combine_chunks().dictionary) == 2
    assert recipients.column("v_y").null_count == 50


def french_number(number: int) -> str:
    return "+33" + french(number, 0)[1:]


# --- figures ---------------------------------------------------------------------------------------------------------


def digits_of(numbers: Sequence[str | None]) -> pa.StringArray:
    return pa.array([each and hashlib.sha256(each.encode()).hexdigest()[:16] for each in numbers], pa.string())


def test_leading_bits_are_those_of_the_hash() -> None:
    """The first 16 hexadecimal digits as an unsigned integer: `number_hash` of the number."""
    numbers = [french_number(number) for number in range(200)]
    expected = [int(hashlib.sha256(each.encode()).hexdigest()[:16], 16) for each in numbers]
    assert leading_bits(digits_of(numbers)).to_pylist() == expected == [number_hash(each) for each in numbers]
    assert leading_bits(pa.array(["0" * 16, "f" * 16])).to_pylist() == [0, 2**64 - 1]


def test_leading_bits_of_a_part_of_a_column() -> None:
    """Also where the array is a slice, after missing texts, and where nothing is left."""
    numbers = [ONE, None, TWO, THREE, None]
    column = digits_of(numbers)
    assert leading_bits(column.slice(2, 2)).to_pylist() == [number_hash(TWO), number_hash(THREE)]
    assert leading_bits(column.drop_null().slice(1)).to_pylist() == [number_hash(TWO), number_hash(THREE)]
    for empty in (column.slice(5), column.slice(2, 0), pa.array([], pa.string())):
        assert leading_bits(empty).to_pylist() == []
        assert leading_bits(empty).type == pa.uint64()


def test_examples_are_the_smallest_whatever_the_order() -> None:
    """Counts add up, and the examples are the first few records, in any order of adding and merging."""
    numbers = list(range(40))
    Random(1).shuffle(numbers)
    one, other = Exclusions(), Exclusions()
    for start in range(0, 40, 8):
        (one if start % 16 else other).add("x", pa.array(numbers[start : start + 8], pa.int64()))
    other.add("y", pa.array([], pa.int64()))
    both, back = Exclusions(), Exclusions()
    for each in (one, other):
        both.merge(each)
    for each in (other, one):
        back.merge(each)
    assert both == back == Exclusions(both.counts, {"x": list(range(EXCLUSION_EXAMPLES_MAX))})
    assert dict(both.counts) == {"x": 40}


@pytest.mark.parametrize("limit", [0, 1, 7, 250, 598, 599, 600, 10_000])
def test_limit_takes_the_first_numbers_whatever_the_partitions(limit: int) -> None:
    """The first of the list in the order of the hash; who of them is suppressed is not made up for by another one."""
    numbers = [f"+3361234{number:04d}" for number in range(600)]
    rows = numbered_rows([(phone, None, (), number) for number, phone in enumerate(numbers)])
    allowed = numbers[1:]
    first = sorted(allowed, key=number_hash)[:limit]
    for partitions in (1, 7, 64):
        resolved = step_two(rows, (), partitions=partitions, suppressed=STOPPED, allowed=allowed, limit=limit)
        assert resolved.phones == [phone for phone in first if phone not in STOPPED]
        assert resolved.table.num_rows + resolved.exclusions.counts.total() == 600


def test_limit_between_numbers_with_one_hash() -> None:
    """Their text decides, as it decides their order."""
    rows = [(phone, None, (), number) for number, phone in enumerate((TWO, THREE, ONE))]
    hashes = dict.fromkeys((ONE, TWO, THREE), 2**63)
    for limit, expected in ((1, [ONE]), (2, [ONE, TWO]), (3, [ONE, TWO, THREE])):
        resolved = step_two(numbered_rows(rows, hashes), (), hashes=hashes, limit=limit)
        assert resolved.phones == expected
        assert resolved.exclusions.counts[rules.OVER_LIMIT] == 3 - limit

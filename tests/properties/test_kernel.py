from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from octoplan.audience import rules
from octoplan.limits import EXCLUSION_EXAMPLES_MAX
from tests.unit.audience.cluster import Numbered, numbered_rows, step_two

PHONES = [f"+3361234000{last}" for last in range(7)]
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "ab", "é", "z", "\uffff", "\U0001f600", "10", "9"]))
ROWS = st.lists(st.tuples(st.sampled_from(PHONES), TEXTS, st.tuples(TEXTS, TEXTS)), max_size=25)
HASHES = st.lists(st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]), min_size=len(PHONES), max_size=len(PHONES))
SOME = st.sets(st.sampled_from(PHONES))


@dataclass
class Reference:
    """The rules said slowly: every row looked at one by one."""

    recipients: list[tuple[str, int]]
    reasons: dict[int, str]


def decide(rows: list[Numbered], hashes: dict[str, int], off: set[str], allowed: set[str] | None) -> Reference:
    """Who gets a message because of which row, and why each other row is out."""

    def row_key(row: Numbered) -> list[tuple[bool, bytes]]:
        return [(text is None, (text or "").encode()) for text in (row[1], *row[2])]

    recipients, reasons = [], {}
    for phone in sorted({row[0] for row in rows}, key=lambda each: (hashes[each], each)):
        same = sorted((row for row in rows if row[0] == phone), key=lambda row: (row_key(row), row[3]))
        reasons.update(dict.fromkeys((row[3] for row in same[1:]), rules.DUPLICATE))
        if phone in off:
            reasons[same[0][3]] = rules.SUPPRESSED
        elif allowed is not None and phone not in allowed:
            reasons[same[0][3]] = rules.NOT_ALLOWED
        else:
            recipients.append((phone, same[0][3]))
    return Reference(recipients, reasons)


@settings(max_examples=150, deadline=None)
@given(
    found=ROWS,
    hashed=HASHES,
    off=SOME,
    allowed=st.none() | SOME,
    partitions=st.sampled_from([1, 2, 7, 64]),
    shuffled=st.randoms(use_true_random=False),
)
def test_the_kernel_decides_as_the_rules_say(
    found: list[tuple[str, str | None, tuple[str | None, str | None]]],
    hashed: list[int],
    off: set[str],
    allowed: set[str] | None,
    partitions: int,
    shuffled: Random,
) -> None:
    """
    Winners, order, suppression, allow-list and reasons equal those of a loop over the rows, for any partitions, any
    order, and numbers that share their hash; nothing is lost.
    """
    hashes = dict(zip(PHONES, hashed, strict=True))
    rows: list[Numbered] = [(*row, number) for number, row in enumerate(found)]
    expected = decide(rows, hashes, off, allowed)
    order = list(rows)
    shuffled.shuffle(order)
    table = numbered_rows([*order, (PHONES[0], None, (None, None), -1)], hashes).slice(0, len(order))
    resolved = step_two(
        table, ["v", "w"], partitions=partitions, suppressed=sorted(off), allowed=allowed, hashes=hashes
    )
    got = resolved.table.select(["phone", "row", "v_v", "v_w"]).to_pylist()
    assert [(row["phone"], row["row"]) for row in got] == expected.recipients
    assert [(row["v_v"], row["v_w"]) for row in got] == [rows[number][2] for _, number in expected.recipients]
    assert resolved.exclusions.counts == Counter(expected.reasons.values())
    for reason, examples in resolved.exclusions.examples.items():
        least = sorted(number for number, why in expected.reasons.items() if why == reason)
        assert examples == least[:EXCLUSION_EXAMPLES_MAX]
    assert len(got) + resolved.exclusions.counts.total() == len(rows)

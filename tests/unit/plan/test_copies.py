"""The same text to the same people twice in one plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoplan.campaign.project import load_campaigns
from octoplan.digests import number_hash
from octoplan.pipeline import build_plan, prepare_campaigns
from octoplan.plan.copies import count_common
from octoplan.plan.model import ActionKind, Plan
from octoplan.state.local import local_home
from tests.clocks import ManualClock
from tests.unit.plan.projects import CAMPAIGN, KEY, FixedPrices, numbers, setting_of, write_project


def plan_two(root: Path, first: list[str], second: list[str], more: str = "") -> Plan:
    """Campaign `sale` to the first, `sale-copy` with the same text to the second; `more` is in the copy's file."""
    write_project(root, first)
    rows = "".join(f"{phone},Zoe\n" for phone in second)
    (root / "others.csv").write_text(f"phone,name\n{rows}", encoding="utf-8")
    copy = CAMPAIGN.replace("id: sale", "id: sale-copy").replace("contacts.csv", "others.csv") + more
    (root / "campaigns/copy.yaml").write_text(copy, encoding="utf-8")
    setting = setting_of(root)
    campaigns, _ = load_campaigns(setting.project)
    home = local_home(root / "state", "production", KEY, ManualClock())
    with prepare_campaigns(setting, campaigns) as prepared:
        return build_plan(setting, prepared, home, FixedPrices(), balance=None, endpoint="", clock=ManualClock())


@pytest.mark.parametrize(
    ("second", "common"),
    [
        (numbers(10), 10),
        (numbers(7, start=8), 2),
        (numbers(5, start=10), 0),
        (numbers(9_000, start=9), 1),
    ],
)
def test_people_in_both_are_counted_exactly(tmp_path: Path, second: list[str], common: int) -> None:
    """Whatever the sizes of the two lists, and however many of them they have in common."""
    plan = plan_two(tmp_path, numbers(10), second)
    copies = [reason for action in plan.actions for reason in action.reasons if reason.code == "copy"]
    kinds = {action.campaign: action.kind for action in plan.actions}
    assert kinds["sale"] is ActionKind.SEND
    if common:
        assert kinds["sale-copy"] is ActionKind.BLOCKED
        assert [reason.detail.split()[0] for reason in copies] == [str(common)]
    else:
        assert (copies, kinds["sale-copy"]) == ([], ActionKind.SEND)


@pytest.mark.parametrize("follows", ["sale", "spring"])
def test_follow_up_of_names_the_other(tmp_path: Path, follows: str) -> None:
    """It acknowledges that one campaign and no other."""
    plan = plan_two(tmp_path, numbers(3), numbers(3), f"follow_up_of: {follows}\n")
    assert bool([reason for action in plan.actions for reason in action.reasons]) is (follows != "sale")


def chunks(people: set[int], size: int) -> Iterator[pa.RecordBatch]:
    """An audience as it streams by, cut after every `size` people, with an empty chunk at the end."""
    rows = sorted((number_hash(str(person)), str(person)) for person in people)
    for start in range(0, len(rows) + size, size):
        hashes, phones = zip(*rows[start : start + size], strict=True) if rows[start:] else ((), ())
        yield pa.record_batch([pa.array(hashes, pa.uint64()), pa.array(phones, pa.string())], names=["hash", "phone"])


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.integers(1, 7), st.integers(1, 7))
def test_where_audiences_are_cut_does_not_matter(
    first: set[int], second: set[int], first_size: int, second_size: int
) -> None:
    """Every pair of chunks that may have somebody in common is looked at, once."""
    assert count_common(chunks(first, first_size), chunks(second, second_size)) == len(first & second)

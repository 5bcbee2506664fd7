"""What is told about two plans that differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from octoplan.digests import DigestKey
from octoplan.plan.compare import Compared, Comparison, Count, Money, Setting, compare_plans
from octoplan.plan.model import Action, ActionKind, AudienceSummary, Cost, ExclusionLine, Plan, PlannedBatch
from octoplan.plan.saved import plan_document
from octoplan.plan.word_diff import Word, word_diff
from octoplan.plan.written import Written
from octoplan.views.comparison_text import render_comparison
from tests.unit.plan.actions import action_of

KEY = DigestKey(bytes(32))
NOW = datetime(2027, 3, 20, tzinfo=UTC)
WORDS = st.lists(st.sampled_from(["Bonjour ", "{{ first_name }}", ", ", "-10%", " ", "é", "\n"]), max_size=12)


def audience_of(recipients: int, **countries: int) -> AudienceSummary:
    return AudienceSummary("data/a.csv", recipients, recipients, 0, (), countries)


def sending(action: Action, recipients: int, cost: str | None = "1") -> Action:
    batch = PlannedBatch(f"b1_{recipients}", "r", 1, recipients, recipients, None)
    amount = None if cost is None else Decimal(cost)
    audience = audience_of(recipients, FR=recipients)
    return replace(action, batches=(batch,), audience=audience, cost=Cost(amount, "requests"))


def plan_of(*actions: Action, key: str = KEY.fingerprint) -> dict[str, Any]:
    return plan_document(Plan("maple", "live", "here", key, None, NOW, NOW, actions, None, None), KEY)


def compare(before: tuple[Action, ...], after: tuple[Action, ...], **changes: Any) -> Comparison:
    return compare_plans(Compared("a", plan_of(*before)), replace(Compared("b", plan_of(*after)), **changes))


@given(WORDS, WORDS)
def test_a_word_diff_holds_both_texts(old: list[str], new: list[str]) -> None:
    """Without what came it is the old text, without what went the new one; no stretch is empty or beside its like."""
    words = word_diff("".join(old), "".join(new))
    assert "".join(word.text for word in words if word.change != "added") == "".join(old)
    assert "".join(word.text for word in words if word.change != "removed") == "".join(new)
    assert all(word.text for word in words)
    assert not any(word.change == after.change for word, after in pairwise(words))


def test_words_and_expressions_are_told_as_a_whole() -> None:
    """A changed word is one word, and so is a changed expression."""
    before, after = "Bonjour {{ first_name }}, -10%", "Bonjour {{ last_name }}, -20%"
    assert [word.text for word in word_diff(before, after) if word.change != "same"] == [
        "{{ first_name }}",
        "{{ last_name }}",
        "10",
        "20",
    ]


def test_a_text_of_very_many_words_is_replaced_whole() -> None:
    """Looking for what stayed would take the square of it."""
    assert word_diff("a " * 10_000, "b " * 10_000) == (Word("removed", "a " * 10_000), Word("added", "b " * 10_000))


def test_campaigns_come_go_change_and_stay() -> None:
    """Each campaign is in one of four places, and the totals are of all that are sent."""
    spring, autumn, winter = (sending(action_of(name), 4) for name in ("spring", "autumn", "winter"))
    found = compare((spring, winter), (sending(action_of("spring"), 6, "3.50"), autumn, winter))
    assert [(change.campaign, change.kind) for change in found.campaigns] == [
        ("autumn", "added"),
        ("spring", "changed"),
    ]
    assert found.unchanged == ("winter",)
    changed = found.campaigns[1]
    assert changed.recipients == Count(4, 6, 2, 50.0)
    assert changed.cost == Money(Decimal(1), Decimal("3.50"), Decimal("2.50"))
    assert [(part.name, part.count.difference) for part in changed.countries] == [("FR", 2)]
    assert (found.to_send.before, found.to_send.after) == (8, 14)
    assert compare((spring, winter), (spring,)).campaigns[0].kind == "removed"


def test_only_what_was_chosen_is_compared() -> None:
    """A plan of one campaign is not held against all of another plan."""
    spring, autumn = (sending(action_of(name), 4) for name in ("spring", "autumn"))
    found = compare_plans(Compared("a", plan_of(spring, autumn)), Compared("b", plan_of(spring)), {"spring"})
    assert (found.is_empty, found.unchanged, found.to_send.before) == (True, ("spring",), 4)


def test_an_unknown_cost_stays_unknown() -> None:
    """Nothing is subtracted from what nobody knows; a campaign that sends nothing costs nothing."""
    spring = action_of("spring")
    assert compare((sending(spring, 4),), (sending(spring, 4, None),)).cost == Money(Decimal(1), None, None)
    assert compare((sending(spring, 4, None),), (spring,)).campaigns[0].cost == Money(None, Decimal(0), None)


def test_a_blocked_campaign_is_in_no_total() -> None:
    """What apply would not do is shown with the campaign, and not counted."""
    blocked = replace(sending(action_of("spring"), 4), kind=ActionKind.BLOCKED)
    found = compare((sending(action_of("spring"), 4),), (blocked,))
    assert found.to_send.after == 0
    assert found.campaigns[0].to_send.after == 4
    assert found.campaigns[0].action == Setting("action", "send", "blocked")


def test_exclusions_are_compared_by_reason() -> None:
    """Each reason that one of the two has, with both counts."""
    spring = sending(action_of("spring"), 4)
    lines = (ExclusionLine("duplicate", 3, (2,), "twice"),)
    after = replace(spring, audience=replace(audience_of(4, FR=4), exclusions=lines))
    (change,) = compare((spring,), (after,)).campaigns
    assert [(part.name, part.count) for part in change.exclusions] == [("duplicate", Count(0, 3, 3, None))]


def test_the_same_number_of_other_people_is_told() -> None:
    """Under one key a digest tells that the list is another one; under two keys nobody can know."""
    before, after = (replace(action_of("spring"), content={"audience": digest}) for digest in ("l1_a", "l1_b"))
    (change,) = compare((before,), (after,)).campaigns
    assert change.list_changed is True
    assert "other numbers, as many" in render_comparison(compare((before,), (after,)))
    found = compare((before,), (after,), document=plan_of(after, key="k1_other"))
    assert found.is_empty
    assert "different digest keys" in found.notes[0]


def test_a_text_without_its_words_is_told_to_have_changed() -> None:
    """A plan in a file holds a digest of the message and no word of it."""
    before, after = (replace(action_of("spring"), content={"message": digest}) for digest in ("t1_a", "t1_b"))
    (change,) = compare((before,), (after,)).campaigns
    assert [(text.name, text.words) for text in change.texts] == [("message", None)]


def test_settings_of_files_and_plans_are_one_list() -> None:
    """What the plan says counts, with the project's defaults; the file adds what a plan does not have."""
    old, new = action_of("spring"), replace(action_of("spring"), sender="OAK")
    before = Compared("a", plan_of(old), {"spring": Written({"limits.max_cost": "5", "sender": "typed"}, {})})
    after = Compared("b", plan_of(new), {"spring": Written({"limits.max_cost": "9", "sender": "typed"}, {})})
    (change,) = compare_plans(before, after).campaigns
    assert change.settings == (Setting("limits.max_cost", "5", "9"), Setting("sender", "MAPLE", "OAK"))


def test_a_condition_is_not_quoted() -> None:
    """It may hold somebody's number; that it is another one is told."""
    plan = plan_of(action_of("spring"))
    texts = [{"spring": Written({"recipients.where": f"mobile = '061234560{last}'"})} for last in (1, 2)]
    found = compare_plans(Compared("a", plan, texts[0]), Compared("b", plan, texts[1]))
    assert found.campaigns[0].settings == (Setting("recipients.where", "(not shown)", "(not shown)"),)
    assert "0612" not in render_comparison(found)

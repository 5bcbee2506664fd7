"""The text of a plan where there is little room: many campaigns, few columns, no colour."""

from __future__ import annotations

import re

import pytest

from octoplan.plan.model import Action, ActionKind
from octoplan.views.plan_text import render_plan
from octoplan.views.text import columns_of
from tests.unit.views.plans import action_of, plan_of

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def many(count: int = 200) -> list[Action]:
    """Mostly to be sent, some that cannot be, and some that were."""
    sends = [action_of(campaign=f"newsletter-{number:03}") for number in range(count - 3)]
    refused = [action_of(kind, kind) for kind in (ActionKind.UNKNOWN, ActionKind.CONFLICT, ActionKind.BLOCKED)]
    return [*sends, *refused, *(action_of(ActionKind.SENT, f"sent-{number}") for number in range(50))]


def test_many_campaigns_have_a_line_each() -> None:
    """Those that need somebody first, with what stands in their way; those sent as a count; how to see more."""
    lines = render_plan(plan_of(*many())).splitlines()
    titles = [line for line in lines if line[:1] in set("?x!+=")]
    assert [title.split()[1] for title in titles[:4]] == ["unknown", "conflict", "blocked", "send"]
    assert len(titles) == 200 + 1
    assert titles[-1] == "= sent: 50 campaigns, 350 recipients"
    assert lines[lines.index(titles[0]) + 1].split() == ["why", "one", "message", "costs", "too", "much"]
    assert len(lines) < 230
    assert "octoplan plan --all" in "\n".join(lines)


def test_everything_is_shown_if_asked_for() -> None:
    """Each campaign in full, and every one that was sent."""
    text = render_plan(plan_of(*many()), everything=True)
    assert text.count("Bonjour {param1}") == 200
    assert len(re.findall(r"^= sent      sent-", text, re.MULTILINE)) == 50


def test_few_campaigns_are_in_full() -> None:
    """As many as can be read at once."""
    assert render_plan(plan_of(*many(12))).count("Bonjour {param1}") == 12
    assert render_plan(plan_of(*many(13))).count("Bonjour {param1}") == 0


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("actions", [many(), many(12)], ids=["many", "few"])
def test_no_line_is_wider_than_the_terminal(actions: list[Action], width: int) -> None:
    """Figures go below a title that leaves them no room; everything else is wrapped."""
    lines = render_plan(plan_of(*actions), width=width).splitlines()
    assert [line for line in lines if columns_of(line) > width] == []


def test_refused_campaigns_are_named_up_to_ten() -> None:
    """Of more the number: each has its line above."""
    text = render_plan(plan_of(*(action_of(ActionKind.BLOCKED, f"c{number:02}") for number in range(14))))
    assert "Apply would refuse (exit code 5): c00," in text
    assert "c09 and 4 more" in text


@pytest.mark.parametrize("width", [60, 100])
def test_colour_adds_nothing_but_colour(width: int) -> None:
    """Without it the same words stand in the same places."""
    plan = plan_of(*many(20))
    coloured = render_plan(plan, width=width, colour=True)
    shown = [line.rstrip() for line in STYLE.sub("", coloured).splitlines()]
    assert shown == [line.rstrip() for line in render_plan(plan, width=width).splitlines()]
    assert STYLE.search(coloured)

"""A plan as a page of Markdown."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from octoplan import limits
from octoplan.diagnostics import Finding, Place
from octoplan.plan.model import Action, ActionKind, Reason, TextVariant
from octoplan.views.markdown import RED
from octoplan.views.plan_markdown import render_failure_markdown, render_plan_markdown
from tests.unit.views.plans import MESSAGE, action_of, plan_of
from tests.unit.views.test_markdown import FORGE, HOSTILE

ROOMY = 1_000_000


def page_of(*actions: Action, bytes_max: int = ROOMY) -> str:
    return render_plan_markdown(plan_of(*actions), bytes_max=bytes_max)


def test_the_whole_in_one_look() -> None:
    """Messages, cost, requests and parts; then one row a campaign."""
    page = page_of(action_of())
    assert "**50 messages, cost 2.6105882**, 1 request, 60 parts." in page
    assert "| `spring` | `+` send | 50 | 60 | 2.6105882 | `Sat 2027-03-20 10:00 Europe/Paris` |" in page


def test_dangerous_ones_come_first_and_sent_ones_are_a_count() -> None:
    """In the table and below; why apply would refuse stands above both, under a red heading."""
    page = page_of(*(action_of(kind, kind) for kind in ActionKind))
    rows = re.findall(r"^\| `(\w+)`", page, re.MULTILINE)
    assert rows == ["unknown", "conflict", "blocked", "send", "add", "resume", "scheduled"]
    assert page.startswith(f"## {RED} octoplan: apply would refuse, ")
    assert page.index("- `blocked`: `one message costs too much` hint: `make it smaller`") < page.index("| Campaign")
    assert "`=` 1 campaign sent before, to 7 recipients." in page


def test_the_text_is_quoted_with_the_names_of_its_fields() -> None:
    """A recipient's value is a name in braces; parts and encoding stand beside it."""
    page = page_of(action_of())
    assert "> `Bonjour {first_name | title}, -20% [ici] ☀. STOP au XXXXX`" in page
    assert "`40 × 1 part, 10 × 2 parts; 10 in UCS-2 because of '☀' in 50`" in page


def test_each_variant_is_quoted_with_who_gets_it() -> None:
    """Four of them; the others are counted."""
    variants = tuple(TextVariant(f"Text {number}", (f"a == {number}",), {}, 9, 1) for number in range(6))
    page = page_of(action_of(message=replace(MESSAGE, mode="variants", variants=variants)))
    assert page.count("> `Text") == 4
    assert "`9 recipients where a == 0`:" in page
    assert "and 2 more texts" in page


def test_nothing_to_send_is_said() -> None:
    """Also where nothing was ever planned."""
    assert "**Nothing to send.**" in page_of(action_of(ActionKind.SENT))
    assert "**Nothing to send.**" in page_of()


def structure(words: str) -> list[str]:
    """The tags, but for spans of code and ends of lines, of a page on which these words stand wherever they can."""
    action = action_of(
        description=words,
        sender=words,
        reasons=(Reason("because", words, words),),
        message=replace(MESSAGE, text=words, fields={"param1": words}, mode_reason=words),
    )
    finding = Finding("a/b", "c", "error", words, Place(words, 1, 1), words)
    plan = replace(plan_of(action), project=words, environment=words, balance_unit=words, findings=(finding,))
    html = FORGE.render(render_plan_markdown(plan, bytes_max=ROOMY))
    return [tag for tag in re.findall(r"<(/?[a-z0-9]+|!--)", html) if tag.strip("/") not in ("code", "br")]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_campaign_changes_the_page(text: str) -> None:
    """Text, sender, description, reason, finding: the page has the very structure that it has with harmless words."""
    assert structure(text) == structure("word")


@pytest.mark.parametrize("bytes_max", [limits.GITHUB_COMMENT_BYTES_MAX, limits.GITLAB_NOTE_BYTES_MAX])
def test_two_hundred_campaigns_fit(bytes_max: int) -> None:
    """Every one has its row and its text; what is folded is cut first, and that is said."""
    actions = [
        action_of(ActionKind.BLOCKED if number < 3 else ActionKind.SEND, f"c{number:03}") for number in range(200)
    ]
    page = page_of(*actions, bytes_max=bytes_max)
    assert len(page.encode()) <= bytes_max
    assert len(re.findall(r"^\| `c\d", page, re.MULTILINE)) == 200
    assert page.count("\n> `Bonjour") == 200
    assert ("**Cut to fit:** " in page) == (bytes_max == limits.GITHUB_COMMENT_BYTES_MAX)
    assert page.count("<details>") == page.count("</details>")


def test_two_thousand_campaigns_fit_too() -> None:
    """Then rows are cut as well, the dangerous ones last."""
    actions = [action_of(ActionKind.SEND, f"c{number:04}") for number in range(2_000)]
    page = page_of(*actions, action_of(ActionKind.BLOCKED, "danger"), bytes_max=limits.GITHUB_COMMENT_BYTES_MAX)
    assert len(page.encode()) <= limits.GITHUB_COMMENT_BYTES_MAX
    assert "| `danger` |" in page
    assert "rows of the table" in page


def test_a_failure_has_its_findings() -> None:
    """Where no plan could be made, the page says why, in red, with file and line."""
    found = Finding("campaign/unknown-field", "Unknown field", "error", "no `pth`", Place("a.yaml", 6, 5), "`path`?")
    page = render_failure_markdown("the project has errors", None, [found], exit_code=3, bytes_max=ROOMY)
    assert page.startswith(f"## {RED} octoplan: no plan (exit code 3)")
    assert "- **Error** `campaign/unknown-field` `a.yaml:6:5`: `` no `pth` `` hint: `` `path`? ``" in page

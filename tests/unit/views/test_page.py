"""What pages owe to whoever opens them."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from octoplan.plan.model import ActionKind
from octoplan.plan.samples import Choice, Sample
from octoplan.views.plan_html import render_plan_page
from octoplan.views.preview_html import render_preview_page
from tests.unit.views.plans import FINDING, MOMENT, action_of, plan_of

HOSTILE = "</style><script>x</script>\" onload='x' \u202eback\x07"


def plan_page() -> str:
    """A plan with a hostile word wherever a person writes one."""
    return render_plan_page(plan_of(action_of(description=HOSTILE, sender=HOSTILE, file=HOSTILE)))


def preview_page() -> str:
    """A preview of a hostile text."""
    sample = Sample((HOSTILE,), 2, "FR", 1, "+33612340001", HOSTILE)
    return render_preview_page(HOSTILE, "live", 1, HOSTILE, Choice((sample,), (HOSTILE,)), MOMENT, reveal=False)


@pytest.mark.parametrize("page", [plan_page(), preview_page()], ids=["plan", "preview"])
def test_values_are_escaped(page: str) -> None:
    """No value ends an element or an attribute, turns the direction of the text or rings a bell."""
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert not re.search(r"<[^>]*\sonload=", page)
    assert "&lt;/style&gt;" in page
    assert not {"\u202e", "\x07"} & set(page)


@pytest.mark.parametrize("page", [plan_page(), preview_page()], ids=["plan", "preview"])
def test_the_policy_allows_the_one_style_sheet(page: str) -> None:
    """Everything is forbidden but the style sheet, by the hash of exactly what stands in the page."""
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in page
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_a_number_is_masked_on_the_page() -> None:
    """As on the terminal."""
    assert "612340001" not in preview_page()


def test_findings_have_their_place() -> None:
    """File, line and column, so that whoever mends it finds it."""
    page = plan_page()
    assert f"{FINDING.place}" in page
    assert FINDING.hint
    assert FINDING.hint in page


def test_a_plan_that_is_refused_says_so_first() -> None:
    """The verdict stands before every figure, with the exit code that apply would end with."""
    page = render_plan_page(plan_of(action_of(ActionKind.BLOCKED, "autumn"), action_of()))
    assert page.index("Apply would refuse") < page.index("Messages")
    assert "(exit code 5)" in page

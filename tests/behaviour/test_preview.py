"""What `preview` shows, and what it writes."""

from __future__ import annotations

import stat

from tests.behaviour.command import Octoplan
from tests.behaviour.project import NUMBERS, PEOPLE, Project
from tests.behaviour.test_privacy import spellings

LONG = ("Wilhelmineauguste", "Brossombeauxvallons", "06 12 34 56 06", "QX7MEDLAR")


def test_each_message_says_why_it_is_shown(project: Project, octoplan: Octoplan) -> None:
    """Without being asked for anything it shows extremes, then others; `--kind` shows what it names and no more."""
    project.contacts([*PEOPLE, LONG])
    shown = octoplan("preview", "spring").stdout
    assert "longest, line 7:" in shown
    assert "shortest, line " in shown
    assert shown.count("example, line ") == 2
    only = octoplan("preview", "spring", "--kind", "longest").stdout
    assert LONG[0] in only
    assert only.count(", line ") == 1


def test_the_most_expensive_needs_prices_that_are_known(octoplan: Octoplan) -> None:
    """The preview asks no API: it says how to have prices, and shows them once a plan was told."""
    refused = octoplan("preview", "spring", "--kind", "expensive", code=3)
    assert "octoplan plan --campaign spring" in refused.stderr
    octoplan("plan", "--env", "sandbox")
    shown = octoplan("preview", "spring", "--kind", "expensive").stdout
    assert "most expensive, line " in shown
    assert "costs 0.0" in shown


def test_the_page_is_private_and_masked(project: Project, octoplan: Octoplan) -> None:
    """Nobody else on the machine can read it, standard output stays empty, numbers need `--reveal`."""
    page = project.write("preview.html", "an older one that all may read")
    page.chmod(0o644)
    written = octoplan("preview", "spring", "--html", "preview.html", "--count", "5")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert written.stdout == ""
    assert "preview.html" in written.stderr
    text = page.read_text(encoding="utf-8")
    assert all(first in text for first, *_ in PEOPLE)
    assert not [form for number in NUMBERS for form in spellings(number) if form in text]
    octoplan("preview", "spring", "--html", "preview.html", "--count", "5", "--reveal")
    assert all(number in page.read_text(encoding="utf-8") for number in NUMBERS)


def test_a_page_that_cannot_be_written_is_an_error(octoplan: Octoplan) -> None:
    """A folder that is not there is said before any list is read."""
    assert "there is no folder" in octoplan("preview", "spring", "--html", "away/preview.html", code=3).stderr


def test_several_outputs_of_one_plan(project: Project, octoplan: Octoplan) -> None:
    """Text to the terminal, a page and a document to files, from one plan; only a plan has a page."""
    shown = octoplan("plan", "-o", "text", "-o", "html=plan.html", "-o", "json=plan.json").stdout
    assert "Plan for maple in " in shown
    assert (project.root / "plan.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert octoplan("plan", "-o", "html").stdout.startswith("<!doctype html>")
    assert "`html` is none of: text, json" in octoplan("status", "-o", "html", code=3).stderr

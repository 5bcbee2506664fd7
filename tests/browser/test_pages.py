"""Pages as people see them: opened from their file in a real browser."""

from __future__ import annotations

import re
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.behaviour.project import NUMBERS, PEOPLE
from tests.browser.conftest import CAMPAIGNS, COLUMN, HURT, Opened, Pages

NAMES: Final = ("plan", "preview", "report", "kinds", "many")
BYTES_MAX: Final = 3_000_000


def opening(*names: str, ways: tuple[tuple[str, int], ...] = (("light", 1280),)) -> pytest.MarkDecorator:
    """Open each of these pages in each of these colour schemes and widths."""
    cases = [(name, *way) for name in names for way in ways]
    return pytest.mark.parametrize("opened", cases, indirect=True, ids=lambda case: "-".join(map(str, case)))


@opening(*NAMES)
def test_a_page_needs_nothing_but_itself(opened: Opened) -> None:
    """No request besides the file, no complaint on the console, nothing that its own policy had to stop."""
    assert [url for url in opened.requests if not url.startswith("file://")] == []
    assert len(opened.requests) == 1
    assert opened.complaints == []
    assert opened.violations == []


@opening("plan", "preview")
def test_hostile_texts_are_texts(opened: Opened) -> None:
    """What a campaign, a column or a contact brings along is shown as it is written, and does nothing."""
    page = opened.page
    assert HURT in page.inner_text("body").replace("\n", "")
    assert page.evaluate("window.hurt") is None
    assert page.locator("script, img, iframe, link, form, [style], [onload], [onerror]").count() == 0


@opening("plan")
def test_the_policy_holds_where_escaping_would_fail(opened: Opened) -> None:
    """A script, an event handler and a style that got into the page are refused by its policy."""
    opened.page.evaluate(
        """() => {
        document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.hurt=1"><style>b{}</style>');
        const script = document.createElement('script'); script.textContent = 'window.hurt = 1';
        document.body.append(script); }"""
    )
    opened.page.wait_for_function("window.violations.length >= 3")
    assert opened.page.evaluate("window.hurt") is None
    assert {"img-src", "script-src-elem", "style-src-elem"} <= set(opened.violations)


@opening(*NAMES, ways=(("light", 360), ("light", 1280)))
def test_nothing_is_wider_than_the_window(opened: Opened) -> None:
    """On a phone and on a desk everything can be read without scrolling sideways."""
    widths: list[int] = opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


@opening("plan", "preview", "report", "kinds", ways=(("light", 1280), ("dark", 360)))
def test_everybody_can_read_it(opened: Opened) -> None:
    """axe-core finds no violation, in both colour schemes: contrast, names, headings, tables."""
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()


@opening("plan")
def test_the_page_has_the_figures_of_the_text(opened: Opened, pages: Pages) -> None:
    """Every number of the text's totals and heads of campaigns is on the page, to the last digit."""
    lines = [line for line in pages.text.splitlines() if re.match(r"(Total|By|Balance|Prices|[+!] )", line)]
    figures = {figure for line in lines for figure in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", line)}
    assert len(lines) >= 4
    text = opened.page.inner_text("body")
    assert [figure for figure in sorted(figures) if figure not in text] == []


def test_the_plan_holds_no_value_of_a_recipient(pages: Pages) -> None:
    """No name, code or number of the list is in the file; the template's own words are."""
    source = pages.path("plan").read_text(encoding="utf-8").lower()
    values = {value for first, last, mobile, code in PEOPLE for value in (first, last, mobile, code)}
    values |= {"grandvault", "qx7medlar", *NUMBERS, *(number[3:] for number in NUMBERS)}
    assert [value for value in sorted(values) if value.lower() in source] == []
    assert "first_name" in source or COLUMN[3:7] in source


@opening("many")
def test_two_hundred_campaigns_have_a_list_that_leads_to_them(opened: Opened, pages: Pages) -> None:
    """The page stays small, begins with a list, and each campaign opens from there."""
    assert pages.path("many").stat().st_size < BYTES_MAX
    links = opened.page.locator("table.index a")
    assert links.count() == CAMPAIGNS
    links.last.click()
    target = opened.page.evaluate("document.querySelector(location.hash + ' .name').innerText")
    assert target == links.last.inner_text()


def test_many_campaigns_are_folded(browser: Browser, pages: Pages) -> None:
    """Few campaigns are shown at once; of many only the list and the headlines, until one is opened."""
    page = browser.new_page()
    for name, open_ones in (("plan", 2), ("many", 0)):
        page.goto(pages.path(name).as_uri())
        assert page.locator("details.campaign[open]").count() == open_ones
    page.close()

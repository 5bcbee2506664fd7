"""The documentation site as people read it: from a server, in a real browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Opened, watched
from tests.documentation_site import build_site

PHONE: Final = ("dark", 360)
DESK: Final = ("light", 1280)
NAMES: Final = (
    "index",
    "guides/recovery",
    "reference/commands",
    "explanation/comparison",
    "state-homes",
)


class Quiet(SimpleHTTPRequestHandler):
    """Writes no line for each request."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the site is served, on this machine."""
    folder: Path = build_site(tmp_path_factory.mktemp("site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def opened(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Opened]:
    """The page, colours and width that a test names."""
    name, (scheme, width) = request.param
    with watched(browser, f"{address}{name}.html", scheme, width) as found:
        yield found


def opening(*names: str, ways: tuple[tuple[str, int], ...] = (PHONE, DESK)) -> pytest.MarkDecorator:
    """Open each of these pages in each of these colour schemes and widths."""
    cases = [(name, way) for name in names for way in ways]
    return pytest.mark.parametrize("opened", cases, indirect=True, ids=lambda case: f"{case[0]}-{case[1][1]}")


def is_dark(page: Page) -> bool:
    """Whether the page has light letters on a dark ground."""
    ground: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", ground)[:3]) < 3 * 128


@opening(*NAMES)
def test_everybody_can_read_it(opened: Opened, address: str) -> None:
    """
    Nothing from elsewhere, no complaint on the console, nothing wider than the window, nothing serious for axe-core.

    Colours are those that the reader's system asks for.
    """
    opened.page.wait_for_load_state("networkidle")
    assert [url for url in opened.requests if not url.startswith(address)] == []
    assert opened.complaints == []
    widths: list[int] = opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
    assert is_dark(opened.page) == opened.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    found = Axe().run(opened.page)
    assert [one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical")] == []


@opening("index")
def test_search_finds_a_page(opened: Opened, address: str) -> None:
    """What is typed leads to the page about it, without any server but the one with the files."""
    page = opened.page
    page.locator(".md-header .md-search__button, .md-header [for=__search]").locator("visible=true").first.click()
    page.get_by_role("combobox", name="Search").fill("max_unit_price")
    page.get_by_role("option").first.click()
    page.wait_for_url("**?h=max_unit_price*")
    assert "max_unit_price" in page.inner_text("article")
    assert [url for url in opened.requests if not url.startswith((address, f"blob:{address}"))] == []


@opening("index", ways=(DESK,))
def test_a_reader_can_choose_the_colours(opened: Opened) -> None:
    """The button changes them, whatever the system asks for."""
    assert not is_dark(opened.page)
    opened.page.get_by_title("Switch to dark").click()
    opened.page.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
    assert is_dark(opened.page)

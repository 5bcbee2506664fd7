"""The documentation site: everything is in it, leads somewhere, and needs nothing from elsewhere."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pytest

from tests.documentation_site import CONFIG, ROOT, build_site

LOADED: Final = {"img": "src", "script": "src", "iframe": "src", "link": "href", "source": "src"}
"""What a browser fetches without being asked, by tag."""


class Page(HTMLParser):
    """The anchors of a page, its links, and what a browser fetches for it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.texts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag has."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given["id"]} if "id" in given else set()
        self.links += [given["href"]] if tag == "a" and "href" in given else []
        self.loaded += [given[LOADED[tag]]] if tag in LOADED and LOADED[tag] in given else []

    def handle_data(self, data: str) -> None:
        """Note what is read."""
        self.texts.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def in_navigation(items: list[Any]) -> Iterator[str]:
    """The files that the navigation leads to."""
    for item in items:
        inner = item if isinstance(item, str) else next(iter(item.values()))
        yield from in_navigation(inner) if isinstance(inner, list) else [inner]


def test_every_page_is_in_the_navigation() -> None:
    """Whoever adds a page says in `zensical.toml` where readers find it, and there once."""
    navigation = sorted(in_navigation(tomllib.loads(CONFIG.read_text("utf-8"))["project"]["nav"]))
    written = sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))
    missing = sorted(set(written) - set(navigation))
    assert missing == [], "put these pages into `nav` in zensical.toml"
    assert navigation == written


def test_every_page_is_built_and_nothing_else_of_the_folder(site: Path, pages: dict[Path, Page]) -> None:
    """One HTML page for each that is written; no program that makes pages is among them."""
    written = list((ROOT / "docs").rglob("*.md"))
    assert len(pages) == len(written) > 40
    assert list(site.rglob("*.py")) == []


def target_of(page: Path, path: str) -> Path:
    """The file that a server gives for a link on a page."""
    target = (page.parent / unquote(path)).resolve() if path else page
    return target / "index.html" if target.is_dir() else target


def test_every_link_of_the_site_leads_somewhere(pages: dict[Path, Page]) -> None:
    """Also those that the generator makes: to a file of the site, and to an anchor that is there."""
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            target = target_of(path, parts.path)
            known = pages.get(target)
            anchors = known.anchors | {"", "__top"} if known else {""}
            if not parts.scheme and (not target.is_file() or unquote(parts.fragment) not in anchors):
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    """Fonts, scripts, styles and pictures are the site's own files."""
    loaded = {(path, link) for path, page in pages.items() for link in page.loaded}
    assert len(loaded) > len(pages)
    assert [link for _, link in loaded if urlsplit(link).scheme or urlsplit(link).netloc] == []
    assert [link for path, link in loaded if not (path.parent / urlsplit(link).path).exists()] == []


def test_a_pipe_in_a_table_is_shown_without_its_backslash(pages: dict[Path, Page]) -> None:
    """Choices such as `text|json` in tables are read on the site as on a forge."""
    commands = next(page for path, page in pages.items() if path.name == "commands.html")
    assert any("[longest|shortest|" in text for text in commands.texts)
    assert [text for page in pages.values() for text in page.texts if "\\|" in text] == []


def test_every_decision_is_listed() -> None:
    """The list of decisions has them all."""
    folder = ROOT / "docs/decisions"
    listed = (folder / "README.md").read_text("utf-8")
    assert [page.name for page in sorted(folder.glob("0*.md")) if f"({page.name})" not in listed] == []

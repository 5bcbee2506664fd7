"""What others wrote cannot change a page of Markdown, held against what a real library makes of it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from octoplan.views.markdown import Block, cell, code, fit, folded, quote, row
from octoplan.views.text import tame

FORGE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ODD = st.text(alphabet=st.sampled_from("`|\\<>!-[]()*_~#@&; \t\n\r/ab1$"), max_size=40)
HOSTILE = (
    "<script>alert(1)</script>",
    "</details><h1>Approved</h1>",
    "<!-- octoplan",
    "-->",
    "![x](https://example.com/x.png) [ok](https://example.com)",
    "@everybody #1 https://example.com :tada:",
    "``` ` `` <b>",
    "a | b \\| c",
    "# Title\n- item\n> quote\n\n| a |\n|---|\n/close",
    "\\`<img src=x>\\`",
    "\u202eevil\u2066",
    "`",
    " ",
)


def one_line(text: str) -> str:
    return tame(re.sub(r"[\r\n\t]+", " ", text))


@pytest.mark.parametrize("text", HOSTILE)
def test_words_of_others_are_shown_as_they_are(text: str) -> None:
    """In a paragraph, a quote and a table: the one tag that is made is `code`, and it holds the very words."""
    for page in (f"before {code(text)} after", quote(text), row(["a"]) + row(["---"]) + row([cell(text)])):
        html = FORGE.render(page)
        tags = set(re.findall(r"</?([a-z0-9]+)", html))
        assert tags <= {"p", "code", "blockquote", "br", "table", "thead", "tbody", "tr", "th", "td"}
        outside = re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
        assert not re.search(r"example|octoplan|everybody|alert|Approved|close|evil", outside)


@given(ODD)
def test_a_span_holds_any_text(text: str) -> None:
    """Whatever backticks, bars and breaks there are, one span comes out with the same words."""
    expected = one_line(text)
    shown = FORGE.render(f"a {code(text)} b")
    found = re.fullmatch(r"<p>a (?:<code>(.*)</code> )?b</p>\n", re.sub(r"a +b", "a b", shown))
    assert found, shown
    assert unescape(found[1] or "").strip() == expected.strip()


@given(ODD)
def test_a_cell_holds_any_text(text: str) -> None:
    """A bar or a backslash never makes a second cell or row."""
    html = FORGE.render(row(["a", "b"]) + row(["---", "---"]) + row([cell(text), "end"]))
    assert html.count("<td>") == 2
    assert "<td>end</td>" in html


def test_a_quote_keeps_its_lines() -> None:
    """Each line of a message is one of the quote, empty ones too, and nothing ends the quote."""
    html = FORGE.render(quote("one\n\ntwo\r\nthree") + "\nafter\n")
    assert html.count("<blockquote>") == 1
    assert html.count("<code>") == 3
    assert html.index("after") > html.index("</blockquote>")


def test_everything_is_there_where_it_fits() -> None:
    """Without a word about cutting."""
    blocks = [Block("a"), Block("b", 1, "rows")]
    assert fit(blocks, 2, "see the log") == "ab"


def test_lower_ranks_go_in_first_and_the_rest_is_counted() -> None:
    """In the order of the page, within the bound; what was cut is said by kind."""
    details = [Block("d" * 50, 2, "details") for _ in range(4)]
    rows = [Block(f"{number}" * 20, 1, "rows") for number in range(3)]
    page = fit([Block("head "), *details, *rows], 190, "See the log.")
    assert page.startswith("head " + "d" * 50 + "0" * 20 + "1" * 20 + "2" * 20)
    assert page.endswith("**Cut to fit:** 3 details left out. See the log.\n")
    assert len(page.encode()) <= 190


@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=60)), max_size=30), st.integers(0, 2_000))
def test_a_page_is_never_longer_than_its_bound(parts: list[tuple[int, str]], room: int) -> None:
    """As long as what must be there fits at all; sizes are bytes."""
    blocks = [Block(text, rank, f"kind {rank}") for rank, text in parts]
    needed = sum(len(text.encode()) for rank, text in parts if rank == 0) + 200
    assert len(fit(blocks, needed + room, "See the log.").encode()) <= needed + room


def test_a_fold_holds_markdown() -> None:
    """What is folded is still a list."""
    assert "<li>" in FORGE.render(folded("More", "- one\n- two\n"))

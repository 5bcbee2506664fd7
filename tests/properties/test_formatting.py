"""Formatting, over files in any style: the same document, every comment, and nothing left to do the second time."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from octoplan.campaign.document import parse_document
from octoplan.campaign.formatting import format_source
from octoplan.campaign.model import CampaignModel
from octoplan.campaign.source import SourceFile
from octoplan.campaign.written import read_comments

KEYS: Final = ("id", "description", "message", "template", "vars", "recipients", "columns", "limits", "no", "x y", "on")
WORDS: Final = (
    "a",
    "Bonjour",
    "l'été",
    "no",
    "07:30",
    "0612",
    "1e3",
    "true",
    "100",
    "{{ x }}",
    "#tag",
    "a: b",
    "-",
    "\\n",
)
texts = st.one_of(
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join),
    st.lists(st.sampled_from(("one", "  two", "", "three ", "#four")), min_size=1, max_size=5).map("\n".join),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12),
)
comments = st.sampled_from(("", "", "", "# why", "#no space", "# yaml-language-server: x", "# a: b"))
blanks = st.sampled_from((0, 0, 0, 1, 3))
styles = st.sampled_from(("plain", "'", '"', "|", "|-", "|+", ">", ">-"))


@st.composite
def scalars(draw: st.DrawFn) -> tuple[str, str]:
    return draw(texts), draw(styles)


trees = st.recursive(
    scalars(),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(KEYS), inner, min_size=1, max_size=4), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=10,
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A mapping written by somebody with no style of their own."""
    tree = draw(st.dictionaries(st.sampled_from(KEYS), trees, min_size=1, max_size=6))
    lines = _write(draw, tree, 0)
    return "\n".join([*_note(draw, 0), *lines, *_note(draw, 0), ""])


def _note(draw: st.DrawFn, indent: int) -> list[str]:
    note = draw(comments)
    return [""] * draw(blanks) + ([" " * indent + note] if note else []) + [""] * draw(blanks)


def _beside(draw: st.DrawFn) -> str:
    note = draw(comments)
    return " " * draw(st.integers(1, 4)) + note if note else ""


def _write(draw: st.DrawFn, tree: Any, indent: int) -> list[str]:
    """The lines of a block."""
    step = draw(st.sampled_from((2, 4)))
    lines: list[str] = []
    entries = tree.items() if isinstance(tree, dict) else ((None, item) for item in tree)
    for key, value in entries:
        lines += _note(draw, indent + draw(st.sampled_from((0, 0, 1))))
        head = " " * indent + ("-" if key is None else f"{key}:")
        if not isinstance(value, tuple):
            flow = _flow(draw, value) if draw(st.booleans()) else None
            if flow is not None:
                lines.append(f"{head} {flow}{_beside(draw)}")
            else:
                lines += [head + _beside(draw), *_write(draw, value, indent + step)]
        else:
            lines += _scalar(head, value, indent + step, _beside(draw))
    return lines


def _scalar(head: str, value: tuple[str, str], indent: int, beside: str) -> list[str]:
    text, style = value
    if style[0] in "|>":
        return [f"{head} {style}{beside}", *(" " * indent + line for line in text.split("\n"))]
    return [f"{head} {_quoted(text, style)}{beside}"]


def _quoted(text: str, style: str) -> str:
    if style == "plain":
        return text.replace("\n", " ")
    if style == "'":
        return "'" + text.replace("'", "''").replace("\n", "\n\n        ") + "'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _flow(draw: st.DrawFn, tree: Any) -> str:
    if isinstance(tree, tuple):
        return _quoted(tree[0], draw(st.sampled_from(("'", '"'))))
    if isinstance(tree, dict):
        return "{" + ", ".join(f'"{key}": {_flow(draw, value)}' for key, value in tree.items()) + "}"
    return "[" + ",".join(_flow(draw, item) for item in tree) + "]"


def formatted(text: str) -> str | None:
    done, _ = format_source(SourceFile.of("x.yaml", text), CampaignModel)
    return None if done is None else done.text


@settings(max_examples=200, deadline=None)
@given(files())
@example("# a\n\n# b\ntype: x # c\nid: 'y'\n")
@example("a: |+\n  x\n\n\nb: >\n  y\n   z\n\n  w\n# end\n")
@example("limits: {a: b, # inner\n  c: d} # beside\nid: &x y\nno: *x\n")
@example("vars:\n  - a # b\n  # c\n  - d: e\n    # f\n    id: g\n")
def test_formatting_keeps_what_is_said_and_is_done_once(text: str) -> None:
    """fmt(fmt(x)) is fmt(x); data and comments are those of x; lines end without spaces, blank lines are single."""
    before, _ = parse_document(SourceFile.of("x.yaml", text))
    done = formatted(text)
    assume(done is not None and before is not None)
    assert done is not None
    assert before is not None
    after, findings = parse_document(SourceFile.of("x.yaml", done))
    assert findings == []
    assert after is not None
    assert after.data == before.data
    assert sorted(each.text for each in read_comments(done)) == sorted(each.text for each in read_comments(text))
    assert formatted(done) == done

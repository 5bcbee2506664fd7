"""YAML stays text, everything in it has a place, and hostile files end quickly."""

from __future__ import annotations

import pytest

from octoplan.campaign.document import Document, parse_document
from octoplan.campaign.source import SourceFile
from octoplan.diagnostics import Finding


def _parse(text: str) -> tuple[Document | None, list[Finding]]:
    return parse_document(SourceFile.of("c.yaml", text))


def _document(text: str) -> Document:
    document, found = _parse(text)
    assert found == []
    assert document is not None
    return document


@pytest.mark.parametrize(
    "scalar",
    [
        "NO",
        "yes",
        "0601020304",
        "18:30",
        "007",
        "1e3",
        "2027-03-20",
        "2027-03-20T10:00",
        "0x1F",
        "1_000",
        ".5",
        "+33",
        "=",
    ],
)
def test_scalars_stay_what_was_typed(scalar: str) -> None:
    """No look of a scalar makes it anything but text, plain or quoted."""
    assert _document(f"a: {scalar}\nb: '{scalar}'\n").data == {"a": scalar, "b": scalar}


def test_keys_and_values_have_places() -> None:
    """Every key and value is found by its path, columns counted in characters, not bytes."""
    document = _document('é: "😀x"\nb:\n  - c: {d: "ee"}\n')
    assert str(document.place("é")) == "c.yaml:1:4"
    assert str(document.key_place("é")) == "c.yaml:1:1"
    assert str(document.place("b", 0, "c", "d")) == "c.yaml:3:12"
    assert document.place("b", 0, "c", "d").width == 4
    assert document.place("b", 0, "c", "d").snippet == '  - c: {d: "ee"}'


def test_missing_path_gives_the_nearest_place_around() -> None:
    """What is not there is reported at the key around it, at the top at the file."""
    document = _document("a:\n  b: {c: 1}\n")
    assert str(document.place("a", "b", "x", 3)) == "c.yaml:2:3"
    assert str(document.place("x")) == "c.yaml"


@pytest.mark.parametrize(
    ("text", "line", "column", "place"),
    [
        ("t: |\n  ab\n\n    cd\n", 1, 2, "c.yaml:2:4"),
        ("t: |\n  ab\n\n    cd\n", 3, 3, "c.yaml:4:5"),
        ("t: |2-\n   ab\n", 1, 2, "c.yaml:2:4"),
        ('t: "abc"\n', 1, 3, "c.yaml:1:7"),
        ("t: abc\n", 1, 3, "c.yaml:1:6"),
        ('t: "a\\nbc"\n', 2, 1, "c.yaml:1:4"),
        ("t: >\n  ab\n  cd\n", 1, 4, "c.yaml:1:4"),
        ("t: [a]\n", 1, 1, "c.yaml:1:4"),
        ("t: |\n  ab\n", 9, 1, "c.yaml:1:4"),
    ],
)
def test_places_inside_a_text(text: str, line: int, column: int, place: str) -> None:
    """A character of a block or one-line text is found exactly; where folding moves characters, the text's start is."""
    assert str(_document(text).place_in_text(("t",), line, column)) == place


@pytest.mark.parametrize("nothing", ["", " ", "~", "null", "Null", "NULL", "&a", "# none"])
def test_key_without_value_is_a_finding(nothing: str) -> None:
    """An empty value is reported at its key and is not in the data."""
    document, found = _parse(f"a: {nothing}\nb: 1\n")
    assert document is not None
    assert document.data == {"b": "1"}
    assert [(finding.code, str(finding.place)) for finding in found] == [("yaml/empty-value", "c.yaml:1:1")]


def test_quoted_nothing_is_text() -> None:
    """In quotes, `null` and the empty text are text."""
    assert _document("a: 'null'\nb: \"\"\n").data == {"a": "null", "b": ""}


def test_aliases_are_written_out() -> None:
    """An alias stands for the value that its anchor marks; both are reached by path."""
    document = _document("a: &x {k: 1}\nb: [*x, *x]\n")
    assert document.data == {"a": {"k": "1"}, "b": [{"k": "1"}, {"k": "1"}]}


def _codes(text: str) -> list[str]:
    return [finding.code for finding in _parse(text)[1]]


def test_exploding_aliases_are_stopped() -> None:
    """Nested aliases that would expand to billions of values are one finding."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 25)]
    assert _codes("\n".join(lines) + "\n") == ["yaml/too-many-nodes"]


def test_deep_alias_chains_are_stopped() -> None:
    """A chain of anchors deeper than the bound is one finding, not a recursion error."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2000)]
    assert _codes("\n".join(lines) + "\n") == ["yaml/too-deep"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_stopped(opening: str) -> None:
    """A hundred thousand opening brackets end at the bound."""
    assert _codes("a:\n  " + opening * 50_000) == ["yaml/too-deep"]


def test_too_many_values_are_stopped() -> None:
    """More values than the bound are one finding."""
    assert _codes("a:\n" + "  - b\n" * 30_000) == ["yaml/too-many-nodes"]


@pytest.mark.parametrize("text", ["a: &x [*x]\n", "a: *x\n", "a: *x\nb: &x 1\n"])
def test_alias_must_name_a_finished_value(text: str) -> None:
    """An alias to itself, to nothing or to something later is a finding, and no loop."""
    assert _codes(text) == ["yaml/alias"]


def test_several_troubles_are_reported_at_once() -> None:
    """Duplicates, tags, merge keys and odd keys of one file are all reported."""
    text = "a: 1\na: 2\nb: !!int 3\nc: {<<: {d: 1}}\n? [e]\n: 1\n"
    assert sorted(_codes(text)) == ["yaml/duplicate-key", "yaml/key-kind", "yaml/merge-key", "yaml/tag"]


def test_every_tab_of_the_indentation_is_reported() -> None:
    """Where tabs make the file unreadable, each line with one is a finding; tabs elsewhere are not."""
    _, found = _parse("a:\n\tb: 1\n  \tc: 2\n# x\ty\n")
    assert [str(finding.place) for finding in found] == ["c.yaml:2:1", "c.yaml:3:3"]


def test_unresolved_alias_is_not_repeated() -> None:
    """What an alias without anchor may say (a secret that starts with a star) is in no finding."""
    _, (finding,) = _parse("key: *hunter2\n")
    assert "hunter2" not in repr(finding)

"""What is marked in a message."""

from __future__ import annotations

import pytest

from octoplan.values.sms_size import measure
from octoplan.views.marks import Piece, name_of, pieces_of, template_pieces


def pieces(text: str) -> list[Piece]:
    """The pieces of a whole message."""
    return list(pieces_of(text, measure(text).encoding))


def test_what_forces_ucs2_is_marked() -> None:
    """Neighbours are one piece, so that an emoji of several characters stays whole."""
    assert pieces("Zoë ☀\ufe0f!") == [
        Piece("text", "Zo"),
        Piece("ucs2", "ë"),
        Piece("text", " "),
        Piece("ucs2", "☀\ufe0f"),
        Piece("text", "!"),
    ]


def test_two_septets_are_marked_in_gsm7_only() -> None:
    """In UCS-2 a bracket takes no more than a letter."""
    assert pieces("[é]") == [Piece("extension", "["), Piece("text", "é"), Piece("extension", "]")]
    assert [piece.kind for piece in pieces("[ë]")] == ["text", "ucs2", "text"]


@pytest.mark.parametrize("text", ["", "a", "Bonjour {x} €\n☀", "\u202e\u200b"])
def test_the_pieces_are_the_text(text: str) -> None:
    """Nothing is lost or added."""
    assert "".join(piece.text for piece in pieces(text)) == text


def test_a_template_shows_what_it_computes() -> None:
    """Merge fields by what fills them, expressions and conditions as they are written, the rest as text."""
    shown = list(template_pieces("Hi {param1}{% if a %} {{- b }} €{# c #}", {"param1": "name | title"}))
    assert shown == [
        Piece("text", "Hi "),
        Piece("field", "name | title"),
        Piece("logic", "if a"),
        Piece("text", " "),
        Piece("field", "b"),
        Piece("text", " "),
        Piece("extension", "€"),
        Piece("logic", "c"),
    ]


@pytest.mark.parametrize(
    ("character", "name"), [("ë", "'ë' (U+00EB)"), ("\u202e", "U+202E"), ("\ufe0f", "U+FE0F"), ("\u0301", "U+0301")]
)
def test_names(character: str, name: str) -> None:
    """A character that is not seen by itself is named by its number alone."""
    assert name_of(character) == name
    assert Piece("ucs2", "\u200b").shown == "U+200B"

from __future__ import annotations

import os
from pathlib import Path

import pytest

from octoplan.audience.encoding import CHUNK_BYTES, TextFile, inspect_text
from octoplan.diagnostics import Finding, InvalidInput
from octoplan.limits import CONTACT_FIELD_BYTES_MAX

from .conftest import Write


def inspect(path: Path, declared: str | None = None) -> tuple[TextFile, tuple[Finding, ...]]:
    return inspect_text(path, path.name, declared, None)


def failure(path: Path, declared: str | None = None) -> Finding:
    with pytest.raises(InvalidInput) as caught:
        inspect(path, declared)
    return caught.value.findings[0]


@pytest.mark.parametrize(
    ("content", "codec"),
    [
        (b"a;b\n1;2\n", "utf-8"),
        ("é".encode(), "utf-8"),
        ("é".encode("utf-8-sig"), "utf-8-sig"),
        ("é".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "é".encode("utf-16-be"), "utf-16"),
    ],
)
def test_what_can_be_known_is_known(write: Write, content: bytes, codec: str) -> None:
    """UTF-8 and every byte-order mark are recognised without a warning."""
    text, findings = inspect(write(content))
    assert (text.codec, findings) == (codec, ())


def test_guess_is_reported(write: Write) -> None:
    """What is not UTF-8 is read as Windows-1252, with a warning that names the first line that told."""
    text, (finding,) = inspect(write("prenom\nPaul\nZoé\n".encode("cp1252")))
    assert text.codec == "cp1252"
    assert (finding.code, finding.severity) == ("audience/guessed-encoding", "warning")
    assert finding.place is not None
    assert finding.place.line == 3


def test_declared_encoding_is_taken(write: Write) -> None:
    """A declaration replaces the guess, and then there is nothing to warn of."""
    text, findings = inspect(write("Œuvre €".encode("iso-8859-15", "replace")), "ISO_8859-15")
    assert (text.codec, findings) == ("iso-8859-15", ())


def test_mark_wins_over_declaration(write: Write) -> None:
    """A byte-order mark is certain; a declaration can be wrong."""
    assert inspect(write("é".encode("utf-8-sig")), "windows-1252")[0].codec == "utf-8-sig"


def test_broken_utf8_is_no_windows_1252(write: Write) -> None:
    """A UTF-8 file with one broken byte is an error: read as Windows-1252 every name would be mangled."""
    finding = failure(write("Zoé\nLoïc\n".encode() + b"Andr\xe9\n"))
    assert finding.code == "audience/unreadable-text"
    assert finding.place is not None
    assert finding.place.line == 3


def test_wrong_declaration_is_an_error(write: Write) -> None:
    """A declared encoding that does not fit is named with the line, also when it ends in the middle of a character."""
    assert failure(write(b"a\nb\xe9\n"), "utf-8").code == "audience/unreadable-text"
    assert failure(write("a\né".encode()[:-1]), "utf-8").detail.endswith("line 2 does not decode")


def test_utf16_without_mark(write: Write) -> None:
    """NUL bytes are explained; declaring the encoding helps."""
    path = write("a;b\n".encode("utf-16-le"))
    assert failure(path).hint == "declare `encoding: utf-16-le` or `utf-16-be`"
    assert inspect(path, "utf-16-le")[0].codec == "utf-16-le"


def test_only_text_encodings_can_be_declared(write: Write) -> None:
    """Python's other codecs (zlib, idna, unicode_escape) cannot be reached."""
    assert failure(write(b"a"), "unicode_escape").code == "audience/unknown-encoding"


def test_only_regular_files_are_opened(write: Write, tmp_path: Path) -> None:
    """A missing file, a folder and a pipe, which would block for ever, are findings."""
    os.mkfifo(tmp_path / "pipe")
    assert {failure(tmp_path / name).code for name in ("nothing", "", "pipe")} == {"audience/missing-file"}


LONGEST = CONTACT_FIELD_BYTES_MAX


@pytest.mark.parametrize(
    ("content", "clean"),
    [
        (b"a;b\n1;2\n", True),
        (b"a;b\r\n1;2\r\n", True),
        (b"a\tb\x01\n", True),
        (b'a;"b"\n', True),
        (b"a;b\x1f\n", False),
        (b"a" * CHUNK_BYTES + b"\n\0\n", False),
        (b"a;b\r\n1;2\n", False),
        (b"a\nb\n" * CHUNK_BYTES + b"1;2\r\n", False),
        (b"a;b\r1;2\r", False),
        (b"x" * (CHUNK_BYTES - 1) + b"\r\n1;2\r\n", True),
        (b"ab\n" + b"x" * LONGEST + b"\nb", True),
        (b"ab\n" + b"x" * (LONGEST + 1) + b"\nb", False),
        (b"ab\n" + b"x" * (LONGEST + 1), False),
        (b"x" * (3 * LONGEST), False),
    ],
)
def test_clean_means_that_lines_are_certain(write: Write, content: bytes, clean: bool) -> None:
    """NUL, the mark that separates nothing, mixed or old line ends and long lines are left to the careful reader."""
    text = inspect(write(content))[0]
    assert (text.clean, text.quoted) == (clean, b'"' in content)

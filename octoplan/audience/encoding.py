"""
Which bytes a text file is made of, decided before anything reads it.

Invariants:
- A file is looked at once, in chunks: memory does not grow with it.
- A byte-order mark is believed before what the campaign declares, a declaration before a guess; a guess is reported.
- Nothing is replaced: a byte that does not decode is a finding, never a question mark in somebody's name.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience import rules
from octoplan.diagnostics import Finding, InvalidInput, Place
from octoplan.limits import CONTACT_FIELD_BYTES_MAX, SOURCE_BYTES_MAX

CHUNK_BYTES: Final = 64 * 1024
"""Small enough to stay in the processor's cache; no longer than the longest line of a clean file."""
FALLBACK: Final = "windows-1252"
CODECS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "iso-8859-1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "latin-9": "iso-8859-15",
}
"""Names a campaign may declare -> Python's codec. A closed list: some of Python's codecs are no text encodings."""
MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SEPARATOR: Final = "\x1f"
"""Separates nothing in a clean file, so that the engine can take a line as one field."""
_SEPARATOR: Final = SEPARATOR.encode()


@dataclass(frozen=True, slots=True)
class TextFile:
    """
    A file known to decode with `codec`.

    `clean` is true if it is UTF-8 without NUL and `SEPARATOR`, with one kind of line end and no line over
    `CONTACT_FIELD_BYTES_MAX`: then the engine finds the lines that Python finds, and no field is too long. `quoted` is
    true if it holds a double quote; `has_blank_lines` if two line ends follow each other.
    `keep` is whatever must live as long as the file.
    """

    path: Path
    shown_path: str
    codec: str
    clean: bool
    quoted: bool = False
    has_blank_lines: bool = False
    keep: object = field(default=None, repr=False, compare=False)


class _Undecodable(Exception):
    """The first byte that does not decode is on `line`."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def inspect_text(
    path: Path, shown_path: str, declared: str | None, place: Place | None
) -> tuple[TextFile, tuple[Finding, ...]]:
    """
    Decide the encoding of `path`; `declared` is what the campaign says, `place` where it says so or names the file.

    :raises InvalidInput: if the file is missing, no regular file, or does not decode.
    """
    head = _read_head(path, shown_path, place)
    codec = _mark_codec(head) or _declared_codec(declared, place)
    if codec is None:
        return _detect(path, shown_path, head)
    try:
        return TextFile(path, shown_path, codec, *_scan(path, codec)), ()
    except _Undecodable as error:
        detail = f"the file is not {declared or codec.removesuffix('-sig')}: line {error.line} does not decode"
        raise _unreadable(shown_path, error.line, detail) from None


def _read_head(path: Path, shown_path: str, place: Place | None) -> bytes:
    try:
        if not path.is_file():  # also keeps away from pipes and devices, which could block for ever
            reason = "is not a regular file" if path.exists() else "does not exist"
            raise InvalidInput(
                "The audience cannot be read",
                findings=[rules.MISSING_FILE.at(place, f"`{shown_path}` {reason}")],
            )
        if path.stat().st_size > SOURCE_BYTES_MAX:
            detail = f"`{shown_path}` is over {SOURCE_BYTES_MAX // 1024**3} GiB"
            raise InvalidInput("The audience cannot be read", findings=[rules.SOURCE_TOO_LARGE.at(place, detail)])
        with path.open("rb") as file:
            return file.read(CHUNK_BYTES)
    except OSError as error:
        finding = rules.MISSING_FILE.at(place, f"`{shown_path}`: {error.strerror}")
        raise InvalidInput("The audience cannot be read", findings=[finding]) from None


def _mark_codec(head: bytes) -> str | None:
    return next((codec for mark, codec in MARKS.items() if head.startswith(mark)), None)


def _declared_codec(declared: str | None, place: Place | None) -> str | None:
    if declared is None:
        return None
    codec = CODECS.get(declared.strip().lower().replace("_", "-"))
    if codec is None:
        finding = rules.UNKNOWN_ENCODING.at(
            place,
            f"`{declared}` is not an encoding that octoplan reads",
            "one of utf-8, utf-16, utf-16-le, utf-16-be, windows-1252, iso-8859-1, iso-8859-15",
        )
        raise InvalidInput("The audience cannot be read", findings=[finding])
    return codec


def _detect(path: Path, shown_path: str, head: bytes) -> tuple[TextFile, tuple[Finding, ...]]:
    if b"\0" in head:
        detail = "the file holds NUL bytes, as UTF-16 without a byte-order mark does"
        raise _unreadable(shown_path, None, detail, "declare `encoding: utf-16-le` or `utf-16-be`")
    try:
        return TextFile(path, shown_path, "utf-8", *_scan(path, "utf-8")), ()
    except _Undecodable as error:
        return _fall_back(path, shown_path, error.line)


def _fall_back(path: Path, shown_path: str, line: int) -> tuple[TextFile, tuple[Finding, ...]]:
    """Windows-1252 if it cannot be anything else; a UTF-8 file with broken bytes would turn into `Ã©` everywhere."""
    if _holds_utf8(path):
        detail = f"the file is partly UTF-8, but line {line} is not"
        raise _unreadable(shown_path, line, detail, "save it again as UTF-8, or declare its `encoding`")
    try:
        text = TextFile(path, shown_path, CODECS[FALLBACK], *_scan(path, CODECS[FALLBACK]))
    except _Undecodable as error:
        detail = f"neither UTF-8 nor {FALLBACK}: line {error.line} does not decode"
        raise _unreadable(shown_path, error.line, detail, "declare its `encoding`") from None
    finding = rules.GUESSED_ENCODING.at(
        Place(shown_path, line), f"the file is not UTF-8, so it was read as {FALLBACK}", "declare its `encoding`"
    )
    return text, (finding,)


def _scan(path: Path, codec: str) -> tuple[bool, bool, bool]:
    """
    Decode the whole file in chunks; the answers are `clean`, `quoted` and `has_blank_lines` of `TextFile`.

    :raises _Undecodable: with the line of the first byte that does not decode.
    """
    decoder, shape, before = codecs.getincrementaldecoder(codec)(), _Shape(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                at = before + len(chunk) - len(error.object) + error.start
                raise _Undecodable(_line_at(path, at)) from None
            before += len(chunk)
            shape.add(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _Undecodable(_line_at(path, before)) from None
    return codec.startswith("utf-8") and shape.is_clean(), shape.quoted, shape.has_blank_lines


def _line_at(path: Path, offset: int) -> int:
    """The line of the byte at `offset`, counted by line feeds."""
    line = 1
    with path.open("rb") as file:
        while offset > 0 and (chunk := file.read(min(offset, CHUNK_BYTES))):
            line += chunk.count(b"\n")
            offset -= len(chunk)
    return line


@dataclass(slots=True)
class _Shape:
    """What a clean file is recognised by, gathered chunk by chunk; each look at a chunk is one search in C."""

    plain: bool = True
    quoted: bool = False
    feeds: int = 0
    pairs: int = 0
    returns: int = 0
    line_bytes: int = 0
    ends_in_return: bool = False
    has_blank_lines: bool = False
    tail: bytes = b""

    def add(self, chunk: bytes) -> None:
        """Look at the next chunk."""
        self.quoted = self.quoted or b'"' in chunk
        self.plain = self.plain and b"\0" not in chunk and _SEPARATOR not in chunk and self._is_bounded(chunk)
        if b"\r" in chunk or self.ends_in_return:
            self.returns += chunk.count(b"\r")
            self.pairs += chunk.count(b"\r\n") + (self.ends_in_return and chunk.startswith(b"\n"))
        if self.returns:
            self.feeds += chunk.count(b"\n")
        elif b"\n" in chunk:
            self.feeds = 1
        self.ends_in_return = chunk.endswith(b"\r")
        self.has_blank_lines = self.has_blank_lines or self._holds_blank_line(chunk)
        self.tail = chunk[-2:]

    def _holds_blank_line(self, chunk: bytes) -> bool:
        # Arrow's search takes a fifth of the time of Python's, which stops at every line.
        seam = self.tail + chunk[:2]
        found: bool = pc.any(pc.match_substring_regex(pa.array([seam, chunk]), r"\n\r?\n")).as_py()
        return found

    def _is_bounded(self, chunk: bytes) -> bool:
        """Lines inside a chunk are short; one that spans several is measured."""
        first = chunk.find(b"\n")
        whole = self.line_bytes + (len(chunk) if first < 0 else first)
        self.line_bytes = whole if first < 0 else len(chunk) - chunk.rfind(b"\n") - 1
        return max(whole, self.line_bytes) <= CONTACT_FIELD_BYTES_MAX

    def is_clean(self) -> bool:
        """Whether all line ends are of one kind, and nothing else spoke against it."""
        return self.plain and (self.returns == 0 or self.returns == self.pairs == self.feeds)


def _holds_utf8(path: Path) -> bool:
    """More characters of several bytes that are sound UTF-8 than broken ones."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    sound = broken = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            text = decoder.decode(chunk)
            wrong = text.count("\ufffd")
            broken += wrong
            sound += len(text) - len(text.encode("ascii", "ignore")) - wrong
    return sound > broken


def _unreadable(shown_path: str, line: int | None, detail: str, hint: str | None = None) -> InvalidInput:
    finding = rules.UNREADABLE_TEXT.at(Place(shown_path, line), detail, hint)
    return InvalidInput("The audience cannot be read", findings=[finding])

"""
Which bytes a text file is made of, decided before anything reads it.

Invariants:
- A file is looked at once, in chunks: memory does not grow with it.
- A byte-order mark is believed before what the campaign declares, a declaration before a guess; a guess is reported.
- Nothing is replaced: a byte that does not decode is a finding, never a question mark in somebody's name.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from octoplan.audience import rules
from octoplan.diagnostics import Finding, InvalidInput, Place

CHUNK_BYTES: Final = 1024 * 1024
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
NOT_CLEAN: Final = bytes(set(range(32)) - {9, 10, 13}) + b'"'


@dataclass(frozen=True, slots=True)
class TextFile:
    """
    A file known to decode with `codec`.

    `clean` is true if it is UTF-8 without quotes and control characters, with one kind of line end and lines of bounded
    length: then every line is one record, and the engine may read it by itself.
    """

    path: Path
    shown_path: str
    codec: str
    clean: bool


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
        return TextFile(path, shown_path, codec, _scan(path, codec)), ()
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
        return TextFile(path, shown_path, "utf-8", _scan(path, "utf-8")), ()
    except _Undecodable as error:
        return _fall_back(path, shown_path, error.line)


def _fall_back(path: Path, shown_path: str, line: int) -> tuple[TextFile, tuple[Finding, ...]]:
    """Windows-1252 if it cannot be anything else; a UTF-8 file with broken bytes would turn into `Ã©` everywhere."""
    if _holds_utf8(path):
        detail = f"the file is partly UTF-8, but line {line} is not"
        raise _unreadable(shown_path, line, detail, "save it again as UTF-8, or declare its `encoding`")
    try:
        text = TextFile(path, shown_path, CODECS[FALLBACK], _scan(path, CODECS[FALLBACK]))
    except _Undecodable as error:
        detail = f"neither UTF-8 nor {FALLBACK}: line {error.line} does not decode"
        raise _unreadable(shown_path, error.line, detail, "declare its `encoding`") from None
    finding = rules.GUESSED_ENCODING.at(
        Place(shown_path, line), f"the file is not UTF-8, so it was read as {FALLBACK}", "declare its `encoding`"
    )
    return text, (finding,)


def _scan(path: Path, codec: str) -> bool:
    """
    Decode the whole file in chunks; the answer is `TextFile.clean`.

    :raises _Undecodable: with the line of the first byte that does not decode.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    clean, line, line_ends = codec.startswith("utf-8"), 1, set[bool]()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            if chunk.endswith(b"\r"):
                chunk += file.read(1)  # keeps the two bytes of a line end together
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise _Undecodable(line + error.object[: error.start].count(b"\n")) from None
            line += chunk.count(b"\n")
            clean = clean and _is_clean(chunk, line_ends)
    _finish(decoder, line)
    return clean


def _finish(decoder: codecs.IncrementalDecoder, line: int) -> None:
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _Undecodable(line) from None


def _is_clean(chunk: bytes, line_ends: set[bool]) -> bool:
    """`line_ends` remembers over all chunks which kinds were seen: `True` for CRLF, `False` for LF."""
    feeds, pairs = chunk.count(b"\n"), chunk.count(b"\r\n")
    line_ends.update({True} if pairs else (), {False} if feeds > pairs else ())
    return (
        len(line_ends) < 2
        and chunk.count(b"\r") == pairs
        and (feeds > 0 or len(chunk) < CHUNK_BYTES)
        and len(chunk.translate(None, NOT_CLEAN)) == len(chunk)
    )


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

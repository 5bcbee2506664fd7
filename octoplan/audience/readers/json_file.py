"""
JSON: one array of objects, or an object a line (NDJSON). Keys are columns.

Numbers are taken exactly as they are written (`0.10`, `33612340001`, `1e3`), `true` and `false` as words; null, "" and
a missing key are null. A column that holds an object or a list anywhere cannot be used. A line of NDJSON that is no
object is a faulty row; so is an element of an array that is none. A row is the line on which the record begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn, TextIO

from octoplan.audience import rules
from octoplan.audience.encoding import TextFile
from octoplan.audience.readers.port import unreadable
from octoplan.audience.readers.spool import SpooledRecords, batches_of, spool
from octoplan.diagnostics import Place
from octoplan.limits import CONTACT_COLUMNS_MAX, CONTACT_LINE_BYTES_MAX

CHUNK_CHARACTERS: Final = 256 * 1024
NESTED: Final = "it holds objects or lists, which are no text"

_SPACE: Final = re.compile(r"[ \t\r\n]*")

Parsed = tuple[int, dict[str, Any] | None]
"""Line, and the object; `None` for what is no object."""


class _Twice(ValueError):
    """An object with a key twice: nobody can tell which was meant."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Twice
    if not all(map(_is_encodable, made)):
        raise ValueError("half a character")
    return made


def _refuse(_text: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=_refuse, strict=False
)


def read_json(text: TextFile, place: Place | None) -> SpooledRecords:
    """
    Put the records of a file aside: once through it for the columns, once for the values.

    :raises InvalidInput: if it is no JSON of objects, or is over a bound.
    """
    names: dict[str, None] = {}
    for _, record in _parse(text):
        names.update(dict.fromkeys(record or ()))
        if len(names) > CONTACT_COLUMNS_MAX:
            detail = f"`{text.shown_path}` has more than {CONTACT_COLUMNS_MAX} different keys"
            raise unreadable(rules.TOO_MANY_COLUMNS.at(place, detail))
    if not names:
        detail = f"`{text.shown_path}` holds no object with keys, which would be the columns"
        raise unreadable(rules.EMPTY_FILE.at(place, detail))
    flaws: dict[int, str] = {}
    rows = _rows(text, list(names), flaws)
    return spool(text.shown_path, list(names), batches_of(rows, len(names)), place, flaws)


def _rows(text: TextFile, names: list[str], flaws: dict[int, str]) -> Iterator[tuple[int, bool, Sequence[str | None]]]:
    nothing = (None,) * len(names)
    for line, record in _parse(text):
        if record is None:
            yield line, True, nothing
        else:
            yield line, False, [_text(record.get(name), index, flaws) for index, name in enumerate(names)]


def _text(value: Any, index: int, flaws: dict[int, str]) -> str | None:
    if isinstance(value, str):
        return value if _is_encodable(value) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is not None:
        flaws[index] = NESTED
    return None


def _is_encodable(text: str) -> bool:
    """A lone half of a surrogate pair is no character."""
    return text.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in text)


def _parse(text: TextFile) -> Iterator[Parsed]:
    with text.path.open(encoding=text.codec) as file:
        is_array = _SPACE.sub("", file.read(CHUNK_CHARACTERS)).startswith("[")
        file.seek(0)
        yield from _array(file, text.shown_path) if is_array else _lines(file)


def _lines(file: TextIO) -> Iterator[Parsed]:
    line = 0
    while content := file.readline(CONTACT_LINE_BYTES_MAX):
        line += 1
        whole = content.endswith("\n") or len(content) < CONTACT_LINE_BYTES_MAX
        if whole and not content.strip():
            continue
        yield line, _record(content) if whole else None
        while not whole:  # the rest of a line over the limit
            rest = file.readline(CONTACT_LINE_BYTES_MAX)
            whole = rest.endswith("\n") or len(rest) < CONTACT_LINE_BYTES_MAX


def _record(content: str) -> dict[str, Any] | None:
    try:
        value, end = _DECODER.raw_decode(content.strip())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and end == len(content.strip()) else None


def _array(file: TextIO, shown: str) -> Iterator[Parsed]:
    """The elements of an array, of which only one has to fit into memory."""
    window = _Window(file, shown)
    window.expect("[")
    if window.peek() == "]":
        return
    while True:
        line, value = window.value()
        yield line, value if isinstance(value, dict) else None
        if window.peek() != ",":
            break
        window.expect(",")
    window.expect("]")
    if window.peek():
        raise window.broken("something follows the array")


class _Window:
    """The part of a file that is being looked at."""

    def __init__(self, file: TextIO, shown: str) -> None:
        self._file, self._shown = file, shown
        self._text, self._at, self._line = "", 0, 1

    def peek(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._advance(match.end() if match else self._at)
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def expect(self, mark: str) -> None:
        """Go past `mark`."""
        if self.peek() != mark:
            raise self.broken(f"`{mark}` is missing")
        self._advance(self._at + 1)

    def value(self) -> tuple[int, Any]:
        """The next value and its line; an object with a key twice is no value."""
        self.peek()
        line = self._line
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise self.broken("it is nested too deeply") from None
            except _Twice:
                raise self.broken("an object has a key twice") from None
            except ValueError:
                if len(self._text) - self._at > CONTACT_LINE_BYTES_MAX or not self._more():
                    raise self.broken("it is no JSON here") from None
                continue
            if end == len(self._text) and self._more():
                continue  # a number could go on
            self._advance(end)
            return line, value

    def broken(self, reason: str) -> Exception:
        """The error of a file that cannot be read on; it names the line, and nothing of the file."""
        return unreadable(rules.UNREADABLE_SOURCE.at(Place(self._shown, self._line), f"`{self._shown}`: {reason}"))

    def _advance(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        chunk = self._file.read(CHUNK_CHARACTERS)
        self._text, self._at = self._text[self._at :] + chunk, 0
        return bool(chunk)

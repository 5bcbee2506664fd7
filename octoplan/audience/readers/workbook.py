"""
Workbooks (`.xlsx`), read as the XML that they are: cell by cell, with the digits that the file has.

A workbook is hostile input. Its parts are unpacked by bounded reads; its XML may declare no entities; a cell far away
costs nothing, for what lies beyond the bound on columns only makes its row faulty. Nothing is calculated: a formula
gives the value that was saved with it. Dates are numbers with a format; they become ISO 8601.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

from octoplan.audience import rules
from octoplan.audience.readers.port import unreadable
from octoplan.audience.readers.spool import SpooledRecords, batches_of, spool
from octoplan.diagnostics import Place
from octoplan.limits import (
    CONTACT_COLUMNS_MAX,
    CONTACT_FIELD_BYTES_MAX,
    UNPACKED_FREE_BYTES,
    UNPACKED_RATIO_MAX,
    WORKBOOK_BYTES_MAX,
    WORKBOOK_TEXTS_BYTES_MAX,
)

CHUNK_BYTES: Final = 64 * 1024
TOKEN_BYTES_MAX: Final = 4 * 1024 * 1024
"""The parser keeps what has no end yet, such as an attribute."""
FIRST_DAY: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a date on paper, of no time zone
"""Day 0 of the serial numbers from 1 March 1900 on; earlier ones count a day that never was."""
FIRST_DAY_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
EXACT_DIGITS: Final = 15
"""A spreadsheet keeps that many digits of a number; more are lost, whatever it shows."""

_DATE_FORMATS: Final = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
"""Those that have a number and no text."""
_NOT_DATE: Final = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_CELL: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")

Row = tuple[int, bool, list[str | None]]


class _Broken(Exception):
    """The workbook cannot be read; the message says why."""


def read_workbook(path: Path, shown: str, sheet: str | None, place: Place | None) -> SpooledRecords:
    """
    Put the rows of a sheet aside: that of the name `sheet`, or the first. Its first filled row is the header.

    :raises InvalidInput: if it is no sound workbook, has no such sheet, or is over a bound.
    """
    if not path.is_file():
        detail = f"`{shown}` {'is not a regular file' if path.exists() else 'does not exist'}"
        raise unreadable(rules.MISSING_FILE.at(place, detail))
    try:
        with zipfile.ZipFile(path) as archive:
            parts = _Parts(archive, path.stat().st_size)
            rows = _rows(parts, _sheet_part(parts, sheet))
            header = next(rows, None)
            if header is None:
                raise unreadable(rules.EMPTY_FILE.at(place, f"`{shown}` has no header in that sheet"))
            names = [cell or "" for cell in header[2]]
            if len(names) > CONTACT_COLUMNS_MAX:
                detail = f"`{shown}` has {len(names)} columns; at most {CONTACT_COLUMNS_MAX} are read"
                raise unreadable(rules.TOO_MANY_COLUMNS.at(place, detail))
            return spool(shown, names, batches_of(_fitted(rows, len(names)), len(names)), place)
    except _Broken as error:
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, f"`{shown}`: {error}")) from None
    except (zipfile.BadZipFile, expat.ExpatError, OSError, RuntimeError, NotImplementedError, ValueError, EOFError):
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, f"`{shown}` is no sound .xlsx workbook")) from None


def _fitted(rows: Iterator[Row], width: int) -> Iterator[Row]:
    """Rows as wide as the header; one with something beyond it is faulty."""
    nothing: list[str | None] = [None] * width
    for number, _, cells in rows:
        beyond = any(cell is not None for cell in cells[width:])
        yield number, beyond, nothing if beyond else [*cells, *nothing][:width]


@dataclass(slots=True)
class _Parts:
    """The files inside the workbook, and how much of them may still be unpacked."""

    archive: zipfile.ZipFile
    packed: int
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = min(WORKBOOK_BYTES_MAX, max(UNPACKED_FREE_BYTES, UNPACKED_RATIO_MAX * self.packed))

    def parse(self, name: str, handle: Callable[[expat.XMLParserType], None]) -> Iterator[None]:
        """Parse a part with the handlers that `handle` sets; yields between chunks, so that rows can be handed on."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_declaration
        handle(parser)
        fed = 0
        with self._open(name) as file:
            while chunk := file.read(CHUNK_BYTES):
                self.left -= len(chunk)
                if self.left < 0:
                    raise _Broken("it unpacks to more than is read")
                parser.Parse(chunk)
                fed += len(chunk)
                if fed - parser.CurrentByteIndex > TOKEN_BYTES_MAX:
                    raise _Broken("a part of its XML is endless")
                yield
        parser.Parse(b"", True)  # noqa: FBT003 - it takes no names
        yield

    def parse_all(self, name: str, handle: Callable[[expat.XMLParserType], None]) -> None:
        """Parse a small part."""
        for _ in self.parse(name, handle):
            pass

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name in self.archive.namelist()

    def _open(self, name: str) -> IO[bytes]:
        try:
            part = self.archive.getinfo(name)
        except KeyError:
            raise _Broken("a part of it is missing") from None
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _Broken("it is packed in a way that no spreadsheet uses")
        return self.archive.open(part)


def _refuse_declaration(*_: object) -> None:
    raise _Broken("its XML holds declarations, which no spreadsheet writes")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _sheet_part(parts: _Parts, wanted: str | None) -> str:
    """The name of the part with the sheet."""
    sheets: list[tuple[str, str]] = []
    targets: dict[str, str] = {}

    def sheet(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "sheet":
            by_name = {_local(key): value for key, value in attributes.items()}
            sheets.append((by_name.get("name", ""), by_name.get("id", "")))

    def relationship(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    parts.parse_all("xl/workbook.xml", _on_start(sheet))
    parts.parse_all("xl/_rels/workbook.xml.rels", _on_start(relationship))
    chosen = [(name, key) for name, key in sheets if wanted is None or name == wanted]
    if not chosen:
        names = ", ".join(f"`{name}`" for name, _ in sheets[:10])
        raise _Broken(f"it has no sheet `{wanted}`, but {names}")
    target = targets.get(chosen[0][1], "")
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _on_start(handler: Callable[[str, dict[str, str]], None]) -> Callable[[expat.XMLParserType], None]:
    def handle(parser: expat.XMLParserType) -> None:
        parser.StartElementHandler = handler

    return handle


# --- what cells refer to ---------------------------------------------------------------------------------------------


class _Texts:
    """The shared texts, in order; the reading aid of East Asian texts (`rPh`) is no part of them."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._size = 0
        self._parts: list[str] = []
        self._taking = self._aside = False

    def handle(self, parser: expat.XMLParserType) -> None:
        """Set the handlers."""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        match _local(name):
            case "si":
                self._parts = []
            case "rPh":
                self._aside = True
            case "t":
                self._taking = not self._aside

    def _end(self, name: str) -> None:
        match _local(name):
            case "si":
                self.texts.append("".join(self._parts))
            case "rPh":
                self._aside = False
            case "t":
                self._taking = False

    def _data(self, text: str) -> None:
        if self._taking:
            self._size += len(text) + 64
            if self._size > WORKBOOK_TEXTS_BYTES_MAX:
                raise _Broken("it holds more text than is read")
            self._parts.append(text)


@dataclass(slots=True)
class _Styles:
    """Which cell styles show a number as a date."""

    formats: dict[int, str] = field(default_factory=dict)
    styles: list[int] = field(default_factory=list)
    inside: bool = False

    def handle(self, parser: expat.XMLParserType) -> None:
        """Set the handlers."""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match _local(name):
            case "numFmt":
                self.formats[int(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "")
            case "cellXfs":
                self.inside = True
            case "xf" if self.inside:
                self.styles.append(int(attributes.get("numFmtId", "0")))

    def _end(self, name: str) -> None:
        if _local(name) == "cellXfs":
            self.inside = False

    def is_date(self, style: int) -> bool:
        """Whether the style's format has a day, month, year, hour or second in it."""
        number = self.styles[style] if 0 <= style < len(self.styles) else 0
        code = self.formats.get(number)
        return number in _DATE_FORMATS if code is None else bool(re.search("[dmyhs]", _NOT_DATE.sub("", code.lower())))


# --- the sheet -------------------------------------------------------------------------------------------------------


class _Sheet:
    """Gathers rows; each is handed on once it is whole."""

    def __init__(self, texts: list[str], styles: _Styles, first_day: datetime) -> None:
        self.rows: list[Row] = []
        self._texts, self._styles, self._first_day = texts, styles, first_day
        self._number, self._column = 0, -1
        self._cells: list[str | None] = []
        self._kind, self._style = "n", 0
        self._parts: list[str] = []
        self._size = 0
        self._taking = self._aside = False

    def handle(self, parser: expat.XMLParserType) -> None:
        """Set the handlers."""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match _local(name):
            case "row":
                self._number = int(attributes.get("r", self._number + 1))
                self._cells, self._column = [], -1
            case "c":
                self._column = _column(attributes["r"]) if "r" in attributes else self._column + 1
                self._kind, self._style = attributes.get("t", "n"), int(attributes.get("s", "0"))
                self._parts, self._size = [], 0
            case "rPh":
                self._aside = True
            case "v" | "t":
                self._taking = not self._aside

    def _end(self, name: str) -> None:
        match _local(name):
            case "v" | "t":
                self._taking = False
            case "rPh":
                self._aside = False
            case "c":
                self._put(self._value("".join(self._parts)))
            case "row":
                if any(self._cells):
                    self.rows.append((self._number, False, self._cells))

    def _data(self, text: str) -> None:
        if self._taking and self._size <= CONTACT_FIELD_BYTES_MAX:  # more makes the row faulty, however much more it is
            self._size += len(text)
            self._parts.append(text)

    def _put(self, value: str | None) -> None:
        if value:
            column = min(self._column, CONTACT_COLUMNS_MAX)
            self._cells.extend([None] * (column + 1 - len(self._cells)))
            self._cells[column] = value

    def _value(self, text: str) -> str | None:
        match self._kind:
            case "s":
                index = int(text)
                if not 0 <= index < len(self._texts):
                    raise _Broken("a cell refers to a text that is not there")
                return self._texts[index]
            case "b":
                return {"0": "false", "1": "true"}.get(text, text)
            case "n" if text:
                return self._date(text) if self._styles.is_date(self._style) else _number(text)
        return text or None

    def _date(self, text: str) -> str:
        days = float(text)
        moment = self._first_day + timedelta(milliseconds=round(days * 86_400_000))
        if 0 <= days < 1:
            return moment.time().isoformat()
        return moment.date().isoformat() if days == int(days) else moment.isoformat()


def _column(reference: str) -> int:
    match = _CELL.fullmatch(reference)
    if match is None:
        raise _Broken("a cell has no proper name")
    column = 0
    for letter in match[1]:
        column = 26 * column + ord(letter) - 64
    return column - 1


def _number(text: str) -> str:
    """A whole number in digits as long as a spreadsheet keeps all of them; anything else as it is written."""
    if len(text) > CONTACT_FIELD_BYTES_MAX or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?[eE]\+?[0-9]{1,2}", text):
        return text
    value = float(text)
    return str(int(value)) if value == int(value) and abs(value) < 10**EXACT_DIGITS else text


def _rows(parts: _Parts, part: str) -> Iterator[Row]:
    """The rows of the sheet that hold anything, by their number."""
    texts, styles = _Texts(), _Styles()
    if parts.has("xl/sharedStrings.xml"):
        parts.parse_all("xl/sharedStrings.xml", texts.handle)
    if parts.has("xl/styles.xml"):
        parts.parse_all("xl/styles.xml", styles.handle)
    sheet = _Sheet(texts.texts, styles, FIRST_DAY_1904 if _counts_from_1904(parts) else FIRST_DAY)
    for _ in parts.parse(part, sheet.handle):
        yield from sheet.rows
        sheet.rows.clear()


def _counts_from_1904(parts: _Parts) -> bool:
    found: list[str] = []

    def properties(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "workbookPr":
            found.append(attributes.get("date1904", "0"))

    parts.parse_all("xl/workbook.xml", _on_start(properties))
    return found[:1] in (["1"], ["true"])

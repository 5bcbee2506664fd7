"""
Reading the files that people write, as text.

Invariants (a campaign file can come from a stranger's pull request):
- Nothing outside the project's folder is read, by no spelling of a path and by no symbolic link; nor anything hidden
  in it, for `.git`, `.env` and `.octoplan` hold keys.
- No file is read beyond its bound, and only regular files are opened: a pipe would never end.
- What a reviewer sees is what the program reads: invisible and text-turning characters are refused.
- A line that may hold a secret or a phone number is never quoted.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from octoplan.campaign import rules
from octoplan.diagnostics import Finding, Place
from octoplan.limits import (
    CAMPAIGN_FILE_BYTES_MAX,
    FINDINGS_PER_FILE_MAX,
    PATH_CHARACTERS_MAX,
    PROJECT_ENTRIES_MAX,
    SOURCE_FILES_MAX,
)

_PATTERN: Final = re.compile(r"[*?\[]")
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, but tab, line feed and carriage return
    "\u2028\u2029"  # line breaks to YAML, none to an editor
    "\u202a-\u202e\u2066-\u2069"  # these change the order in which a reviewer sees the text
    "\ufeff\ufffe\uffff]"
)
_SECRETIVE: Final = re.compile(
    r"(?:credentials?|keys?|login|secret|token|headers?|authorization|passw(?:or)?d|allow_numbers)[\"']?\s*:"
    r"|://[^/\s]*@",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """
    A file as read: `name` is its path from the project's folder with `/`, `text` has line feeds as its only line ends.
    """

    name: str
    text: str = field(repr=False)
    lines: tuple[str, ...] = field(repr=False)
    secret_lines: frozenset[int] = field(repr=False)

    @classmethod
    def of(cls, name: str, text: str) -> SourceFile:
        """A source from text in memory; line ends of any system become line feeds."""
        unified = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = tuple(unified.split("\n"))
        return cls(name, unified, lines, _find_secret_lines(lines))

    def place(self, line: int, column: int, width: int = 1) -> Place:
        """A place by line and column from 1, with its line quoted unless that could give something away."""
        if not 1 <= line <= len(self.lines):
            return Place(self.name)
        shown = None if line in self.secret_lines else self.lines[line - 1]
        room = max(1, len(self.lines[line - 1]) - column + 1)
        return Place(self.name, line, column, shown, max(1, min(width, room)))


def _find_secret_lines(lines: tuple[str, ...]) -> frozenset[int]:
    """The lines (from 1) that name something secret, and what is indented under them."""
    secret: set[int] = set()
    indent: int | None = None
    for number, line in enumerate(lines, 1):
        depth = len(line) - len(line.lstrip())
        listed = depth == indent and line.lstrip().startswith("- ")
        if indent is not None and line.strip() and depth <= indent and not listed:
            indent = None
        if indent is None and _SECRETIVE.search(line):
            indent = depth
        if indent is not None:
            secret.add(number)
    return frozenset(secret)


def check_relative(relative: str) -> str | None:
    """Why this text is no path inside a project, or `None` if it may be one. Looks at the text only."""
    if not relative.strip():
        return "it is empty"
    if len(relative) > PATH_CHARACTERS_MAX:
        return f"it is longer than {PATH_CHARACTERS_MAX} characters"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in relative):
        return "it holds a control character"
    windows = PureWindowsPath(relative)
    if relative.startswith("/") or windows.drive or windows.root:
        return "it is absolute; write it from the project's folder"
    if "\\" in relative:
        return "it holds a backslash; separate folders by `/`"
    return _check_parts(PurePosixPath(relative).parts)


def _check_parts(parts: tuple[str, ...]) -> str | None:
    if ".." in parts:
        return "it holds `..`; nothing outside the project's folder is read"
    if any(part.startswith(".") for part in parts):
        return "it is hidden (a name that starts with a dot); such files hold keys and state"
    return None


def resolve_inside(root: Path, relative: str) -> Path:
    """
    The absolute path of `relative` inside the folder `root`, with symbolic links followed. It need not exist.

    :raises ValueError: with the reason, if it is empty, absolute, hidden or too long, holds `..`, a backslash or a
        control character, or leaves the folder by a symbolic link.
    """
    if reason := check_relative(relative):
        raise ValueError(reason)
    try:
        base = root.resolve(strict=True)
        path = (base / relative).resolve()
    except (OSError, RuntimeError):  # RuntimeError: a loop of links, in Python before 3.13
        raise ValueError("it cannot be followed (a loop of links, or a name that is too long)") from None
    if not path.is_relative_to(base):
        raise ValueError("it leaves the project's folder by a symbolic link")
    if reason := _check_parts(path.relative_to(base).parts):
        raise ValueError(f"by a symbolic link {reason}")
    return path


def find_inside(root: Path, pattern: str) -> list[tuple[str, Path]]:
    """
    The files that `pattern` stands for: path from the folder `root`, and absolute path; sorted by the first.

    `*`, `?` and `[…]` stand for parts of one name. Without them, or where a file is called exactly so, it is that file,
    which need not exist.

    :raises ValueError: as `resolve_inside` for any of them, or if there are more than are read.
    """
    exact = resolve_inside(root, pattern)
    if not _PATTERN.search(pattern) or exact.exists():
        return [(pattern, exact)]
    names = [""]
    for part in PurePosixPath(pattern).parts:
        names = [found for name in names for found in _matching(root, name, part)]
        if len(names) > SOURCE_FILES_MAX:
            raise ValueError(f"it stands for more than {SOURCE_FILES_MAX} files")
    return [(name, resolve_inside(root, name)) for name in sorted(names)]


def _matching(root: Path, folder: str, part: str) -> list[str]:
    """The names in `folder` that match `part`, as paths from `root`; nothing hidden, and no folder outside."""
    inside = f"{folder}/" if folder else ""
    if not _PATTERN.search(part):
        return [f"{inside}{part}"]
    where = resolve_inside(root, folder) if folder else root
    if not where.is_dir():
        return []
    with os.scandir(where) as entries:
        names = [entry.name for entry in islice(entries, PROJECT_ENTRIES_MAX)]
    return [f"{inside}{name}" for name in names if not name.startswith(".") and fnmatchcase(name, part)]


def read_source(
    root: Path, relative: str, *, bytes_max: int = CAMPAIGN_FILE_BYTES_MAX
) -> tuple[SourceFile | None, list[Finding]]:
    """Read a file of the project as UTF-8 text; no source, and the reasons, if it cannot be used."""
    whole = Place(relative)
    try:
        path = resolve_inside(root, relative)
    except ValueError as error:
        return None, [rules.PATH_OUTSIDE.at(whole, f"This file is not read: {error}.")]
    try:
        if not path.is_file():
            return None, [rules.NO_FILE.at(whole, "There is no such file (or it is a folder, a pipe or a device).")]
        with path.open("rb") as stream:
            data = stream.read(bytes_max + 1)
    except OSError as error:
        return None, [rules.NO_FILE.at(whole, f"It cannot be read: {error.strerror}.")]
    if len(data) > bytes_max:
        return None, [rules.TOO_LARGE.at(whole, f"The bound is {bytes_max // 1024} KiB.")]
    return decode_source(relative, data)


def decode_source(name: str, data: bytes) -> tuple[SourceFile | None, list[Finding]]:
    """Decode the bytes of a file, strictly; a byte-order mark is a warning, everything else that is odd an error."""
    found: list[Finding] = []
    if data.startswith(_UTF8_MARK):
        data = data[len(_UTF8_MARK) :]
        found.append(
            rules.BYTE_ORDER_MARK.at(
                Place(name, 1, 1),
                "The file starts with U+FEFF; it is skipped.",
                "save it as UTF-8 without a mark (BOM)",
            )
        )
    if data.startswith(_UTF16_MARKS) or data[:4].count(0) >= 2:
        detail = "It looks like UTF-16, as some editors and spreadsheets write it."
        return None, [*found, rules.NOT_UTF8.at(Place(name, 1, 1), detail, "save the file as UTF-8")]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return None, [*found, _not_utf8(name, data, error)]
    source = SourceFile.of(name, text)
    hidden = _check_hidden(source)
    return (None if hidden else source), found + hidden


def _not_utf8(name: str, data: bytes, error: UnicodeDecodeError) -> Finding:
    """Point at the first wrong byte by line and column, and name the likely encoding."""
    start = max(data.rfind(b"\n", 0, error.start), data.rfind(b"\r", 0, error.start)) + 1
    end = min((at for at in (data.find(b"\n", error.start), len(data)) if at >= 0), default=len(data))
    before = SourceFile.of(name, data[:start].decode(errors="replace"))
    line, column = len(before.lines), len(data[start : error.start].decode(errors="replace")) + 1
    shown = SourceFile.of(name, before.text + data[start:end].decode(errors="replace").replace("\r", ""))
    detail = f"Byte {error.start} of the file is 0x{data[error.start]:02X}; it looks like Windows-1252 or Latin-1."
    return rules.NOT_UTF8.at(shown.place(line, column), detail, "save the file as UTF-8")


def _check_hidden(source: SourceFile) -> list[Finding]:
    found: list[Finding] = []
    for number, line in enumerate(source.lines, 1):
        for match in _HIDDEN.finditer(line):
            code = f"U+{ord(match.group()):04X}"
            name = unicodedata.name(match.group(), "a control character").lower()
            hint = "delete it; where the text needs it, write it as an escape in double quotes"
            found.append(rules.HIDDEN_CHARACTER.at(source.place(number, match.start() + 1), f"{code}, {name}.", hint))
            if len(found) > FINDINGS_PER_FILE_MAX:
                return found
    return found

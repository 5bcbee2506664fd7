"""
One way to write a file of the project: `octoplan fmt`.

Invariants:
- The formatted file says the same: it is parsed again and compared before anybody sees it, and so are its comments.
- Formatting what is formatted changes nothing.
- What `parse_document` does not take is not touched.

Fields come in the order of the schema, names that people chose in theirs. Two spaces indent; at most one blank line is
kept. Comments stay with what they are about. A value that another reader of YAML would take for something else than
text (`no`, `07:30`, `0601020304`, `1e3`) is quoted; a text of several lines is a block.

The tree is our own (`written.py`): libraries for this keep a comment with the value before it, so that it would stay
behind when a field moves, and they read scalars as numbers and times, which octoplan never does.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import yaml
from pydantic import BaseModel

from octoplan.campaign.document import Document, parse_document
from octoplan.campaign.schema import schema_at
from octoplan.campaign.source import SourceFile
from octoplan.campaign.written import Alias, Collection, Comment, Entry, Value, Written, read_comments, read_written
from octoplan.diagnostics import Finding

WIDTH: Final = 100
"""Columns of a line, comments not counted; longer `{…}` become lines, and folded texts are wrapped."""
_INDENT: Final = 2
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,14}")
_EATEN: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9][0-9_,]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"  # numbers, also of YAML 1.2
    r"|0[xob][0-9a-fA-F_]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|[-+]?[0-9]+(?::[0-9]{1,2})+(?:\.[0-9]*)?"  # times, to YAML 1.1 numbers of base 60
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?"  # dates and times
    r"|[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|True|TRUE|False|FALSE"
    r"|=|<<|~|[nN]ull|NULL"
)
_MODELINE: Final = re.compile(r"#\s*(?:yaml-language-server:|vim:|-\*-)")
_UNSEEN: Final = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
Kind = type[BaseModel] | None
"""The model whose fields give the order; `None` keeps the order as it is."""


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file in the house format; `text` is the same as before where nothing was to do."""

    source: SourceFile
    text: str


def format_source(source: SourceFile, kind: Kind) -> tuple[Formatted | None, list[Finding]]:
    """Format a file; nothing, and the findings, if it cannot be read."""
    document, findings = parse_document(source)
    if document is None or any(found.severity == "error" for found in findings):
        return None, findings
    written = read_written(source.text)
    order = None if kind is None or _has_alias(written) else kind  # an anchor stands before what uses it
    text = "\n".join(_Writer(order).write(written)) + "\n"
    _require_same(document, text)
    return Formatted(source, text), findings


def _require_same(document: Document, text: str) -> None:
    """
    Both say the same, with the same comments.

    :raises RuntimeError: if not, which is a bug of octoplan's: nothing may be written then.
    """
    again, _ = parse_document(SourceFile.of(document.source.name, text))
    if again is None or again.data != document.data:
        raise RuntimeError(f"formatting {document.source.name} would change what it says")
    if _comment_texts(text) != _comment_texts(document.source.text):
        raise RuntimeError(f"formatting {document.source.name} would lose a comment")


def _comment_texts(text: str) -> list[str]:
    return sorted(comment.text for comment in read_comments(text))


def _has_alias(value: Written) -> bool:
    if isinstance(value, Collection):
        return any(_has_alias(entry.value) for entry in value.entries)
    return isinstance(value, Alias)


# --- the whole file ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Writer:
    kind: Kind

    def write(self, root: Collection) -> list[str]:
        """The lines of the file."""
        header, is_apart = _split_header(root)
        lines = [line for comment in header for line in _alone(comment, 0)]
        return [*_without_first_blank(lines), *([""] if is_apart else []), *self._entries(root, (), 0)]

    def _entries(self, block: Collection, path: tuple[str | int, ...], indent: int) -> list[str]:
        """The lines of a block, without a blank one before the first."""
        lines: list[str] = []
        for number, entry in enumerate(self._ordered(block, path)):
            more = list(self._entry(entry, (*path, number if entry.key is None else entry.key.text), indent))
            # A text of a block scalar can end with blank lines, which are its own.
            lines += _without_first_blank(more) if not lines or not lines[-1] else more
        tail = [line for comment in block.tail for line in _alone(comment, indent)]
        return lines + (_without_first_blank(tail) if lines and not lines[-1] else tail)

    def _ordered(self, block: Collection, path: tuple[str | int, ...]) -> list[Entry]:
        """Fields as the schema has them, then what it does not know, as written."""
        if self.kind is None or not block.is_mapping:
            return block.entries
        rank = {name: number for number, name in enumerate(schema_at(self.kind, path).get("properties", {}))}
        return sorted(block.entries, key=lambda entry: rank.get(entry.key.text if entry.key else "", len(rank)))

    def _entry(self, entry: Entry, path: tuple[str | int, ...], indent: int) -> Iterator[str]:
        key = "-" if entry.key is None else f"{_one_line(entry.key)}:"
        inside, *below = self._value(entry.value, path, indent, taken=indent + len(key) + 1)
        lead = [line for comment in entry.lead for line in _alone(comment, indent)]
        lead += [""] if entry.after_blank else []
        beside = entry.beside
        if entry.key is None and below and isinstance(entry.value, Collection):
            lead += [" " * indent + beside.text] if beside else []
            beside = None
            if not inside:
                # The first entry stands behind the `-`, and the comments before it above.
                first = next(number for number, line in enumerate(below) if not _is_note(line))
                lead += [" " * indent + line.strip() if line else line for line in below[:first]]
                inside, *below = below[first].strip(), *below[first + 1 :]
        yield from lead
        yield _with_comment(" " * indent + f"{key} {inside}".rstrip(), beside)
        yield from below

    # --- values -------------------------------------------------------------------------------------------------------

    def _value(self, value: Written, path: tuple[str | int, ...], indent: int, taken: int) -> list[str]:
        """What stands behind the key, of which `taken` columns are used, and the lines below it."""
        if isinstance(value, Alias):
            return [f"*{value.name}"]
        anchor = f"&{value.anchor} " if value.anchor else ""
        if isinstance(value, Value):
            first, *below = _scalar(value, WIDTH - taken, WIDTH - indent - _INDENT)
            return [anchor + first, *(" " * (indent + _INDENT) + line if line else line for line in below)]
        if value.is_flow or not value.entries:
            flow = self._flow(value, path)
            if flow is not None and taken + len(anchor + flow) <= WIDTH:
                return [anchor + flow]
        return [anchor.rstrip(), *self._entries(value, path, indent + _INDENT)]

    def _flow(self, value: Written, path: tuple[str | int, ...]) -> str | None:
        """A value on one line; `None` if a comment or a text of several lines is in it."""
        if isinstance(value, Alias):
            return f"*{value.name} "
        anchor = f"&{value.anchor} " if value.anchor else ""
        if isinstance(value, Value):
            line, *below = _scalar(value, WIDTH, WIDTH)
            return None if below else anchor + line
        parts = []
        for number, entry in enumerate(self._ordered(value, path)):
            step = number if entry.key is None else entry.key.text
            inner = None if entry.lead or entry.beside else self._flow(entry.value, (*path, step))
            if inner is None:
                return None
            parts.append(inner if entry.key is None else f"{_one_line(entry.key)}: {inner}")
        if value.tail:
            return None
        return anchor + ("{%s}" if value.is_mapping else "[%s]") % ", ".join(parts)


def _split_header(root: Collection) -> tuple[list[Comment], bool]:
    """
    The comments that stay at the top of the file, whatever comes first, taken out of the tree; and whether a blank line
    follows. They are those that have one after them, and what editors read.
    """
    first = root.entries[0]
    blank_before = [*(comment.after_blank for comment in first.lead), first.after_blank]
    count = max([number for number, is_after in enumerate(blank_before) if is_after], default=0)
    modelines = [number for number, comment in enumerate(first.lead, 1) if _MODELINE.match(comment.text)]
    count = max([count, *modelines])
    header, first.lead = first.lead[:count], first.lead[count:]
    if first.lead:
        first.lead[0] = replace(first.lead[0], after_blank=False)
    else:
        first.after_blank = False
    return header, bool(header) and blank_before[count]


# --- lines ------------------------------------------------------------------------------------------------------------


def _alone(comment: Comment, indent: int) -> list[str]:
    line = " " * indent + comment.text
    return ["", line] if comment.after_blank else [line]


def _with_comment(line: str, comment: Comment | None) -> str:
    """The comment stays in its column, so that several below each other stay aligned."""
    if comment is None:
        return line
    gap = 1 if comment.gap == 1 else max(comment.column - len(line), 2)
    return line + " " * gap + comment.text


def _is_note(line: str) -> bool:
    return not line or line.lstrip().startswith("#")


def _without_first_blank(lines: list[str]) -> list[str]:
    return lines[1:] if lines and not lines[0] else lines


# --- scalars ----------------------------------------------------------------------------------------------------------


def _scalar(value: Value, room: int, width: int) -> list[str]:
    """
    A scalar: what stands behind the key, and the lines of a block, without their indentation.

    `room` is what is left on the line of the key, `width` that of the lines of a block.
    """
    is_one_line = "\n" not in value.source
    if is_one_line and not (value.text.strip("\n").count("\n") and _is_seen(value.text)):
        return [_one_line(value)]
    if value.style == ">":
        blocks = [_folded_as_written(value)]
    elif "\n" in value.text:
        blocks = [_block("|", value.text, value.text.removesuffix("\n").split("\n"))]
    else:
        blocks = []
    line = _one_line(value)
    if not blocks and len(line) > room:
        blocks = [[">-", *textwrap.wrap(value.text, width, break_long_words=False, break_on_hyphens=False)]]
    return next((block for block in blocks if _says(block, value.text)), [line])


def _one_line(value: Value) -> str:
    """A scalar on one line, quoted as it was where that matters."""
    if value.style == "":
        is_safe = "\n" not in value.text and (_INTEGER.fullmatch(value.text) or not _EATEN.fullmatch(value.text))
        return value.text if is_safe else _quoted(value.text)
    if "\n" in value.source or value.style in ("|", ">"):
        return _quoted(value.text)
    return f'"{value.text}"' if value.style == "'" and not re.search(r'["\\]', value.text) else value.source


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if unicodedata.category(character) not in _UNSEEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _is_seen(text: str) -> bool:
    """Whether all of it but line breaks shows in an editor; what does not was written as an escape, and stays one."""
    return not any(unicodedata.category(character) in _UNSEEN for character in text if character != "\n")


def _folded_as_written(value: Value) -> list[str]:
    """A text behind `>` in the lines in which it is written."""
    lines = value.source.split("\n")[1:]
    while lines and not lines[-1].strip():
        lines.pop()
    indent = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)
    kept = [""] * (len(value.text) - len(value.text.rstrip("\n")) - 1)
    return _block(">", value.text, [*(line[indent:] for line in lines), *kept])


def _block(indicator: str, text: str, lines: list[str]) -> list[str]:
    """A block scalar with what its header needs to say: where text begins, and what becomes of its last line breaks."""
    starts = str(_INDENT) if text[:1] in (" ", "\n") else ""
    chomp = "" if text.endswith("\n") else "-"
    return [indicator + starts + ("+" if text.endswith("\n\n") else chomp), *lines]


def _says(block: list[str], text: str) -> bool:
    """Whether a block scalar is read as this text."""
    first, *below = block
    try:
        node = yaml.compose("\n".join([f"key: {first}", *(f"  {line}" if line else "" for line in below), ""]))
    except yaml.YAMLError:
        return False
    return node is not None and node.value[0][1].value == text

"""
Put the files that a template includes into it, so that everything after this sees one text.

Invariants:
- Only a name that is written as it is can be included; what it names is for the caller to read, from `messages/` alone.
- Depth and size are bounded, so no file can include itself for ever.
- `{% include %}` sees the variables around it, and what it sets does not leak: it becomes a `{% with %}`, in which both
  hold.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from jinja2 import Environment, TemplateSyntaxError

from octoplan.diagnostics import Finding
from octoplan.limits import INCLUDE_DEPTH_MAX, TEMPLATE_CHARACTERS_MAX
from octoplan.messages import rules

ReadInclude = Callable[[str], str]
"""The text of a file by its name inside `messages/`; raises `InvalidInput`."""

_LEXER: Final = Environment(keep_trailing_newline=True, autoescape=True)
"""Only takes a text apart; nothing is rendered with it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a line comes from: an included file by name, `None` for the template itself; lines count from 1."""

    file: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Expanded:
    """A template with its includes in place. `lines` has the origin of each line, `included` each file's own text."""

    source: str
    lines: tuple[Origin, ...]
    included: Mapping[str, str]
    findings: tuple[Finding, ...] = ()


class _TooMuch(Exception):
    """Includes that go too deep or grow too large."""


@dataclass(slots=True)
class _Expander:
    read: ReadInclude
    text: list[str] = field(default_factory=list)
    lines: list[Origin] = field(default_factory=lambda: [Origin(None, 1)])
    included: dict[str, str] = field(default_factory=dict)
    length: int = 0

    def add(self, text: str, origin: Origin) -> None:
        """Put text at the end; its first line comes from `origin`, if no included file has a part of that line."""
        self.length += len(text)
        if self.length > TEMPLATE_CHARACTERS_MAX:
            raise _TooMuch(f"With its includes it is longer than {TEMPLATE_CHARACTERS_MAX:,} characters.")
        self.text.append(text)
        if self.lines[-1].file is None or origin.file is not None:
            self.lines[-1] = origin
        self.lines += [Origin(origin.file, origin.line + more) for more in range(1, text.count("\n") + 1)]

    def expand(self, source: str, file: str | None, depth: int) -> None:
        """Put a template at the end, with what it includes."""
        if depth > INCLUDE_DEPTH_MAX:
            raise _TooMuch(f"Includes are nested more than {INCLUDE_DEPTH_MAX} deep.")
        for line, text, name in _pieces(source):
            if name is None:
                self.add(text, Origin(file, line))
                continue
            if name not in self.included:
                self.included[name] = self.read(name).removesuffix("\n")
            opening, _, closing = text.partition(name)
            self.add("{%- with %}" if opening.startswith("{%-") else "{% with %}", Origin(file, line))
            self.expand(self.included[name], name, depth + 1)
            end = closing.rstrip()
            self.add("{% endwith " + ("-%}" if end.endswith("-%}") else "%}") + closing[len(end) :], Origin(file, line))


def _pieces(source: str) -> Iterator[tuple[int, str, str | None]]:
    """The source in pieces with their lines, each `{% include 'name' %}` apart with its name."""
    block: list[tuple[int, str, str]] = []
    for token in _LEXER.lex(source):
        if not block and token[1] != "block_begin":
            yield token[0], token[2], None
            continue
        block.append(token)
        if token[1] == "block_end":
            text = "".join(value for _, _, value in block)
            yield block[0][0], text, _included(block)
            block = []
    if block:
        yield block[0][0], "".join(value for _, _, value in block), None


def _included(block: list[tuple[int, str, str]]) -> str | None:
    """The name in a block that says nothing but `include` and a text."""
    words = [(kind, value) for _, kind, value in block[1:-1] if kind != "whitespace"]
    if [kind for kind, _ in words] != ["name", "string"] or words[0][1] != "include":
        return None
    try:
        return str(ast.literal_eval(words[1][1]))
    except (ValueError, SyntaxError):
        return None


def expand_includes(source: str, read: ReadInclude | None) -> Expanded:
    """
    The template with the text of each `{% include 'file' %}` in its place; other forms of `include` stay as they are.

    :raises InvalidInput: if a file cannot be read.
    """
    plain = Expanded(source, tuple(Origin(None, number + 1) for number in range(source.count("\n") + 1)), {})
    if read is None or "include" not in source:
        return plain
    expander = _Expander(read)
    try:
        expander.expand(source, None, 0)
    except _TooMuch as error:
        return Expanded(source, plain.lines, {}, (rules.TOO_LARGE.at(None, str(error)),))
    except TemplateSyntaxError:
        return plain  # the same is found again where there is a place for it
    return Expanded("".join(expander.text), tuple(expander.lines), expander.included)

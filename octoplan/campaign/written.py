"""
A YAML file as somebody wrote it: the tree of `document.py`, and besides how each value is written and every comment.

Invariants:
- Every comment of the file is in the tree exactly once.
- It is only made of files that `parse_document` takes: nothing is checked here again.

A comment belongs to what follows it, one behind a value to that value, and one at the end of a block to the block if it
is indented as deep.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, cast

import yaml

_COMMENT: Final = re.compile(r"#[^\n]*")
_BETWEEN: Final = re.compile(r"[ \t,:]*(?:&\w+[ \t]*)?")
"""What can stand between a value, or a key, and the comment behind it."""


@dataclass(frozen=True, slots=True)
class Comment:
    """
    One comment with its `#`. `column` counts from 0, `gap` is the number of spaces before it.

    `is_alone` on its line; `after_blank` tells whether a blank line is before it.
    """

    start: int
    column: int
    gap: int
    text: str
    is_alone: bool
    after_blank: bool


@dataclass(slots=True)
class Value:
    """A scalar. `source` is its text in the file with quotes or indicators, `style` as of `document.Scalar`."""

    text: str
    style: str
    source: str
    anchor: str | None = None


@dataclass(slots=True)
class Alias:
    """`*name`."""

    name: str


@dataclass(slots=True)
class Collection:
    """A mapping or a list; `tail` are comments after its last entry."""

    is_mapping: bool
    is_flow: bool
    entries: list[Entry] = field(default_factory=list)
    tail: list[Comment] = field(default_factory=list)
    anchor: str | None = None


@dataclass(slots=True)
class Entry:
    """`key: value`, or an item of a list (no key). `lead` are the comments before it, `beside` the one behind it."""

    key: Value | None
    value: Written
    lead: list[Comment]
    after_blank: bool
    beside: Comment | None = None


Written = Value | Alias | Collection


def read_written(text: str) -> Collection:
    """The tree of a file that `parse_document` takes; its top is a mapping."""
    return _Builder(text).build()


def read_comments(text: str) -> list[Comment]:
    """Every comment, in the order of the file."""
    tokens = yaml.scan(text, Loader=yaml.SafeLoader)
    ends = ((_end(token), token) for token in tokens)
    found: list[Comment] = []
    for (end, token), (_, following) in pairwise(ends):
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            found += _comments_between(text, _start(token), text.find("\n", _start(token)))
        found += _comments_between(text, end, _start(following))
    return found


def _comments_between(text: str, start: int, end: int) -> Iterator[Comment]:
    for match in _COMMENT.finditer(text, start, end if end >= 0 else len(text)):
        line_start = text.rfind("\n", 0, match.start()) + 1
        before = text[line_start : match.start()]
        yield Comment(
            start=match.start(),
            column=len(before),
            gap=len(before) - len(before.rstrip()),
            text=match.group().rstrip(),
            is_alone=not before.strip(),
            after_blank=not before.strip() and _is_after_blank(text, line_start),
        )


def _is_after_blank(text: str, line_start: int) -> bool:
    """Whether the line before the one that starts there is blank."""
    return line_start > 0 and not text[text.rfind("\n", 0, line_start - 1) + 1 : line_start - 1].strip()


class _Builder:
    """Events into the tree; comments are handed out in the order of the file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._comments = deque(read_comments(text))
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._end = 0
        """Where the value that was read last ends."""

    def build(self) -> Collection:
        root = cast("Collection", self._value(self._next_node(), -1))
        root.tail += self._take_until(len(self._text))
        return root

    def _next_node(self) -> yaml.NodeEvent:
        return next(event for event in self._events if isinstance(event, yaml.NodeEvent))

    def _value(self, event: yaml.NodeEvent, outer: int) -> Written:
        """`outer` is the column of the collection around it."""
        self._end = _end(event)
        if isinstance(event, yaml.AliasEvent):
            return Alias(str(event.anchor))
        if isinstance(event, yaml.ScalarEvent):
            source = self._text[_start(event) : _end(event)]
            if event.anchor is not None:
                source = source.partition(event.anchor)[2].lstrip()
            return Value(event.value, event.style or "", source, event.anchor)
        return self._collection(cast("yaml.CollectionStartEvent", event), outer)

    def _collection(self, event: yaml.CollectionStartEvent, outer: int) -> Collection:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        made = Collection(is_mapping, bool(event.flow_style), anchor=event.anchor)
        column = 0
        for child in self._events:
            if isinstance(child, yaml.CollectionEndEvent):
                # The end of a block is where the next thing starts, that of `{…}` behind its bracket.
                self._end = _end(child)
                made.tail += self._take_until(self._end, 0 if made.is_flow else max(column, outer + 1))
                break
            node = cast("yaml.NodeEvent", child)
            if not made.entries:
                column = self._column_of(node, is_list=not is_mapping)
            made.entries.append(self._entry(node, column, is_mapping=is_mapping))
        return made

    def _column_of(self, node: yaml.NodeEvent, *, is_list: bool) -> int:
        """Where the entries of a block are; those of a list where their `-` is."""
        start = _start(node)
        line_start = self._text.rfind("\n", 0, start) + 1
        if not is_list:
            return start - line_start
        dash = self._text.rfind("-", line_start, start)
        return (dash if dash >= 0 else start) - line_start

    def _entry(self, node: yaml.NodeEvent, column: int, *, is_mapping: bool) -> Entry:
        start = _start(node)
        lead = self._take_until(start)
        line_start = self._text.rfind("\n", 0, start) + 1
        is_first = not self._text[line_start:start].strip(" " if is_mapping else " -")
        after_blank = is_first and _is_after_blank(self._text, line_start)
        if not is_mapping:
            value = self._value(node, column)
            return Entry(None, value, lead, after_blank, self._beside(value))
        key = cast("Value", self._value(node, column))
        beside = self._take_beside(_end(node))
        node = self._next_node()
        if isinstance(node, yaml.ScalarEvent | yaml.AliasEvent):
            lead += self._take_until(_start(node))
        value = self._value(node, column)
        return Entry(key, value, lead, after_blank, beside or self._beside(value))

    def _beside(self, value: Written) -> Comment | None:
        """The comment behind the value that was read last; for `|` and `>` that behind the indicator."""
        if isinstance(value, Collection) and not value.is_flow:
            return None
        if isinstance(value, Value) and value.style in ("|", ">"):
            return next(iter(self._take_until(self._end)), None)
        return self._take_beside(self._end)

    def _take_beside(self, end: int) -> Comment | None:
        if self._comments:
            first = self._comments[0]
            if not first.is_alone and _BETWEEN.fullmatch(self._text, end, first.start):
                return self._comments.popleft()
        return None

    def _take_until(self, end: int, column: int = 0) -> list[Comment]:
        """The next comments before `end`, as long as they are in this column or further in."""
        taken: list[Comment] = []
        while self._comments and self._comments[0].start < end and self._comments[0].column >= column:
            taken.append(self._comments.popleft())
        return taken


def _start(it: yaml.Token | yaml.Event) -> int:
    return cast("yaml.Mark", it.start_mark).index


def _end(it: yaml.Token | yaml.Event) -> int:
    return cast("yaml.Mark", it.end_mark).index

"""
YAML as text with places: every scalar stays what was typed, every key and value knows its line and column.

Invariants:
- No scalar is interpreted: `NO`, `0601020304`, `18:30`, `007` and `1e3` are text until a model asks for more.
- Nothing is constructed from a tag, nothing is merged, and what aliases expand to is bounded in depth and number.
- Parsing never raises: whatever the text, the answer is a document, findings, or both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

import yaml

from octoplan.campaign import rules
from octoplan.campaign.source import SourceFile
from octoplan.diagnostics import Finding, Place, Rule
from octoplan.limits import YAML_DEPTH_MAX, YAML_NODES_MAX

Path = tuple[str | int, ...]
"""The way to a value from the top: keys of mappings, numbers from 0 of list items."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOTHING: Final = ("", "~", "null", "Null", "NULL")
_UNRESOLVED: Final = "*"
"""The style of what stands for an alias that names nothing, already reported."""
_OPENING_HINTS: Final = {
    "@": "quote a value that starts with `@`",
    "`": "quote a value that starts with a backtick",
    "%": "quote a value that starts with `%`",
}


@dataclass(frozen=True, slots=True)
class Span:
    """Where something starts (from 1) and how many characters of its first line it takes."""

    line: int
    column: int
    width: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as text. `style` is how it was quoted: `'`, `"`, `|`, `>` or nothing."""

    span: Span
    text: str = field(repr=False)
    style: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether it says "no value": empty, `~` or `null`, not quoted."""
        return self.style == "" and self.text in _NOTHING


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file."""

    span: Span
    entries: dict[str, tuple[Scalar, Node]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    """List items in the order of the file."""

    span: Span
    items: tuple[Node, ...] = field(repr=False)


Node = Scalar | Mapping | Sequence


@dataclass(frozen=True, slots=True)
class Document:
    """
    A parsed file: plain data for the models, and the place of everything in it.

    `data` holds dicts, lists and text only; keys without a value are not in it but in `empty`, already reported.
    """

    source: SourceFile
    root: Mapping = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    empty: frozenset[Path]

    def place(self, *path: str | int) -> Place:
        """The place of the value at `path`, else of the nearest thing around it, else of the file."""
        return self._find(path, of_key=False)

    def key_place(self, *path: str | int) -> Place:
        """The place of the key at `path`; for a list item that of the item."""
        return self._find(path, of_key=True)

    def place_in_text(self, path: Path, line: int, column: int = 1, width: int = 1) -> Place:
        """
        The place of characters inside the text at `path`; `line` and `column` from 1, of the text as it is used.

        Exact for block scalars (`|`) and for quoted or plain text on one line without escapes; the start of the value
        otherwise, since folding and escapes move characters.
        """
        node = _descend(self.root, path)
        if not isinstance(node, Scalar):
            return self.place(*path)
        if node.style == "|":
            return self._place_in_block(node, line, column, width)
        offset = 1 if node.style else 0
        if line == 1 and len(node.text) + 2 * offset == node.span.width:
            return self.source.place(node.span.line, node.span.column + offset + column - 1, width)
        return self._at(node.span)

    def _place_in_block(self, node: Scalar, line: int, column: int, width: int) -> Place:
        number = node.span.line + line
        texts = node.text.split("\n")
        if line > len(texts) or number > len(self.source.lines):
            return self._at(node.span)
        indent = len(self.source.lines[number - 1]) - len(texts[line - 1])
        return self.source.place(number, max(0, indent) + column, width)

    def _find(self, path: Path, *, of_key: bool) -> Place:
        if not path:
            return Place(self.source.name)
        parent = _descend(self.root, path[:-1])
        step = path[-1]
        if isinstance(parent, Mapping) and step in parent.entries:
            key, value = parent.entries[str(step)]
            nothing = isinstance(value, Scalar) and value.is_nothing
            return self._at(key.span if of_key or nothing else value.span)
        if isinstance(parent, Sequence) and isinstance(step, int) and step < len(parent.items):
            return self._at(parent.items[step].span)
        return self._find(path[:-1], of_key=True)

    def _at(self, span: Span) -> Place:
        return self.source.place(span.line, span.column, span.width)


def _descend(node: Node, path: Path) -> Node | None:
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            node = node.entries[str(step)][1]
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def parse_document(source: SourceFile) -> tuple[Document | None, list[Finding]]:
    """Parse one YAML document whose top is a mapping; `None` if there is nothing that a model could look at."""
    composer = _Composer(source)
    root = composer.compose()
    if root is None:
        return None, composer.found
    expander = _Expander(source)
    data = expander.expand(root, (), root.span)
    found = composer.found + expander.found
    if expander.overflowed:
        return None, found
    return Document(source, root, data, frozenset(expander.empty)), found


class _Unusable(Exception):
    """The rest of the file cannot be read; why is in the findings."""


class _Composer:
    """Events of the parser into nodes; aliases become the node they name, without copying it."""

    def __init__(self, source: SourceFile) -> None:
        self.found: list[Finding] = []
        self._source = source
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def compose(self) -> Mapping | None:
        try:
            return self._compose_file(yaml.parse(self._source.text, Loader=_LOADER))
        except yaml.YAMLError as error:
            self.found += _explain(self._source, error)
        except _Unusable:
            pass
        return None

    def _compose_file(self, events: Iterator[yaml.Event]) -> Mapping | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                root = self._compose_node(event, events, 1)
            elif isinstance(event, yaml.DocumentStartEvent) and root is not None:
                self._report(rules.SECOND_DOCUMENT, event, "Only the first is read.", "put it in a file of its own")
                break
        if isinstance(root, Mapping):
            return root
        place = Place(self._source.name)
        if root is None or (isinstance(root, Scalar) and root.is_nothing):
            self.found.append(rules.EMPTY_FILE.at(place, "There is nothing in it but space and comments."))
        else:
            self.found.append(rules.NOT_A_MAPPING.at(place, "Its top has to be lines of `key: value`."))
        return None

    def _compose_node(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Node:
        self._nodes += 1
        if self._nodes > YAML_NODES_MAX:
            self._stop(rules.TOO_MANY_NODES, event, f"The bound is {YAML_NODES_MAX} values.")
        if depth > YAML_DEPTH_MAX:
            self._stop(rules.TOO_DEEP, event, f"The bound is {YAML_DEPTH_MAX} levels.")
        if isinstance(event, yaml.AliasEvent):
            return self._resolve_alias(event)
        if getattr(event, "tag", None) is not None:
            self._report(rules.TAG, event, "Every value is text here, so none needs a tag.", "remove the `!…`")
        node = self._compose_content(event, events, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _compose_content(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._span(event), event.value, event.style or "")
        if isinstance(event, yaml.SequenceStartEvent):
            children = _until(events, yaml.SequenceEndEvent)
            return Sequence(
                self._span(event), tuple([self._compose_node(child, events, depth + 1) for child in children])
            )
        return self._compose_mapping(event, events, depth)

    def _compose_mapping(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        for child in _until(events, yaml.MappingEndEvent):
            key = self._compose_node(child, events, depth + 1)
            value = self._compose_node(_next_node(events), events, depth + 1)
            if isinstance(key, Scalar) and self._accept_key(child, key, entries):
                entries[key.text] = (key, value)
            elif not isinstance(key, Scalar):
                hint = "quote a value that starts with `{{`" if isinstance(key, Mapping) else None
                self._report(rules.KEY_KIND, child, "A key is one word of text.", hint)
        return Mapping(self._span(event), entries)

    def _accept_key(self, event: yaml.Event, key: Scalar, entries: dict[str, tuple[Scalar, Node]]) -> bool:
        if key.text == "<<" and not key.style:
            self._report(rules.MERGE_KEY, event, "`<<` hides what a reviewer should see.", "write the fields out")
        elif key.text in entries:
            first = entries[key.text][0].span.line
            detail = f"`{shorten(key.text)}` is already on line {first}; only one of the two can be meant."
            self._report(rules.DUPLICATE_KEY, event, detail, "remove one of them")
        else:
            return True
        return False

    def _resolve_alias(self, event: yaml.AliasEvent) -> Node:
        name = str(event.anchor)
        node = self._anchors.get(name)
        if node is None:
            detail = "No value that ends before this one has that name."
            self._report(rules.ALIAS, event, detail, "quote the value if it is meant to start with `*`")
            return Scalar(self._span(event), "", _UNRESOLVED)
        return node

    def _span(self, event: yaml.Event) -> Span:
        start, end = cast("yaml.Mark", event.start_mark), cast("yaml.Mark", event.end_mark)
        last = end.column if end.line == start.line else len(_line(self._source, start.line))
        return Span(start.line + 1, start.column + 1, last - start.column)

    def _report(self, rule: Rule, event: yaml.Event, detail: str, hint: str | None = None) -> None:
        span = self._span(event)
        self.found.append(rule.at(self._source.place(span.line, span.column, span.width), detail, hint))

    def _stop(self, rule: Rule, event: yaml.Event, detail: str) -> None:
        self._report(rule, event, detail)
        raise _Unusable


def _until(events: Iterator[yaml.Event], end: type[yaml.Event]) -> Iterator[yaml.NodeEvent]:
    for event in events:
        if isinstance(event, end):
            return
        if isinstance(event, yaml.NodeEvent):
            yield event


def _next_node(events: Iterator[yaml.Event]) -> yaml.NodeEvent:
    return next(event for event in events if isinstance(event, yaml.NodeEvent))


class _Expander:
    """Nodes into plain data, with aliases written out, counted and bounded."""

    def __init__(self, source: SourceFile) -> None:
        self.found: list[Finding] = []
        self.empty: list[Path] = []
        self.overflowed = False
        self._source = source
        self._nodes = 0

    def expand(self, node: Node, path: Path, key: Span) -> Any:
        self._nodes += 1
        if len(path) > YAML_DEPTH_MAX:
            self._overflow(key, rules.TOO_DEEP)
        elif self._nodes > YAML_NODES_MAX:
            self._overflow(key, rules.TOO_MANY_NODES)
        if self.overflowed:
            return ""
        if isinstance(node, Scalar):
            return node.text
        if isinstance(node, Sequence):
            return self._expand_items(node, path)
        return self._expand_entries(node, path)

    def _expand_entries(self, node: Mapping, path: Path) -> dict[str, Any]:
        return {
            name: self.expand(value, (*path, name), key.span)
            for name, (key, value) in node.entries.items()
            if not self.overflowed and self._has_value(value, (*path, name), key.span)
        }

    def _expand_items(self, node: Sequence, path: Path) -> list[Any]:
        return [
            self.expand(item, (*path, index), item.span)
            for index, item in enumerate(node.items)
            if not self.overflowed and self._has_value(item, (*path, index), item.span)
        ]

    def _has_value(self, node: Node, path: Path, span: Span) -> bool:
        if not isinstance(node, Scalar) or not (node.is_nothing or node.style == _UNRESOLVED):
            return True
        self.empty.append(path)
        if node.style == _UNRESOLVED:
            return False
        written = f"`{node.text}`" if node.text else "an empty value"
        hint = "give it a value or remove the line; quote it if that text is meant"
        place = self._source.place(span.line, span.column, span.width)
        self.found.append(rules.EMPTY_VALUE.at(place, f"Here is {written}, which says nothing.", hint))
        return False

    def _overflow(self, span: Span, rule: Rule) -> None:
        if not self.overflowed:
            detail = f"With aliases written out: more than {YAML_NODES_MAX} values or {YAML_DEPTH_MAX} levels."
            self.found.append(rule.at(self._source.place(span.line, span.column, span.width), detail))
        self.overflowed = True


def _explain(source: SourceFile, error: yaml.YAMLError) -> list[Finding]:
    """A parser's complaint in words that help; each line that is indented by tabs if that is the trouble."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return [rules.SYNTAX.at(Place(source.name), "It holds characters that YAML does not allow.")]
    mark, problem = error.problem_mark, str(error.problem).strip()
    if "\t" in _indentation(_line(source, mark.line)):
        return _find_tabs(source)
    noticed = ""
    if error.context_mark is not None and ("end of stream" in problem or "expected ',' or" in problem):
        noticed = f" (noticed on line {mark.line + 1})" if mark.line != error.context_mark.line else ""
        mark = error.context_mark
    line = _line(source, mark.line)
    place = source.place(min(mark.line + 1, len(source.lines)), min(mark.column, len(line)) + 1)
    return [rules.SYNTAX.at(place, f"{problem.capitalize()}{noticed}.", _hint(line, mark.column, problem))]


def _line(source: SourceFile, index: int) -> str:
    return source.lines[min(index, len(source.lines) - 1)]


def _hint(line: str, column: int, problem: str) -> str | None:
    if "mapping values are not allowed" in problem:
        return "quote a value that holds `: `, or check the indentation of this line"
    if "end of stream" in problem:
        return "close the quote"
    if "escape" in problem:
        return "in double quotes a backslash starts an escape; use single quotes or write it twice"
    if "expected ',' or" in problem:
        return "close the bracket; quote a value that starts with `[` or `{`"
    return _OPENING_HINTS.get(line[column : column + 1])


def _find_tabs(source: SourceFile) -> list[Finding]:
    tabs = [(number, line.index("\t")) for number, line in enumerate(source.lines, 1) if "\t" in _indentation(line)]
    hint = "indent with spaces; most editors can convert the whole file"
    return [
        rules.TAB.at(source.place(number, column + 1), "YAML allows only spaces here.", hint) for number, column in tabs
    ]


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def shorten(text: str, characters_max: int = 40) -> str:
    """A value of the user's as it may stand in a sentence: one line, not too long."""
    shown = "".join(character if character.isprintable() else "·" for character in text)
    return shown if len(shown) <= characters_max else shown[: characters_max - 1] + "…"

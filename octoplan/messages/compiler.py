"""
Compile a template to one text of the API and its merge fields.

Invariant: for every recipient, the text with its merge fields filled in is what the template itself renders.

Only a flat template (text and `{{ … }}`) has such a form; everything else is `Uncompilable`, and its recipients are
grouped by identical text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from jinja2 import nodes

from octoplan.messages.template import Expression, ParsedTemplate, Renderer, TemplateBody, read_body

NAME_SLOTS: Final = ("first_name", "last_name")
PARAM_SLOTS: Final = ("param1", "param2", "param3", "param4", "param5")
"""The merge fields of the API: these seven and no others."""

_Expressions = tuple[Expression, ...]
_Fragment = str | _Expressions


@dataclass(frozen=True, slots=True)
class Slot:
    """A merge field and the neighbouring expressions that fill it; `name` is the API's, such as `param1`."""

    name: str
    expressions: _Expressions

    @property
    def source(self) -> str:
        """What fills it, for a person: `first_name | title`."""
        if len(self.expressions) == 1:
            return self.expressions[0].source
        return "".join(f"{{{{ {expression.source} }}}}" for expression in self.expressions)

    @property
    def names(self) -> frozenset[str]:
        """The variables it depends on."""
        return frozenset().union(*(expression.names for expression in self.expressions))

    @property
    def plain(self) -> str | None:
        """The variable's name, if its value is the merge field as it is."""
        return self.expressions[0].plain if len(self.expressions) == 1 else None

    def renderer(self) -> Renderer:
        """What makes its value."""
        return _renderer(self.expressions)


@dataclass(frozen=True, slots=True)
class CompiledText:
    """One text of the API: static text and merge fields, in order. A merge field may occur more than once."""

    parts: tuple[str | Slot, ...]

    @property
    def api_text(self) -> str:
        """The text as the API takes it: `Bonjour {first_name}`."""
        return "".join(part if isinstance(part, str) else f"{{{part.name}}}" for part in self.parts)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Each merge field once, in order of its name, which is also the order of the keys in canonical JSON."""
        slots = {part.name: part for part in self.parts if isinstance(part, Slot)}
        return tuple(slots[name] for name in sorted(slots))


@dataclass(frozen=True, slots=True)
class Uncompilable:
    """Why a template has no compiled form: half a sentence for the plan."""

    reason: str


def compile_template(template: ParsedTemplate, variables: Mapping[str, str]) -> CompiledText | Uncompilable:
    """
    The compiled form of a template; `variables` are the campaign's own `vars` and become static text.

    Merge fields are given in order of first appearance; equal expressions share one, neighbours without text between
    them are one. What depends on `first_name` or `last_name` alone takes the API's field of that name.
    """
    body = read_body(template, variables)
    if logic := _logic(body):
        return Uncompilable(f"it uses {logic}")
    fragments = list(_fragments(body, variables))
    if any(isinstance(fragment, str) and ("{" in fragment or "}" in fragment) for fragment in fragments):
        return Uncompilable("its text has braces, which the API reads as merge fields")
    groups = dict.fromkeys(_key(fragment) for fragment in fragments if not isinstance(fragment, str))
    if len(groups) > len(NAME_SLOTS) + len(PARAM_SLOTS):
        return Uncompilable(f"it needs {len(groups)} merge fields, and the API has 7")
    by_key = {_key(fragment): fragment for fragment in fragments if not isinstance(fragment, str)}
    slots = _assign_slots([by_key[key] for key in groups])
    return CompiledText(tuple(part if isinstance(part, str) else slots[_key(part)] for part in fragments))


def _logic(body: TemplateBody) -> str | None:
    """The first statement of a template that is not flat."""
    words = ((nodes.If, "`{% if %}`"), (nodes.For, "`{% for %}`"), (nodes.Assign, "`{% set %}`"))
    return next((word for node in body.tree.body for kind, word in words if isinstance(node, kind)), None)


def _fragments(body: TemplateBody, variables: Mapping[str, str]) -> Iterator[_Fragment]:
    """Static text and neighbouring expressions in turn; what depends on nothing but `variables` is static."""
    pieces = (_folded(piece, variables) for piece in _pieces(body))
    for is_text, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        members = list(group)
        if is_text:
            yield "".join(member for member in members if isinstance(member, str))
        else:
            yield tuple(member for member in members if isinstance(member, Expression))


def _pieces(body: TemplateBody) -> Iterator[str | Expression]:
    expressions = iter(body.expressions)
    for output in body.tree.find_all(nodes.Output):
        for node in output.nodes:
            yield node.data if isinstance(node, nodes.TemplateData) else next(expressions)


def _folded(piece: str | Expression, variables: Mapping[str, str]) -> str | Expression:
    """The text of a constant expression. One that fails stays: it fails for every recipient, and is counted there."""
    if isinstance(piece, str) or not piece.names <= variables.keys():
        return piece
    text = _renderer([piece]).render(dict(variables))
    return text if isinstance(text, str) else piece


def _renderer(expressions: Sequence[Expression]) -> Renderer:
    return Renderer([nodes.Output([expression.node for expression in expressions], lineno=1)])


def _key(expressions: Iterable[Expression]) -> tuple[str, ...]:
    return tuple(expression.key for expression in expressions)


def _assign_slots(groups: Sequence[_Expressions]) -> dict[tuple[str, ...], Slot]:
    """A merge field for each group: its own name first, then param1 to param5, then what is left of the names."""
    named: dict[str, _Expressions] = {}
    for group in groups:
        names = frozenset().union(*(expression.names for expression in group))
        own = next((name for name in NAME_SLOTS if names == {name}), None)
        if own and own not in named:
            named[own] = group
    free = iter([*PARAM_SLOTS, *(name for name in NAME_SLOTS if name not in named)])
    taken = {_key(group): name for name, group in named.items()}
    return {_key(group): Slot(taken.get(_key(group)) or next(free), group) for group in groups}

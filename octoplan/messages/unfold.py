"""
Take a template apart into static text, fragments that give a text for each recipient, and choices between branches.

Invariants:
- Joined in order, with the branch that a recipient takes in place of each choice, the parts give what the template
  gives as a whole; a part fails for a recipient if and only if the template would fail there.
- A fragment carries every `set` and `macro` that it needs, so it can be rendered alone, for the few columns it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from jinja2 import nodes

from octoplan.limits import TEMPLATE_CHOICES_MAX
from octoplan.messages.handling import AS_WRITTEN, Handling
from octoplan.messages.template import ParsedTemplate, Renderer, TemplateBody, free_names, read_body

Path = tuple[tuple[int, int], ...]
"""The branches that lead to a part: number of the choice, and of its branch."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """
    What gives a text for each recipient: a `{{ … }}`, a loop, or the number of the branch that is taken.

    `number` is equal for fragments that mean the same. `names` are the columns it reads; `plain` is the column's name
    if it is nothing but that. `expression` is the index of its only `{{ … }}`. A value that `is_checked` is not empty
    and holds nothing that a merge field could not, once its characters are replaced; what a loop or macro gives may.
    """

    number: int
    source: str = field(compare=False)
    names: frozenset[str] = field(compare=False)
    body: tuple[nodes.Node, ...] = field(compare=False, repr=False)
    plain: str | None = field(default=None, compare=False)
    expression: int | None = field(default=None, compare=False)
    is_checked: bool = field(default=False, compare=False)
    handling: Handling = field(default=AS_WRITTEN, compare=False, repr=False)

    def renderer(self) -> Renderer:
        """What makes its text."""
        return Renderer(self.body, self.handling)


@dataclass(frozen=True, slots=True)
class Check:
    """A `set`: it gives no text, but it may fail."""

    fragment: Fragment


@dataclass(frozen=True, slots=True)
class Choice:
    """
    An `{% if %}`: `selector` gives the number of the branch, and `branches` what each gives; `else` is the last.

    `conditions` are written in the template, one for each branch but the last.
    """

    selector: Fragment
    branches: tuple[tuple[Part, ...], ...]
    conditions: tuple[str, ...] = field(compare=False)

    @property
    def number(self) -> int:
        """Equal for choices with the same conditions, which always go the same way."""
        return self.selector.number


Part = str | Fragment | Check | Choice


def unfold(template: ParsedTemplate, variables: Mapping[str, str]) -> tuple[Part, ...]:
    """
    The parts of a template; what depends on nothing but `variables`, the campaign's own `vars`, is static text.

    An `if` beyond the first `TEMPLATE_CHOICES_MAX` is one fragment with all its branches.
    """
    body = read_body(template, variables)
    parts, _ = _Unfolder(body, template.variables, variables).sequence(body.tree.body, (), ())
    return merged(parts)


def with_replaced(parts: Sequence[Part], replaced: Callable[[str], str]) -> tuple[Part, ...]:
    """The same parts with their static text as it is sent."""
    return merged([_with_replaced(part, replaced) for part in parts])


def _with_replaced(part: Part, replaced: Callable[[str], str]) -> Part:
    match part:
        case str():
            return replaced(part)
        case Choice():
            return replace(part, branches=tuple(with_replaced(branch, replaced) for branch in part.branches))
        case _:
            return part


def merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The same parts with neighbouring static text in one piece, and none of it empty."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return tuple(found)


_Statements = tuple[nodes.Node, ...]


class _Unfolder:
    """Walks a guarded syntax tree and numbers what it finds."""

    def __init__(self, body: TemplateBody, columns: frozenset[str], variables: Mapping[str, str]) -> None:
        self.body = body
        self.columns = columns - variables.keys()
        self.variables = dict(variables)
        self.numbers: dict[tuple[Path, str], int] = {}
        self.choices = 0

    def sequence(self, nodes_: Sequence[nodes.Node], before: _Statements, path: Path) -> tuple[list[Part], _Statements]:
        """The parts of some neighbouring nodes, and `before` with the statements that hold after them."""
        parts: list[Part] = []
        for node in nodes_:
            match node:
                case nodes.Output():
                    parts += [self._output(child, before, path) for child in node.nodes]
                case nodes.Macro():
                    before = (*before, node)
                case nodes.Assign():
                    check = self._folded(self._fragment("{% set %}", (node,), before, path))
                    parts += [Check(check)] if isinstance(check, Fragment) else []
                    before = (*before, node)
                case nodes.With(targets=[]):
                    parts += self.sequence(node.body, before, path)[0]
                case nodes.If():
                    parts += self._choice(node, before, path)
                    before = (*before, *_assignments([node]))
                case _:
                    source = self.body.statements.get(id(node), "with")
                    parts.append(self._folded(self._fragment(f"{{% {source} %}}", (node,), before, path)))
        return parts, before

    def _output(self, child: nodes.Node, before: _Statements, path: Path) -> Part:
        if isinstance(child, nodes.TemplateData):
            return child.data
        expression, is_checked = self.body.expression_of(child)
        plain = expression.plain if expression.plain in self.columns else None
        if plain is not None and any(plain in _stored(statement) for statement in before):
            plain = None
        output = nodes.Output([child], lineno=expression.line)
        details = {"plain": plain, "expression": expression.index, "is_checked": is_checked}
        return self._folded(self._fragment(expression.source, (output,), before, path, expression.key, **details))

    def _choice(self, node: nodes.If, before: _Statements, path: Path) -> list[Part]:
        source = f"{{% {self.body.statements[id(node)]} %}}"
        if self.choices == TEMPLATE_CHOICES_MAX:
            return [self._fragment(source, (node,), before, path)]
        arms = [node, *node.elif_]
        selector = self._fragment(source, (_selector(arms),), before, path)
        bodies = [*(arm.body for arm in arms), node.else_]
        if not selector.names and isinstance(taken := selector.renderer().render(self.variables), str):
            return self.sequence(bodies[int(taken)], before, path)[0]
        self.choices += 1
        conditions = tuple(self.body.statements[id(arm)].removeprefix("el").removeprefix("if ") for arm in arms)
        branches = []
        for number, body in enumerate(bodies):
            parts, _ = self.sequence(body, before, (*path, (selector.number, number)))
            branches.append(merged(parts))
        if len(set(branches)) == 1:
            return [Check(selector), *branches[0]]
        return [Choice(selector, tuple(branches), conditions)]

    def _fragment(
        self,
        source: str,
        own: _Statements,
        before: _Statements,
        path: Path,
        key: str | None = None,
        **details: object,
    ) -> Fragment:
        body = (*_needed(before, own), *own)
        names = free_names(body) & self.columns
        identity = (path, repr(body[:-1]) + (key or repr(own)))
        number = self.numbers.setdefault(identity, len(self.numbers))
        handling = self.body.handling
        return Fragment(number, source, names, body, handling=handling, **details)  # type: ignore[arg-type]

    def _folded(self, fragment: Fragment) -> Part:
        """The text of a constant. One that fails stays: it fails for every recipient, and is counted there."""
        if fragment.names:
            return fragment
        text = fragment.renderer().render(self.variables)
        return text if isinstance(text, str) else fragment


def _selector(arms: Sequence[nodes.If]) -> nodes.If:
    """The same conditions with the number of each branch as its text."""
    first, *others = (nodes.If(arm.test, [_data(number)], [], [], lineno=arm.lineno) for number, arm in enumerate(arms))
    return nodes.If(first.test, first.body, others, [_data(len(arms))], lineno=first.lineno)


def _data(number: int) -> nodes.Output:
    return nodes.Output([nodes.TemplateData(str(number))])


def _assignments(found: Sequence[nodes.Node]) -> list[nodes.Node]:
    """Nodes with everything taken out but `set`, and the conditions around it."""
    kept: list[nodes.Node] = []
    for node in found:
        if isinstance(node, nodes.Assign):
            kept.append(node)
        elif isinstance(node, nodes.If) and any(True for _ in _own_assignments(node)):
            branches = [_assignments(branch) for branch in (node.body, node.else_)]
            others = [nodes.If(each.test, _assignments(each.body), [], [], lineno=each.lineno) for each in node.elif_]
            kept.append(nodes.If(node.test, branches[0], others, branches[1], lineno=node.lineno))
    return kept


def _own_assignments(node: nodes.Node) -> Iterator[nodes.Assign]:
    """Each `set` in a node that holds after it: those in loops and in `with` do not."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Assign):
            yield child
        elif not isinstance(child, nodes.For | nodes.With | nodes.Macro):
            yield from _own_assignments(child)


def _needed(before: _Statements, own: _Statements) -> _Statements:
    """The statements on which `own` depends, in their order."""
    wanted = {name.name for node in own for name in node.find_all(nodes.Name)}
    kept: set[int] = set()
    while True:
        more = [number for number, node in enumerate(before) if number not in kept and wanted & _stored(node)]
        if not more:
            return tuple(node for number, node in enumerate(before) if number in kept)
        kept.update(more)
        wanted |= {name.name for number in more for name in before[number].find_all(nodes.Name)}


def _stored(statement: nodes.Node) -> frozenset[str]:
    """The names to which a statement gives a meaning."""
    if isinstance(statement, nodes.Macro):
        return frozenset((statement.name,))
    own = [statement] if isinstance(statement, nodes.Assign) else list(_own_assignments(statement))
    return frozenset(
        name.name
        for assign in own
        for target in (assign.target, *assign.target.iter_child_nodes())
        if isinstance(target, nodes.Name)
        for name in (target,)
    )

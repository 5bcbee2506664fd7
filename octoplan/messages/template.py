"""
Jinja templates from campaign files, which a stranger may have written.

Invariants:
- A template reads nothing but its variables: no file, no import, no attribute of a Python object.
- It ends soon and stays small, whatever is written in it: only listed constructs, filters and tests are accepted, loops
  count their work, and each operation that can make a text or number grow is bounded before it grows.
- It gives the same text everywhere: nothing whose text depends on the process (functions, addresses) can be put out.
- What it gives equals Jinja's own rendering, or is a `Fault`; each `{{ … }}` gives text that is safe to send.

The guards are filters whose names hold a space, so that no template can name them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from textwrap import shorten
from typing import Any, Final, Literal, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, filters, meta, nodes, pass_context
from jinja2 import tests as jinja_tests
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from octoplan.diagnostics import Finding, InvalidInput, Place, Rule, require_no_errors
from octoplan.limits import (
    EXPRESSION_SHOWN_CHARACTERS_MAX,
    INCLUDES_FOLDER,
    TEMPLATE_CHARACTERS_MAX,
    TEMPLATE_DECIMALS_MAX,
    TEMPLATE_DEPTH_MAX,
    TEMPLATE_LOOP_DEPTH_MAX,
    TEMPLATE_NUMBER_MAX,
    TEMPLATE_OUTPUT_CHARACTERS_MAX,
    TEMPLATE_RANGE_MAX,
    TEMPLATE_WORK_MAX,
)
from octoplan.messages import rules
from octoplan.messages.handling import AS_WRITTEN, Handling
from octoplan.messages.includes import Origin, ReadInclude, expand_includes
from octoplan.values.names import nearest

_WORK: Final = "work done"
_AS_TEXT: Final = "as text"
_AS_CALLED: Final = "as called"
_CALLED: Final = "called"
_COUNTED: Final = "counted steps"
_CONCATENATED: Final = "joined texts"

# --- what the stages after this one see ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParsedTemplate:
    """
    A template that may be rendered. `source` is normalised; `place` is where its first line starts.

    `variables` are the names it reads: columns of the recipients, or the campaign's `vars`. `findings` are warnings.
    `included` has the text of each file that was put into `source`, and `lines` where its lines come from.
    `handling` says what becomes of its characters and values.
    """

    source: str
    place: Place | None
    variables: frozenset[str]
    findings: tuple[Finding, ...] = ()
    included: Mapping[str, str] = field(default_factory=dict, repr=False)
    lines: tuple[Origin, ...] = field(default=(), repr=False)
    handling: Handling = AS_WRITTEN

    def place_at(self, line: int) -> Place | None:
        """Where a line of `source` is written."""
        return _place_at(self.source, self.place, self.lines, line)


@dataclass(frozen=True, slots=True)
class Expression:
    """
    One `{{ … }}`. `line` counts from 1 inside the template, `index` from 0; `names` are the variables that it reads.

    `key` is equal for expressions that mean the same; `plain` is the variable's name if it is nothing but that.
    """

    index: int
    source: str
    line: int
    names: frozenset[str]
    plain: str | None
    key: str
    node: nodes.Expr = field(repr=False)


@dataclass(frozen=True, slots=True)
class TemplateBody:
    """
    A template taken apart: its guarded syntax tree, and its expressions in the order in which they are written.

    `statements` has for the `id` of each `if` and `for` in the tree what is written between `{%` and `%}`.
    """

    tree: nodes.Template
    expressions: tuple[Expression, ...]
    statements: Mapping[int, str] = field(repr=False)
    handling: Handling = AS_WRITTEN

    def expression_of(self, output: nodes.Node) -> tuple[Expression, bool]:
        """The expression behind a child of an output, and whether its text is checked as a value."""
        guard = cast("nodes.Filter", output)
        return self.expressions[cast("nodes.Const", guard.args[0]).value], guard.name == _AS_TEXT


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Why a template gives nothing for some values, or something else than they are. Holds no value.

    `expression` is the index of the `{{ … }}` if known; `variable` the column that is missing.
    """

    rule: Rule
    expression: int | None = None
    variable: str | None = None


class _Broken(Exception):
    """A guard has found a broken rule while rendering."""

    def __init__(self, rule: Rule, expression: int | None = None) -> None:
        super().__init__(rule.code)
        self.fault = Fault(rule, expression)


# --- operations that could grow --------------------------------------------------------------------------------------


def _require_length(length: int) -> None:
    if length > TEMPLATE_OUTPUT_CHARACTERS_MAX:
        raise _Broken(rules.UNBOUNDED)


def _bounded_replace(text: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = str(text), str(old), str(new)
    _require_length(len(text) + text.count(old) * len(new))
    return str(text.replace(old, new, -1 if count is None else count))


def _bounded_join(values: Iterable[Any], separator: Any = "") -> str:
    texts = [str(value) for value in values]
    _require_length(sum(len(text) for text in texts) + len(str(separator)) * len(texts))
    return str(separator).join(texts)


_CONVERSION: Final = re.compile(r"%[-+ 0]?\d{0,2}(?:\.\d{1,2})?[sdf%]")


def _bounded_format(template: Any, *values: Any) -> str:
    template = str(template)
    if "%" in _CONVERSION.sub("", template):
        raise _Broken(rules.UNBOUNDED)
    _require_length(len(template) + sum(len(str(value)) for value in values))
    return str(template % values)


def _bounded_round(value: Any, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > TEMPLATE_DECIMALS_MAX:
        raise _Broken(rules.UNBOUNDED)
    return float(filters.do_round(value, precision, method))


def _bounded_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > TEMPLATE_RANGE_MAX:
        raise _Broken(rules.UNBOUNDED)
    return numbers


# --- guards ----------------------------------------------------------------------------------------------------------


@pass_context
def _as_text(context: Context, value: Any, index: int, constant: bool) -> str:
    """What a `{{ … }}` puts out, if it may be sent."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Undefined):
        raise _Broken(rules.NOT_TEXT, index)
    work: _Work = context.parent[_WORK]
    text = work.checked(str(value), index, constant=constant)
    work.add(len(text))
    return text


def _as_called(value: str, _: int) -> str:
    """What a macro gives: each `{{ … }}` in it was checked, and the rest is written in the campaign file."""
    return value


@pass_context
def _called(context: Context, cost: int) -> str:
    """Stands at the start of a macro, to count the work of each call."""
    context.parent[_WORK].add(cost)
    return ""


@pass_context
def _counted(context: Context, values: Iterable[Any], cost: int) -> Iterator[Any]:
    """What a loop goes through, counting the work of each pass."""
    work: _Work = context.parent[_WORK]
    for value in values:
        work.add(cost)
        yield value


class _Work:
    """The work of one rendering, and the values that it has changed."""

    def __init__(self, handling: Handling) -> None:
        self.handling = handling
        self.escaped: list[Fault] = []
        self.done = 0

    def checked(self, text: str, index: int, *, constant: bool) -> str:
        """A value that may be sent; its characters are not replaced yet."""
        rule = self.handling.broken_rule(text, constant=constant)
        if rule in rules.UNSAFE and self.handling.on_unsafe == "escape":
            self.escaped.append(Fault(rule, index))
            text = self.handling.escaped(text)
            rule = self.handling.broken_rule(text, constant=constant)
        if rule is not None:
            raise _Broken(rule, index)
        return text

    def add(self, cost: int) -> None:
        self.done += cost
        if self.done > TEMPLATE_WORK_MAX:
            raise _Broken(rules.UNBOUNDED)


_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": abs,
    "capitalize": filters.do_capitalize,
    "count": len,
    "d": filters.do_default,
    "default": filters.do_default,
    "first": filters.do_first,
    "float": filters.do_float,
    "format": _bounded_format,
    "int": filters.do_int,
    "join": _bounded_join,
    "last": filters.do_last,
    "length": len,
    "lower": filters.do_lower,
    "replace": _bounded_replace,
    "round": _bounded_round,
    "string": str,
    "title": filters.do_title,
    "trim": filters.do_trim,
    "truncate": filters.do_truncate,
    "upper": filters.do_upper,
}
_GUARDS: Final[Mapping[str, Callable[..., Any]]] = {
    _AS_TEXT: _as_text,
    _AS_CALLED: _as_called,
    _CALLED: _called,
    _COUNTED: _counted,
    _CONCATENATED: _bounded_join,
}
_TESTS: Final = {
    name: jinja_tests.TESTS[name]
    for name in (
        *("defined", "undefined", "none", "string", "number", "boolean", "odd", "even", "divisibleby"),
        *("in", "eq", "ne", "lt", "le", "gt", "ge", "==", "!=", "<", "<=", ">", ">=", "lower", "upper"),
    )
}
_METHODS: Final = frozenset(
    ("upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "split", "startswith", "endswith")
)
"""Methods of text that make nothing larger than what they are given."""
_LOOP_FIELDS: Final = frozenset(("index", "index0", "revindex", "revindex0", "first", "last", "length"))


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja with nothing in it but what the tables above list."""

    intercepted_binops = frozenset(("+", "*", "%"))

    def __init__(self) -> None:
        # The last line break is dropped when the template is read; Jinja must not drop another.
        super().__init__(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
        self.globals = {"range": _bounded_range}
        self.filters = {**_FILTERS, **_GUARDS}
        self.tests = dict(_TESTS)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Do `+`, `*` and `%` where the result stays small."""
        if not _is_small(operator, left, right):
            raise _Broken(rules.UNBOUNDED)
        return super().call_binop(context, operator, left, right)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up a position or key; never an attribute."""
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)


def _is_small(operator: str, left: Any, right: Any) -> bool:
    """
    Whether the result is bounded; lists never are, and `%` is no way to format.

    An undefined operand passes: the operation itself raises for it.
    """
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return True
    if isinstance(left, int | float) and isinstance(right, int | float):
        return operator == "%" or abs(left + right if operator == "+" else left * right) <= TEMPLATE_NUMBER_MAX
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        return len(left) + len(right) <= TEMPLATE_OUTPUT_CHARACTERS_MAX
    text, times = (right, left) if isinstance(right, str) else (left, right)
    is_repeated = operator == "*" and isinstance(text, str) and isinstance(times, int)
    return is_repeated and len(text) * times <= TEMPLATE_OUTPUT_CHARACTERS_MAX


_ENVIRONMENT: Final = _Environment()

# --- reading ---------------------------------------------------------------------------------------------------------


def parse_template(
    source: str, place: Place | None = None, read: ReadInclude | None = None, handling: Handling = AS_WRITTEN
) -> ParsedTemplate:
    """
    Check a template and find its variables; `read` gives the files that it includes.

    Line ends become LF and characters NFC, with a warning if that changed anything: what is composed takes fewer units.
    One line break at the end is dropped, silently: a YAML block (`|`) always ends with one.

    :raises InvalidInput: with every finding, if it cannot be used.
    """
    text, findings = _normalised(source, place)
    if len(text) > TEMPLATE_CHARACTERS_MAX:
        detail = f"It has {len(text):,} characters; the most is {TEMPLATE_CHARACTERS_MAX:,}."
        findings.append(rules.TOO_LARGE.at(place, detail))
    require_no_errors(findings, "The template cannot be used.")
    expanded = expand_includes(text, None if read is None else partial(_read_normalised, read, findings))
    text, at = expanded.source, partial(_place_at, expanded.source, place, expanded.lines)
    findings += [replace(finding, place=place) for finding in expanded.findings]
    findings += _check_characters(text, at)
    require_no_errors(findings, "The template cannot be used.")
    tree = _parse(text, at)
    findings += [rule.at(at(line), *words) for rule, line, *words in _check_tree(tree)]
    require_no_errors(findings, "The template cannot be used.")
    names = free_names(tree.body)
    return ParsedTemplate(text, place, names, tuple(findings), expanded.included, expanded.lines, handling)


def _read_normalised(read: ReadInclude, findings: list[Finding], name: str) -> str:
    text, found = _normalised(read(name), Place(f"{INCLUDES_FOLDER}/{name}"))
    findings += found
    return text


def _place_at(source: str, start: Place | None, lines: Sequence[Origin], line: int) -> Place | None:
    """Where a line of a template with includes is written."""
    origin = lines[min(line, len(lines)) - 1] if lines else Origin(None, line)
    if origin.file is not None:
        return Place(f"{INCLUDES_FOLDER}/{origin.file}", origin.line)
    return place_of(source, start, origin.line, line)


def place_of(source: str, start: Place | None, line: int, shown: int | None = None) -> Place | None:
    """
    Where a line of a template is in its file. Only for the first line is the column known.

    `shown` is the line of `source` to show, if includes have moved it.
    """
    if start is None or start.line is None or line == 1:
        return start
    lines, number = source.split("\n"), shown or line
    snippet = lines[number - 1] if number <= len(lines) else None
    return replace(start, line=start.line + line - 1, column=None, snippet=snippet, width=1)


def _normalised(source: str, place: Place | None) -> tuple[str, list[Finding]]:
    line_ends = source.replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", line_ends)
    findings = []
    if line_ends != source:
        findings.append(rules.NORMALISED.at(place, "Line ends were changed to LF, which counts one unit, not two."))
    if text != line_ends:
        detail = "Characters written as letter and accent were joined (Unicode NFC): they look the same and count less."
        findings.append(rules.NORMALISED.at(place, detail))
    return text.removesuffix("\n"), findings


def _check_characters(text: str, at: Callable[[int], Place | None]) -> Iterator[Finding]:
    for rule, pattern, detail in (
        (rules.CONTROL_CHARACTER, rules.CONTROL_BUT_NEWLINE, "The template holds U+{0:04X}."),
        (rules.BIDIRECTIONAL_CONTROL, rules.BIDIRECTIONAL, "The template holds U+{0:04X}."),
    ):
        if found := pattern.search(text):
            line = text.count("\n", 0, found.start()) + 1
            yield rule.at(at(line), detail.format(ord(found.group())), "remove it")


def _parse(text: str, at: Callable[[int], Place | None]) -> nodes.Template:
    """
    The syntax tree, not too deep to be walked.

    :raises InvalidInput: if Jinja cannot read it.
    """
    line, detail = 1, f"It is nested more than {TEMPLATE_DEPTH_MAX} levels deep."
    try:
        tree = _ENVIRONMENT.parse(text)
        if _depth(tree) <= TEMPLATE_DEPTH_MAX:
            return tree
    except TemplateSyntaxError as error:
        line, detail = error.lineno, f"{error.message or 'It is no Jinja template'}."
    except (RecursionError, ValueError, OverflowError):  # ValueError: a number of thousands of digits
        pass
    finding = rules.SYNTAX.at(at(line), detail[0].upper() + detail[1:])
    raise InvalidInput("The template cannot be used.", findings=[finding])


def _depth(tree: nodes.Node) -> int:
    depth, layer = 0, [tree]
    while layer and depth <= TEMPLATE_DEPTH_MAX:
        depth, layer = depth + 1, [child for node in layer for child in node.iter_child_nodes()]
    return depth


def free_names(body: Sequence[nodes.Node]) -> frozenset[str]:
    """The variables that statements read from outside."""
    tree = nodes.Template(list(body), lineno=1).set_environment(_ENVIRONMENT)
    return frozenset(meta.find_undeclared_variables(tree))  # type: ignore[arg-type]


# --- what may be written ---------------------------------------------------------------------------------------------

_Problem = tuple[Any, ...]
"""Rule, line, detail and hint."""

_ALLOWED: Final = frozenset(
    (
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name),
        *(nodes.Macro, nodes.With),
        *(nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Filter, nodes.Test, nodes.Call),
        *(nodes.Keyword, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.CondExpr, nodes.Compare, nodes.Operand),
        *(nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div),
        *(nodes.FloorDiv, nodes.Mod, nodes.Concat),
    )
)
_NAMED: Final[Mapping[type[nodes.Node], str]] = {
    nodes.CallBlock: "`{% call %}`",
    nodes.Include: "`{% include %}`",
    nodes.Import: "`{% import %}`",
    nodes.FromImport: "`{% from %}`",
    nodes.Extends: "`{% extends %}`",
    nodes.Block: "`{% block %}`",
    nodes.FilterBlock: "`{% filter %}`",
    nodes.AssignBlock: "`{% set %}` around a block",
    nodes.ScopedEvalContextModifier: "`{% autoescape %}`",
    nodes.NSRef: "`namespace`",
    nodes.Pow: "`**`",
}
_RESERVED: Final = frozenset(("range", "loop", "self", "super", "caller", "varargs", "kwargs"))


def _check_tree(tree: nodes.Template) -> Iterator[_Problem]:
    """Each construct that is not allowed, each unknown filter, each merge field of the API's own."""
    if any(_loop_depth(node) > TEMPLATE_LOOP_DEPTH_MAX for node in tree.body):
        yield rules.CONSTRUCT, 1, f"Loops are nested more than {TEMPLATE_LOOP_DEPTH_MAX} deep."
    macros = _macro_names(tree)
    yield from _check_macros(tree, macros)
    waiting: list[tuple[nodes.Node, nodes.Node]] = [(child, tree) for child in tree.body]
    while waiting:
        node, parent = waiting.pop(0)
        if type(node) in _ALLOWED:
            yield from _check_node(node, parent, macros)
            waiting += [(child, node) for child in node.iter_child_nodes()]
        else:
            what = _NAMED.get(type(node), f"`{type(node).__name__.lower()}`")
            yield rules.CONSTRUCT, node.lineno or 1, f"{what} cannot be used here."


def _loop_depth(node: nodes.Node) -> int:
    inner = max((_loop_depth(child) for child in node.iter_child_nodes()), default=0)
    return inner + isinstance(node, nodes.For)


def _macro_names(tree: nodes.Template) -> frozenset[str]:
    return frozenset(macro.name for macro in tree.find_all(nodes.Macro))


def _check_macros(tree: nodes.Template, macros: frozenset[str]) -> Iterator[_Problem]:
    """
    A macro calls only macros that stand before it, and its name means nothing else anywhere: so calls cannot recurse.
    """
    top, known = {id(node) for node in tree.body}, set[str]()
    for macro in tree.find_all(nodes.Macro):
        if id(macro) not in top or macro.name in known or macro.name in _RESERVED:
            yield (
                rules.CONSTRUCT,
                macro.lineno,
                f"`{macro.name}` is no macro at the top of the text, with its own name.",
            )
        called = (call.node.name for call in macro.find_all(nodes.Call) if isinstance(call.node, nodes.Name))
        for name in sorted((macros - known).intersection(called)):
            yield rules.CONSTRUCT, macro.lineno, f"`{macro.name}` calls `{name}`, which does not stand before it."
        known.add(macro.name)
    for node in tree.find_all(nodes.Name):
        if node.name in macros and node.ctx != "load":
            yield rules.CONSTRUCT, node.lineno, f"`{node.name}` is the name of a macro."


def _check_node(node: nodes.Node, parent: nodes.Node, macros: frozenset[str]) -> Iterator[_Problem]:
    line = node.lineno
    match node:
        case nodes.Filter(name=name) if name not in _FILTERS:
            yield rules.UNKNOWN_FILTER, line, f"There is no filter `{name}`.", _meant(name, _FILTERS)
        case nodes.Test(name=name) if name not in _TESTS:
            yield rules.UNKNOWN_FILTER, line, f"There is no test `{name}`.", _meant(name, _TESTS)
        case nodes.Name(name=name) if name in _RESERVED and not _is_governed(node, parent):
            yield rules.CONSTRUCT, line, f"`{name}` cannot be used like this.", "it is a word of Jinja's own"
        case nodes.Name(name=name, ctx="load") if name in macros and not _is_called(node, parent):
            yield rules.CONSTRUCT, line, f"`{name}` is a macro, and can only be called."
        case nodes.Call() if not _is_known_call(node, macros):
            detail = "Only `range(…)`, macros and simple methods of text can be called."
            yield rules.CONSTRUCT, line, detail, "use a filter"
        case nodes.Getattr(attr=name) if not (_is_loop_field(node) or _is_called(node, parent)):
            yield rules.CONSTRUCT, line, f"`.{name}` cannot be used: a value is text and has no fields."
        case nodes.If(elif_=branches) if len(branches) > TEMPLATE_DEPTH_MAX:  # Python nests what Jinja lists
            yield rules.CONSTRUCT, line, f"`{{% if %}}` has more than {TEMPLATE_DEPTH_MAX} branches."
        case nodes.For(recursive=True):
            yield rules.CONSTRUCT, line, "A loop cannot be recursive."
        case nodes.List() | nodes.Tuple(ctx="load") | nodes.Dict() if not _is_constant(node):
            yield rules.CONSTRUCT, line, "A list can hold constants only."
        case nodes.TemplateData(data=data):
            yield from _check_text(data, line)


def _check_text(text: str, line: int) -> Iterator[_Problem]:
    if found := rules.PLACEHOLDER.search(text):
        name = found.group()[1:-1]
        yield rules.LITERAL_PLACEHOLDER, line, f"`{{{name}}}` is for the API.", f"write `{{{{ {name} }}}}`"
    if found := re.search(rules.SHORTENER, text):
        hint = "use the full address, or a short domain of your own"
        yield rules.SHORTENED_LINK_IN_TEXT, line, "Operators may drop the whole message.", hint


def _is_called(node: nodes.Node, parent: nodes.Node) -> bool:
    return isinstance(parent, nodes.Call) and parent.node is node


def _is_governed(name: nodes.Name, parent: nodes.Node) -> bool:
    """`range` may only be called, `loop` only be asked for a field."""
    if name.name == "range":
        return _is_called(name, parent)
    return isinstance(parent, nodes.Getattr) and _is_loop_field(parent)


def _is_known_call(call: nodes.Call, macros: frozenset[str]) -> bool:
    match call.node:
        case nodes.Name(name=name):
            return name == "range" or name in macros
        case nodes.Getattr(attr=name):
            return name in _METHODS
        case _:
            return False


def _is_loop_field(node: nodes.Getattr) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in _LOOP_FIELDS


def _is_constant(node: nodes.Node) -> bool:
    children = list(node.iter_child_nodes())
    if isinstance(node, nodes.Dict):
        return all(isinstance(part, nodes.Const) for pair in children for part in pair.iter_child_nodes())
    return all(isinstance(child, nodes.Const) for child in children)


def _meant(name: str, known: Iterable[str]) -> str:
    meant = nearest(name, known)
    words = ", ".join(sorted(word for word in known if word.isalpha()))
    return f"did you mean `{meant}`?" if meant else f"known are {words}"


# --- rendering -------------------------------------------------------------------------------------------------------


def read_body(template: ParsedTemplate, constants: Iterable[str] = ()) -> TemplateBody:
    """Take a template apart. `constants` are the names that the campaign file itself gives a value."""
    tree = _ENVIRONMENT.parse(template.source)
    guard = _Guard(template.source, frozenset(constants), _macro_names(tree))
    guard.visit(tree)
    tree.set_environment(_ENVIRONMENT)
    return TemplateBody(tree, tuple(guard.expressions), guard.statements, template.handling)


class _Guard(NodeTransformer):
    """Puts the guards into a syntax tree and lists its expressions."""

    def __init__(self, source: str, constants: frozenset[str], macros: frozenset[str]) -> None:
        self.sources = list(_sources(source, "variable", ()))
        self.heads = _sources(source, "block", ("if", "elif", "for"))
        self.constants = constants
        self.macros = macros
        self.expressions: list[Expression] = []
        self.statements: dict[int, str] = {}

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802 - the name is Jinja's
        guarded = [self._guarded(each) for each in node.nodes]
        return nodes.Output(guarded, lineno=node.lineno)

    def _guarded(self, node: nodes.Expr) -> nodes.Expr:
        if isinstance(node, nodes.TemplateData):
            return node
        index, key, names = len(self.expressions), repr(node), free_names([nodes.Output([node])]) - self.macros
        plain = node.name if isinstance(node, nodes.Name) else None
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in self.macros:
            name, guards = _AS_CALLED, [nodes.Const(index)]
        else:
            name, guards = _AS_TEXT, [nodes.Const(index), nodes.Const(names <= self.constants)]
        guarded = _filter(cast("nodes.Expr", self.visit(node)), name, guards)
        self.expressions.append(Expression(index, self.sources[index], node.lineno, names, plain, key, guarded))
        return guarded

    def visit_If(self, node: nodes.If) -> nodes.If:  # noqa: N802 - the name is Jinja's
        self.statements[id(node)] = next(self.heads)
        self.generic_visit(node)
        return node

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - the name is Jinja's
        self.statements[id(node)] = next(self.heads)
        size = _size(node)
        self.generic_visit(node)
        node.iter = _filter(cast("nodes.Expr", node.iter), _COUNTED, [nodes.Const(size)])
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:  # noqa: N802 - the name is Jinja's
        count = _filter(nodes.Const(_size(node)), _CALLED, [])
        self.generic_visit(node)
        node.body.insert(0, nodes.Output([count], lineno=node.lineno))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802 - the name is Jinja's
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), _CONCATENATED, [])


def _filter(node: nodes.Expr, name: str, arguments: list[nodes.Const]) -> nodes.Filter:
    return nodes.Filter(node, name, arguments, [], None, None, lineno=node.lineno)


def _size(node: nodes.Node) -> int:
    """The work of going through a statement's body once: its parts, and the characters that it puts out as they are."""
    characters = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
    return characters + sum(1 for _ in node.find_all(nodes.Node))


def _sources(source: str, kind: Literal["variable", "block"], words: Sequence[str]) -> Iterator[str]:
    """
    What stands in each `{{ … }}`, or in each `{% … %}` that begins with one of `words`; short enough to be shown.

    In the order of the syntax tree.
    """
    inside: list[str] | None = None
    for _, token, text in _ENVIRONMENT.lex(source):
        if token == f"{kind}_begin":
            inside = []
        elif token == f"{kind}_end" and inside is not None:
            whole = "".join(inside)
            if not words or whole.replace("(", " ").split(maxsplit=1)[0] in words:
                yield shorten(whole, EXPRESSION_SHOWN_CHARACTERS_MAX, placeholder="…")
            inside = None
        elif inside is not None:
            inside.append(text)


class Renderer:
    """A part of a template, compiled, to be rendered for many values. It checks characters, and replaces none."""

    def __init__(self, body: Sequence[nodes.Node], handling: Handling = AS_WRITTEN) -> None:
        self._handling = handling
        tree = nodes.Template(list(body), lineno=1)
        self._template = _ENVIRONMENT.from_string(tree.set_environment(_ENVIRONMENT))  # type: ignore[arg-type]

    def render(
        self, values: Mapping[str, str | None], escaped: Callable[[Fault], None] = lambda _: None
    ) -> str | Fault:
        """
        The text for one combination of values, taken in NFC; `None` stands for a value that is missing.

        `escaped` is told of each value that is not as it was, if a text comes of it.
        """
        known = {name: unicodedata.normalize("NFC", value) for name, value in values.items() if value is not None}
        work = _Work(self._handling)
        context = self._template.new_context({**known, _WORK: work})
        try:
            text = _gathered(self._template.root_render_func(context))
        except _Broken as broken:
            return broken.fault
        except UndefinedError as error:
            missing = (name for name in values if name not in known and str(error) == f"{name!r} is undefined")
            variable = next(missing, None)
            return Fault(rules.MISSING_VALUE if variable else rules.FAILED, variable=variable)
        except Exception:  # noqa: BLE001 - whatever a template raises is the template's fault, and may quote a value
            return Fault(rules.FAILED)
        for fault in dict.fromkeys(work.escaped):
            escaped(fault)
        return text


def _gathered(pieces: Iterable[str]) -> str:
    texts, length = [], 0
    for piece in pieces:
        length += len(piece)
        _require_length(length)
        texts.append(piece)
    return "".join(texts)

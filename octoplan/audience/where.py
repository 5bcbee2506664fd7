"""
The campaign's filter, `recipients.where`: hostile text that becomes an expression made of known parts only.

Invariants:
- What runs is never the text itself: DuckDB parses it, and SQL is printed anew from the parts of the tree that are
  listed here. A part that is not listed (subquery, window, lambda, star, parameter, setting) is a finding.
- The text is one expression: the statement that it is put in must parse, as one statement that selects one thing.
- Every listed function gives the same answer for the same row, everywhere, and none makes a text longer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from octoplan.audience.engine import Engine, quote_text
from octoplan.limits import WHERE_CHARACTERS_MAX, WHERE_DEPTH_MAX

Node = dict[str, Any]
Column = Callable[[str], str]

FUNCTIONS: Final = frozenset(
    [
        *("lower", "upper", "trim", "ltrim", "rtrim", "strip_accents", "left", "right", "substring", "substr"),
        *("length", "contains", "starts_with", "ends_with", "prefix", "suffix", "nullif"),
        *("regexp_matches", "regexp_full_match", "date_part", "year", "month", "day"),
        *("abs", "round", "floor", "ceil"),
    ]
)
OPERATORS: Final = {
    "~~": "LIKE",
    "!~~": "NOT LIKE",
    "~~*": "ILIKE",
    "!~~*": "NOT ILIKE",
    "+": "+",
    "-": "-",
    "*": "*",
    "/": "/",
    "%": "%",
}
COMPARISONS: Final = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "IS DISTINCT FROM",
    "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}
CONJUNCTIONS: Final = {"CONJUNCTION_AND": " AND ", "CONJUNCTION_OR": " OR "}
TYPES: Final = {
    "BOOLEAN": "BOOLEAN",
    "INTEGER": "INTEGER",
    "INT": "INTEGER",
    "BIGINT": "BIGINT",
    "DOUBLE": "DOUBLE",
    "DECIMAL": "DECIMAL(18, 3)",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
    "TIME": "TIME",
    "VARCHAR": "VARCHAR",
    "TEXT": "VARCHAR",
}
"""What text may be converted to; nothing that depends on a time zone."""

_NUMBER: Final = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_STATEMENT: Final = "SELECT ({}\n) AS chosen FROM contacts"


class WhereError(ValueError):
    """The filter cannot be used; the message says why, for the person who wrote it."""


def compile_where(engine: Engine, where: str, column: Column) -> str:
    """
    SQL of a boolean expression that means what `where` means; null is "not selected".

    `column` gives the SQL for a column name as written, and raises `WhereError` if there is none.

    :raises WhereError: if `where` is anything but one expression made of the parts listed in this module.
    """
    if not where.strip():
        raise WhereError("it is empty; leave `where` out to select every row")
    if len(where) > WHERE_CHARACTERS_MAX:
        raise WhereError(f"it has {len(where)} characters; at most {WHERE_CHARACTERS_MAX} are read")
    try:
        return f"coalesce({_print(_parse(engine, where), column, WHERE_DEPTH_MAX)}, false)"
    except RecursionError:
        raise WhereError("it is nested too deeply") from None


def _parse(engine: Engine, where: str) -> Node:
    """The tree of the expression, if it is one."""
    parsed = json.loads(engine.value("SELECT json_serialize_sql(?)", [_STATEMENT.format(where)]))
    if parsed["error"]:
        raise WhereError(str(parsed.get("error_message", "it cannot be parsed")).splitlines()[0])
    selected = [statement["node"].get("select_list", []) for statement in parsed["statements"]]
    if [len(items) for items in selected] != [1]:
        raise WhereError("it is not one expression")
    expression: Node = selected[0][0]
    return expression


def _print(node: Node, column: Column, depth: int) -> str:
    if depth == 0:
        raise WhereError("it is nested too deeply")
    printer = _PRINTERS.get(node["class"])
    if printer is None:
        raise WhereError(f"a filter cannot hold a {node['class'].lower().replace('_', ' ')}")
    return f"({printer(node, lambda child: _print(child, column, depth - 1), column)})"


Inner = Callable[[Node], str]


def _column(node: Node, _inner: Inner, column: Column) -> str:
    names = node["column_names"]
    if len(names) != 1:
        raise WhereError(f"`{'.'.join(names)}` is no column; write the name in double quotes if it holds a dot")
    return column(names[0])


def _constant(node: Node, _inner: Inner, _of: Column) -> str:
    kind, text = node["literal"]["kind"], node["literal"]["text"]
    if kind == "STRING":
        return quote_text(text)
    if kind in ("INTEGER", "NUMERIC") and _NUMBER.fullmatch(text):
        return str(text)
    if kind in ("BOOLEAN", "NULL_LITERAL"):
        return {"true": "true", "false": "false"}.get(text, "NULL")
    raise WhereError("a filter compares with text, numbers, true, false and null")


def _comparison(node: Node, inner: Inner, _of: Column) -> str:
    return f"{inner(node['left'])} {_known(COMPARISONS, node['type'], 'comparison')} {inner(node['right'])}"


def _conjunction(node: Node, inner: Inner, _of: Column) -> str:
    return _known(CONJUNCTIONS, node["type"], "conjunction").join(inner(child) for child in node["children"])


def _between(node: Node, inner: Inner, _of: Column) -> str:
    return f"{inner(node['input'])} BETWEEN {inner(node['lower'])} AND {inner(node['upper'])}"


def _operator(node: Node, inner: Inner, _of: Column) -> str:
    first, *rest = [inner(child) for child in node["children"]]
    forms = {
        "OPERATOR_NOT": f"NOT {first}",
        "OPERATOR_IS_NULL": f"{first} IS NULL",
        "OPERATOR_IS_NOT_NULL": f"{first} IS NOT NULL",
        "OPERATOR_COALESCE": f"coalesce({', '.join([first, *rest])})",
        "COMPARE_IN": f"{first} IN ({', '.join(rest)})",
        "COMPARE_NOT_IN": f"{first} NOT IN ({', '.join(rest)})",
    }
    return _known(forms, node["type"], "operator")


def _function(node: Node, inner: Inner, _of: Column) -> str:
    name = node["function_name"].lower()
    plain = not (node["schema"] or node["catalog"] or node["filter"] or node["distinct"])
    if not plain or node["order_bys"]["orders"] or any(item["name"] for item in node["arguments"]):
        raise WhereError(f"`{name}` can only be called with plain arguments")
    arguments = [inner(item["expression"]) for item in node["arguments"]]
    if name in OPERATORS:
        return f" {OPERATORS[name]} ".join(arguments) if len(arguments) == 2 else f"{name}{arguments[0]}"
    if name not in FUNCTIONS:
        raise WhereError(f"a filter cannot use `{name}`; it can use {', '.join(sorted(FUNCTIONS))}")
    return f"{name}({', '.join(arguments)})"


def _cast(node: Node, inner: Inner, _of: Column) -> str:
    kind = node["type_expr"]
    if kind["children"] or kind["schema"] or kind["catalog"]:
        raise WhereError("a filter converts only to plain types, such as integer, double, date or boolean")
    verb = "TRY_CAST" if node["try_cast"] else "CAST"
    return f"{verb}({inner(node['child'])} AS {_known(TYPES, kind['type_name'].upper(), 'type')})"


def _case(node: Node, inner: Inner, _of: Column) -> str:
    branches = [f"WHEN {inner(check['when_expr'])} THEN {inner(check['then_expr'])}" for check in node["case_checks"]]
    return f"CASE {' '.join(branches)} ELSE {inner(node['else_expr'])} END"


def _known(names: dict[str, str], name: str, what: str) -> str:
    if name not in names:
        raise WhereError(f"a filter cannot use the {what} `{name.lower()}`")
    return names[name]


_PRINTERS: Final[dict[str, Callable[[Node, Inner, Column], str]]] = {
    "COLUMN_REF": _column,
    "CONSTANT": _constant,
    "COMPARISON": _comparison,
    "CONJUNCTION": _conjunction,
    "BETWEEN": _between,
    "OPERATOR": _operator,
    "FUNCTION": _function,
    "CAST": _cast,
    "CASE": _case,
}

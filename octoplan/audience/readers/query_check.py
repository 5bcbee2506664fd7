"""
What a campaign's query may be made of: hostile text, looked at as the tree that the engine's own parser makes of it.

Invariants:
- Only listed kinds of nodes pass; whatever a later version of the engine adds is refused until it is listed here.
- A query reads the tables that the campaign names, and nothing else: no file, no function that reads, no system table.
- Every listed function gives the same answer for the same rows, on every machine and at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import duckdb

from octoplan.audience.engine import Engine
from octoplan.limits import QUERY_CHARACTERS_MAX, QUERY_DEPTH_MAX

FUNCTIONS: Final = frozenset(
    [
        # operators
        *("+", "-", "*", "/", "//", "%", "**", "^", "&", "|", "||", "~", "<<", ">>", "!"),
        *("~~", "!~~", "~~*", "!~~*", "~~~", "^@", "@"),
        # text
        *("lower", "upper", "lcase", "ucase", "trim", "ltrim", "rtrim", "strip_accents", "nfc_normalize", "reverse"),
        *("left", "right", "substring", "substr", "length", "len", "strlen", "strpos", "position", "instr", "contains"),
        *("starts_with", "ends_with", "prefix", "suffix", "replace", "translate", "concat", "concat_ws", "split_part"),
        *("regexp_matches", "regexp_full_match", "regexp_extract", "regexp_replace", "like_escape", "ilike_escape"),
        *("not_like_escape", "not_ilike_escape", "chr", "ascii", "unicode", "md5", "sha256", "levenshtein", "soundex"),
        *("string_split", "array_to_string", "list_value", "list_element", "list_extract", "array_extract"),
        # numbers
        *("abs", "round", "floor", "ceil", "ceiling", "trunc", "sign", "mod", "pow", "power", "sqrt", "greatest"),
        *("least", "multiply", "divide", "add", "subtract"),
        # dates
        *("date_part", "datepart", "date_trunc", "datetrunc", "date_diff", "datediff", "date_add", "date_sub"),
        *("year", "month", "day", "hour", "minute", "second", "week", "quarter", "dayofweek", "isodow", "dayofyear"),
        *("last_day", "make_date", "strftime", "strptime", "try_strptime", "dayname", "monthname"),
        *("to_years", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes", "to_seconds"),
        # values
        *("if", "ifnull", "nullif", "coalesce", "typeof", "hash"),
        # many rows into one
        *("count", "count_star", "count_if", "sum", "avg", "mean", "min", "max", "min_by", "max_by", "arg_min"),
        *("arg_max", "median", "mode", "string_agg", "listagg", "group_concat", "bool_and", "bool_or", "any_value"),
        *("first", "last", "stddev", "variance", "quantile_cont", "quantile_disc", "approx_count_distinct"),
        # windows
        *("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead"),
        *("first_value", "last_value", "nth_value"),
    ]
)
TABLE_FUNCTIONS: Final = frozenset(["unnest", "range", "generate_series"])

_EXPRESSIONS: Final = frozenset(
    [
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION"),
        *("OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW"),
    ]
)
_NODES: Final = frozenset(
    [
        *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"),
        *("BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST"),
        *("ORDER_MODIFIER", "DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"),
        *("ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
    ]
)
_MOMENTARY: Final = frozenset(
    [
        *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "current_user", "user"),
        *("session_user", "current_role", "current_catalog", "current_schema", "current_database"),
    ]
)
"""Where no column has one of these names, the engine takes it for a function."""
_SYSTEM: Final = ("duckdb_", "pragma_", "sqlite_", "pg_", "information_schema")


class QueryError(ValueError):
    """The query cannot be used; the message says why, for the person who wrote it."""


def check_query(engine: Engine, query: str, tables: Iterable[str]) -> None:
    """
    Nothing, if `query` is one SELECT over `tables` and made only of what is listed here.

    :raises QueryError: otherwise.
    """
    if len(query) > QUERY_CHARACTERS_MAX:
        raise QueryError(f"it has {len(query)} characters; at most {QUERY_CHARACTERS_MAX} are read")
    known = {name.lower() for name in tables}
    tree = _parse(engine, query)
    try:
        nodes = list(_walk(tree, QUERY_DEPTH_MAX))
    except RecursionError:
        raise QueryError("it is nested too deeply") from None
    parts = {name.lower() for node in nodes for name in _part_names(node)}
    if reserved := sorted(name for name in parts if name.startswith(_SYSTEM)):
        raise QueryError(f"a part of it cannot be called `{reserved[0]}`")
    for node in nodes:
        _check_node(node, known | parts, known)


def _parse(engine: Engine, query: str) -> Any:
    try:
        parsed = json.loads(engine.value("SELECT json_serialize_sql(?)", [query]))
    except duckdb.Error as error:
        raise QueryError(str(error).splitlines()[0]) from None
    except RecursionError:
        raise QueryError("it is nested too deeply") from None
    if parsed["error"]:
        message = str(parsed.get("error_message", "it cannot be parsed")).splitlines()[0]
        raise QueryError("only a SELECT can be asked" if "Only SELECT" in message else message)
    if len(parsed["statements"]) != 1:
        raise QueryError(f"it holds {len(parsed['statements'])} statements; one SELECT is asked for")
    return parsed["statements"]


def _walk(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Every object in the tree."""
    if depth == 0:
        raise QueryError("it is nested too deeply")
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(child, depth - isinstance(child, dict))


def _part_names(node: dict[str, Any]) -> Iterator[str]:
    """The names that a WITH gives."""
    if "cte_map" in node:
        yield from (item["key"] for item in node["cte_map"]["map"])


def _check_node(node: dict[str, Any], tables: set[str], known: set[str]) -> None:
    kind = node.get("class") or node.get("type")
    if "class" in node:
        if kind not in _EXPRESSIONS:
            raise QueryError(f"it cannot hold a {_words(kind)}")
        _check_expression(node)
    elif isinstance(kind, str):
        if kind not in _NODES and not node.keys() <= {"type", "id", "type_info"}:
            raise QueryError(f"it cannot hold a {_words(kind)}")
        _check_table(node, tables, known)


def _check_expression(node: dict[str, Any]) -> None:
    if node["class"] in ("FUNCTION", "WINDOW"):
        name = str(node["function_name"]).lower()
        if name not in FUNCTIONS | TABLE_FUNCTIONS or node.get("schema") or node.get("catalog"):
            raise QueryError(f"it cannot use the function `{name}`")
    if node["class"] == "COLUMN_REF" and len(node["column_names"]) == 1:
        name = str(node["column_names"][0])
        if name.lower() in _MOMENTARY:
            raise QueryError(f"it cannot use `{name}`, which differs from run to run; write a column with its table")


def _check_table(node: dict[str, Any], tables: set[str], known: set[str]) -> None:
    if node.get("sample"):
        raise QueryError("it cannot sample, which differs from run to run")
    if node["type"] == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryError(f"it cannot read from `{name}`")
    if node["type"] == "BASE_TABLE":
        name = str(node["table_name"])
        if node["schema_name"] or node["catalog_name"] or node["at_clause"] or name.lower() not in tables:
            listed = ", ".join(f"`{each}`" for each in sorted(known))
            raise QueryError(f"there is no table `{name}`; the campaign names {listed}")


def _words(kind: object) -> str:
    return str(kind).lower().replace("_", " ")

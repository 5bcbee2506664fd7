"""
JSON without floats: amounts come in and go out as exact decimals.

Invariant: no amount passes through a binary float, so a cost of 5.00502839 is those eight decimals on the wire.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def read_json(body: bytes) -> Any:
    """
    Parse UTF-8 JSON; numbers with a fraction become `Decimal`.

    :raises ValueError: for other encodings, malformed JSON, a key written twice, NaN, or nesting without end.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("an object has the same key twice")
    return unique


def write_json(value: Any) -> bytes:
    """UTF-8 JSON of dicts, lists, texts, integers, flags, `None` and decimals."""
    return _text(value).encode("utf-8")


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    if isinstance(value, float):
        raise TypeError("a float has no exact text")
    return json.dumps(value, ensure_ascii=False)


def plain(amount: Decimal) -> str:
    """All digits of `amount`, without exponent and without zeros at the end: `0.061`, `5.00502839`, `100`."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

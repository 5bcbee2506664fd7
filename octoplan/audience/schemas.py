"""
The named schemas in which stages hand each other recipients: columns, never a Python object a row.

The order of recipients is by `hash, phone`, which is also the order by bucket for every number of buckets, since a
bucket is the first bits of the hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa

VALUE: Final = pa.dictionary(pa.int32(), pa.string())
"""A column of values of the file: each distinct value once, so that what is made of it is made once."""

_HASH = pa.field("hash", pa.uint64(), nullable=False)  # the first 64 bits of the SHA-256 of the E.164 text
_PHONE = pa.field("phone", pa.string(), nullable=False)  # E.164
_COUNTRY = pa.field("country", pa.string(), nullable=False)  # ISO 3166 alpha-2, or "001" for non-geographic numbers

RECIPIENTS: Final = pa.schema(
    [
        _HASH,
        _PHONE,
        _COUNTRY,
        pa.field("row", pa.int64(), nullable=False),  # number of the record in its source, for reports only
    ]
)
"""Followed by one nullable column of the type `VALUE` for each template variable, named `v_<variable>`, by name."""

MESSAGES: Final = pa.schema(
    [
        _HASH,
        _PHONE,
        _COUNTRY,
        pa.field("text", pa.int32(), nullable=False),  # index into the composed message's texts
        pa.field("contact", pa.string(), nullable=False),  # canonical JSON of the API's contact object
        pa.field("units", pa.int32(), nullable=False),  # septets or UTF-16 units of the text as filled in
        pa.field("segments", pa.int32(), nullable=False),
        pa.field("ucs2", pa.bool_(), nullable=False),
    ]
)
"""What goes out, sorted by `text`, then `hash, phone`."""


def recipients_schema(variables: Iterable[str]) -> pa.Schema:
    """`RECIPIENTS` with a column for each of `variables`, which come in name order."""
    return pa.schema([*RECIPIENTS, *(pa.field(f"v_{name}", VALUE) for name in variables)])

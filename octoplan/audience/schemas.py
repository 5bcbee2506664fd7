"""
The named schemas in which stages hand each other recipients: columns, never a Python object a row.

Every row is one recipient. Rows come sorted by `hash, phone`, which is also the order by bucket for every number of
buckets, since a bucket is the first bits of the hash.
"""

from __future__ import annotations

import pyarrow as pa

RECIPIENTS = pa.schema(
    [
        pa.field("hash", pa.string(), nullable=False),  # SHA-256 of the E.164 text, 64 hexadecimal digits
        pa.field("phone", pa.string(), nullable=False),  # E.164
        pa.field("country", pa.string(), nullable=False),  # ISO 3166 alpha-2, or "001" for non-geographic numbers
        pa.field("row", pa.int64(), nullable=False),  # line of the contacts file, for reports only
    ]
)
"""Followed by one nullable text column for each template variable, named `v_<variable>`, in name order."""

MESSAGES = pa.schema(
    [
        pa.field("hash", pa.string(), nullable=False),
        pa.field("phone", pa.string(), nullable=False),
        pa.field("country", pa.string(), nullable=False),
        pa.field("text", pa.int32(), nullable=False),  # index into the composed message's texts
        pa.field("contact", pa.string(), nullable=False),  # canonical JSON of the API's contact object
        pa.field("units", pa.int32(), nullable=False),  # septets or UTF-16 units of the text as filled in
        pa.field("segments", pa.int32(), nullable=False),
        pa.field("ucs2", pa.bool_(), nullable=False),
    ]
)
"""What goes out, sorted by `text`, then `hash, phone`."""

"""
Prove on the real recipients that what is sent is what the template says.

The template is rendered as a whole, by Jinja and without any of the compiler's work, and compared with the API's text
in which the merge fields are filled in as the API does it: from the very bytes of the contact objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
import pyarrow as pa

from octoplan.messages.evaluate import Evaluator
from octoplan.messages.handling import AS_WRITTEN, Handling


@dataclass(frozen=True, slots=True)
class Verification:
    """How many recipients were compared, and the records of the contacts file of the first few that differ."""

    recipients: int
    different: int
    rows: tuple[int, ...] = ()


_FIELD = re.compile(r"\{(first_name|last_name|param[1-5])\}")
_ROWS_SHOWN_MAX = 5

Compared = tuple[pa.RecordBatch, Callable[[], Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]]]
"""Recipients with their columns, and what is sent to them: rows of `RECIPIENTS` and of `MESSAGES`, in pieces."""


def fill_in(text: str, contact: bytes) -> str:
    """What the API makes of a text and a contact object."""
    values = orjson.loads(contact)
    return _FIELD.sub(lambda match: str(values.get(match[1], match.group())), text)


def verify_messages(
    whole: Evaluator, texts: tuple[str, ...], compared: Iterator[Compared], handling: Handling = AS_WRITTEN
) -> Verification:
    """
    Compare every recipient; `whole` renders the complete template, and `handling` replaces its characters.

    For whom it gives nothing, nothing may be sent. Takes about 20 us a recipient.
    """
    count, found = 0, list[int]()
    for rows, messages in compared:
        rendered = [
            None if text is None else handling.replaced(text) for text in whole.evaluate(rows).rows().to_pylist()
        ]
        expected = dict(zip(rows.column("phone").to_pylist(), rendered, strict=True))
        lost = dict(zip(rows.column("phone").to_pylist(), rows.column("row").to_pylist(), strict=True))
        for who, sent in messages():
            columns = (
                *(sent.column(name).to_pylist() for name in ("phone", "text", "contact")),
                who["row"].to_pylist(),
            )
            for phone, text, contact, row in zip(*columns, strict=True):
                del lost[phone]
                if fill_in(texts[text], contact.encode()) != expected[phone]:
                    found.append(row)
        found += (row for phone, row in lost.items() if expected[phone] is not None)
        count += sum(text is not None for text in rendered)
    return Verification(count, len(found), tuple(sorted(found)[:_ROWS_SHOWN_MAX]))

"""Finding a column by the name that a person wrote."""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from typing import Final

from octoplan.audience import rules
from octoplan.audience.readers.port import Records
from octoplan.diagnostics import Finding, Place

NAMES_SHOWN_MAX: Final = 30
DIGITS_OF_DATA: Final = 6
"""A header name with this many digits is rather somebody's number: then no name of the header is shown."""


def find_column(records: Records, wanted: str, place: Place | None) -> tuple[int | None, tuple[Finding, ...]]:
    """
    The index of the column called `wanted`: exactly so, else ignoring case, spaces and accents, with a warning.

    An error finding instead of an index if no column or several could be meant, or its values are no plain ones.
    """
    exact = [index for index, name in enumerate(records.names) if name == wanted.strip()]
    close = [index for index, name in enumerate(records.names) if fold(name) == fold(wanted)]
    found = exact or close
    if not found:
        return None, (_missing(records, wanted, place),)
    if len(found) > 1:
        detail = f"`{records.shown}` has {len(found)} columns that could be `{wanted}`"
        return None, (rules.AMBIGUOUS_COLUMN.at(place, detail, "name each column differently"),)
    if flaw := records.flaw(found[0]):
        return None, (rules.UNUSABLE_COLUMN.at(place, f"column `{wanted}` of `{records.shown}`: {flaw}"),)
    return found[0], () if exact else (_inexact(records, wanted, found[0], place),)


def fold(name: str) -> str:
    """The name without case, spaces and accents."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(mark for mark in decomposed if not (unicodedata.combining(mark) or mark.isspace()))


def _inexact(records: Records, wanted: str, index: int, place: Place | None) -> Finding:
    name = records.names[index]
    return rules.INEXACT_COLUMN.at(place, f"`{wanted}` was taken as the column `{name}`", f"write `{name}`")


def _missing(records: Records, wanted: str, place: Place | None) -> Finding:
    if any(sum(mark.isdigit() for mark in name) >= DIGITS_OF_DATA for name in records.names):
        detail = f"no column `{wanted}` in `{records.shown}`, whose first line looks like data"
        return rules.MISSING_COLUMN.at(place, detail, "the file needs a line with the names of its columns")
    near = get_close_matches(fold(wanted), [fold(name) for name in records.names], n=1)
    hint = next((f"did you mean `{name}`?" for name in records.names if near and fold(name) == near[0]), None)
    names = ", ".join(f"`{name}`" for name in records.names[:NAMES_SHOWN_MAX])
    more = ", …" if len(records.names) > NAMES_SHOWN_MAX else ""
    return rules.MISSING_COLUMN.at(place, f"no column `{wanted}` in `{records.shown}`, which has {names}{more}", hint)

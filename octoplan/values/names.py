"""Names that people choose, and the patterns they keep to (also in the JSON Schemas: Python and ECMA 262 alike)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

IDENTIFIER_PATTERN: Final = r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]"
"""Ids of projects, campaigns and environments: they become file names, keys and parts of request ids."""
IDENTIFIER_RULE: Final = "2 to 64 lower-case letters, digits and hyphens, no hyphen at either end"
VARIABLE_PATTERN: Final = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
"""Template variables: what Jinja takes as a name, ASCII only."""
REFERENCE_PATTERN: Final = r"env/[A-Za-z_][A-Za-z0-9_]{0,127}"
"""Where a secret is: an environment variable."""

_COMPARED_CHARACTERS_MAX: Final = 64


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, ignoring case; `None` if none is near."""
    folded = {candidate.casefold(): candidate for candidate in sorted(known)}
    wanted = name[:_COMPARED_CHARACTERS_MAX].casefold()
    matches = get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None

"""Which fields of a source of contacts go together."""

from __future__ import annotations

from typing import Final

from octoplan.campaign import rules
from octoplan.campaign.document import Document
from octoplan.campaign.document import Path as FieldPath
from octoplan.campaign.model import ContactSource
from octoplan.diagnostics import Finding

_ONLY_FOR: Final = {
    "delimiter": ("csv",),
    "encoding": ("csv", "json"),
    "sheet": ("xlsx",),
    "query": ("sql",),
    "tables": ("sql",),
    "connection": ("sql",),
}
"""Field -> the kinds of source that have it; without a kind, all that files have."""


def check_source(source: ContactSource, document: Document, path: FieldPath) -> list[Finding]:
    """Every field that is missing, or that the kind of source does not have."""
    found = []
    for name, kinds in _ONLY_FOR.items():
        fits = source.source in kinds or (source.source is None and kinds != ("sql",))
        if getattr(source, name) and not fits:
            detail = f"`{name}` is for {' and '.join(f'`source: {kind}`' for kind in kinds)}."
            found.append(rules.FIELD_ELSEWHERE.at(document.key_place(*path, name), detail))
    if source.source == "sql":
        return [*found, *_check_query(source, document, path)]
    if source.path is None and (*path, "path") not in document.empty:
        found.append(rules.MISSING_FIELD.at(document.key_place(*path), "The field `path` is required."))
    return found


def _check_query(source: ContactSource, document: Document, path: FieldPath) -> list[Finding]:
    found = []
    if source.query is None and (*path, "query") not in document.empty:
        found.append(rules.MISSING_FIELD.at(document.key_place(*path), "The field `query` is required."))
    given = [name for name in ("tables", "path", "connection") if getattr(source, name)]
    if len(given) != 1:
        detail = "A query is over exactly one of `tables` (files), `path` (an SQLite file) and `connection`."
        found.append(rules.QUERY_OVER.at(document.key_place(*path, *given[1:2]), detail))
    return found

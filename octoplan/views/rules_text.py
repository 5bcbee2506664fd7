"""The rules of octoplan, as a list, one by one, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date

from octoplan.catalogue import Entry, Version
from octoplan.rulebook.data import EVERYWHERE
from octoplan.views.text import labelled, paint


def render_rules(entries: Iterable[Entry], *, width: int, colour: bool) -> str:
    """One rule after the other: id and level, then what it is about and who says so."""
    lines: list[str] = []
    for entry in entries:
        lines.append(_head(entry, colour=colour))
        lines += labelled("", entry.summary, width=width, colour=colour, label_width=0)
        if entry.source != "octoplan":
            lines += labelled("source", entry.source, width=width, colour=colour)
    return "\n".join(lines) + "\n"


def render_rule(entries: Iterable[Entry], *, width: int, colour: bool) -> str:
    """Everything that is known of each rule."""
    lines: list[str] = []
    for entry in entries:
        lines.append(_head(entry, colour=colour))
        for label, text in _details(entry):
            lines += labelled(label, text, width=width, colour=colour, label_width=12)
    return "\n".join(lines) + "\n"


def render_rules_json(entries: Iterable[Entry]) -> str:
    """A list of objects, in the order of ids; days are ISO 8601."""
    return json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False, default=date.isoformat) + "\n"


def _head(entry: Entry, *, colour: bool) -> str:
    return paint(entry.id, "strong", colour=colour) + f"  {entry.level}"


def _details(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "about", entry.summary
    if entry.countries:
        others = "every country without rules of its own"
        yield "countries", others if EVERYWHERE in entry.countries else ", ".join(entry.countries)
    if not entry.versions:
        yield "source", entry.source
    for version in entry.versions:
        yield "says", version.says
        yield from _version(version)
    if entry.note:
        yield "note", entry.note
    if entry.can_be_overridden:
        yield "override", f'overrides: [{{rule: {entry.id}, reason: "..."}}] in a campaign; the plan shows it'
    else:
        yield "override", "not possible"


def _version(version: Version) -> Iterator[tuple[str, str]]:
    if version.valid_from is not None:
        yield "valid", f"from {version.valid_from}" + (f" to {version.valid_to}" if version.valid_to else "")
    yield "source", version.source
    yield "checked", f"{version.checked}, confidence {version.confidence}"
    if version.note:
        yield "note", version.note

"""Every rule that octoplan can find broken: those of the code and those of the data, by their stable ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import ModuleType
from typing import Final

import octoplan.audience.rules
import octoplan.campaign.rules
import octoplan.messages.rules
import octoplan.pipeline
import octoplan.plan.price_file
import octoplan.plan.rules
import octoplan.state.lock
from octoplan.campaign import rules
from octoplan.campaign.resolve import Campaign
from octoplan.diagnostics import Finding, Rule
from octoplan.messages.rules import ACCEPTABLE
from octoplan.rulebook.data import (
    EVERYWHERE,
    Sourced,
    WindowFile,
    WindowRule,
    load_senders,
    load_texts,
    load_windows,
)
from octoplan.values.names import nearest

MODULES: Final[tuple[ModuleType, ...]] = (
    octoplan.audience.rules,
    octoplan.campaign.rules,
    octoplan.messages.rules,
    octoplan.pipeline,
    octoplan.plan.price_file,
    octoplan.plan.rules,
    octoplan.state.lock,
)
"""Where the rules of the code are."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a rule of the data says, for which days, who says so, when that was checked, and how sure we are."""

    says: str
    source: str
    checked: date
    confidence: str
    valid_from: date | None = None
    valid_to: date | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One rule. `countries` is empty for a rule that has nothing to do with countries, `versions` for a rule of the code.

    `can_be_overridden` tells whether a campaign may say, with a reason, that it does not count there.
    """

    id: str
    level: str
    summary: str
    source: str
    can_be_overridden: bool
    countries: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()
    note: str | None = None


@cache
def catalogue() -> Mapping[str, Entry]:
    """Every rule by id, sorted."""
    entries = [*_of_code(), *_of_windows(load_windows()), *_of_senders(), *_of_texts()]
    return {entry.id: entry for entry in sorted(entries, key=lambda entry: entry.id)}


def check_overrides(campaigns: Iterable[Campaign]) -> list[Finding]:
    """Overrides of rules that do not exist, or that no campaign can override."""
    return [finding for campaign in campaigns for finding in _check_overrides(campaign)]


def _check_overrides(campaign: Campaign) -> Iterator[Finding]:
    known = catalogue()
    for index, override in enumerate(campaign.model.overrides):
        place = campaign.place("overrides", index, "rule")
        entry = known.get(override.rule)
        if entry is None:
            guess = nearest(override.rule, known)
            hint = f"did you mean `{guess}`?" if guess else "`octoplan rules` lists them all"
            yield rules.UNKNOWN_RULE.at(place, f"There is no rule `{override.rule}`.", hint)
        elif not entry.can_be_overridden:
            detail = (
                f"`{entry.id}` is about what can be sent at all; only warnings and sending hours can be overridden."
            )
            yield rules.NO_OVERRIDE.at(place, detail, "mend the cause, and take the override out")


def _of_code() -> Iterator[Entry]:
    found = {rule.code: rule for module in MODULES for rule in vars(module).values() if isinstance(rule, Rule)}
    for rule in found.values():
        may = rule.severity == "warning" or rule.code.startswith("window/") or rule.code in ACCEPTABLE
        yield Entry(rule.code, rule.severity, rule.summary, rule.source, may)


def _of_windows(files: Iterable[WindowFile]) -> Iterator[Entry]:
    for file in files:
        for rule in file.rules:
            yield Entry(
                id=rule.id,
                level=rule.level,
                summary=rule.summary,
                source=rule.versions[0].source,
                can_be_overridden=True,
                countries=file.countries,
                versions=_versions(rule),
                note=file.note,
            )


def _versions(rule: WindowRule) -> tuple[Version, ...]:
    return tuple(
        Version(each.described, each.source, each.checked, each.confidence, each.valid_from, each.valid_to, each.note)
        for each in rule.versions
    )


def _of_senders() -> Iterator[Entry]:
    for rule in load_senders().rules:
        says = f"{rule.detail} Hint: {rule.hint}."
        yield _of_data(rule, rule.id, rule.level, rule.summary, rule.countries, says)


def _of_texts() -> Iterator[Entry]:
    for rule in load_texts().rules:
        says = f"{rule.detail} Hint: {rule.hint}."
        yield _of_data(rule, rule.id, rule.level, rule.summary, rule.countries, says)


def _of_data(rule: Sourced, identity: str, level: str, summary: str, countries: tuple[str, ...], says: str) -> Entry:
    version = Version(says, rule.source, rule.checked, rule.confidence, note=rule.note)
    shown = () if EVERYWHERE in countries else countries
    return Entry(identity, level, summary, rule.source, can_be_overridden=True, countries=shown, versions=(version,))

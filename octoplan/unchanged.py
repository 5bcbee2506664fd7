"""
What an earlier plan found of a campaign, shown again while nothing has changed: a list is not checked twice.

Invariants:
- Only `octoplan plan` for a person's eyes reads it. What apply sends, and every plan in a file, is made anew.
- An entry is found by a keyed digest of everything the plan was made of, above all the bytes of every list; where there
  is something that cannot be held in a digest (a database, a query, an unknown outcome), there is no entry.
- A price is asked each time: online only what has no recipient left is kept.
- What depends on the other campaigns of the plan is decided anew: a text that two of them have is not kept, and nothing
  that is blocked.
- An entry is read as it was written or not at all: a keyed digest of it is before it.
- It holds what the plan shows, and no digest of a number.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from octoplan.cache import keep_newest, read_entry, write_entry
from octoplan.campaign.resolve import Campaign, FoundFiles
from octoplan.clock import Clock, to_text
from octoplan.diagnostics import Finding
from octoplan.digests import canonical_json
from octoplan.limits import UNCHANGED_ENTRIES_MAX, UNCHANGED_ENTRY_BYTES_MAX
from octoplan.pipeline import Setting
from octoplan.plan.build import Prepared, is_past
from octoplan.plan.model import Action, ActionKind
from octoplan.state.home import StateReader
from octoplan.state.journal import CampaignState, Phase

FOLDER: Final = "plans"
NAME_PURPOSE: Final = "octoplan/unchanged-name/v1"
ENTRY_PURPOSE: Final = "octoplan/unchanged-entry/v1"
_MAC_BYTES: Final = 32
_LIBRARIES: Final = ("duckdb", "jinja2", "orjson", "phonenumbers", "pyarrow", "tzdata")
"""Whose versions can change an answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A campaign's part of a plan, and when it was made."""

    planned_at: datetime
    action: Action
    findings: tuple[Finding, ...]


_FOUND: Final = TypeAdapter(Found)


@dataclass(slots=True)
class Unchanged:
    """What is known of the `campaigns` that are about to be planned. `is_offline` is a plan that asks no prices."""

    setting: Setting
    reader: StateReader
    clock: Clock
    campaigns: Sequence[Campaign]
    is_offline: bool
    names: dict[str, str] = field(init=False, repr=False)
    """By campaign id the name of its entry; without those of which nothing is ever kept."""

    def __post_init__(self) -> None:
        self.names = _names(self)

    def recall(self) -> dict[str, Found]:
        """What is known, by campaign id."""
        found = {campaign.id: self._read(campaign) for campaign in self.campaigns}
        return {name: each for name, each in found.items() if each is not None}

    def remember(self, prepared: Iterable[Prepared], actions: Iterable[Action], at: datetime) -> None:
        """Keep what was planned anew at `at`, if nothing that it was made of has changed since this object was made."""
        by_id = {action.campaign: action for action in actions if self._is_kept(action)}
        kept = [each for each in prepared if each.campaign.id in self.names.keys() & by_id.keys()]
        now = replace(self, campaigns=[each.campaign for each in kept]).names
        for each in kept:
            name = self.names[each.campaign.id]
            if now.get(each.campaign.id) == name:
                self._write(name, Found(at, by_id[each.campaign.id], each.findings))

    def _is_kept(self, action: Action) -> bool:
        # What blocks a campaign may be another one of the plan.
        return action.kind is not ActionKind.BLOCKED and (self.is_offline or not action.batches)

    def _read(self, campaign: Campaign) -> Found | None:
        name = self.names.get(campaign.id)
        kept = None if name is None else read_entry(f"{FOLDER}/{name}")
        if name is None or kept is None:
            return None
        mac, content = kept[:_MAC_BYTES], kept[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(name, content)):
            return None
        try:
            found = _FOUND.validate_json(content)
        except ValidationError:
            return None
        # Times as the campaign has them, with the name of their zone; those of waves are in UTC.
        action = replace(found.action, not_after=campaign.not_after)
        if campaign.send_at is not None:
            action = replace(action, send_at=campaign.send_at, last_send_at=campaign.send_at)
        return replace(found, action=action)

    def _write(self, name: str, found: Found) -> None:
        content = _FOUND.dump_json(found, exclude={"action": {"audience": {"suppressed"}}})
        if len(content) <= UNCHANGED_ENTRY_BYTES_MAX:
            write_entry(f"{FOLDER}/{name}", self._mac(name, content) + content)
            keep_newest(FOLDER, UNCHANGED_ENTRIES_MAX)

    def _mac(self, name: str, content: bytes) -> bytes:
        return self.setting.key.mac(ENTRY_PURPOSE, name.encode() + content)


def _names(asked: Unchanged) -> dict[str, str]:
    """By campaign id the keyed digest of all that its part of the plan is made of; without those never kept."""
    setting, now, states = asked.setting, asked.clock.now(), asked.reader.campaigns()
    read = cache(_digest)  # anew at each call: a file may have changed
    shared: list[Any] | None = None
    found: dict[str, str] = {}
    texts = Counter(_text(campaign) for campaign in asked.campaigns)
    for campaign in asked.campaigns:
        state = states.get(campaign.identity)
        may_be_kept = _may_be_kept(campaign, state, setting, is_offline=asked.is_offline)
        if not may_be_kept or texts[_text(campaign)] > 1:
            continue
        own = [campaign.document.source.text, campaign.file, _times(campaign), is_past(campaign, state, now)]
        try:
            shared = shared or [*_versions(), *_setting(setting, read), _journal(asked.reader), asked.is_offline]
            parts = [shared, own, _files(campaign.contacts, read)]
        except OSError:
            continue  # the plan says what is wrong with a file
        found[campaign.id] = setting.key.mac(NAME_PURPOSE, canonical_json(parts)).hex()
    return found


def _text(campaign: Campaign) -> str:
    """Two campaigns with one text may be copies of each other, which only both together can show."""
    return campaign.model.message.template


def _may_be_kept(campaign: Campaign, state: CampaignState | None, setting: Setting, *, is_offline: bool) -> bool:
    """
    Online only what was sent: of everything else prices are asked. A query, or an address on the web, may give more
    than files show, a growing audience waits for a time that depends on what was sent, and a template may include
    others.
    """
    sources = [campaign.model.recipients, *(each.model for each in setting.project.suppression)]
    is_sent = state is not None and bool(state.batches)
    is_settled = state is None or not state.in_phase(Phase.OPEN)
    is_kept = is_settled and (is_offline or is_sent) and campaign.model.audience == "frozen"
    is_kept = is_kept and "include" not in campaign.model.message.template
    return is_kept and all(source.source != "sql" and source.address is None for source in sources)


def _times(campaign: Campaign) -> list[str]:
    """The campaign's times: which instants they are depends on the zones that this machine knows."""
    return [str(campaign.send_at), str(campaign.not_after)]


def _setting(setting: Setting, read: Callable[[Path], str]) -> list[Any]:
    """What all campaigns share."""
    lists = [_files(each.files, read) for each in setting.project.suppression]
    settings = setting.settings.model_dump_json()
    return [setting.project.document.source.text, setting.environment, settings, setting.account, lists]


def _journal(reader: StateReader) -> list[Any]:
    """Who was written to follows from it: rows enter and leave the ledger together with an entry."""
    return [[e.kind, e.campaign, e.batch, to_text(e.at), e.run, repr(e.data)] for e in reader.entries()]


def _files(found: FoundFiles, read: Callable[[Path], str]) -> list[list[str]]:
    if not found.files:
        raise FileNotFoundError("what comes from elsewhere cannot be compared")
    return [[file.name, read(file.path)] for file in found.files]


def _digest(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(path)  # or a pipe or a device, which could block for ever
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


@cache
def _versions() -> list[str]:
    """Of the libraries, and of our own code and data: byte for byte, since a checkout changes without a new number."""
    code = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.yaml")]):
        code.update(path.read_bytes())
    return [sys.version, code.hexdigest(), *(version(name) for name in _LIBRARIES)]

"""A campaign as it will be planned: defaults filled in, times as instants, the contacts inside the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from octoplan.campaign import rules
from octoplan.campaign.document import Document
from octoplan.campaign.document import Path as FieldPath
from octoplan.campaign.model import CampaignModel, ContactSource, Defaults, Schedule
from octoplan.campaign.recipient_time import RecipientTime
from octoplan.campaign.source import find_inside
from octoplan.campaign.source_fields import check_source
from octoplan.diagnostics import Finding, Place
from octoplan.values.local_time import find_instants, load_zone, parse_written_time, read_around_change


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file inside the project, absolute, and its path from the project's folder; it may not exist."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """
    What a source names: the files that its `path` stands for, sorted by name, and those of each of its `tables`.

    A pattern that no file has stands for none; a path without a pattern for the file, whether it exists or not.
    """

    files: tuple[FoundFile, ...] = ()
    tables: Mapping[str, tuple[FoundFile, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Campaign:
    """
    One campaign, checked and resolved.

    `file` is its path from the project's folder. `contacts` are the files it names, inside the project.
    `sender` is what will be sent, `None` for none (always so for low cost). `send_at` and `not_after` are aware, in
    `timezone` where there is one. Without `send_at` they leave at `recipient_time`, which is another instant for each
    recipient, or where there is none either as soon as apply runs.
    """

    model: CampaignModel
    file: str
    contacts: FoundFiles
    sender: str | None
    region: str | None
    timezone: ZoneInfo | None
    send_at: datetime | None
    not_after: datetime | None
    document: Document = field(repr=False, compare=False)
    recipient_time: RecipientTime | None = None

    @property
    def identity(self) -> str:
        """The id under which what was sent is remembered: the old one of a campaign that was renamed."""
        return self.model.moved.from_id if self.model.moved else self.model.id

    @property
    def id(self) -> str:
        """The campaign's identity for ever."""
        return self.model.id

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` is written, such as `place("recipients", "path")`; else the nearest around it."""
        return self.document.place(*path)

    def key_place(self, *path: str | int) -> Place:
        """Where the key at `path` is written."""
        return self.document.key_place(*path)

    def place_in_template(self, line: int, column: int = 1, width: int = 1) -> Place:
        """Where a character of `message.template` is written; `line` and `column` of the template, from 1."""
        return self.document.place_in_text(("message", "template"), line, column, width)


def resolve_campaign(
    model: CampaignModel, document: Document, defaults: Defaults, root: Path
) -> tuple[Campaign | None, list[Finding]]:
    """Fill in the project's defaults; no campaign if its contacts are outside the project or a time is no instant."""
    zone_name = model.schedule.timezone or defaults.timezone
    zone = load_zone(zone_name) if zone_name else None
    recipient_time, found_local = _resolve_recipient_time(model.schedule, document)
    send_at, found_at = None, found_local
    if not model.schedule.recipient_local:
        send_at, found = _resolve_time(model.schedule, "at", zone, document)
        found_at += found
    not_after, found_after = _resolve_time(model.schedule, "not_after", zone, document)
    contacts, found_path = resolve_source(root, model.recipients, document, ("recipients",))
    found = [*found_at, *found_after, *found_path, *_check_order(send_at, not_after, document)]
    if contacts is None or any(each.severity == "error" for each in found):
        return None, found
    sender = (model.sender or defaults.sender) if model.type == "sms_premium" else None
    region = model.recipients.region or defaults.region
    campaign = Campaign(
        model, document.source.name, contacts, sender, region, zone, send_at, not_after, document, recipient_time
    )
    return campaign, found


def resolve_source(
    root: Path, source: ContactSource, document: Document, path: FieldPath
) -> tuple[FoundFiles | None, list[Finding]]:
    """The files that a source names; none, and why, if one is outside the project or fields do not go together."""
    found = check_source(source, document, path)
    files: tuple[FoundFile, ...] = ()
    tables: dict[str, tuple[FoundFile, ...]] = {}
    if source.path is not None and source.address is None:
        files, wrong = _resolve_files(root, source.path, document, (*path, "path"))
        found += wrong
    for name, pattern in source.tables.items():
        tables[name], wrong = _resolve_files(root, pattern, document, (*path, "tables", name))
        found += wrong
    return None if found else FoundFiles(files, tables), found


def _resolve_files(
    root: Path, pattern: str, document: Document, path: FieldPath
) -> tuple[tuple[FoundFile, ...], list[Finding]]:
    try:
        return tuple(FoundFile(file, name) for name, file in find_inside(root, pattern)), []
    except ValueError as error:
        return (), [rules.PATH_OUTSIDE.at(document.place(*path), f"This file is not read: {error}.")]


def _resolve_recipient_time(schedule: Schedule, document: Document) -> tuple[RecipientTime | None, list[Finding]]:
    """The time on the recipients' own clocks, if the campaign asks for it and says nothing against it."""
    if not schedule.recipient_local:
        detail = "It is the zone of recipients whose number tells none, and only `recipient_local` asks for zones."
        place = document.key_place("schedule", "elsewhere")
        return None, [rules.RECIPIENT_TIME.at(place, detail, "remove it")] if schedule.elsewhere else []
    found = []
    if schedule.timezone is not None:
        detail = "With `recipient_local` every recipient has a zone of his own."
        found.append(rules.RECIPIENT_TIME.at(document.key_place("schedule", "timezone"), detail, "remove it"))
    written = None if schedule.at is None else parse_written_time(schedule.at)
    if written is None:
        place, detail = document.key_place("schedule", "recipient_local"), "`recipient_local` needs a time."
        found.append(rules.RECIPIENT_TIME.at(place, detail, 'for example `at: "2027-03-20T10:00"`'))
    elif written.tzinfo is not None:
        detail = "With an offset it is one instant for everybody."
        hint = f'`at: "{written.replace(tzinfo=None).isoformat(timespec="minutes")}"` is the time on each clock'
        found.append(rules.RECIPIENT_TIME.at(document.place("schedule", "at"), detail, hint))
    if found or written is None:
        return None, found
    return RecipientTime(written, schedule.clock_change, schedule.elsewhere), []


def _resolve_time(
    schedule: Schedule, name: str, zone: ZoneInfo | None, document: Document
) -> tuple[datetime | None, list[Finding]]:
    text = getattr(schedule, name)
    if text is None:
        return None, []
    written, place = parse_written_time(text), document.place("schedule", name)
    if written.tzinfo is not None:
        return _resolve_offset(written, zone, place, names_zone=schedule.timezone is not None)
    if zone is None:
        hint = "add `timezone: Europe/Paris` beside it, or an offset such as `+01:00` to the time"
        return None, [rules.NO_TIMEZONE.at(place, "Neither the campaign nor the project names a time zone.", hint)]
    if schedule.clock_change != "refuse" and len(find_instants(written, zone)) != 1:
        moment = read_around_change(written, zone, schedule.clock_change)
        rule = f"`clock_change: {schedule.clock_change}`"
        detail = f"Clocks in {zone} change around it; {rule} makes it {_shown(moment)}."
        return moment, [rules.TIME_CHOSEN.at(place, detail)]
    return _resolve_local(written, zone, place)


def _resolve_offset(
    written: datetime, zone: ZoneInfo | None, place: Place, *, names_zone: bool
) -> tuple[datetime | None, list[Finding]]:
    moment = written.astimezone(zone) if zone else written
    if names_zone and moment.utcoffset() != written.utcoffset():
        detail = f"In {zone} it is {_offset(moment)} at that moment."
        return None, [rules.OFFSET_MISMATCH.at(place, detail, "leave out the offset, or the time zone")]
    return moment, []


def _resolve_local(written: datetime, zone: ZoneInfo, place: Place) -> tuple[datetime | None, list[Finding]]:
    instants = find_instants(written, zone)
    if not instants:
        detail = f"Clocks in {zone} are put forward and skip this time."
        hint = "choose a time an hour earlier or later, or say `clock_change: later`"
        return None, [rules.TIME_SKIPPED.at(place, detail, hint)]
    if len(instants) > 1:
        first, second = (f"`{written.isoformat()}{_offset(instant)}`" for instant in instants)
        detail = f"Clocks in {zone} are put back and show this time twice."
        return None, [rules.TIME_TWICE.at(place, detail, f"write {first} or {second}")]
    return instants[0], []


def _check_order(send_at: datetime | None, not_after: datetime | None, document: Document) -> list[Finding]:
    if send_at is None or not_after is None or send_at < not_after:
        return []
    detail = "`not_after` has to be later than `at`."
    return [rules.TIME_ORDER.at(document.place("schedule", "not_after"), detail)]


def _shown(moment: datetime) -> str:
    return f"`{moment.replace(tzinfo=None).isoformat()}{_offset(moment)}`"


def _offset(moment: datetime) -> str:
    written = moment.strftime("%z")
    return f"{written[:3]}:{written[3:5]}"

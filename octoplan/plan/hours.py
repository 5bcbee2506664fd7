"""
Whether messages would leave at a time at which people may be written to, and when the next such time is.

Invariants:
- Marketing only; what counts is the clock of each recipient, in every zone that the number may be in.
- A run has to end inside the hours, not just begin: its length is estimated, and campaigns leave one after another.
- A rule is broken, or it is overridden in the campaign with a reason; nothing is moved to another time by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from octoplan.campaign.model import EnvironmentSettings, Windows
from octoplan.campaign.recipient_time import RecipientTime
from octoplan.campaign.resolve import Campaign
from octoplan.clock import in_words
from octoplan.diagnostics import ExitCode
from octoplan.limits import REQUEST_TIME_ESTIMATE_S, WINDOW_SEARCH_DAYS
from octoplan.plan.duration import estimate_duration_s
from octoplan.plan.model import Action, ActionKind, BrokenHours, Hours, PlannedBatch, Reason, ZoneCount
from octoplan.plan.rules import TOO_LITTLE_TIME, ZONE_UNKNOWN
from octoplan.plan.waves import on_each_clock
from octoplan.rulebook.data import WindowRule
from octoplan.rulebook.hours import Binding, Span, bindings_of, find_slot, is_open, is_open_throughout, open_spans
from octoplan.values.local_time import load_zone

_LOOKED_AT = (ActionKind.SEND, ActionKind.ADD, ActionKind.RESUME, ActionKind.SCHEDULED, ActionKind.BLOCKED)


def check_hours(
    actions: Sequence[Action],
    campaigns: Mapping[str, Campaign],
    windows: Windows,
    settings: EnvironmentSettings,
    now: datetime,
) -> tuple[Action, ...]:
    """
    The actions with what the rules on hours say about each, blocked where they forbid it; `campaigns` by id.

    They are sent in their order, so each begins when those before it have ended.
    """
    checked: list[Action] = []
    start = now
    for action in actions:
        waits = action.kind is ActionKind.SCHEDULED and action.send_at is None
        if not action.batches or waits or action.kind not in _LOOKED_AT:
            checked.append(action)
            continue
        looked_at = _check(action, campaigns[action.campaign], windows, start, settings)
        checked.append(looked_at)
        start += run_length(action.batches, settings) if looked_at.kind.sends else timedelta()
    return tuple(checked)


def run_length(batches: Iterable[PlannedBatch], settings: EnvironmentSettings) -> timedelta:
    """
    How long the requests of a campaign take, estimated: the configured pace, or what the answers take.

    An answer is taken to need `REQUEST_TIME_ESTIMATE_S`; requests at once share the time.
    """
    sizes = [batch.recipients for batch in batches]
    paced = estimate_duration_s(
        sizes,
        requests_per_second=settings.requests_per_second,
        messages_per_second=settings.messages_per_second,
    )
    answers = REQUEST_TIME_ESTIMATE_S * -(-len(sizes) // settings.concurrency)
    return timedelta(seconds=max(answers, float(paced or 0)))


def _check(
    action: Action, campaign: Campaign, windows: Windows, start: datetime, settings: EnvironmentSettings
) -> Action:
    late = list(_check_deadlines(action, campaign, start, settings))
    hours = None
    if action.purpose == "wholesale" and windows != "off":
        moments = [batch.send_at for batch in action.batches if batch.send_at is not None]
        span = (min(moments), max(moments)) if moments else (start, start + run_length(action.batches, settings))
        hours = _Look(action.zones, campaign, windows).hours(span, start)
    reasons = [*late, *(_reason(each) for each in hours.broken if each.blocks)] if hours else late
    if not reasons:
        return replace(action, hours=hours)
    return replace(action, hours=hours, kind=ActionKind.BLOCKED, reasons=(*action.reasons, *reasons))


def _check_deadlines(
    action: Action, campaign: Campaign, start: datetime, settings: EnvironmentSettings
) -> Iterator[Reason]:
    """Whether the last request of each time is made before that time, and the last of all before `not_after`."""
    ahead = campaign.model.schedule.hand_over
    if action.send_at is not None and ahead is not None:
        start = max(start, action.send_at - ahead)
    told: set[str] = set()
    for name, deadline, length in _deadlines(action, campaign, settings):
        # A deadline that has passed already is reported as such; after the first that is too near others say no more.
        if start < deadline < start + length and name not in told:
            told.add(name)
            what = f"the wave of {deadline:%Y-%m-%d %H:%M} UTC" if name == "at" and action.waves else f"`{name}`"
            detail = f"the requests take about {in_words(length)}, and there are {in_words(deadline - start)} until"
            hint = "choose a later time, or hand over earlier" if name == "at" else "choose a later `not_after`"
            yield Reason(TOO_LITTLE_TIME.code, f"{detail} {what}", hint, ExitCode.WINDOW)


def _deadlines(
    action: Action, campaign: Campaign, settings: EnvironmentSettings
) -> Iterator[tuple[str, datetime, timedelta]]:
    """Name, moment, and how long the requests take that have to be made by then: those before it in the order too."""
    last = {batch.send_at: number for number, batch in enumerate(action.batches, 1) if batch.send_at is not None}
    for moment, number in sorted(last.items()):
        yield "at", moment, run_length(action.batches[:number], settings)
    if campaign.not_after is not None:
        yield "not_after", campaign.not_after, run_length(action.batches, settings)


def _reason(broken: BrokenHours) -> Reason:
    return Reason(broken.rule, describe_broken(broken), exit_code=ExitCode.WINDOW)


def describe_broken(broken: BrokenHours) -> str:
    """`FR, 2,812 recipients: Sun 2027-03-21 22:10 in Europe/Paris, permitted daily 08:00-21:30 [window/fr-hours]`."""
    people = f"{broken.country}, {broken.recipients:,} recipient{'' if broken.recipients == 1 else 's'}"
    if not broken.zones:
        return f"{people}: {broken.permitted} [{broken.rule}]"
    first, *others = broken.zones
    where = f"{first} and {len(others)} other zone{'' if len(others) == 1 else 's'}" if others else first
    return f"{people}: {broken.local} in {where}, permitted {broken.permitted} [{broken.rule}]"


# --- the rules, held against the recipients ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Following:
    """The next time at which nothing is broken, or nothing but warnings; `at` is `None` if there is none."""

    at: datetime | None = None
    local: str | None = None
    warns: bool = False


@dataclass(frozen=True, slots=True)
class _Look:
    """One campaign's recipients by zone, and what may not be broken for them."""

    zones: Sequence[ZoneCount]
    campaign: Campaign
    windows: Windows

    def hours(self, span: Span, now: datetime) -> Hours:
        """
        What is broken by messages that leave in `span`, both ends included, and when they might leave instead.

        Of those that have several times the first and the last are the ends; each is looked at on its own.
        """
        start, end = span
        broken = sorted(self._broken(span), key=lambda each: (not each.blocks, each.country, each.rule))
        following = self._following(span, now) if broken else self._as_planned(start)
        return Hours(
            starts_at=start,
            ends_at=end,
            broken=tuple(broken),
            next_slot=following.at,
            next_local=following.local,
            next_warns=following.warns,
            closes_at=self._closes_at(start) if self.campaign.recipient_time is None else None,
        )

    def _as_planned(self, start: datetime) -> _Following:
        time = self.campaign.recipient_time
        return _Following(start, on_each_clock(time) if time else _local(start, self._shown_zone()))

    def _following(self, span: Span, now: datetime) -> _Following:
        """Inside every rule; where that cannot be, inside those that are errors."""
        if any(not group.zones for group in self.zones) and not self._is_overridden(ZONE_UNKNOWN.code):
            return _Following()
        for asks in (None,) if self.windows == "strict" else (None, "error"):
            at, local = self._next(span, now, asks)
            if at is not None:
                return _Following(at, local, warns=asks is not None)
        return _Following()

    def _next(self, span: Span, now: datetime, level: str | None) -> tuple[datetime | None, str | None]:
        """The next time inside all rules, or those of a level, and how it is shown."""
        bindings = [
            (group, [binding for binding in self._bindings(group) if level in (None, binding.rule.level)])
            for group in self.zones
        ]
        time = self.campaign.recipient_time
        if time is not None:
            return _next_time(time, bindings, now)
        start, end = span
        slot = find_slot(dict.fromkeys(each for _, found in bindings for each in found), start, end - start)
        return (slot[0], _local(slot[0], self._shown_zone())) if slot else (None, None)

    def _broken(self, span: Span) -> Iterator[BrokenHours]:
        unknown = sum(each.recipients for each in self.zones if not each.zones)
        if unknown and not self._is_overridden(ZONE_UNKNOWN.code):
            detail = "no time can be shown to be inside the sending hours, as nothing tells their time zone"
            yield self._made(ZONE_UNKNOWN.code, "error", "001", (), unknown, "", detail, ZONE_UNKNOWN.source)
        for (rule, country), found in self._failing(span).items():
            places = tuple(dict.fromkeys(binding.zone for binding, _ in found))
            people = {group: group.recipients for _, group in found}
            moment = min(_first_outside(binding, _own(group, span)) for binding, group in found)
            local = _plain(moment, load_zone(places[0]))
            version = rule.version_on(moment.astimezone(load_zone(places[0])).date()) or rule.versions[0]
            source = f"{version.source}, checked {version.checked}"
            yield self._made(
                rule.id, rule.level, country, places, sum(people.values()), local, version.described, source
            )

    def _failing(self, span: Span) -> Mapping[tuple[WindowRule, str], list[tuple[Binding, ZoneCount]]]:
        failing: dict[tuple[WindowRule, str], list[tuple[Binding, ZoneCount]]] = {}
        for group in self.zones:
            for binding in self._bindings(group):
                if not is_open_throughout(binding, *_own(group, span)):
                    failing.setdefault((binding.rule, binding.country), []).append((binding, group))
        return failing

    def _made(
        self,
        rule: str,
        level: str,
        country: str,
        zones: tuple[str, ...],
        recipients: int,
        local: str,
        permitted: str,
        source: str,
    ) -> BrokenHours:
        blocks = self._blocks(level)
        return BrokenHours(rule, level, blocks, country, zones, recipients, local, permitted, source)

    def _bindings(self, group: ZoneCount) -> Iterator[Binding]:
        bindings = bindings_of(group.country, group.zones)
        return (binding for binding in bindings if not self._is_overridden(binding.rule.id))

    def _blocks(self, level: str) -> bool:
        return self.windows == "strict" or (self.windows == "enforce" and level == "error")

    def _is_overridden(self, rule: str) -> bool:
        return any(override.rule == rule for override in self.campaign.model.overrides)

    def _closes_at(self, start: datetime) -> datetime | None:
        """Until when messages may leave that leave from `start` on; `None` where nothing sets an end."""
        bindings = [binding for binding in self._all_bindings() if self._blocks(binding.rule.level)]
        span = find_slot(bindings, start, timedelta())
        if span is None or span[0] > start or span[1] >= start + timedelta(days=WINDOW_SEARCH_DAYS):
            return None
        return span[1]

    def _all_bindings(self) -> list[Binding]:
        return list(dict.fromkeys(binding for group in self.zones for binding in self._bindings(group)))

    def _shown_zone(self) -> ZoneInfo | None:
        """The campaign's own zone; else that of the most recipients."""
        if self.campaign.timezone is not None:
            return self.campaign.timezone
        largest = max((group for group in self.zones if group.zones), key=lambda group: group.recipients, default=None)
        return load_zone(largest.zones[0]) if largest else None


def _own(group: ZoneCount, span: Span) -> Span:
    """When recipients get it: at their own time, where each has one."""
    return span if group.send_at is None else (group.send_at, group.send_at)


def _next_time(
    time: RecipientTime, bindings: Sequence[tuple[ZoneCount, Sequence[Binding]]], now: datetime
) -> tuple[datetime | None, str | None]:
    """The next quarter of an hour, on the recipients' own clocks, at which all bindings are open; its first instant."""
    first = time.written.replace(minute=0, second=0)
    for quarter in range(1, WINDOW_SEARCH_DAYS * 24 * 4):
        later = replace(time, written=first + quarter * timedelta(minutes=15))
        if later.written > time.written and all(_may_leave(later, *each, now) for each in bindings):
            instants = [later.instant_for(group.zones) for group, _ in bindings]
            return min(filter(None, instants), default=None), on_each_clock(later)
    return None, None


def _may_leave(time: RecipientTime, group: ZoneCount, bindings: Iterable[Binding], now: datetime) -> bool:
    instant = time.instant_for(group.zones)
    return instant is not None and instant > now and all(is_open(each, instant) for each in bindings)


def _first_outside(binding: Binding, span: Span) -> datetime:
    """The first moment of a span that is outside the hours."""
    start, _ = span
    if not is_open(binding, start):
        return start
    spans = open_spans(binding, start.astimezone(UTC).date())
    return next(closes for opens, closes in spans if opens <= start < closes)


def _plain(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _local(moment: datetime, zone: ZoneInfo | None) -> str:
    return f"{_plain(moment, zone)} {zone}" if zone else f"{moment:%a %Y-%m-%d %H:%M} UTC"

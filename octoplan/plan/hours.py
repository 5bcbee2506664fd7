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
from octoplan.campaign.resolve import Campaign
from octoplan.clock import in_words
from octoplan.diagnostics import ExitCode
from octoplan.limits import REQUEST_TIME_ESTIMATE_S, WINDOW_SEARCH_DAYS
from octoplan.plan.duration import estimate_duration_s
from octoplan.plan.model import Action, ActionKind, BrokenHours, Hours, PlannedBatch, Reason, ZoneCount
from octoplan.plan.rules import TOO_LITTLE_TIME, ZONE_UNKNOWN
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
        length = run_length(action.batches, settings)
        looked_at = _check(action, campaigns[action.campaign], windows, start, length)
        checked.append(looked_at)
        start += length if looked_at.kind.sends else timedelta()
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


def _check(action: Action, campaign: Campaign, windows: Windows, start: datetime, length: timedelta) -> Action:
    late = list(_check_deadlines(campaign, start, length))
    hours = None
    if action.purpose == "wholesale" and windows != "off":
        span = (campaign.send_at, campaign.send_at) if campaign.send_at else (start, start + length)
        hours = _Look(action.zones, campaign, windows).hours(span)
    reasons = [*late, *(_reason(each) for each in hours.broken if each.blocks)] if hours else late
    if not reasons:
        return replace(action, hours=hours)
    return replace(action, hours=hours, kind=ActionKind.BLOCKED, reasons=(*action.reasons, *reasons))


def _check_deadlines(campaign: Campaign, start: datetime, length: timedelta) -> Iterator[Reason]:
    """Whether the last request is made before the time of sending, or before `not_after`."""
    ahead = campaign.model.schedule.hand_over
    if campaign.send_at is not None and ahead is not None:
        start = max(start, campaign.send_at - ahead)
    for name, deadline in (("at", campaign.send_at), ("not_after", campaign.not_after)):
        # A deadline that has passed already is reported as such.
        if deadline is not None and start < deadline < start + length:
            detail = f"the requests take about {in_words(length)}, and there are {in_words(deadline - start)} until"
            hint = "choose a later time, or hand over earlier" if name == "at" else "choose a later `not_after`"
            yield Reason(TOO_LITTLE_TIME.code, f"{detail} `{name}`", hint, ExitCode.WINDOW)


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
class _Look:
    """One campaign's recipients by zone, and what may not be broken for them."""

    zones: Sequence[ZoneCount]
    campaign: Campaign
    windows: Windows

    def hours(self, span: Span) -> Hours:
        """What is broken by messages that leave in `span`, both ends included, and when they might leave instead."""
        start, end = span
        broken = sorted(self._broken(span), key=lambda each: (not each.blocks, each.country, each.rule))
        slot, warns = ((start, end), False) if not broken else self._next(start, end - start)
        following = slot[0] if slot else None
        return Hours(
            starts_at=start,
            ends_at=end,
            broken=tuple(broken),
            next_slot=following,
            next_local=None if following is None else _local(following, self._shown_zone()),
            next_warns=warns,
            closes_at=self._closes_at(start),
        )

    def _broken(self, span: Span) -> Iterator[BrokenHours]:
        unknown = sum(each.recipients for each in self.zones if not each.zones)
        if unknown and not self._is_overridden(ZONE_UNKNOWN.code):
            detail = "no time can be shown to be inside the sending hours, as nothing tells their time zone"
            yield self._made(ZONE_UNKNOWN.code, "error", "001", (), unknown, "", detail, ZONE_UNKNOWN.source)
        for (rule, country), found in self._failing(span).items():
            places = tuple(dict.fromkeys(binding.zone for binding, _ in found))
            people = {group: group.recipients for _, group in found}
            moment = min(_first_outside(binding, span) for binding, _ in found)
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
                if not is_open_throughout(binding, *span):
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

    def _next(self, start: datetime, length: timedelta) -> tuple[Span | None, bool]:
        """Inside every rule; where that cannot be, inside those that are errors, and then `True`."""
        if any(not group.zones for group in self.zones) and not self._is_overridden(ZONE_UNKNOWN.code):
            return None, False
        bindings = self._all_bindings()
        slot = find_slot(bindings, start, length)
        if slot is not None or self.windows == "strict":
            return slot, False
        slot = find_slot([binding for binding in bindings if binding.rule.level == "error"], start, length)
        return slot, slot is not None

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

"""
A plan made ready to be shown: the figures of a page or a comment, as values that any output can draw.

Like the plan it holds counts, costs and the template's own words; no number, name or merge value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from octoplan.audience import rules as audience_rules
from octoplan.audience.policy import INVALID
from octoplan.plan.breakdown import Share, by_country, by_parts
from octoplan.plan.model import Action, ActionKind, AudienceSummary, MessageSummary, Plan, ZoneCount
from octoplan.rulebook.hours import bindings_of, open_spans
from octoplan.values.local_time import load_zone
from octoplan.views.cost_text import budget_lines, money_lines
from octoplan.views.marks import Piece, template_pieces
from octoplan.views.plan_text import in_reading_order
from octoplan.views.text import count

_PHONES_MAX: Final = 4
_CLOCKS_MAX: Final = 6
_BARS_MAX: Final = 8
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Bar:
    """A share of the recipients; `percent` of all of them, `cost` is `None` while a price in it is unknown."""

    label: str
    recipients: int
    cost: Decimal | None
    percent: float


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the funnel from rows to recipients: who is left, of how many, and why others are not."""

    label: str
    left: int
    percent: float
    percent_before: float
    lost: int


@dataclass(frozen=True, slots=True)
class Phone:
    """A text of a campaign without anybody's values, and who gets it."""

    caption: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class LocalTime:
    """
    What the clocks of some recipients show when messages leave.

    `marks` are these times and `open` the hours that marketing may reach them in, both as percent of the local day;
    `open` is empty where no rule on hours was held against them.
    """

    country: str
    place: str
    recipients: int
    shown: str
    marks: Sequence[float]
    open: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class CampaignView:
    """One campaign, with what is drawn of it."""

    anchor: str
    action: Action
    phones: Sequence[Phone]
    phones_left_out: int
    funnel: Sequence[Step]
    by_country: Sequence[Bar]
    by_parts: Sequence[Bar]
    local_times: Sequence[LocalTime]
    local_times_left_out: int


@dataclass(frozen=True, slots=True)
class PlanView:
    """The whole plan: `campaigns` in the order of reading, and those that were `sent` before apart."""

    plan: Plan
    campaigns: Sequence[CampaignView]
    sent: Sequence[Action]
    refused: Sequence[str]
    by_country: Sequence[Bar]
    by_parts: Sequence[Bar]
    notes: Sequence[str]


def plan_view(plan: Plan) -> PlanView:
    """What is shown of a plan."""
    ordered = in_reading_order(plan.actions)
    active = [action for action in ordered if action.kind is not ActionKind.SENT]
    return PlanView(
        plan=plan,
        campaigns=[_campaign(action, number) for number, action in enumerate(active, 1)],
        sent=[action for action in ordered if action.kind is ActionKind.SENT],
        refused=[action.campaign for action in plan.actions if any(reason.exit_code for reason in action.reasons)],
        by_country=_country_bars(plan.sending),
        by_parts=_part_bars(plan.sending),
        notes=[*(money_lines(plan) if plan.sending else ()), *budget_lines(plan)],
    )


def _campaign(action: Action, number: int) -> CampaignView:
    phones = list(_phones(action.message)) if action.message else []
    local_times = list(_local_times(action))
    return CampaignView(
        anchor=f"campaign-{number}",
        action=action,
        phones=phones[:_PHONES_MAX],
        phones_left_out=len(phones[_PHONES_MAX:]),
        funnel=list(_funnel(action)),
        by_country=_country_bars([action]),
        by_parts=_part_bars([action]),
        local_times=local_times[:_CLOCKS_MAX],
        local_times_left_out=len(local_times[_CLOCKS_MAX:]),
    )


# --- shares ----------------------------------------------------------------------------------------------------------


def _country_bars(actions: Iterable[Action]) -> list[Bar]:
    """The countries with the most recipients, the others as one bar."""
    shares = sorted(by_country(actions).items(), key=lambda each: (-each[1].recipients, each[0]))
    if len(shares) > _BARS_MAX:
        rest = [share for _, share in shares[_BARS_MAX - 1 :]]
        shares = [*shares[: _BARS_MAX - 1], (f"{len(rest)} others", _together(rest))]
    return _bars(dict(shares))


def _part_bars(actions: Iterable[Action]) -> list[Bar]:
    return _bars({count(parts, "part"): share for parts, share in by_parts(actions).items()})


def _together(shares: Sequence[Share]) -> Share:
    costs = [share.cost for share in shares]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known, Decimal(0)) if len(known) == len(costs) else None
    return Share(sum(share.recipients for share in shares), sum(share.segments for share in shares), cost)


def _bars(shares: Mapping[str, Share]) -> list[Bar]:
    total = sum(share.recipients for share in shares.values())
    return [
        Bar(label, share.recipients, share.cost, _percent(share.recipients, total)) for label, share in shares.items()
    ]


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


# --- from rows to recipients -----------------------------------------------------------------------------------------

_STEPS: Final[tuple[tuple[str, frozenset[str], bool], ...]] = (
    ("selected", frozenset({audience_rules.NOT_SELECTED}), False),
    ("valid numbers", frozenset({*INVALID, audience_rules.NOT_MOBILE}), True),
    ("one per number", frozenset({audience_rules.DUPLICATE}), True),
    ("not suppressed", frozenset({audience_rules.SUPPRESSED, audience_rules.NOT_ALLOWED}), True),
    ("in the part taken", frozenset({audience_rules.NOT_SAMPLED, audience_rules.OVER_LIMIT}), False),
    ("safe to send", frozenset({audience_rules.UNSAFE_VALUE}), False),
)
"""What each step is called, the reasons for which rows fall out there, and whether it is shown without any."""


def _funnel(action: Action) -> Iterator[Step]:
    audience = action.audience
    if audience is None or not audience.rows:
        return
    yield Step("rows", audience.rows, 100.0, 100.0, 0)
    before = audience.rows
    for label, lost in _losses(audience, is_new_known=bool(action.batches)):
        left = before - lost
        yield Step(label, left, _percent(left, audience.rows), _percent(before, audience.rows), lost)
        before = left


def _losses(audience: AudienceSummary, *, is_new_known: bool) -> Iterator[tuple[str, int]]:
    for label, reasons, is_always_shown in _STEPS:
        lost = sum(line.count for line in audience.exclusions if line.reason in reasons)
        if lost or is_always_shown:
            yield label, lost
    if is_new_known:
        yield "new", audience.already_written


# --- texts -----------------------------------------------------------------------------------------------------------


def _phones(message: MessageSummary) -> Iterator[Phone]:
    """A text each; where everybody may get another one, the template."""
    if message.mode != "variants":
        caption = "" if message.mode == "merge" else f"{count(message.texts, 'different text')} of one template"
        yield Phone(caption, list(template_pieces(message.text, message.fields)))
        return
    for variant in message.variants:
        where = f" where {' and '.join(variant.conditions)}" if variant.conditions else ""
        texts = f" in {count(variant.texts, 'text')}" if variant.texts > 1 else ""
        caption = f"{count(variant.recipients, 'recipient')}{texts}{where}"
        yield Phone(caption, list(template_pieces(variant.text, variant.fields)))


# --- clocks ----------------------------------------------------------------------------------------------------------


def _local_times(action: Action) -> Iterator[LocalTime]:
    """Those of the most recipients first; nothing where nobody knows when messages leave."""
    moment = action.send_at or (action.hours.starts_at if action.hours else None)
    if moment is None or not action.batches:
        return
    overridden = {each.rule for each in action.overrides}
    for group in sorted(action.zones, key=lambda group: (-group.recipients, group.country, group.zones)):
        if group.zones:
            yield _local_time(group, group.send_at or moment, overridden if action.hours else None)


def _local_time(group: ZoneCount, moment: datetime, overridden: set[str] | None) -> LocalTime:
    clocks = sorted({moment.astimezone(load_zone(zone)).replace(tzinfo=None) for zone in group.zones})
    first, last = clocks[0], clocks[-1]
    shown = f"{first:%a %H:%M}" if first == last else f"{first:%a %H:%M} to {last:%a %H:%M}"
    place = group.zones[0] if len(group.zones) == 1 else f"{len(group.zones)} time zones"
    return LocalTime(
        country=group.country,
        place=place,
        recipients=group.recipients,
        shown=shown,
        marks=[_percent(clock.hour * 60 + clock.minute, _DAY_MINUTES) for clock in clocks],
        open=[] if overridden is None else _open_hours(group, first.date(), overridden),
    )


def _open_hours(group: ZoneCount, day: date, overridden: set[str]) -> list[tuple[float, float]]:
    """When every rule permits marketing on a day, on the clock of the first of the zones; the rules are local ones."""
    zone = group.zones[0]
    midnight = datetime.combine(day, time(), load_zone(zone)).astimezone(UTC)
    spans = [(midnight, midnight + timedelta(days=1))]
    for binding in bindings_of(group.country, (zone,)):
        if binding.rule.id not in overridden:
            opened = open_spans(binding, midnight.date())
            spans = [
                (max(start, opens), min(end, closes))
                for start, end in spans
                for opens, closes in opened
                if max(start, opens) < min(end, closes)
            ]
    return [
        (
            _percent((start - midnight).total_seconds() / 60, _DAY_MINUTES),
            _percent((end - start).total_seconds() / 60, _DAY_MINUTES),
        )
        for start, end in spans
    ]

"""
From a resolved campaign and what was sent to an action: what apply would do, and why.

An action is decided in this order: a sent campaign that was edited is a conflict; a batch nobody knows the outcome of
must be settled; what remains is checked against times and limits; then it is sent, or there is nothing to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience.resolve import Audience
from octoplan.campaign.check import check_times, drop_overridden
from octoplan.campaign.model import CampaignModel, Limits, Message
from octoplan.campaign.resolve import Campaign
from octoplan.campaign.words import check_by_country
from octoplan.clock import Clock
from octoplan.diagnostics import ExitCode, Finding
from octoplan.digests import DigestKey, canonical_json, content_digest
from octoplan.gateway.port import Prices, RefusalClass, SendRequest
from octoplan.messages.batches import Stratum
from octoplan.messages.compiler import requests_for
from octoplan.meter import QUIET, Meter
from octoplan.plan.copies import check_sent_copies
from octoplan.plan.lengths import (
    PartPrices,
    describe_dearer,
    describe_difference,
    describe_length,
    describe_pessimistic,
    describe_replaced,
)
from octoplan.plan.model import (
    Action,
    ActionKind,
    AudienceSummary,
    Cost,
    ExclusionLine,
    MessageSummary,
    Overridden,
    PlannedBatch,
    PlannedWave,
    Reason,
    TextVariant,
    UnitPrice,
    ZoneCount,
)
from octoplan.plan.outgoing import Dispatch, Outgoing, fresh_batches, reopened_batches
from octoplan.plan.price import Priced, Pricer, Pricing, Sample, batch_cost, campaign_cost
from octoplan.plan.waves import describe_waves, on_each_clock
from octoplan.plan.window import in_window
from octoplan.rulebook.zones import Zones, count_zones, known_zones
from octoplan.state.home import StateReader
from octoplan.state.journal import CampaignState, Phase
from octoplan.state.spending import add_spending
from octoplan.values.amount import render_amount

_STRATA: Final = Pricing()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A campaign whose audience and texts are resolved: all that a plan needs of it, and apply again."""

    campaign: Campaign
    audience: Audience
    dispatch: Dispatch
    content: Mapping[str, str]
    limits: Limits
    on_unknown: Literal["repeat", "stop"]
    key: DigestKey

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed about its contacts, its text and its countries, but for what the campaign overrides."""
        by_country = check_by_country(self.campaign, self.audience.countries)
        waves = self.dispatch.waves.findings if self.dispatch.waves else ()
        found = [*self.audience.findings, *self.dispatch.message.findings, *waves, *by_country]
        return tuple(drop_overridden(found, self.campaign.model.overrides))

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last message leave; `None` for at once, or for nobody."""
        if self.dispatch.waves is not None:
            return self.dispatch.waves.span
        return None if self.campaign.send_at is None else (self.campaign.send_at, self.campaign.send_at)


@dataclass(slots=True)
class _Draft:
    """The batches still to be sent, before their price is known."""

    reopened: list[Outgoing] = field(default_factory=list)
    fresh: list[Outgoing] = field(default_factory=list)
    samples: dict[Stratum, Sample] = field(default_factory=dict)
    lost: int = 0
    """Unknown batches that can no longer be made as they were."""
    zones: Counter[tuple[str, Zones]] = field(default_factory=Counter)
    """Recipients by country and time zones, where somebody asks for them."""

    @property
    def batches(self) -> list[Outgoing]:
        return [*self.reopened, *self.fresh]

    @property
    def recipients(self) -> int:
        return sum(batch.recipients for batch in self.batches)


def describe_content(
    campaign: Campaign,
    audience: Audience,
    request: SendRequest,
    account: str | None,
    key: DigestKey,
    included: Mapping[str, str],
) -> dict[str, str]:
    """
    What a campaign is, field by field, as the journal and the lock file remember it.

    Texts and lists are keyed digests; a later edit of any field of a campaign that was sent is a conflict.
    """
    model = campaign.model
    message: list[object] = [model.message.template, dict(model.message.vars), dict(model.recipients.columns)]
    message += [dict(included)] if included else []
    # Named only where it is used: without it a campaign keeps the digest that it always had.
    message += [["replacement", model.message.replacement]] if model.message.replacement else []
    fields = {
        "account": account,
        "audience": "growing" if model.audience == "growing" else audience.set_digest(key),
        "auto_optimize_text": _flag(request.auto_optimize_text),
        "auto_remove_blacklisted_numbers": _flag(request.auto_remove_blacklisted_numbers),
        "limit": _part(model, model.recipients.limit),
        "message": content_digest(key, "t1", "octoplan/message/v1", canonical_json(message)),
        "purpose": request.purpose,
        "sample": _part(model, model.recipients.sample),
        "send_at": request.send_at or "now",
        "sender": request.sender,
        "type": request.type,
        "with_replies": _flag(request.with_replies),
    } | _recipient_time(campaign)
    return {name: value for name, value in fields.items() if value is not None}


def _recipient_time(campaign: Campaign) -> dict[str, str | None]:
    """A time on the recipients' own clocks, and all that makes instants of it."""
    time = campaign.recipient_time
    if time is None:
        return {}
    written = time.written.isoformat(timespec="seconds")
    return {
        "clock_change": time.clock_change,
        "elsewhere": time.elsewhere,
        "recipient_local": _flag(value=True),
        "send_at": written,
    }


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _part(model: CampaignModel, taken: int | Decimal | None) -> str | None:
    """How much of the list is taken, in the words of a campaign. A growing audience may grow by it."""
    if taken is None or model.audience == "growing":
        return None
    return f"{(taken * 100).normalize():f}%" if isinstance(taken, Decimal) else str(taken)


def build_action(
    prepared: Prepared,
    state: CampaignState | None,
    reader: StateReader,
    prices: Prices | None,
    clock: Clock,
    pricing: Pricing = _STRATA,
    meter: Meter = QUIET,
) -> Action:
    """
    Decide what apply would do with one campaign; `prices` is `None` offline.

    :raises AuthenticationFailed, OctoplanError: if prices cannot be asked.
    """
    if state is not None and state.is_forgotten:
        detail = "its recipients were forgotten, so nobody could tell who has it already: it is closed for good"
        return _action(prepared, state, ActionKind.SENT, [Reason("forgotten", detail)])
    conflicts = list(_conflicts(prepared.content, state))
    if conflicts:
        return _action(prepared, state, ActionKind.CONFLICT, conflicts)
    pricer = Pricer(prepared.dispatch.request, prices, pricing, clock.now())
    draft = _draft(prepared, state, reader, pricer, meter)
    with meter.stage("prices", len(draft.samples)) as told:
        priced = pricer.price(draft.samples, told)
    with meter.stage("decide"):
        batches = [plan_batch(batch, priced) for batch in draft.batches]
        cost = campaign_cost(draft.batches, batches, priced)
        kind, reasons = _decide(prepared, state, draft, cost, priced, reader, clock)
        zones = tuple(_zone_count(prepared, *place, number) for place, number in sorted(draft.zones.items()))
        action = _action(prepared, state, kind, reasons, batches, cost)
        return replace(action, zones=zones, waves=_waves(prepared, zones))


def _zone_count(prepared: Prepared, country: str, zones: Zones, recipients: int) -> ZoneCount:
    time = prepared.campaign.recipient_time
    return ZoneCount(country, zones, recipients, time.instant_for(zones) if time else None)


def _waves(prepared: Prepared, zones: Iterable[ZoneCount]) -> tuple[PlannedWave, ...]:
    time = prepared.campaign.recipient_time
    return () if time is None else describe_waves(time, (each.zones for each in zones))


# --- what is still to be sent -----------------------------------------------------------------------------------------


def _draft(
    prepared: Prepared, state: CampaignState | None, reader: StateReader, pricer: Pricer, meter: Meter
) -> _Draft:
    draft = _Draft()
    if state is not None:
        with meter.stage("repeats") as told:
            for batch in reopened_batches(prepared.dispatch, state, reader):
                for rows in batch.rows:
                    _note_zones(prepared, draft, rows)
                draft.reopened.append(_light(batch))
                told(batch.recipients)
        draft.lost = len(state.in_phase(Phase.OPEN)) - len(draft.reopened)

    def watch(rows: pa.RecordBatch) -> None:
        _note_zones(prepared, draft, rows)

    with meter.stage("batches", prepared.audience.recipients) as told:
        for batch in fresh_batches(prepared.dispatch, state, reader, watch=watch, meter=meter):
            _add_samples(draft.samples, batch)
            pricer.see(batch)
            draft.fresh.append(_light(batch))
            told(batch.recipients)
    return draft


def _note_zones(prepared: Prepared, draft: _Draft, rows: pa.RecordBatch) -> None:
    """Only marketing has sending hours, and only waves have several times."""
    if prepared.dispatch.request.purpose == "wholesale" or prepared.dispatch.waves is not None:
        draft.zones.update(count_zones([(rows.column("phone"), rows.column("country"))]))


def _light(batch: Outgoing) -> Outgoing:
    """Without its contacts: a plan of ten thousand batches keeps what identifies them only."""
    return replace(batch, request=replace(batch.request, contacts=b""), phones=batch.phones.slice(0, 0), rows=())


def _add_samples(samples: dict[Stratum, Sample], batch: Outgoing) -> None:
    """Keep the first recipient of each stratum, to ask the price with."""
    for stratum in batch.strata.keys() - samples.keys():
        samples[stratum] = Sample(stratum, replace(batch.request, contacts=_first_contact(batch.rows, stratum)))


def _first_contact(rows: Sequence[pa.RecordBatch], stratum: Stratum) -> bytes:
    country, segments = stratum
    for each in rows:
        is_one = pc.and_(pc.equal(each.column("country"), country), pc.equal(each.column("segments"), segments))
        found = pc.indices_nonzero(is_one)
        if len(found):
            contact: str = each.column("contact")[found[0].as_py()].as_py()
            return contact.encode()
    raise AssertionError("a batch has a recipient of each of its strata")


def plan_batch(batch: Outgoing, priced: Priced) -> PlannedBatch:
    """A batch as the plan shows it, with its cost."""
    return PlannedBatch(
        digest=batch.digest,
        request_id=batch.request_id,
        attempt=batch.attempt,
        recipients=batch.recipients,
        segments=batch.segments,
        cost=batch_cost(batch, priced),
        repeat=batch.opened_at is not None,
        canary=batch.is_canary,
        send_at=batch.send_at,
    )


# --- what to do about it ----------------------------------------------------------------------------------------------


def _conflicts(content: Mapping[str, str], state: CampaignState | None) -> Iterator[Reason]:
    """Every field in which the campaign differs from what it was when its first batch went out."""
    if (
        state is None
        or state.content is None
        or not any(batch.phase is not Phase.FREE for batch in state.batches.values())
    ):
        return
    # Without credentials at hand an offline plan cannot tell the account; apply always can.
    before = {name: text for name, text in state.content.items() if name != "account" or name in content}
    hint = "take the edit back, or give the new version an id of its own (everybody on its list then gets it)"
    for name in sorted({*before, *content}):
        if before.get(name) == content.get(name):
            continue
        if name == "audience":
            detail = "the list of numbers is not the one it was sent to"
        elif name in ("message", "account"):
            detail = f"the {name} is not the one it was sent with"
        else:
            detail = f"`{name}` was {before.get(name, 'not set')} and is now {content.get(name, 'not set')}"
        yield Reason(f"changed-{name.replace('_', '-')}", f"sent already, and {detail}", hint, ExitCode.BLOCKED)


def _decide(
    prepared: Prepared,
    state: CampaignState | None,
    draft: _Draft,
    cost: Cost,
    priced: Priced,
    reader: StateReader,
    clock: Clock,
) -> tuple[ActionKind, list[Reason]]:
    unknown = list(_unknown(prepared, state, draft, clock))
    if unknown:
        return ActionKind.UNKNOWN, unknown
    if not draft.batches:
        return _nothing_left(state, clock.now())
    blocked = [
        *_check_times(prepared, draft, clock.now()),
        *_check_limits(prepared, state, draft, cost),
        *_check_growth(prepared, state, draft),
        *check_sent_copies(prepared, reader),
        *_check_api(priced),
    ]
    if blocked:
        return ActionKind.BLOCKED, blocked
    held = _held_back(prepared, clock.now()) or _paused_growth(prepared, state, clock.now())
    if held is not None:
        return ActionKind.SCHEDULED, [held]
    if state is None or (not state.in_phase(Phase.SENT) and not draft.reopened):
        return ActionKind.SEND, []
    reasons = []
    kind = ActionKind.RESUME
    if prepared.campaign.model.audience == "growing" and not draft.reopened:
        kind = ActionKind.ADD
    if state.sent_recipients:
        reasons.append(Reason("part-sent", f"{state.sent_recipients:,} recipients have it already"))
    if draft.reopened:
        detail = f"{len(draft.reopened)} request(s) without a known outcome are repeated with the same request id"
        reasons.append(Reason("repeat", detail))
    return kind, reasons


def _unknown(prepared: Prepared, state: CampaignState | None, draft: _Draft, clock: Clock) -> Iterator[Reason]:
    if state is None:
        return
    hint = "look at it with `octoplan recover` and decide"
    unknown = state.in_phase(Phase.OPEN)
    expired = [batch for batch in unknown if not in_window(batch.opened_at, batch.opened_mark, clock)]
    if unknown and prepared.on_unknown == "stop":
        detail = f"{len(unknown)} request(s) may or may not have been accepted, and `on_unknown` is `stop`"
        yield Reason("outcome-unknown", detail, hint, ExitCode.UNKNOWN)
    elif expired:
        detail = f"{len(expired)} request(s) may have been accepted, too long ago to be repeated safely"
        yield Reason("outcome-unknown", detail, hint, ExitCode.UNKNOWN)
    elif draft.lost:
        detail = f"{draft.lost} request(s) may have been accepted, and their recipients' rows have changed since"
        yield Reason("outcome-unknown", detail, hint, ExitCode.UNKNOWN)


def _nothing_left(state: CampaignState | None, now: datetime) -> tuple[ActionKind, list[Reason]]:
    if state is None:
        return ActionKind.BLOCKED, [Reason("no-recipients", "nobody is left to write to")]
    sent = state.in_phase(Phase.SENT)
    ahead = {batch.send_at for batch in sent if batch.send_at and datetime.fromisoformat(batch.send_at) > now}
    if ahead:
        first, *others = sorted(ahead, key=datetime.fromisoformat)
        when = f"{first}, the last of {len(ahead)} waves for {others[-1]}" if others else first
        return ActionKind.SCHEDULED, [Reason("handed-over", f"handed over to the API for {when}")]
    return ActionKind.SENT, []


def _check_times(prepared: Prepared, draft: _Draft, now: datetime) -> Iterator[Reason]:
    leaves_at = min((batch.send_at for batch in draft.batches if batch.send_at is not None), default=None)
    for finding in check_times(prepared.campaign, leaves_at, now):
        yield Reason(finding.code, f"{finding.summary}. {finding.detail}", finding.hint, ExitCode.WINDOW)


def _check_limits(prepared: Prepared, state: CampaignState | None, draft: _Draft, cost: Cost) -> Iterator[Reason]:
    """Limits hold for the whole campaign: what was sent before counts too."""
    limits = prepared.limits
    sent_recipients = state.sent_recipients if state else 0
    repeated = {(state.campaign, batch.digest) for batch in draft.reopened} if state else set()
    billed = add_spending([state] if state else [], repeated=repeated).total
    recipients = sent_recipients + draft.recipients
    if limits.max_recipients is not None and recipients > limits.max_recipients:
        yield _over("max-recipients", f"{recipients:,} recipients, the limit is {limits.max_recipients:,}")
    histogram = prepared.dispatch.message.statistics.segments
    longest = max(histogram, default=0)
    if limits.max_segments is not None and longest > limits.max_segments:
        number = sum(count for size, count in histogram.items() if size > limits.max_segments)
        yield _over("max-segments", f"{number:,} recipients get {longest} parts, the limit is {limits.max_segments}")
    if limits.max_cost is not None:
        if cost.total is None or billed is None:
            what = "the cost" if cost.total is None else "what was billed for it before"
            detail = f"{what} is unknown, so it cannot be shown to stay under {render_amount(limits.max_cost)}"
            yield Reason("cost-unknown", detail, exit_code=ExitCode.BLOCKED)
        elif billed + cost.total > limits.max_cost:
            total, limit = render_amount(billed + cost.total), render_amount(limits.max_cost)
            yield _over("max-cost", f"it costs {total}, the limit is {limit}")
    if limits.max_unit_price is not None:
        yield from _check_unit_prices(cost.unit_prices, limits.max_unit_price)


def _check_growth(prepared: Prepared, state: CampaignState | None, draft: _Draft) -> Iterator[Reason]:
    """A growing audience that grows too fast is a mistake in the list, or an attack; the rest of a run is no growth."""
    limit = prepared.limits.max_growth
    added = sum(batch.recipients for batch in draft.fresh)
    if limit is not None and state is not None and state.is_complete and added > limit:
        yield _over("max-growth", f"{added:,} recipients are added, the limit for one apply is {limit:,}")


def is_past(campaign: Campaign, state: CampaignState | None, now: datetime) -> list[bool]:
    """
    All that `build_action` takes from the time, where no outcome is unknown and no audience grows: while it stays, so
    does the action. Whoever asks for the time in this file adds what is asked here.

    Whether each moment has come: of the campaign's schedule, and of what was handed over to the API. Of a time on the
    recipients' own clocks it is every moment that it could be.
    """
    ahead, time = campaign.model.schedule.hand_over or timedelta(), campaign.recipient_time
    leaves = [campaign.send_at] if time is None else [*time.instants_in(known_zones())]
    hand_over = [None if moment is None else moment - ahead for moment in leaves]
    sent = [] if state is None else [batch.send_at for batch in state.in_phase(Phase.SENT) if batch.send_at]
    moments = [*leaves, campaign.not_after, *hand_over, *map(datetime.fromisoformat, sent)]
    return [moment is not None and moment <= now for moment in moments]


def _held_back(prepared: Prepared, now: datetime) -> Reason | None:
    """Scheduled batches stay here until shortly before their time: until then they can still be stopped."""
    ahead, span = prepared.campaign.model.schedule.hand_over, prepared.span
    if ahead is None or span is None or now >= span[0] - ahead:
        return None
    first, last = span
    what = "all its waves" if first < last else "it"
    detail = (
        f"held back until {first - ahead:%Y-%m-%d %H:%M %Z}; an apply between then and {first:%H:%M} hands {what} over"
    )
    return Reason("held-back", detail)


def _paused_growth(prepared: Prepared, state: CampaignState | None, now: datetime) -> Reason | None:
    """Who was added to a growing audience waits until the last addition is long enough ago."""
    pause = prepared.limits.min_growth_pause
    if pause is None or state is None or not state.is_complete:
        return None
    last = max((batch.opened_at for batch in state.batches.values() if batch.phase is not Phase.FREE), default=None)
    if last is None or now - last >= pause:
        return None
    detail = (
        f"people were added last at {last:%Y-%m-%d %H:%M} UTC; the next may be from {last + pause:%Y-%m-%d %H:%M} UTC"
    )
    return Reason("growth-paused", detail)


def _check_unit_prices(units: Iterable[UnitPrice], limit: Decimal) -> Iterator[Reason]:
    for unit in units:
        where = f"one message of {unit.segments} part(s) to {unit.country}"
        if unit.price is None:
            detail = f"the price of {where} is unknown, so it cannot be shown to stay under {render_amount(limit)}"
            yield Reason("cost-unknown", detail, exit_code=ExitCode.BLOCKED)
        elif unit.price > limit:
            yield _over(
                "max-unit-price", f"{where} costs {render_amount(unit.price)}, the limit is {render_amount(limit)}"
            )


def _over(name: str, detail: str) -> Reason:
    hint = "make it smaller or cheaper, or have the limit raised where it is written"
    return Reason(f"over-{name}", detail, hint, ExitCode.BLOCKED)


def _check_api(priced: Priced) -> Iterator[Reason]:
    """What the API refuses in simulation it would refuse for real."""
    for refusal in priced.refusals:
        code = ExitCode.BLOCKED if refusal.kind is RefusalClass.FUNDS else ExitCode.INVALID
        detail = f"the API refuses it in simulation ({refusal.code}): {refusal.message}"
        yield Reason(f"api-{refusal.code}", detail, refusal.hint, code)


def check_ledger_room(
    actions: Sequence[Action], states: Iterable[CampaignState], rows_max: int | None
) -> tuple[Action, ...]:
    """
    Block what the state home has no room to remember, in the order of the actions; `None` is a home without a bound.
    """
    if rows_max is None:
        return tuple(actions)
    kept = sum(
        batch.recipients
        for state in states
        if not state.is_forgotten
        for batch in state.batches.values()
        if batch.phase is not Phase.FREE
    )
    checked = []
    for action in actions:
        added = sum(batch.recipients for batch in action.batches if not batch.repeat)
        if action.kind.sends and kept + added > rows_max:
            detail = (
                f"the state home remembers {kept:,} recipients; {added:,} more would pass its bound of {rows_max:,}"
            )
            reason = Reason("ledger-full", detail, _ROOM_HINT, ExitCode.BLOCKED)
            checked.append(replace(action, kind=ActionKind.BLOCKED, reasons=(*action.reasons, reason)))
            continue
        kept += added if action.kind.sends else 0
        checked.append(action)
    return tuple(checked)


_ROOM_HINT = (
    "keep the state of large audiences in the `postgres` home, or in the `local` home on storage that lasts; "
    "forgetting campaigns that are over (`octoplan state forget`) makes room"
)


def check_balance(actions: Sequence[Action], balance: Decimal, minimum: Mapping[str, Decimal]) -> tuple[Action, ...]:
    """
    Block what the wallet does not pay for, in the order of the actions.

    `minimum` is what must remain in the wallet after each campaign, by id. A cost that is unknown blocks only where
    something must remain: the API itself refuses what the wallet does not pay for.
    """
    checked = []
    left = balance
    for action in actions:
        keep = minimum.get(action.campaign, Decimal(0))
        reason = check_wallet(action, left, keep) if action.kind.sends else None
        if reason is not None:
            checked.append(replace(action, kind=ActionKind.BLOCKED, reasons=(*action.reasons, reason)))
            continue
        if action.kind.sends and action.cost.total is not None:
            left -= action.cost.total
        checked.append(action)
    return tuple(checked)


def check_wallet(action: Action, left: Decimal, keep: Decimal) -> Reason | None:
    """Why a wallet that holds `left` does not pay for a campaign if `keep` must remain; `None` if it does."""
    total = action.cost.total
    if total is None:
        detail = f"the cost is unknown, so it cannot be shown that {render_amount(keep)} remain in the wallet"
        return Reason("cost-unknown", detail, exit_code=ExitCode.BLOCKED) if keep else None
    if left - total >= keep:
        return None
    cost = render_amount(total)
    detail = f"the wallet holds {render_amount(left)}, this costs {cost}, {render_amount(keep)} must remain"
    return Reason("balance-too-low", detail, "add credit, or send less", ExitCode.BLOCKED)


# --- the action as it is shown ----------------------------------------------------------------------------------------


def _sent_cost(state: CampaignState | None) -> Decimal | None:
    if state is None:
        return None
    costs = [batch.cost for batch in state.in_phase(Phase.SENT)]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(costs) else None


def _action(
    prepared: Prepared,
    state: CampaignState | None,
    kind: ActionKind,
    reasons: Sequence[Reason],
    batches: Sequence[PlannedBatch] = (),
    cost: Cost | None = None,
) -> Action:
    campaign, request = prepared.campaign, prepared.dispatch.request
    first, last = prepared.span or (None, None)
    return Action(
        campaign=campaign.id,
        identity=campaign.identity,
        file=campaign.file,
        description=campaign.model.description,
        owner=campaign.model.owner,
        kind=kind,
        reasons=tuple(reasons),
        type=request.type,
        purpose=request.purpose,
        sender=request.sender,
        content=prepared.content,
        audience=_summarise_audience(prepared, batches),
        message=_summarise_message(prepared.dispatch, campaign.model.message, cost.unit_prices if cost else ()),
        batches=tuple(batches),
        cost=cost or Cost(None, "none"),
        send_at=first,
        send_at_local=_local(campaign),
        not_after=campaign.not_after,
        sent_recipients=state.sent_recipients if state else 0,
        sent_cost=_sent_cost(state),
        overrides=tuple(Overridden(each.rule, each.reason) for each in campaign.model.overrides),
        last_send_at=last,
        position=state.position if state else None,
    )


def _local(campaign: Campaign) -> str | None:
    """`2027-03-20 10:00 Europe/Paris`, with the offset where the campaign names no zone."""
    if campaign.recipient_time is not None:
        return on_each_clock(campaign.recipient_time)
    if campaign.send_at is None:
        return None
    zone = str(campaign.timezone) if campaign.timezone else campaign.send_at.strftime("%z")
    return f"{campaign.send_at:%a %Y-%m-%d %H:%M} {zone}"


def _summarise_audience(prepared: Prepared, batches: Sequence[PlannedBatch]) -> AudienceSummary:
    audience = prepared.audience
    return AudienceSummary(
        path=prepared.campaign.model.recipients.shown,
        rows=audience.rows,
        recipients=audience.recipients,
        already_written=audience.recipients - sum(batch.recipients for batch in batches),
        exclusions=tuple(
            ExclusionLine(each.reason, each.count, each.examples, each.explanation) for each in audience.exclusions
        ),
        countries=dict(audience.countries),
        suppressed=lambda: b"".join(audience.suppressed_digests(prepared.key)),
    )


def _summarise_message(dispatch: Dispatch, written: Message, units: Sequence[UnitPrice]) -> MessageSummary:
    message, batch_size = dispatch.message, dispatch.batch_size
    statistics, prices = message.statistics, PartPrices.of(units)
    renderings, naive = message.renderings, None
    if renderings is not None:
        naive = sum(count * requests_for(recipients, batch_size) for recipients, count in renderings.items())
    return MessageSummary(
        text=message.texts[0] if message.mode == "merge" and message.texts else written.template,
        texts=len(message.texts),
        mode=message.mode,
        mode_reason=message.reason,
        fields={slot.name: slot.filled_by for slot in message.slots},
        histogram=dict(statistics.segments),
        ucs2_recipients=statistics.encodings.get("UCS-2", 0),
        guilty=dict(statistics.ucs2_characters),
        variants=tuple(
            TextVariant(
                use.text,
                use.conditions,
                {slot.name: slot.filled_by for slot in use.slots},
                use.recipients,
                use.texts,
            )
            for use in message.uses
        ),
        minimum_requests=-(-statistics.recipients // batch_size),
        naive_requests=naive,
        longest=describe_length(statistics.longest),
        shortest=describe_length(statistics.shortest),
        dearer=describe_dearer(statistics.causes, prices),
        replacement=written.replacement,
        replaced=describe_replaced(statistics.replaced, written.replacement),
        saved=describe_difference(statistics.saved, prices),
        pessimistic=describe_pessimistic(statistics),
        pessimistic_extra=describe_difference(statistics.pessimistic, prices),
    )

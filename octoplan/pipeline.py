"""
The chain from a campaign file to the plan, on one screen; read this first.

    campaign file → Campaign → Audience → ComposedMessage → Batches → Action → Plan

Recipients travel as columns in a stream. What was sent, the prices and the time are handed in, so that the same inputs
give the same plan.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from octoplan import limits
from octoplan.audience.resolve import Audience, AudienceSpec, resolve_audience
from octoplan.audience.sources import PlannedSuppression
from octoplan.audience.suppression import SuppressionSpec
from octoplan.campaign.check import drop_overridden
from octoplan.campaign.model import Budgets, EnvironmentSettings
from octoplan.campaign.project import Project, effective_budgets, effective_limits, effective_windows
from octoplan.campaign.protected import ProtectedLimits
from octoplan.campaign.resolve import Campaign
from octoplan.campaign.words import check_by_country
from octoplan.clock import Clock
from octoplan.diagnostics import Finding, InvalidInput, Place, Rule
from octoplan.digests import DigestKey
from octoplan.gateway.port import Balance, Prices, SendRequest
from octoplan.messages.compose import MessageSource, compose_message
from octoplan.messages.template import parse_template
from octoplan.plan.budget import budget_use, check_budgets
from octoplan.plan.build import Prepared, build_action, check_balance, check_ledger_room, describe_content
from octoplan.plan.copies import check_planned_copies
from octoplan.plan.duration import estimate_duration_s
from octoplan.plan.hours import check_hours
from octoplan.plan.model import Plan
from octoplan.plan.outgoing import Dispatch
from octoplan.plan.price import Pricing
from octoplan.state.home import StateReader
from octoplan.values.local_time import load_zone

UNUSABLE: Final = Rule("campaign/unusable", "The campaign cannot be used")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all campaigns of one plan share."""

    project: Project
    environment: str
    settings: EnvironmentSettings
    account: str | None
    key: DigestKey
    planned: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """For carrying out an approved plan: who was suppressed in it, by campaign id."""
    ledger_rows_max: int | None = None
    """How many recipients the state home can remember; `None` for a home without a bound."""
    pricing: Pricing = field(default_factory=Pricing)
    protected: ProtectedLimits = field(default_factory=ProtectedLimits)
    """Limits and budgets of a protected branch, which hold besides those of the files here."""

    @property
    def budgets(self) -> Budgets:
        """The strictest of the environment's and the protected ones."""
        return effective_budgets(self.settings.budgets, *self.protected.budgets)

    @property
    def timezone(self) -> ZoneInfo | None:
        """The project's."""
        name = self.project.model.defaults.timezone
        return load_zone(name) if name else None


def prepare_campaign(setting: Setting, campaign: Campaign) -> Prepared:
    """
    Resolve the audience and compose the message. The caller closes the audience.

    :raises InvalidInput: with every finding, if contacts, template or values cannot be used.
    """
    template = parse_template(campaign.model.message.template, campaign.place_in_template(1))
    source = MessageSource(template, campaign.model.message.vars, campaign.model.recipients.columns)
    audience = resolve_audience(_audience_spec(setting, campaign, source.recipient_variables))
    try:
        message = compose_message(source, audience.batches)
        request = _request(campaign)
        batch_size = min(campaign.model.batch_size, setting.settings.batch_size)
        return Prepared(
            campaign=campaign,
            audience=audience,
            dispatch=Dispatch(
                setting.environment, campaign.identity, batch_size, request, message, _canary_hash(campaign, audience)
            ),
            content=describe_content(campaign, audience, request, setting.account, setting.key),
            limits=effective_limits(
                setting.project.model, setting.settings, campaign.model, *setting.protected.limits_for(campaign)
            ),
            on_unknown=setting.settings.on_unknown,
            key=setting.key,
        )
    except BaseException:
        audience.close()
        raise


@contextlib.contextmanager
def prepare_campaigns(setting: Setting, campaigns: Iterable[Campaign]) -> Iterator[tuple[Prepared, ...]]:
    """
    Prepare every campaign, and close their audiences at the end.

    :raises InvalidInput: with the findings of all campaigns at once.
    """
    findings: list[Finding] = []
    with contextlib.ExitStack() as stack:
        prepared = []
        for campaign in campaigns:
            try:
                prepared.append(prepare_campaign(setting, campaign))
                stack.callback(prepared[-1].audience.close)
            except InvalidInput as error:
                findings += error.findings or [_finding(campaign, error)]
        if findings:
            raise InvalidInput("some campaigns cannot be planned as they are", findings=findings)
        yield tuple(prepared)


def build_plan(
    setting: Setting,
    prepared: Sequence[Prepared],
    reader: StateReader,
    prices: Prices | None,
    *,
    balance: Balance | None,
    endpoint: str,
    clock: Clock,
    findings: Sequence[Finding] = (),
) -> Plan:
    """
    Decide about every campaign; `prices` and `balance` are `None` for an offline plan, whose costs are unknown.

    :raises AuthenticationFailed, OctoplanError: if prices cannot be asked.
    """
    states = reader.campaigns()
    now = clock.now()
    actions = tuple(
        build_action(each, states.get(each.campaign.identity), reader, prices, clock, setting.pricing)
        for each in sorted(prepared, key=lambda each: each.campaign.id)
    )
    actions = check_planned_copies(actions, prepared)
    actions = check_ledger_room(actions, states.values(), setting.ledger_rows_max)
    if balance is not None:
        minimum = {each.campaign.id: each.limits.min_balance or Decimal(0) for each in prepared}
        actions = check_balance(actions, balance.amount, minimum)
    budget = budget_use(setting.budgets, states.values(), actions, now, setting.timezone)
    actions = check_budgets(actions, budget, None if balance is None else balance.unit)
    campaigns = {each.campaign.id: each.campaign for each in prepared}
    windows = effective_windows(setting.project.model, setting.settings)
    actions = check_hours(actions, campaigns, windows, setting.settings, now)
    return Plan(
        project=setting.project.model.project,
        environment=setting.environment,
        endpoint=endpoint,
        digest_key=setting.key.fingerprint,
        account=setting.account,
        created_at=now,
        expires_at=now + timedelta(seconds=limits.PLAN_LIFETIME_S),
        actions=actions,
        balance=None if balance is None else balance.amount,
        balance_unit=None if balance is None else balance.unit,
        findings=(*findings, *(found for each in prepared for found in _findings(each))),
        simulate="none" if prices is None else setting.pricing.simulate,
        budget=None if budget.month is None and budget.run is None else budget,
        limits_from=setting.protected.sources,
        duration_s=estimate_duration_s(
            [batch.recipients for action in actions if action.kind.sends for batch in action.batches],
            requests_per_second=setting.settings.requests_per_second,
            messages_per_second=setting.settings.messages_per_second,
        ),
    )


def _findings(prepared: Prepared) -> tuple[Finding, ...]:
    """The warnings of all stages but those that the campaign overrides."""
    by_country = check_by_country(prepared.campaign, prepared.audience.countries)
    found = [*prepared.audience.findings, *prepared.dispatch.message.findings, *by_country]
    return tuple(drop_overridden(found, prepared.campaign.model.overrides))


def _finding(campaign: Campaign, error: InvalidInput) -> Finding:
    return Finding(
        "campaign/unusable", "The campaign cannot be used", "error", error.message, Place(campaign.file), error.hint
    )


def _canary_hash(campaign: Campaign, audience: Audience) -> str | None:
    """The hash of the last recipient of the canary, in the order of the audience."""
    canary = campaign.model.canary
    if canary is None or not audience.recipients:
        return None
    wanted = (
        canary.recipients if canary.recipients is not None else -(-audience.recipients * (canary.percent or 0) // 100)
    )
    if not wanted:
        return None
    left = min(wanted, audience.recipients)
    for rows in audience.batches():
        if left <= rows.num_rows:
            return str(rows.column("hash")[left - 1].as_py())
        left -= rows.num_rows
    raise AssertionError("an audience has as many rows as recipients")


def _request(campaign: Campaign) -> SendRequest:
    """Every field of the endpoint, explicit; text and contacts are each batch's own."""
    model = campaign.model
    return SendRequest(
        text="",
        contacts=b"",
        type=model.type,
        purpose=model.purpose,
        sender=campaign.sender,
        send_at=None if campaign.send_at is None else campaign.send_at.isoformat(timespec="seconds"),
        with_replies=model.with_replies,
        auto_optimize_text=model.auto_optimize_text,
        auto_remove_blacklisted_numbers=model.auto_remove_blacklisted_numbers,
    )


def _audience_spec(setting: Setting, campaign: Campaign, variables: tuple[str, ...]) -> AudienceSpec:
    recipients = campaign.model.recipients
    suppressions = tuple(
        SuppressionSpec(each.path, each.file, each.phone, each.region or campaign.region, each.place)
        for each in setting.project.suppression
    )
    planned = setting.planned.get(campaign.id)
    return AudienceSpec(
        contacts=campaign.contacts,
        shown_path=recipients.path,
        phone=recipients.phone,
        region=campaign.region,
        columns=recipients.columns,
        variables=variables,
        where=recipients.where,
        key=recipients.key,
        delimiter=recipients.delimiter,
        encoding=recipients.encoding,
        suppressions=suppressions,
        allow_numbers=setting.settings.allow_numbers,
        planned=None if planned is None else PlannedSuppression(setting.key, planned),
        places=lambda path: campaign.place(*path.split(".")),
    )

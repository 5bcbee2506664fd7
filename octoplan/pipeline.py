"""
The chain from a campaign file to the plan, on one screen; read this first.

    campaign file → Campaign → Audience → ComposedMessage → Batches → Action → Plan

Recipients travel as columns in a stream. What was sent, the prices and the time are handed in, so that the same inputs
give the same plan.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from octoplan import limits
from octoplan.audience.policy import InvalidPolicy, check_invalid
from octoplan.audience.readers.database import Connection
from octoplan.audience.readers.download import Remote
from octoplan.audience.readers.object_store import Stored
from octoplan.audience.readers.source import Source, SourceFile
from octoplan.audience.resolve import Audience, AudienceSpec, resolve_audience
from octoplan.audience.rules import NOT_ALLOWED_SOURCE, UNSAFE_VALUE
from octoplan.audience.sources import PlannedSuppression
from octoplan.audience.suppression import SuppressionSpec
from octoplan.campaign.model import (
    AllowedSource,
    AllowedStore,
    Budgets,
    CampaignModel,
    ContactSource,
    EnvironmentSettings,
    Policy,
)
from octoplan.campaign.project import (
    Project,
    SuppressionList,
    effective_budgets,
    effective_limits,
    effective_windows,
)
from octoplan.campaign.protected import ProtectedLimits
from octoplan.campaign.resolve import Campaign, FoundFile, FoundFiles
from octoplan.campaign.source import read_source
from octoplan.clock import Clock
from octoplan.diagnostics import Finding, InvalidInput, Place, Rule, require_no_errors
from octoplan.digests import DigestKey
from octoplan.gateway.port import Balance, Prices, SendRequest
from octoplan.messages.compose import MessageSource, compose_message
from octoplan.messages.handling import Handling
from octoplan.messages.rules import ACCEPTABLE
from octoplan.messages.template import parse_template
from octoplan.meter import QUIET, Meter
from octoplan.plan.budget import budget_use, check_budgets
from octoplan.plan.build import Prepared, build_action, check_balance, check_ledger_room, describe_content
from octoplan.plan.copies import check_planned_copies
from octoplan.plan.duration import estimate_duration_s
from octoplan.plan.expiry import find_expiry
from octoplan.plan.hours import check_hours
from octoplan.plan.model import Action, Plan
from octoplan.plan.outgoing import Dispatch
from octoplan.plan.policy import check_policies
from octoplan.plan.price import Pricing
from octoplan.plan.waves import plan_waves
from octoplan.state.git_revision import Revision
from octoplan.state.home import StateReader
from octoplan.values.local_time import load_zone
from octoplan.values.store_address import is_store_address

NO_CONNECTION: Final = Rule("audience/no-connection", "The environment has no such connection")
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
    meter: Meter = QUIET

    @property
    def budgets(self) -> Budgets:
        """The strictest of the environment's and the protected ones."""
        return effective_budgets(self.settings.budgets, *self.protected.budgets)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The project's, the environment's and the protected ones; all of them hold."""
        return (self.project.model.policy, self.settings.policy, *self.protected.policies)

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
    source = _message_source(setting, campaign)
    audience = resolve_audience(_audience_spec(setting, campaign, source.recipient_variables), setting.meter)
    try:
        require_no_errors(check_invalid(_accepted(campaign), audience.rows, audience.exclusions), UNUSABLE.summary)
        with setting.meter.stage("message", audience.recipients) as told:
            message = compose_message(source, audience.batches, told)
        audience = audience.without(message.left_out, UNSAFE_VALUE)
        waves = None
        if campaign.recipient_time is not None:
            with setting.meter.stage("waves", audience.recipients) as told:
                waves = plan_waves(campaign, campaign.recipient_time, message, told)
        request = _request(campaign)
        batch_size = min(campaign.model.batch_size, setting.settings.batch_size)
        return Prepared(
            campaign=campaign,
            audience=audience,
            dispatch=Dispatch(
                setting.environment,
                campaign.identity,
                batch_size,
                request,
                message,
                _canary_hash(campaign, audience),
                waves,
            ),
            content=describe_content(
                campaign, audience, request, setting.account, setting.key, source.template.included
            ),
            limits=effective_limits(
                setting.project.model, setting.settings, campaign.model, *setting.protected.limits_for(campaign)
            ),
            on_unknown=setting.settings.on_unknown,
            key=setting.key,
        )
    except BaseException:
        audience.close()
        raise


def resolve_contacts(setting: Setting, campaign: Campaign, examples_max: int) -> Audience:
    """
    The audience alone, also of a campaign that accepts fewer faulty rows than there are; `examples_max` rows are named
    for each reason of exclusion. The caller closes it.

    :raises InvalidInput: with every finding, if contacts or template cannot be used.
    """
    variables = _message_source(setting, campaign).recipient_variables
    spec = replace(_audience_spec(setting, campaign, variables), examples_max=examples_max)
    return resolve_audience(spec, setting.meter)


def _message_source(setting: Setting, campaign: Campaign) -> MessageSource:
    read = partial(read_include, setting.project.root)
    handling = _handling(campaign.model)
    template = parse_template(campaign.model.message.template, campaign.place_in_template(1), read, handling)
    return MessageSource(template, campaign.model.message.vars, campaign.model.recipients.columns)


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
    known: Sequence[tuple[Campaign, Action]] = (),
    revision: Revision | None = None,
) -> Plan:
    """
    Decide about every campaign; `prices` and `balance` are `None` for an offline plan, whose costs are unknown.

    `known` are campaigns that need no decision, since nothing has changed, and what was decided. What depends on the
    time or on other campaigns is held against them all the same.

    :raises AuthenticationFailed, OctoplanError: if prices cannot be asked.
    """
    states = reader.campaigns()
    now = clock.now()
    decided = [
        build_action(each, states.get(each.campaign.identity), reader, prices, clock, setting.pricing, setting.meter)
        for each in sorted(prepared, key=lambda each: each.campaign.id)
    ]
    checked = check_planned_copies(decided, prepared)
    actions = tuple(sorted([*(action for _, action in known), *checked], key=lambda action: action.campaign))
    actions = check_ledger_room(actions, states.values(), setting.ledger_rows_max)
    if balance is not None:
        minimum = {each.campaign.id: each.limits.min_balance or Decimal(0) for each in prepared}
        actions = check_balance(actions, balance.amount, minimum)
    budget = budget_use(setting.budgets, states.values(), actions, now, setting.timezone)
    actions = check_budgets(actions, budget, None if balance is None else balance.unit)
    campaigns = {each.id: each for each in [*(each.campaign for each in prepared), *(each for each, _ in known)]}
    windows = effective_windows(setting.project.model, setting.settings)
    actions = check_hours(actions, campaigns, windows, setting.settings, now)
    actions = check_policies(actions, campaigns, setting.policies)
    expires_at, expires_because = find_expiry(actions, now)
    return Plan(
        project=setting.project.model.project,
        environment=setting.environment,
        endpoint=endpoint,
        digest_key=setting.key.fingerprint,
        account=setting.account,
        created_at=now,
        expires_at=expires_at,
        actions=actions,
        balance=None if balance is None else balance.amount,
        balance_unit=None if balance is None else balance.unit,
        findings=(*findings, *(found for each in prepared for found in each.findings)),
        simulate="none" if prices is None else setting.pricing.simulate,
        budget=None if budget.month is None and budget.run is None else budget,
        limits_from=setting.protected.sources,
        duration_s=estimate_duration_s(
            [batch.recipients for action in actions if action.kind.sends for batch in action.batches],
            requests_per_second=setting.settings.requests_per_second,
            messages_per_second=setting.settings.messages_per_second,
        ),
        expires_because=expires_because,
        revision=revision,
    )


def _handling(model: CampaignModel) -> Handling:
    """What becomes of characters and values; an override of a rule on values has them as they are."""
    accepted = frozenset(override.rule for override in model.overrides) & ACCEPTABLE
    return Handling(model.message.replacement, model.message.on_unsafe, accepted)


def read_include(root: Path, name: str) -> str:
    """
    A file that a template includes.

    :raises InvalidInput: if it is not a text inside the folder.
    """
    source, findings = read_source(root, f"{limits.INCLUDES_FOLDER}/{name}", bytes_max=limits.CAMPAIGN_FILE_BYTES_MAX)
    if source is None:
        raise InvalidInput("A file that the template includes cannot be used.", findings=findings)
    return source.text


def _finding(campaign: Campaign, error: InvalidInput) -> Finding:
    return Finding(
        "campaign/unusable", "The campaign cannot be used", "error", error.message, Place(campaign.file), error.hint
    )


def _canary_hash(campaign: Campaign, audience: Audience) -> int | None:
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
            return int(rows.column("hash")[left - 1].as_py())
        left -= rows.num_rows
    raise AssertionError("an audience has as many rows as recipients")


def _request(campaign: Campaign) -> SendRequest:
    """Every field of the endpoint, explicit; text and contacts are each batch's own, and the time of a wave."""
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
    planned = setting.planned.get(campaign.id)
    return AudienceSpec(
        contacts=_source(setting, recipients, campaign.contacts, partial(campaign.place, "recipients")),
        phone=recipients.phone,
        region=campaign.region,
        columns=recipients.columns,
        variables=variables,
        where=recipients.where,
        key=recipients.key,
        landlines=recipients.on_landline == "keep",
        sample=recipients.sample,
        limit=recipients.limit,
        suppressions=tuple(_suppression(setting, each, campaign.region) for each in setting.project.suppression),
        allow_numbers=setting.settings.allow_numbers,
        planned=None if planned is None else PlannedSuppression(setting.key, planned),
        places=lambda path: campaign.place(*path.split(".")),
    )


def _suppression(setting: Setting, each: SuppressionList, region: str | None) -> SuppressionSpec:
    place = partial(setting.project.place, "suppression", each.number)
    return SuppressionSpec(
        _source(setting, each.model, each.files, place), each.model.phone, each.region or region, place("path")
    )


def _source(setting: Setting, source: ContactSource, found: FoundFiles, place: Callable[..., Place]) -> Source:
    return Source(
        shown=source.shown,
        files=_files(found.files),
        kind=source.source,
        delimiter=source.delimiter,
        encoding=source.encoding,
        sheet=source.sheet,
        query=source.query,
        tables={name: _files(files) for name, files in found.tables.items()},
        connection=_connection(setting, source, place),
        remote=_remote(setting, source, place),
        places=lambda path: place(*path.split(".")),
    )


def _files(found: Sequence[FoundFile]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(each.path, each.name) for each in found)


def _connection(setting: Setting, source: ContactSource, place: Callable[..., Place]) -> Connection | None:
    """The database that a source names, as the environment describes it."""
    if source.connection is None:
        return None
    described = setting.settings.connections.get(source.connection)
    if described is None:
        detail = f"the environment `{setting.environment}` has no connection `{source.connection}`"
        raise InvalidInput("the audience cannot be read", findings=[NO_CONNECTION.at(place("connection"), detail)])
    return Connection(source.connection, described.kind, _variable(described.url), place("connection"))


def _remote(setting: Setting, source: ContactSource, place: Callable[..., Place]) -> Remote | Stored | None:
    """The file that a source names elsewhere, as the longest prefix that allows it says how to get it."""
    address = source.address
    if address is None:
        return None
    field = "stores" if is_store_address(address) else "sources"
    prefixes: Sequence[AllowedSource | AllowedStore] = getattr(setting.settings, field)
    fitting = [each for each in prefixes if address.startswith(each.prefix)]
    if not fitting:
        detail = f"no prefix under `{field}` of the environment `{setting.environment}` allows `{address}`"
        raise InvalidInput("the audience cannot be read", findings=[NOT_ALLOWED_SOURCE.at(place("path"), detail)])
    match max(fitting, key=lambda each: len(each.prefix)):
        case AllowedSource(headers=headers):
            return Remote(address, {name: _variable(each) for name, each in headers.items()})
        case AllowedStore() as store:
            key, secret, token = map(_variable, (store.key, store.secret, store.token))
            return Stored(address, store.region, store.endpoint, key, secret, token)


def _variable(reference: str) -> str:
    return reference.removeprefix("env/")


def _accepted(campaign: Campaign) -> InvalidPolicy:
    """How much of the list may be of no use."""
    recipients = campaign.model.recipients
    if recipients.on_invalid == "fail":
        return InvalidPolicy(Decimal(0), campaign.place("recipients", "on_invalid"))
    return InvalidPolicy(recipients.max_invalid, campaign.place("recipients", "max_invalid"))

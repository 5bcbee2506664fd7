"""
The saved plan as models: what a plan of somebody else's key is checked with, and the JSON Schema is made from.

`docs/formats/saved-plan.md` describes the fields; `saved.py` writes them, and a test holds the two against each other.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Amount = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?(E[+-][0-9]+)?$")]
"""An exact decimal as text."""
Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$")]
"""An instant in UTC."""
Count = Annotated[int, Field(ge=0)]


class _Data(BaseModel):
    """Frozen; fields that a later octoplan has added are ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, strict=True, use_attribute_docstrings=True)


class RevisionData(_Data):
    """The git revision of the project's files."""

    commit: str
    branch: str | None
    dirty: Count
    """Files of the plan that differ from the commit."""


class PositionData(_Data):
    """How far the campaign's journal had come."""

    entries: Count
    run: str
    """The last run that wrote into it."""
    at: Moment


class BalanceData(_Data):
    """The wallet when the plan was made."""

    amount: Amount | None
    unit: str | None


class ShareData(_Data):
    """What goes to a part of the recipients; the cost is without fees."""

    recipients: Count
    segments: Count
    cost: Amount | None


class CountryShareData(ShareData):
    """By country."""

    country: str


class PartsShareData(ShareData):
    """By the number of parts of a message."""

    parts: Count


class TotalsData(_Data):
    """What apply would do."""

    campaigns: Count
    recipients: Count
    segments: Count
    requests: Count
    cost: Amount | None
    """`null` while a price is unknown."""
    least: Amount
    most: Amount | None
    fees: Amount
    duration_s: Amount | None
    by_country: tuple[CountryShareData, ...]
    by_parts: tuple[PartsShareData, ...]


class PricingData(_Data):
    """How prices were asked."""

    simulate: Literal["strata", "all", "none"]
    simulated: Count


class BudgetData(_Data):
    """What all campaigns together may cost."""

    month: Amount | None
    run: Amount | None
    currency: str | None
    since: Moment
    spent: Amount | None
    uncertain: Amount
    without_cost: Count


class ReasonData(_Data):
    """Why an action is what it is."""

    code: str
    detail: str
    hint: str | None


class ExclusionData(_Data):
    """Rows that were left out for one reason."""

    reason: str
    count: Count
    lines: tuple[int | str, ...]
    explanation: str


class AudienceData(_Data):
    """From rows to recipients."""

    path: str
    rows: Count
    recipients: Count
    already_written: Count
    exclusions: tuple[ExclusionData, ...]
    countries: dict[str, Count]
    suppressed: str
    """Keyed digests of 8 bytes, base64."""


class VariantData(_Data):
    """Texts of one form."""

    fields: dict[str, str]
    recipients: Count
    texts: Count


class LengthData(_Data):
    """How long one message is."""

    line: Count
    units: Count
    segments: Count
    encoding: str
    cuts: tuple[int, ...]


class CharacterData(_Data):
    """A character, and the columns that it comes from."""

    character: str
    columns: tuple[str, ...]


class DifferenceData(_Data):
    """What something else would change."""

    recipients: int
    parts: int
    cost: Amount | None
    estimated: bool


class DearerData(_Data):
    """Recipients whose messages take more parts because of some characters."""

    because: tuple[CharacterData, ...]
    extra: DifferenceData
    level: int | None


class ReplacedData(CharacterData):
    """A character that was replaced."""

    by: str
    recipients: Count


class MessageData(_Data):
    """How the text is sent, and how long it becomes."""

    mode: str
    mode_reason: str | None
    texts: Count
    fields: dict[str, str]
    segments: dict[str, Count]
    """Recipients by the number of parts of their message."""
    ucs2_recipients: Count
    variants: tuple[VariantData, ...]
    minimum_requests: Count
    naive_requests: Count | None
    longest: LengthData | None
    shortest: LengthData | None
    dearer: tuple[DearerData, ...]
    replacement: Count
    replaced: tuple[ReplacedData, ...]
    saved: DifferenceData | None
    pessimistic_segments: dict[str, Count]
    pessimistic_extra: DifferenceData | None


class BatchData(_Data):
    """One request."""

    digest: str
    request_id: str
    attempt: Count
    recipients: Count
    segments: Count
    cost: Amount | None
    repeat: bool
    canary: bool
    send_at: Moment | None


class UnitPriceData(_Data):
    """The price of one message."""

    country: str
    segments: Count
    recipients: Count
    price: Amount | None
    source: Literal["simulation", "memory", "file", "none"]
    at: Moment | None


class CostData(_Data):
    """What the requests cost."""

    total: Amount | None
    source: str
    least: Amount
    most: Amount | None
    fees: Amount
    repeats: Amount | None
    simulated: Count
    unit_prices: tuple[UnitPriceData, ...]


class WaveData(_Data):
    """Recipients who get it at one instant."""

    send_at: Moment
    local: str
    zones: tuple[str, ...]
    recipients: Count
    requests: Count


class ScheduleData(_Data):
    """When messages leave."""

    send_at: Moment | None
    last_send_at: Moment | None
    local: str | None
    not_after: Moment | None
    waves: tuple[WaveData, ...]


class ZoneData(_Data):
    """Recipients of a country, and the time zones that they may be in."""

    country: str
    zones: tuple[str, ...]
    recipients: Count


class BrokenData(_Data):
    """A rule on sending hours that would be broken."""

    rule: str
    level: str
    blocks: bool
    country: str
    zones: tuple[str, ...]
    recipients: Count
    local: str
    permitted: str
    source: str


class HoursData(_Data):
    """What the rules on sending hours say."""

    starts_at: Moment
    ends_at: Moment
    next_slot: Moment | None
    next_local: str | None
    next_warns: bool
    closes_at: Moment | None
    zones: tuple[ZoneData, ...]
    broken: tuple[BrokenData, ...]


class OverrideData(_Data):
    """A rule that the campaign does not let count."""

    rule: str
    reason: str


class SentData(_Data):
    """What was sent before."""

    recipients: Count
    cost: Amount | None


class CampaignData(_Data):
    """One campaign's part of the plan."""

    id: str
    file: str
    description: str | None
    owner: str | None
    action: Literal["send", "add", "resume", "sent", "scheduled", "blocked", "unknown", "conflict"]
    sign: str
    reasons: tuple[ReasonData, ...]
    type: str
    purpose: str
    sender: str | None
    content: dict[str, str]
    audience: AudienceData | None
    message: MessageData | None
    batches: tuple[BatchData, ...]
    cost: CostData
    schedule: ScheduleData
    hours: HoursData | None
    overrides: tuple[OverrideData, ...]
    sent: SentData
    position: PositionData | None


class FindingData(_Data):
    """A warning."""

    code: str
    severity: Literal["error", "warning"]
    detail: str
    place: str


class PlanData(_Data):
    """A plan as `octoplan plan --out` and `--output json` write it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="octoplan saved plan")

    format: Literal["octoplan-plan"]
    version: Literal[1]
    octoplan: str
    """Version of the program that made it."""
    project: str
    environment: str
    endpoint: str
    digest_key: str
    account: str | None
    created_at: Moment
    expires_at: Moment
    expires_because: str
    revision: RevisionData | None
    balance: BalanceData
    totals: TotalsData
    pricing: PricingData
    budget: BudgetData | None
    limits_from: tuple[str, ...]
    campaigns: tuple[CampaignData, ...]
    findings: tuple[FindingData, ...]
    digest: str
    """Keyed digest of everything else."""

"""
What a plan says: one action a campaign, with its reason, and everything a reviewer needs to judge it.

A plan holds counts, digests and costs; no phone number, name, merge value or key. Times are aware, in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from octoplan.diagnostics import ExitCode, Finding
from octoplan.state.git_revision import Revision
from octoplan.state.journal import Position


class ActionKind(StrEnum):
    """What apply would do with a campaign."""

    SEND = "send"
    ADD = "add"
    RESUME = "resume"
    SENT = "sent"
    SCHEDULED = "scheduled"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"

    @property
    def sign(self) -> str:
        """The character in front of the line, so that colour never carries meaning alone."""
        return _SIGNS[self]

    @property
    def sends(self) -> bool:
        """Whether apply would send something."""
        return self in (ActionKind.SEND, ActionKind.ADD, ActionKind.RESUME)


_SIGNS: Mapping[ActionKind, str] = {
    ActionKind.SEND: "+",
    ActionKind.ADD: "+",
    ActionKind.RESUME: "~",
    ActionKind.SENT: "=",
    ActionKind.SCHEDULED: ">",
    ActionKind.BLOCKED: "!",
    ActionKind.UNKNOWN: "?",
    ActionKind.CONFLICT: "x",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an action is what it is. `code` is stable, `exit_code` what apply would end with because of it."""

    code: str
    detail: str
    hint: str | None = None
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """
    One request that apply would make. `cost` is `None` where no price is known; unknown is never 0.

    `repeat` marks a batch whose outcome is unknown and that would be sent again under the same request id. `send_at` is
    when its messages leave, `None` for at once.
    """

    digest: str
    request_id: str
    attempt: int
    recipients: int
    segments: int
    cost: Decimal | None
    repeat: bool = False
    canary: bool = False
    send_at: datetime | None = None


PriceSource = Literal["simulation", "memory", "file", "none"]
"""Who named a price: the API just now, the API to an earlier plan, the environment's price file, or nobody."""


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """The price of one message to one country in one length, who named it when, and how many get the message."""

    country: str
    segments: int
    recipients: int
    price: Decimal | None
    source: PriceSource = "none"
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExclusionLine:
    """How many rows were left out for one reason, and where the first of them are (lines of the contacts file)."""

    reason: str
    count: int
    lines: tuple[int | str, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class AudienceSummary:
    """From rows to recipients: every row is in exactly one of the counts."""

    path: str
    rows: int
    recipients: int
    already_written: int
    exclusions: tuple[ExclusionLine, ...]
    countries: Mapping[str, int]
    suppressed: Callable[[], bytes] = field(default=bytes, repr=False, compare=False)
    """
    Gives keyed digests, 8 bytes each, of who is on the list and suppressed; apply compares with them. Made when they
    are asked for: of a long list they take longer than anything else that is only written down.
    """

    def counts(self) -> Mapping[str, Any]:
        """For the journal: rows, recipients, and the excluded rows by reason."""
        excluded = {line.reason: line.count for line in self.exclusions}
        return {"rows": self.rows, "recipients": self.recipients, "excluded": excluded}


@dataclass(frozen=True, slots=True)
class TextVariant:
    """
    Texts of one form: `text` with the API's placeholders, and the template's own words where `texts` differ.

    `conditions` are those of the template under which recipients get it; `fields` say what fills each merge field.
    """

    text: str
    conditions: tuple[str, ...]
    fields: Mapping[str, str]
    recipients: int
    texts: int


@dataclass(frozen=True, slots=True)
class Difference:
    """
    Parts that some recipients' messages have beside what they could have, and their cost; `None` where it is unknown.

    `is_estimated` tells that a price in it was not asked, but taken in proportion to the parts.
    """

    recipients: int
    parts: int
    cost: Decimal | None
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class CharacterFrom:
    """
    A character and the columns of the contacts that it comes from; none for the template.

    The empty text stands for other characters, where naming them could tell a name or would be too long.
    """

    character: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DearerMessages:
    """
    Messages that take more parts because all of these characters are outside GSM-7; none are named for the rest.

    `level` is the replacement that would save it, `None` if none would.
    """

    because: tuple[CharacterFrom, ...]
    extra: Difference
    level: int | None


@dataclass(frozen=True, slots=True)
class ReplacedCharacter:
    """A character that is replaced `by` others in the messages of so many recipients."""

    source: CharacterFrom
    by: str
    recipients: int


@dataclass(frozen=True, slots=True)
class MessageLength:
    """
    How long one message is. `line` is where its recipient stands in the contacts, `cuts` are the characters after which
    its next part begins.
    """

    line: int
    units: int
    segments: int
    encoding: str
    cuts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """
    The text, and how long it becomes. `guilty` counts rows per character that forces UCS-2.

    `text` is the API's, with its placeholders, if there is one; else it is the template. `variants` are the texts by
    what makes them; `texts` is how many different ones there are. `minimum_requests` would do if everybody read the
    same; `naive_requests` is what one text for each different rendering would take, `None` for more than 100,000.
    `dearer` say which characters cost parts, `replaced` which were replaced, and `saved` what that saved. `pessimistic`
    is the histogram as Octopush's page on special characters counts, `pessimistic_extra` what it has more.
    """

    text: str
    texts: int
    mode: str
    mode_reason: str | None
    fields: Mapping[str, str]
    histogram: Mapping[int, int]
    ucs2_recipients: int
    guilty: Mapping[str, int]
    variants: tuple[TextVariant, ...] = ()
    minimum_requests: int = 0
    naive_requests: int | None = 0
    longest: MessageLength | None = None
    shortest: MessageLength | None = None
    dearer: tuple[DearerMessages, ...] = ()
    replacement: int = 0
    replaced: tuple[ReplacedCharacter, ...] = ()
    saved: Difference | None = None
    pessimistic: Mapping[int, int] = field(default_factory=dict)
    pessimistic_extra: Difference | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """
    What the sends of one campaign would cost. `total` is `None` while a price is unknown.

    `source` is `requests` where the API priced every request as it will be sent; else the sources of the unit prices,
    joined by `+`. The bill is at least `least` and at most `most` (`None`: no bound is known). `fees` are what is
    charged for requests as such, `repeats` the planned cost of requests that are made again; the unit prices are
    without both. `simulated` counts the simulated requests that this took.
    """

    total: Decimal | None
    source: str
    unit_prices: tuple[UnitPrice, ...] = ()
    least: Decimal = Decimal(0)
    most: Decimal | None = None
    fees: Decimal = Decimal(0)
    repeats: Decimal | None = Decimal(0)
    simulated: int = 0


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """
    What all campaigns of the environment together may cost, and what of it was used before this plan.

    `month` is the budget of the calendar month that began at `since`, `run` that of one apply; `None` for none.
    `spent` is what was billed since then, as far as the state home knows; `None` while the cost of one of its requests
    (`without_cost` of them) is unknown. `uncertain` is the part of `spent` whose outcome is unknown.
    """

    month: Decimal | None
    run: Decimal | None
    currency: str | None
    since: datetime
    spent: Decimal | None
    uncertain: Decimal = Decimal(0)
    without_cost: int = 0


@dataclass(frozen=True, slots=True)
class ZoneCount:
    """
    Recipients of one country who may be in any of `zones` (IANA names; none where nothing tells).

    `send_at` is when they get it, where that is not the same for everybody.
    """

    country: str
    zones: tuple[str, ...]
    recipients: int
    send_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlannedWave:
    """
    Recipients of a campaign who get it at one instant, the others at others.

    `zones` are those that decide, in which clocks show `local` then; in other zones that their numbers may be in it is
    later.
    """

    send_at: datetime
    local: str
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BrokenHours:
    """
    A rule on sending hours that messages would break for some recipients, and whether that blocks the campaign.

    `zones` are those in which it would be broken, `local` the first such moment on the clock of the first of them.
    """

    rule: str
    level: str
    blocks: bool
    country: str
    zones: tuple[str, ...]
    recipients: int
    local: str
    permitted: str
    source: str


@dataclass(frozen=True, slots=True)
class Hours:
    """
    When messages would leave, which rules on hours that breaks, and when they might leave instead.

    `next_slot` is `starts_at` where nothing is broken, and `None` where no time suits everybody; `next_warns` says that
    it obeys only the rules that are errors, as no time near obeys the warnings too. `closes_at` is the end of the hours
    that `starts_at` is in; nothing may leave from then on.
    """

    starts_at: datetime
    ends_at: datetime
    broken: tuple[BrokenHours, ...]
    next_slot: datetime | None
    next_local: str | None
    next_warns: bool
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overridden:
    """A rule that does not count for a campaign, and why."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Action:
    """
    One campaign's part of the plan. `identity` is the id under which what was sent is remembered.

    `send_at` is when its messages leave, the first of them where they have several times, and `last_send_at` the last.
    """

    campaign: str
    identity: str
    file: str
    description: str | None
    kind: ActionKind
    reasons: tuple[Reason, ...]
    type: str
    purpose: str
    sender: str | None
    content: Mapping[str, str]
    audience: AudienceSummary | None
    message: MessageSummary | None
    batches: tuple[PlannedBatch, ...]
    cost: Cost
    send_at: datetime | None
    send_at_local: str | None
    not_after: datetime | None
    sent_recipients: int = 0
    sent_cost: Decimal | None = None
    zones: tuple[ZoneCount, ...] = ()
    """Where recipients are, of marketing and where each has a time of his own; empty for other campaigns."""
    hours: Hours | None = None
    """What the rules on sending hours say; `None` where they do not ask."""
    overrides: tuple[Overridden, ...] = ()
    owner: str | None = None
    """Who answers for it, as the campaign says."""
    last_send_at: datetime | None = None
    waves: tuple[PlannedWave, ...] = ()
    """Where each recipient has a time of his own: the times of those who would be written to."""
    position: Position | None = None
    """How far its journal had come; `None` if it was never begun."""

    def batches_of(self, wave: PlannedWave) -> tuple[PlannedBatch, ...]:
        """The requests of one wave."""
        return tuple(batch for batch in self.batches if batch.send_at == wave.send_at)

    @property
    def recipients(self) -> int:
        """People apply would write to."""
        return sum(batch.recipients for batch in self.batches)

    @property
    def segments(self) -> int:
        """Parts apply would pay for."""
        return sum(batch.segments for batch in self.batches)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything apply would do in one environment, in the order of campaign ids."""

    project: str
    environment: str
    endpoint: str
    digest_key: str
    account: str | None
    created_at: datetime
    expires_at: datetime
    actions: tuple[Action, ...]
    balance: Decimal | None
    balance_unit: str | None
    findings: tuple[Finding, ...] = ()
    simulate: str = "strata"
    """How it was priced: `strata`, `all` or `none`; apply asks in the same way."""
    budget: BudgetUse | None = None
    """Budgets of the environment; `None` if it has none."""
    limits_from: tuple[str, ...] = ()
    """Where else limits were read: branch and commit."""
    duration_s: Decimal | None = None
    """How long the starts of all requests take at the configured rate, in seconds; `None` without a rate."""
    expires_because: str = ""
    """Which moment `expires_at` is: `24 hours after it was made`."""
    revision: Revision | None = None
    """Of which commit the project's files are; `None` outside of git."""

    @property
    def sending(self) -> tuple[Action, ...]:
        """The actions that send."""
        return tuple(action for action in self.actions if action.kind.sends)

    @property
    def recipients(self) -> int:
        """People that apply would write to, over all campaigns."""
        return sum(action.recipients for action in self.sending)

    @property
    def segments(self) -> int:
        """Parts over all campaigns."""
        return sum(action.segments for action in self.sending)

    @property
    def requests(self) -> int:
        """Requests that apply would make."""
        return sum(len(action.batches) for action in self.sending)

    @property
    def cost(self) -> Decimal | None:
        """The sum, or `None` while a part of it is unknown."""
        totals = [action.cost.total for action in self.sending]
        known = [total for total in totals if total is not None]
        return sum(known, Decimal(0)) if len(known) == len(totals) else None

    @property
    def least_cost(self) -> Decimal:
        """What the bill is at least, over all campaigns."""
        return sum((action.cost.least for action in self.sending), Decimal(0))

    @property
    def most_cost(self) -> Decimal | None:
        """What the bill is at most, or `None` while no bound is known."""
        most = [action.cost.most for action in self.sending]
        known = [amount for amount in most if amount is not None]
        return sum(known, Decimal(0)) if len(known) == len(most) else None

    @property
    def simulated(self) -> int:
        """How many simulated requests the prices took."""
        return sum(action.cost.simulated for action in self.actions)

    @property
    def exit_code(self) -> ExitCode:
        """The most serious thing that stands in the way of apply; `DONE` if nothing does."""
        codes = {reason.exit_code for action in self.actions for reason in action.reasons}
        return next((code for code in _SERIOUSNESS if code in codes), ExitCode.DONE)


_SERIOUSNESS = (ExitCode.STATE, ExitCode.UNKNOWN, ExitCode.WINDOW, ExitCode.BLOCKED, ExitCode.INVALID)

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

from octoplan.diagnostics import ExitCode, Finding


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

    `repeat` marks a batch whose outcome is unknown and that would be sent again under the same request id.
    """

    digest: str
    request_id: str
    attempt: int
    recipients: int
    segments: int
    cost: Decimal | None
    repeat: bool = False
    canary: bool = False


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """The price of one message to one country in one length, and how many get it."""

    country: str
    segments: int
    recipients: int
    price: Decimal | None


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


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """
    The text, and how long it becomes. `guilty` counts rows per character that forces UCS-2.

    `text` is the API's, with its placeholders; where recipients are grouped by identical text (`mode` is `grouped`) it
    is the template, since the texts themselves hold what is personal. `texts` is how many different ones there are.
    """

    text: str
    texts: int
    mode: str
    mode_reason: str | None
    fields: Mapping[str, str]
    histogram: Mapping[int, int]
    ucs2_recipients: int
    guilty: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cost:
    """
    What the sends of one campaign would cost. `total` is `None` while a price is unknown.

    `source` names where the figure comes from: `simulation` (the API's answer to a simulated request), `none`.
    """

    total: Decimal | None
    source: str
    unit_prices: tuple[UnitPrice, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One campaign's part of the plan. `identity` is the id under which what was sent is remembered."""

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
    def exit_code(self) -> ExitCode:
        """The most serious thing that stands in the way of apply; `DONE` if nothing does."""
        codes = {reason.exit_code for action in self.actions for reason in action.reasons}
        return next((code for code in _SERIOUSNESS if code in codes), ExitCode.DONE)


_SERIOUSNESS = (ExitCode.STATE, ExitCode.UNKNOWN, ExitCode.WINDOW, ExitCode.BLOCKED)

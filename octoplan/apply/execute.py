"""
The run: campaigns in order, batches in order, and when to stop.

It stops on a signal, a stop notice, past a deadline, on an anomaly, on an unknown outcome, and on refusals that would
meet the next batch too (account, funds, codes of unclear meaning). A batch refused for its content does not stop the
others.

Invariants:
- No batch begins once there is a reason to halt, and each is asked about right before it begins.
- What has begun is waited for; only somebody who asked to stop ends that, after a grace period, and what is left
  behind then is reported as unknown.
- No batch begins before its campaign's content is durable, or before the canary's outcomes are known and good.
- Everybody planned is in one of the report's groups: sent, refused, not sent, unknown, or not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeVar

from octoplan import limits
from octoplan.apply.deliver import Delivery, Ports, Status, Waiting
from octoplan.apply.lanes import Lanes
from octoplan.diagnostics import ExitCode
from octoplan.gateway.port import RefusalClass
from octoplan.plan.outgoing import Outgoing

T = TypeVar("T")
OnRefused = Literal["continue", "stop"]
"""Whether a batch that is refused for its content stops the others."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """
    No request may start at or after `at`, and why: the end of the sending hours, or the time of sending itself.

    The latter is asked of those requests only whose messages leave then (`is_own`).
    """

    at: datetime
    reason: str
    hint: str | None = None
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class CampaignRun:
    """
    A campaign to send: its content for the journal, and its batches as a stream that is walked once.

    `check` is asked right before it begins whether it still may. Batches of the canary come first; when they are done
    `gate` is asked whether to go on with the others. `audience` is how many rows became recipients, and why others did
    not, for the journal; `None` leaves that unknown.
    """

    campaign: str
    content: Mapping[str, str]
    batches: Callable[[], Iterator[Outgoing]]
    planned_batches: int
    planned_recipients: int
    not_after: datetime | None = None
    deadlines: tuple[Deadline, ...] = ()
    gate: Callable[[Sequence[Delivery]], Halt | None] = lambda _: None
    check: Callable[[], Halt | None] = lambda: None
    audience: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CampaignBegun:
    """The first batch of a campaign is about to start."""

    campaign: str
    requests: int
    recipients: int


@dataclass(frozen=True, slots=True)
class Halt:
    """Why the run stopped before its end."""

    exit_code: ExitCode
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """What became of one campaign in this run."""

    campaign: str
    planned_batches: int
    planned_recipients: int
    deliveries: tuple[Delivery, ...]

    def of(self, status: Status) -> tuple[Delivery, ...]:
        """The deliveries that ended so."""
        return tuple(delivery for delivery in self.deliveries if delivery.status is status)

    def recipients(self, status: Status) -> int:
        """People in the batches that ended so."""
        return sum(delivery.recipients for delivery in self.of(status))

    @property
    def billed(self) -> Decimal | None:
        """What the API says it billed; `None` if it did not say for some batch."""
        costs = [delivery.cost for delivery in self.of(Status.SENT)]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None

    @property
    def untried_recipients(self) -> int:
        """People whose batch was not tried in this run: certainly not sent by it."""
        return self.planned_recipients - sum(delivery.recipients for delivery in self.deliveries)

    @property
    def is_complete(self) -> bool:
        """Whether every planned batch was sent."""
        return len(self.of(Status.SENT)) == len(self.deliveries) == self.planned_batches


Event = CampaignBegun | Waiting | Delivery | Halt | CampaignReport
"""What happens in a run, in this order for each campaign; one that is not begun any more has its report alone."""


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """The result of a run: three honest groups (sent, certainly not sent, unknown) per campaign."""

    run: str
    campaigns: tuple[CampaignReport, ...]
    halt: Halt | None = None

    def recipients(self, status: Status) -> int:
        """People over all campaigns."""
        return sum(campaign.recipients(status) for campaign in self.campaigns)

    def deliveries(self, status: Status) -> tuple[Delivery, ...]:
        """Deliveries over all campaigns."""
        return tuple(delivery for campaign in self.campaigns for delivery in campaign.of(status))

    @property
    def exit_code(self) -> ExitCode:
        """Unknown before everything; then what stopped the run; then whether a part was refused."""
        if self.deliveries(Status.UNKNOWN):
            return ExitCode.UNKNOWN
        if self.halt is not None and self.halt.exit_code in _OUTRANKS_PARTIAL:
            return self.halt.exit_code
        failed = self.halt is not None or self.deliveries(Status.REFUSED)
        if not failed:
            return ExitCode.DONE
        if self.deliveries(Status.SENT):
            return ExitCode.PARTIAL
        return self.halt.exit_code if self.halt is not None else ExitCode.INVALID


_OUTRANKS_PARTIAL = frozenset({ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.WINDOW})

_CLASS_EXIT: Mapping[RefusalClass, ExitCode] = {
    RefusalClass.ACCOUNT: ExitCode.AUTHENTICATION,
    RefusalClass.FUNDS: ExitCode.BLOCKED,
    RefusalClass.RETRY: ExitCode.UNCLASSIFIED,
    RefusalClass.UNCLEAR: ExitCode.UNCLASSIFIED,
}
"""Refusals that stop the run, with the exit code where nothing was sent; FILE is absent: the other batches go on."""


class Ask(Protocol):
    """Puts a question that writes nothing and may take long; `None` if somebody asked to stop before the answer."""

    def __call__(self, question: Callable[[], T], /) -> T | None:
        """The answer."""
        ...


def _ask(question: Callable[[], T], /) -> T | None:
    return question()


@dataclass(frozen=True, slots=True)
class Rules:
    """When a run ends before its end. `grace_s` is how long requests under way may take after it was asked to stop."""

    stop_asked: Callable[[], Halt | None] = lambda: None
    on_refused: OnRefused = "continue"
    grace_s: float = limits.STOP_GRACE_S
    ask: Ask = _ask


def execute(
    campaigns: Iterable[CampaignRun],
    ports: Ports,
    lanes: Lanes,
    rules: Rules,
    *,
    on_event: Callable[[Event], None] = lambda _: None,
) -> ApplyReport:
    """
    Send every batch of every campaign until done or halted.

    `on_event` is told of each outcome after it is durable. Never raises for what the network or the API can do;
    `StateUnavailable` passes through, since without a durable record nothing more may be sent.
    """
    reports: list[CampaignReport] = []
    halt: Halt | None = None
    for campaign in campaigns:
        deliveries: list[Delivery] = []
        if halt is None:
            halt = rules.ask(campaign.check)
            if halt is None:
                ports.session.open_campaign(campaign.campaign, campaign.content, campaign.audience)
                on_event(CampaignBegun(campaign.campaign, campaign.planned_batches, campaign.planned_recipients))
                run = _Run(campaign, ports, lanes, rules)
                for delivery in run.deliveries():
                    deliveries.append(delivery)
                    on_event(delivery)
                halt = run.halt
            if halt is not None:
                on_event(halt)
        report = CampaignReport(
            campaign.campaign, campaign.planned_batches, campaign.planned_recipients, tuple(deliveries)
        )
        if halt is None and report.is_complete:
            ports.session.complete(campaign.campaign)
        on_event(report)
        reports.append(report)
    return ApplyReport(ports.session.run, tuple(reports), halt)


class _Run:
    """One campaign under way. `halt` says why it ended before its end."""

    def __init__(self, campaign: CampaignRun, ports: Ports, lanes: Lanes, rules: Rules) -> None:
        self._campaign = campaign
        self._ports = ports
        self._lanes = lanes
        self._rules = rules
        self._stopped_at: float | None = None
        self.halt: Halt | None = None

    def deliveries(self) -> Iterator[Delivery]:
        """Every outcome; begins no request once there is a reason to halt, and waits for those under way."""
        batches = iter(self._campaign.batches())
        following = self._next(batches)
        canary: list[Delivery] = []
        was_canary = False
        while following is not None or not self._lanes.is_idle():
            if was_canary and following is not None and not following.is_canary and self._lanes.is_idle():
                was_canary = False
                self.halt = self.halt or self._campaign.gate(canary)
            while following is not None and self._may_start(following, after_canary=was_canary):
                was_canary = following.is_canary
                self._lanes.start(replace(following, latest=_latest(self._campaign, following)))
                following = self._next(batches)
            if self.halt is not None:
                following = None
            for delivery in self._finished():
                canary.append(delivery)
                yield delivery

    def _next(self, batches: Iterator[Outgoing]) -> Outgoing | None:
        """The next batch; `None` if there is none, or a wish to stop came first."""
        batch = self._rules.ask(lambda: next(batches, None))
        if batch is None:
            self.halt = self.halt or self._rules.stop_asked()
        return batch

    def _may_start(self, batch: Outgoing, *, after_canary: bool) -> bool:
        if after_canary and not batch.is_canary:
            return False
        return self._lanes.has_room() and not self._must_halt(batch)

    def _finished(self) -> Iterator[Delivery]:
        if self._lanes.is_idle():
            return
        for delivery in self._lanes.abandon() if self._is_out_of_patience() else self._lanes.finished():
            self.halt = self.halt or self._halt_after(delivery)
            if delivery.is_strained:
                self._lanes.halve()
            yield delivery

    def _halt_after(self, delivery: Delivery) -> Halt | None:
        """A request that was given up because of a wish to stop, or of the time, says nothing about the API."""
        stopped = self._rules.stop_asked() if delivery.status is Status.NOT_SENT else None
        late = _passed(self._campaign, self._ports.clock.now()) if delivery.is_late else None
        return stopped or late or _halt_after(delivery, self._rules.on_refused)

    def _must_halt(self, batch: Outgoing) -> bool:
        if self.halt is None:
            notice = self._notice()
            self.halt = self._rules.stop_asked() or notice or self._too_late(batch)
        return self.halt is not None

    def _too_late(self, batch: Outgoing) -> Halt | None:
        """Whether the next request would start too late, the wait for its turn included."""
        starts_at = self._ports.clock.now() + timedelta(seconds=self._ports.pace.delay_s())
        return _passed(self._campaign, starts_at, batch)

    def _notice(self) -> Halt | None:
        notice = self._rules.ask(self._ports.session.stop_notice)
        if notice is None:
            return None
        reason = f"stopped by {notice.owner}: {notice.reason}"
        return Halt(ExitCode.BLOCKED, reason, "`octoplan resume` takes the stop away")

    def _is_out_of_patience(self) -> bool:
        """Whether somebody asked to stop, and the requests under way have had their time."""
        if self._stopped_at is None:
            asked = self._rules.stop_asked()
            if asked is None:
                return False
            self.halt = self.halt or asked
            self._stopped_at = self._ports.clock.monotonic()
        return self._ports.clock.monotonic() - self._stopped_at >= self._rules.grace_s


def _passed(campaign: CampaignRun, at: datetime, batch: Outgoing | None = None) -> Halt | None:
    """Why nothing of the campaign, or not this batch of it, may start `at`."""
    if campaign.not_after is not None and at > campaign.not_after:
        return Halt(ExitCode.WINDOW, f"`not_after` of {campaign.campaign} has passed; the rest was not sent")
    deadlines = campaign.deadlines if batch is None else _deadlines(campaign, batch)
    passed = next((deadline for deadline in deadlines if at >= deadline.at), None)
    return None if passed is None else Halt(ExitCode.WINDOW, passed.reason, passed.hint)


def _latest(campaign: CampaignRun, batch: Outgoing) -> datetime | None:
    """After this no try of the batch may start: pauses between tries can be long."""
    ends = [campaign.not_after, *(deadline.at for deadline in _deadlines(campaign, batch))]
    return min((end for end in ends if end is not None), default=None)


def _deadlines(campaign: CampaignRun, batch: Outgoing) -> list[Deadline]:
    return [deadline for deadline in campaign.deadlines if not deadline.is_own or deadline.at == batch.send_at]


def _halt_after(delivery: Delivery, on_refused: OnRefused) -> Halt | None:
    if delivery.anomaly:
        return Halt(
            ExitCode.PARTIAL,
            f"batch {delivery.digest} of {delivery.campaign} was sent, but not as planned: {delivery.anomaly}",
            "compare with the API's own account pages before you apply again; this batch is never resent",
        )
    if delivery.status is Status.UNKNOWN:
        return Halt(
            ExitCode.UNKNOWN,
            f"nobody can tell whether batch {delivery.digest} of {delivery.campaign} was sent: {delivery.detail}",
            "run `octoplan recover` to see it and decide",
        )
    if delivery.status is Status.NOT_SENT:
        return Halt(ExitCode.UNCLASSIFIED, f"the API could not be reached: {delivery.detail}", "apply again to go on")
    if delivery.refusal is not None and delivery.refusal.kind in _CLASS_EXIT:
        refusal = delivery.refusal
        return Halt(_CLASS_EXIT[refusal.kind], f"the API refused ({refusal.code}): {refusal.message}", refusal.hint)
    if delivery.refusal is not None and on_refused == "stop":
        refusal = delivery.refusal
        return Halt(ExitCode.INVALID, f"the API refused ({refusal.code}): {refusal.message}", refusal.hint)
    return None

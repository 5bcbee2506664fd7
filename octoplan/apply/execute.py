"""
The run: campaigns in order, batches in order, and when to stop.

It stops only between batches: on a signal, past `not_after`, on an anomaly, on an unknown outcome, and on refusals that
would meet the next batch too (account, funds, codes of unclear meaning). A batch refused for its content does not stop
the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from octoplan.apply.deliver import Delivery, Ports, Status, deliver
from octoplan.clock import Clock
from octoplan.diagnostics import ExitCode
from octoplan.gateway.port import RefusalClass
from octoplan.plan.outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class CampaignRun:
    """A campaign to send: its content for the journal, and its batches as a stream that is walked once."""

    campaign: str
    content: Mapping[str, str]
    batches: Callable[[], Iterator[Outgoing]]
    planned_batches: int
    planned_recipients: int
    not_after: datetime | None = None


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


def execute(
    campaigns: Iterable[CampaignRun],
    ports: Ports,
    *,
    stop_asked: Callable[[], Halt | None] = lambda: None,
    pause_s: float = 0.0,
    on_delivery: Callable[[Delivery], None] = lambda _: None,
) -> ApplyReport:
    """
    Send every batch of every campaign, one at a time, until done or halted.

    `pause_s` is the least time between the starts of two requests. `on_delivery` is told of each outcome after it is
    durable. Never raises for what the network or the API can do; `StateUnavailable` passes through, since without a
    durable record nothing more may be sent.
    """
    reports: list[CampaignReport] = []
    halt: Halt | None = None
    pace = _Pace(ports.clock, pause_s)
    for campaign in campaigns:
        deliveries: list[Delivery] = []
        for delivery_or_halt in _run_campaign(campaign, ports, stop_asked, pace) if halt is None else ():
            if isinstance(delivery_or_halt, Halt):
                halt = delivery_or_halt
            else:
                deliveries.append(delivery_or_halt)
                on_delivery(delivery_or_halt)
        reports.append(
            CampaignReport(campaign.campaign, campaign.planned_batches, campaign.planned_recipients, tuple(deliveries))
        )
    return ApplyReport(ports.session.run, tuple(reports), halt)


def _run_campaign(
    campaign: CampaignRun, ports: Ports, stop_asked: Callable[[], Halt | None], pace: _Pace
) -> Iterator[Delivery | Halt]:
    """Each delivery in turn; ends with the reason to stop the whole run, if there is one."""
    ports.session.open_campaign(campaign.campaign, campaign.content)
    for batch in campaign.batches():
        halt = stop_asked() or _too_late(campaign, ports.clock)
        if halt is None:
            pace.wait()
            delivery = deliver(batch, ports)
            yield delivery
            halt = _halt_after(delivery)
        if halt is not None:
            yield halt
            return


class _Pace:
    """Keeps the starts of two requests apart."""

    def __init__(self, clock: Clock, pause_s: float) -> None:
        self._clock = clock
        self._pause_s = pause_s
        self._last: datetime | None = None

    def wait(self) -> None:
        now = self._clock.now()
        if self._last is not None and self._pause_s > 0:
            elapsed = (now - self._last).total_seconds()
            # A clock that went backwards must not stretch the pause.
            if 0 <= elapsed < self._pause_s:
                self._clock.sleep(self._pause_s - elapsed)
        self._last = self._clock.now()


def _too_late(campaign: CampaignRun, clock: Clock) -> Halt | None:
    if campaign.not_after is None or clock.now() <= campaign.not_after:
        return None
    return Halt(ExitCode.WINDOW, f"`not_after` of {campaign.campaign} has passed; the rest was not sent")


def _halt_after(delivery: Delivery) -> Halt | None:
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
    return None

"""
One batch from Intended to its outcome.

Invariants:
- Ledger and Intended are durable before the first POST; the outcome is durable before anything else happens.
- While an earlier POST under this request id may have been accepted (*in doubt*), the same bytes with the same id are
  the only thing sent, and only a success or "seen before" ends the doubt. Even a refusal does not: no source says
  whether the API looks at the request id before it looks at funds or text, so the first POST may have been accepted.
- No POST is later than the request id's lifetime after Intended, not even the first: a process that slept in between
  may have lost its lease to a run that sent the batch.
- The attempt number, and with it the request id, changes only after a refusal recorded while not in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import tenacity

from octoplan import limits
from octoplan.apply.pace import Pace
from octoplan.clock import Clock
from octoplan.gateway.body import encode_body
from octoplan.gateway.port import Accepted, Duplicate, Gateway, NotSent, Outcome, RefusalClass, Refused, Unknown
from octoplan.plan.outgoing import Outgoing
from octoplan.plan.window import in_window
from octoplan.state.home import Intent, StateSession
from octoplan.state.journal import Kind

OnUnknown = Literal["repeat", "stop"]


class Status(StrEnum):
    """How a batch ended in this run: the three honest groups, refusals apart."""

    SENT = "sent"
    REFUSED = "refused"
    NOT_SENT = "not-sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What became of one batch. `anomaly` says how a sent batch differs from the plan.

    `ticket` is `None` for a sent batch whose answer was lost; `refusal` is set when the API said no. `cost` is what was
    billed, `None` where the API did not say. Holds no recipient: a run may have ten thousand of these.
    """

    campaign: str
    digest: str
    recipients: int
    segments: int
    status: Status
    detail: str | None = None
    ticket: str | None = None
    cost: Decimal | None = None
    anomaly: str | None = None
    refusal: Refused | None = None
    is_strained: bool = False
    """Whether a try was throttled or lost: the API should get fewer requests at once."""
    is_late: bool = False
    """Whether it was given up because it might no longer be sent at this time."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that was not decided waits for `seconds`, then the same bytes are sent again; `reason` says why."""

    campaign: str
    digest: str
    seconds: float
    reason: str


class _Again(Exception):
    """Not decided yet: wait and send the same bytes again."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


_BACKOFF = tenacity.wait_exponential_jitter(
    multiplier=limits.BACKOFF_FIRST_S, max=limits.BACKOFF_MAX_S, jitter=limits.BACKOFF_FIRST_S
)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: what the API asked for, if it asked, else growing with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, _Again) else None
    return max(asked, limits.BACKOFF_FIRST_S) if asked is not None else _BACKOFF(state)


class _StopAsked(tenacity.stop.stop_base):
    """Ends the tries when somebody asks the run to stop."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:  # noqa: ARG002 - tenacity's signature
        return self._stopping()


@dataclass(frozen=True, slots=True)
class Ports:
    """
    What a delivery touches: the API, the state home under its lease, the clock, and a wish to stop.

    `on_wait` is told before each pause between two tries, in the thread of the request.
    """

    gateway: Gateway
    session: StateSession
    clock: Clock
    pace: Pace
    on_unknown: OnUnknown = "repeat"
    stopping: Callable[[], bool] = lambda: False
    on_wait: Callable[[Waiting], None] = lambda _: None


def deliver(batch: Outgoing, ports: Ports) -> Delivery:
    """Send one batch; returns only when its outcome is in the journal."""
    delivery = _deliver_attempt(batch, ports)
    for _ in range(limits.SEND_TRIES_MAX - 1):
        if delivery.refusal is None or delivery.refusal.kind is not RefusalClass.RETRY or ports.stopping():
            break
        ports.clock.sleep(limits.BACKOFF_FIRST_S)
        if ports.stopping():
            break
        batch = batch.next_attempt(ports.session.key)
        delivery = _deliver_attempt(batch, ports)
    return delivery


def _deliver_attempt(batch: Outgoing, ports: Ports) -> Delivery:
    """One request id, sent until it is decided or the tries are used up."""
    # Before Intended is written: from then on another run that takes over may send it.
    attempt = _Attempt(batch, ports)
    if batch.opened_at is None:
        ports.session.intend(_intent(batch), batch.phones)
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_Again),
        stop=tenacity.stop_any(tenacity.stop_after_attempt(limits.SEND_TRIES_MAX), _StopAsked(ports.stopping)),
        wait=_pause,
        before_sleep=attempt.tell_wait,
        sleep=ports.clock.sleep,
        retry_error_callback=attempt.give_up,
    )
    delivery: Delivery = tries(attempt.send)
    return delivery


def _intent(batch: Outgoing) -> Intent:
    return Intent(
        campaign=batch.campaign,
        digest=batch.digest,
        request_id=batch.request_id,
        attempt=batch.attempt,
        recipients=batch.recipients,
        segments=batch.segments,
        cost=None if batch.cost is None else str(batch.cost),
        send_at=batch.request.send_at,
    )


class _Attempt:
    """The tries of one request id: remembers whether an earlier one may have been accepted."""

    def __init__(self, batch: Outgoing, ports: Ports) -> None:
        self._batch = batch
        self._ports = ports
        self._in_doubt = batch.opened_at is not None
        self._opened_at = batch.opened_at or ports.clock.now()
        self._opened_mark = batch.opened_mark if self._in_doubt else ports.clock.mark()
        self._is_strained = False
        self._body = encode_body(batch.request, request_id=batch.request_id, simulation=False)

    def send(self) -> Delivery:
        """One POST and its meaning. :raises _Again: when the same bytes should be sent once more."""
        self._ports.pace.wait(self._batch.recipients)
        if self._ports.stopping():
            # It came during this wait or the one before, which it has cut short: the API must not see an early repeat.
            return self._leave("stopped before it was sent")
        latest = self._batch.latest
        if latest is not None and self._ports.clock.now() > latest:
            return self._leave("the time until which it might be sent has passed", is_late=True)
        # After the wait for its turn, which may be long.
        if not in_window(self._opened_at, self._opened_mark, self._ports.clock):
            return self._expired()
        outcome = self._ports.gateway.send(self._body)
        self._is_strained |= isinstance(outcome, Unknown) or (isinstance(outcome, NotSent) and outcome.throttled)
        return self._decide(outcome)

    def give_up(self, state: tenacity.RetryCallState) -> Delivery:
        """The tries are used up, or the run is asked to stop."""
        error = state.outcome.exception() if state.outcome else None
        return self._leave(error.reason if isinstance(error, _Again) else "stopped")

    def tell_wait(self, state: tenacity.RetryCallState) -> None:
        """A pause begins."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Again) and state.next_action is not None:
            waiting = Waiting(self._batch.campaign, self._batch.digest, state.next_action.sleep, error.reason)
            self._ports.on_wait(waiting)

    def _decide(self, outcome: Outcome) -> Delivery:
        match outcome:
            case Accepted():
                return self._accepted(outcome)
            case Duplicate():
                return self._seen_before(outcome)
            case Refused() if self._in_doubt:
                return self._unknown(f"an earlier try may have been accepted; this one was refused ({outcome.code})")
            case Refused():
                self._record(Kind.REFUSED, {"code": outcome.code, "class": outcome.kind, "note": outcome.message})
                return self._ended(Status.REFUSED, outcome.message, refusal=outcome)
            case NotSent() if (outcome.retry_after_s or 0) > limits.RETRY_AFTER_MAX_S:
                return self._leave(f"{outcome.reason}; the API asks to wait {outcome.retry_after_s:.0f} s")
            case NotSent():
                raise _Again(outcome.reason, outcome.retry_after_s)
            case Unknown():
                return self._doubtful(outcome)

    def _accepted(self, outcome: Accepted) -> Delivery:
        anomaly = _anomaly(self._batch, outcome)
        cost = None if outcome.cost is None else str(outcome.cost)
        data = {"ticket": outcome.ticket, "contacts": outcome.contacts, "cost": cost, "anomaly": anomaly}
        self._record(Kind.SENT, data)
        return self._ended(Status.SENT, ticket=outcome.ticket, cost=outcome.cost, anomaly=anomaly)

    def _seen_before(self, outcome: Duplicate) -> Delivery:
        """Our own earlier try was accepted; or, if there was none, somebody else has used our id."""
        note = "accepted earlier, ticket unknown"
        anomaly = None if self._in_doubt else f"the API has seen this request id before ({outcome.code}); not from here"
        cost = None if self._batch.cost is None else str(self._batch.cost)
        self._record(Kind.SENT, {"cost": cost, "note": note, "anomaly": anomaly})
        return self._ended(Status.SENT, note, cost=self._batch.cost, anomaly=anomaly)

    def _doubtful(self, outcome: Unknown) -> Delivery:
        self._in_doubt = True
        unknown = self._unknown(outcome.reason)
        if self._ports.on_unknown == "stop":
            return unknown
        raise _Again(outcome.reason)

    def _expired(self) -> Delivery:
        """Also for a first try: while this process slept another run may have sent it, and the API forgotten that."""
        if self._in_doubt:
            return self._unknown("the API may have forgotten the request id, so repeating could send it twice")
        return self._leave("this process was asleep for too long before it could send")

    def _leave(self, reason: str, *, is_late: bool = False) -> Delivery:
        """Stop trying: certainly not sent, unless an earlier try left a doubt (which is in the journal already)."""
        if self._in_doubt:
            return self._ended(Status.UNKNOWN, reason)
        self._record(Kind.NOT_SENT, {"note": reason})
        return self._ended(Status.NOT_SENT, reason, is_late=is_late)

    def _unknown(self, reason: str) -> Delivery:
        self._record(Kind.UNKNOWN, {"note": reason})
        return self._ended(Status.UNKNOWN, reason)

    def _ended(self, status: Status, detail: str | None = None, **more: Any) -> Delivery:
        batch = self._batch
        more["is_strained"] = self._is_strained
        return Delivery(batch.campaign, batch.digest, batch.recipients, batch.segments, status, detail, **more)

    def _record(self, kind: Kind, data: dict[str, Any]) -> None:
        kept = {name: value for name, value in data.items() if value is not None}
        self._ports.session.record(kind, self._batch.campaign, self._batch.digest, kept)


def _anomaly(batch: Outgoing, outcome: Accepted) -> str | None:
    """How an accepted answer differs from the plan, in words; `None` when it does not."""
    fewer_allowed = batch.request.auto_remove_blacklisted_numbers
    pairs = [("contacts", outcome.contacts, batch.recipients), ("cost", outcome.cost, batch.cost)]
    differences = [
        f"{name} {got} instead of {planned}"
        for name, got, planned in pairs
        if got is not None and planned is not None and got != planned and not (fewer_allowed and got < planned)
    ]
    return "accepted with " + " and ".join(differences) if differences else None

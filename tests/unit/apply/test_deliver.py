"""One batch from Intended to its outcome, for everything the API and the network can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from octoplan import limits
from octoplan.apply.deliver import OnUnknown, Ports, Status, deliver
from octoplan.apply.pace import Pace
from octoplan.digests import DigestKey, request_id
from octoplan.gateway.port import (
    Accepted,
    Balance,
    Duplicate,
    NotSent,
    Outcome,
    RefusalClass,
    Refused,
    SendRequest,
    Unknown,
)
from octoplan.plan.outgoing import Outgoing
from octoplan.state.home import Session
from octoplan.state.journal import Kind, Phase
from octoplan.state.local import local_home
from tests.clocks import HOLDER, ManualClock

KEY = DigestKey(bytes(range(32)))
DIGEST = "b1_x"
OK = Accepted("sms_1", 2, Decimal("0.12"))
LOST = Unknown("no answer in time")


class ScriptedGateway:
    """Answers from a list, and keeps the bytes that were posted. What the journal said at each POST is kept too."""

    def __init__(self, answers: list[Outcome], observe: Callable[[], list[Kind]]) -> None:
        self.answers = answers
        self.posted: list[bytes] = []
        self.journal_at_post: list[list[Kind]] = []
        self._observe = observe

    def send(self, body: bytes) -> Outcome:
        self.posted.append(body)
        self.journal_at_post.append(self._observe())
        return self.answers.pop(0)

    def simulate(self, request: SendRequest) -> Outcome:
        raise AssertionError("apply does not simulate")

    def balance(self) -> Balance:
        raise AssertionError("a delivery does not ask for the balance")

    def cancel(self, ticket: str) -> Outcome | None:
        raise AssertionError("a delivery does not cancel")


class Bench:
    """A real local home, a scripted API and a clock that is moved by hand."""

    def __init__(self, session: Session, clock: ManualClock) -> None:
        self.session = session
        self.clock = clock
        session.open_campaign("sale", {})

    def batch(self, attempt: int = 1) -> Outgoing:
        request = SendRequest(
            "Hi", b'{"phone_number":"+33612345601"}', "sms_premium", "alert", "ACME", None, False, False, False
        )
        return Outgoing(
            environment="production",
            campaign="sale",
            digest=DIGEST,
            attempt=attempt,
            request_id=request_id(KEY, "production", "sale", DIGEST, attempt),
            recipients=2,
            segments=2,
            strata={("FR", 1): 2},
            request=request,
            phones=pa.array(["+33612345601", "+33612345602"], pa.string()),
            cost=Decimal("0.12"),
        )

    def kinds(self) -> list[Kind]:
        return [entry.kind for entry in self.session.entries("sale")]

    def gateway(self, *answers: Outcome) -> ScriptedGateway:
        return ScriptedGateway(list(answers), self.kinds)

    def ports(self, gateway: ScriptedGateway, *, on_unknown: OnUnknown = "repeat", stopping: bool = False) -> Ports:
        return Ports(gateway, self.session, self.clock, Pace(self.clock), on_unknown, lambda: stopping)

    @property
    def phase(self) -> Phase:
        return self.session.campaigns()["sale"].batches[DIGEST].phase


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = ManualClock()
    home = local_home(tmp_path, "production", KEY, clock)
    with home.session(HOLDER) as session:
        yield Bench(session, clock)
    home.close()


def refused(kind: RefusalClass, code: int = 121) -> Refused:
    return Refused(code, "no", kind, "do this", 400)


def test_intended_is_durable_before_the_post_and_the_outcome_after(bench: Bench) -> None:
    """At the moment of the POST the journal already says Intended."""
    gateway = bench.gateway(OK)
    delivery = deliver(bench.batch(), bench.ports(gateway))
    assert gateway.journal_at_post == [[Kind.OPENED, Kind.INTENDED]]
    assert bench.kinds() == [Kind.OPENED, Kind.INTENDED, Kind.SENT]
    assert (delivery.status, delivery.ticket, delivery.cost) == (Status.SENT, "sms_1", Decimal("0.12"))


def test_an_unknown_outcome_is_repeated_with_the_same_bytes(bench: Bench) -> None:
    """Same body, same request id: the API refuses the second copy, and that refusal proves the first arrived."""
    gateway = bench.gateway(LOST, Duplicate(120, "seen"))
    delivery = deliver(bench.batch(), bench.ports(gateway))
    assert gateway.posted[0] == gateway.posted[1]
    assert (delivery.status, delivery.ticket, delivery.anomaly) == (Status.SENT, None, None)
    assert bench.phase is Phase.SENT


def test_on_unknown_stop_asks_a_person_at_once(bench: Bench) -> None:
    """`on_unknown: stop` turns repetition off."""
    gateway = bench.gateway(LOST)
    assert deliver(bench.batch(), bench.ports(gateway, on_unknown="stop")).status is Status.UNKNOWN
    assert (len(gateway.posted), bench.phase) == (1, Phase.OPEN)


def test_it_stays_unknown_when_every_try_is_lost(bench: Bench) -> None:
    """The tries are bounded, and what is left is unknown, never "not sent"."""
    gateway = bench.gateway(*[LOST] * limits.SEND_TRIES_MAX)
    assert deliver(bench.batch(), bench.ports(gateway)).status is Status.UNKNOWN
    assert (gateway.answers, bench.phase) == ([], Phase.OPEN)


@pytest.mark.parametrize("kind", list(RefusalClass))
def test_a_refusal_after_a_lost_answer_proves_nothing(bench: Bench, kind: RefusalClass) -> None:
    """The first copy may have been accepted (and have used up the funds): the recipients are not freed."""
    gateway = bench.gateway(LOST, refused(kind))
    assert deliver(bench.batch(), bench.ports(gateway)).status is Status.UNKNOWN
    assert bench.phase is Phase.OPEN
    assert len(set(gateway.posted)) == 1


def test_a_batch_left_open_by_an_earlier_run_is_in_doubt_from_the_start(bench: Bench) -> None:
    """After a crash a refusal does not free it, and "seen before" means that it was sent."""
    gateway = bench.gateway(LOST)
    deliver(bench.batch(), bench.ports(gateway, on_unknown="stop"))
    again = _reopened(bench)
    assert deliver(again, bench.ports(bench.gateway(refused(RefusalClass.FUNDS, 104)))).status is Status.UNKNOWN
    assert deliver(again, bench.ports(bench.gateway(Duplicate(182, "loop")))).status is Status.SENT


def _reopened(bench: Bench) -> Outgoing:
    opened = bench.session.campaigns()["sale"].batches[DIGEST].opened_at
    return replace(bench.batch(), opened_at=opened)


@pytest.mark.parametrize("shift", [timedelta(seconds=limits.REPEAT_WINDOW_S + 1), -timedelta(seconds=1)])
def test_outside_the_window_nothing_is_repeated(bench: Bench, shift: timedelta) -> None:
    """Too late, or a clock that went backwards: the API may have forgotten the id, so nothing is posted."""
    deliver(bench.batch(), bench.ports(bench.gateway(LOST), on_unknown="stop"))
    again = _reopened(bench)
    bench.clock.at += shift
    gateway = bench.gateway()
    assert deliver(again, bench.ports(gateway)).status is Status.UNKNOWN
    assert gateway.posted == []


def test_a_repetition_whose_turn_comes_after_the_window_is_not_posted(bench: Bench) -> None:
    """The pace may make it wait for hours; what counts is the time at which it would leave."""
    deliver(bench.batch(), bench.ports(bench.gateway(LOST), on_unknown="stop"))
    gateway = bench.gateway()
    slow = Pace(bench.clock, messages_per_second=Decimal(2) / limits.REPEAT_WINDOW_S)
    bench.clock.advance(2)
    slow.wait(2)
    assert deliver(_reopened(bench), replace(bench.ports(gateway), pace=slow)).status is Status.UNKNOWN
    assert gateway.posted == []


def test_a_first_try_that_is_held_up_past_the_window_is_not_posted(bench: Bench) -> None:
    """A run that slept between Intended and its POST: another may have sent it since, under an id forgotten by now."""
    gateway = bench.gateway()
    slow = Pace(bench.clock, requests_per_second=Decimal(1) / (limits.REPEAT_WINDOW_S + 1))
    slow.wait(1)
    assert deliver(bench.batch(), replace(bench.ports(gateway), pace=slow)).status is Status.NOT_SENT
    assert (gateway.posted, bench.phase) == ([], Phase.FREE)


def test_seen_before_without_an_earlier_try_of_ours_is_an_anomaly(bench: Bench) -> None:
    """Somebody else has used our id: recorded as sent, never resent, and said so."""
    delivery = deliver(bench.batch(), bench.ports(bench.gateway(Duplicate(120, "seen"))))
    assert delivery.status is Status.SENT
    assert delivery.anomaly is not None
    assert bench.phase is Phase.SENT


@pytest.mark.parametrize("kind", [k for k in RefusalClass if k is not RefusalClass.RETRY])
def test_a_definite_refusal_is_recorded_and_frees_the_recipients(bench: Bench, kind: RefusalClass) -> None:
    """Certainly not sent; the next attempt carries the next number."""
    delivery = deliver(bench.batch(), bench.ports(bench.gateway(refused(kind))))
    assert delivery.status is Status.REFUSED
    assert bench.session.campaigns()["sale"].batches[DIGEST].next_attempt == 2
    assert bench.session.written("sale", bench.batch().phones).null_count == 2


def test_a_passing_refusal_is_tried_again_under_a_new_id(bench: Bench) -> None:
    """Refused now, may pass later: a recorded refusal, then attempt 2 with another request id."""
    gateway = bench.gateway(refused(RefusalClass.RETRY, 153), OK)
    assert deliver(bench.batch(), bench.ports(gateway)).status is Status.SENT
    assert bench.kinds() == [Kind.OPENED, Kind.INTENDED, Kind.REFUSED, Kind.INTENDED, Kind.SENT]
    assert len(set(gateway.posted)) == 2


def test_what_never_left_is_tried_again_under_the_same_id_and_then_given_up(bench: Bench) -> None:
    """No connection: the same id, bounded tries, and in the end certainly not sent."""
    gateway = bench.gateway(*[NotSent("connection refused")] * limits.SEND_TRIES_MAX)
    assert deliver(bench.batch(), bench.ports(gateway)).status is Status.NOT_SENT
    assert (len(gateway.posted), len(set(gateway.posted)), bench.phase) == (limits.SEND_TRIES_MAX, 1, Phase.FREE)
    assert bench.session.campaigns()["sale"].batches[DIGEST].next_attempt == 1


def test_retry_after_is_obeyed(bench: Bench) -> None:
    """The API names the pause; it is kept exactly."""
    deliver(bench.batch(), bench.ports(bench.gateway(NotSent("429", 17.0, throttled=True), OK)))
    assert bench.clock.slept == [17.0]


def test_a_very_long_retry_after_ends_the_try_instead_of_holding_the_lease(bench: Bench) -> None:
    """Over the bound the batch is given up as not sent."""
    asked = limits.RETRY_AFTER_MAX_S + 1
    gateway = bench.gateway(NotSent("429", asked, throttled=True))
    assert deliver(bench.batch(), bench.ports(gateway)).status is Status.NOT_SENT
    assert bench.clock.slept == []


def test_throttling_after_a_lost_answer_leaves_it_unknown(bench: Bench) -> None:
    """A pause does not undo the doubt."""
    asked = limits.RETRY_AFTER_MAX_S + 1
    gateway = bench.gateway(LOST, NotSent("429", asked, throttled=True))
    assert deliver(bench.batch(), bench.ports(gateway)).status is Status.UNKNOWN
    assert bench.phase is Phase.OPEN


@pytest.mark.parametrize(
    ("answer", "status", "phase"),
    [(LOST, Status.UNKNOWN, Phase.OPEN), (NotSent("429"), Status.NOT_SENT, Phase.FREE)],
    ids=["in doubt", "not sent"],
)
def test_nothing_is_repeated_too_late(bench: Bench, answer: Outcome, status: Status, phase: Phase) -> None:
    """After the last moment for it a request is left as it is, also if repeating it would settle a doubt."""
    batch = replace(bench.batch(), latest=bench.clock.now())
    gateway = bench.gateway(answer, OK)
    assert deliver(batch, bench.ports(gateway)).status is status
    assert (len(gateway.posted), bench.phase) == (1, phase)


def test_a_stop_ends_the_tries(bench: Bench) -> None:
    """Asked to stop, nothing is repeated; what was not sent is recorded as such."""
    gateway = bench.gateway(NotSent("connection refused"))
    assert deliver(bench.batch(), bench.ports(gateway, stopping=True)).status is Status.NOT_SENT


@pytest.mark.parametrize(
    ("answer", "word"),
    [(Accepted("t", 1, Decimal("0.12")), "contacts"), (Accepted("t", 2, Decimal("0.13")), "cost")],
)
def test_another_count_or_cost_is_recorded_and_said(bench: Bench, answer: Accepted, word: str) -> None:
    """Sent, but not as planned: never resent, and named."""
    delivery = deliver(bench.batch(), bench.ports(bench.gateway(answer)))
    assert (delivery.status, bench.phase) == (Status.SENT, Phase.SENT)
    assert delivery.anomaly is not None
    assert word in delivery.anomaly

"""
The run as a whole: the order of canary, gate and main batches, and every reason to stop between two batches.

A real local home and real lanes; only the API's side is written here, as its port.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from octoplan.apply.deliver import Delivery, Ports, Status, deliver
from octoplan.apply.execute import ApplyReport, CampaignReport, CampaignRun, Deadline, Event, Halt, Rules, execute
from octoplan.apply.lanes import InlineLanes, ThreadLanes
from octoplan.apply.pace import Pace
from octoplan.diagnostics import ExitCode
from octoplan.digests import DigestKey, request_id
from octoplan.gateway.port import Accepted, Balance, NotSent, Outcome, RefusalClass, Refused, SendRequest, Unknown
from octoplan.plan.outgoing import Outgoing
from octoplan.state.home import Home, Session
from octoplan.state.journal import Phase
from octoplan.state.local import local_home
from octoplan.state.store import StopNotice
from tests.clocks import HOLDER, ManualClock

KEY = DigestKey(bytes(range(32)))
COST = Decimal("0.06")
STOPPED = Halt(ExitCode.TERMINATED, "stopped by SIGTERM")
REQUEST = SendRequest("Hi", b"", "sms_premium", "alert", "ACME", None, False, False, False)


def accept(_number: int) -> Outcome:
    return Accepted("sms_1", 1, COST)


def refuse(kind: RefusalClass) -> Outcome:
    return Refused(121, "no", kind, "do this", 400)


@dataclass
class Api:
    """Answers the n-th request, from 0, as it is told; thread-safe."""

    answer: Callable[[int], Outcome] = accept
    posted: list[bytes] = field(default_factory=list)
    mutex: threading.Lock = field(default_factory=threading.Lock)

    def send(self, body: bytes) -> Outcome:
        with self.mutex:
            number = len(self.posted)
            self.posted.append(body)
        return self.answer(number)

    def simulate(self, request: SendRequest) -> Outcome:
        raise AssertionError("apply does not simulate")

    def balance(self) -> Balance:
        raise AssertionError("execute does not ask for the balance")

    def cancel(self, ticket: str) -> Outcome | None:
        raise AssertionError("execute does not cancel")


@dataclass
class Bench:
    """A home under its lease, an API and a clock; `run` sends a campaign of five batches, the first two its canary."""

    home: Home
    session: Session
    clock: ManualClock
    api: Api = field(default_factory=Api)

    def batches(self, count: int = 5, canary: int = 0, campaign: str = "sale") -> list[Outgoing]:
        return [self.batch(number, campaign, is_canary=number < canary) for number in range(count)]

    def batch(self, number: int, campaign: str, *, is_canary: bool) -> Outgoing:
        digest = f"b1_{number}"
        phone = f"+3361234{number:04d}"
        return Outgoing(
            environment="production",
            campaign=campaign,
            digest=digest,
            attempt=1,
            request_id=request_id(KEY, "production", campaign, digest, 1),
            recipients=1,
            segments=1,
            strata={("FR", 1): 1},
            request=replace(REQUEST, contacts=b'{"phone_number":"%s"}' % phone.encode()),
            phones=pa.array([phone], pa.string()),
            is_canary=is_canary,
            cost=COST,
        )

    def campaign(self, batches: Sequence[Outgoing], **more: object) -> CampaignRun:
        name = batches[0].campaign
        run = CampaignRun(name, {}, lambda: iter(batches), len(batches), len(batches))
        return replace(run, **more)  # type: ignore[arg-type]

    def run(
        self,
        *campaigns: CampaignRun,
        lanes: int = 0,
        rules: Rules | None = None,
        rate: Decimal | None = None,
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> ApplyReport:
        """`lanes` 0 is the caller's own thread; `rate` is in requests a second."""
        pace = Pace(self.clock, requests_per_second=rate)
        ports = Ports(self.api, self.session, self.clock, pace, on_unknown="stop")

        def send(batch: Outgoing) -> Delivery:
            return deliver(batch, ports)

        chosen = ThreadLanes(send, lanes) if lanes else InlineLanes(send)
        return execute(campaigns, ports, chosen, rules or Rules(), on_event=on_event)

    def phases(self, campaign: str = "sale") -> list[Phase]:
        return [batch.phase for _, batch in sorted(self.session.campaigns()[campaign].batches.items())]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = ManualClock()
    home = local_home(tmp_path, "production", KEY, clock)
    with home.session(HOLDER) as session:
        yield Bench(home, session, clock)
    home.close()


# --- the canary ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [0, 1, 8])
def test_the_gate_is_asked_once_between_canary_and_the_others(bench: Bench, lanes: int) -> None:
    """After every batch of the canary has its outcome, before the first of the others starts."""
    asked: list[tuple[list[str], int]] = []

    def gate(deliveries: Sequence[Delivery]) -> Halt | None:
        asked.append((sorted(each.digest for each in deliveries), len(bench.api.posted)))
        return None

    report = bench.run(bench.campaign(bench.batches(6, canary=3), gate=gate), lanes=lanes)
    assert asked == [(["b1_0", "b1_1", "b1_2"], 3)]
    assert (len(report.deliveries(Status.SENT)), report.exit_code) == (6, ExitCode.DONE)


@pytest.mark.parametrize("lanes", [0, 8])
def test_a_gate_that_says_no_keeps_the_others_back(bench: Bench, lanes: int) -> None:
    """Nothing of the rest is begun, nor written down as intended."""
    halt = Halt(ExitCode.PARTIAL, "look first")
    report = bench.run(bench.campaign(bench.batches(5, canary=2), gate=lambda _: halt), lanes=lanes)
    assert (report.halt, report.exit_code, len(bench.api.posted)) == (halt, ExitCode.PARTIAL, 2)
    assert bench.phases() == [Phase.SENT] * 2
    assert not bench.session.campaigns()["sale"].is_complete


def test_without_a_canary_the_gate_is_never_asked(bench: Bench) -> None:
    """And neither if the canary is all that is left."""
    asked: list[object] = []
    bench.run(bench.campaign(bench.batches(2), gate=asked.append))
    bench.run(bench.campaign(bench.batches(2, canary=2, campaign="other"), gate=asked.append))
    assert asked == []


# --- refusals and exit codes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_refused", "posted"), [("continue", 5), ("stop", 2)])
def test_a_batch_refused_for_its_content(bench: Bench, on_refused: str, posted: int) -> None:
    """`continue` sends the others, `stop` does not; partial either way."""
    bench.api.answer = lambda number: refuse(RefusalClass.FILE) if number == 1 else accept(number)
    report = bench.run(bench.campaign(bench.batches()), rules=Rules(on_refused=on_refused))  # type: ignore[arg-type]
    assert (len(bench.api.posted), report.exit_code) == (posted, ExitCode.PARTIAL)
    assert not bench.session.campaigns()["sale"].is_complete


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RefusalClass.ACCOUNT, ExitCode.AUTHENTICATION),
        (RefusalClass.FUNDS, ExitCode.BLOCKED),
        (RefusalClass.UNCLEAR, ExitCode.UNCLASSIFIED),
    ],
)
def test_a_refusal_that_the_next_batch_would_meet_too_stops_the_run(
    bench: Bench, kind: RefusalClass, code: ExitCode
) -> None:
    """Nothing was sent, so its own code; the other campaigns are not begun."""
    bench.api.answer = lambda _: refuse(kind)
    other = bench.campaign(bench.batches(campaign="other"))
    report = bench.run(bench.campaign(bench.batches()), other)
    assert (len(bench.api.posted), report.exit_code) == (1, code)
    assert [campaign.untried_recipients for campaign in report.campaigns] == [4, 5]
    assert "other" not in bench.session.campaigns()


def test_another_cost_than_planned_stops_the_run(bench: Bench) -> None:
    """Sent, recorded, and a person is asked before more goes out."""
    bench.api.answer = lambda _: Accepted("sms_1", 1, COST * 2)
    report = bench.run(bench.campaign(bench.batches()))
    assert (len(bench.api.posted), report.exit_code, bench.phases()) == (1, ExitCode.PARTIAL, [Phase.SENT])


def delivery(status: Status) -> Delivery:
    return Delivery("sale", "b1_0", 1, 1, status)


@pytest.mark.parametrize(
    ("statuses", "halt", "code"),
    [
        ([], None, ExitCode.DONE),
        ([Status.SENT], None, ExitCode.DONE),
        ([Status.SENT, Status.REFUSED], None, ExitCode.PARTIAL),
        ([Status.REFUSED], None, ExitCode.INVALID),
        ([Status.SENT, Status.NOT_SENT], Halt(ExitCode.UNCLASSIFIED, ""), ExitCode.PARTIAL),
        ([Status.NOT_SENT], Halt(ExitCode.UNCLASSIFIED, ""), ExitCode.UNCLASSIFIED),
        ([Status.SENT], Halt(ExitCode.BLOCKED, ""), ExitCode.PARTIAL),
        ([Status.SENT], Halt(ExitCode.INTERRUPTED, ""), ExitCode.INTERRUPTED),
        ([Status.SENT], Halt(ExitCode.TERMINATED, ""), ExitCode.TERMINATED),
        ([Status.SENT], Halt(ExitCode.WINDOW, ""), ExitCode.WINDOW),
        ([Status.SENT, Status.UNKNOWN], Halt(ExitCode.TERMINATED, ""), ExitCode.UNKNOWN),
        ([Status.UNKNOWN], None, ExitCode.UNKNOWN),
    ],
)
def test_the_exit_code_is_that_of_the_most_serious(statuses: list[Status], halt: Halt | None, code: ExitCode) -> None:
    """Unknown before everything, then a signal or the window, then partial."""
    campaign = CampaignReport("sale", 2, 2, tuple(map(delivery, statuses)))
    assert ApplyReport("r_1", (campaign,), halt).exit_code is code


# --- stops between two batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [0, 1])
def test_the_kill_switch_is_looked_at_before_each_batch(bench: Bench, lanes: int) -> None:
    """A notice that is posted while a request is under way lets it finish and begins no other."""

    def answer(number: int) -> Outcome:
        if number == 1:
            bench.home.put_stop_notice(StopNotice("wrong price", "dana", bench.clock.now()))
        return accept(number)

    bench.api.answer = answer
    report = bench.run(bench.campaign(bench.batches()), lanes=lanes)
    assert (bench.phases(), report.exit_code) == ([Phase.SENT] * 2, ExitCode.PARTIAL)
    assert report.halt is not None
    assert "dana: wrong price" in report.halt.reason


def test_not_after_is_looked_at_before_each_batch(bench: Bench) -> None:
    """The time may pass while the run goes on; the rest is not sent late."""
    latest = bench.clock.now() + timedelta(minutes=2)

    def answer(number: int) -> Outcome:
        bench.clock.advance(61)
        return accept(number)

    bench.api.answer = answer
    report = bench.run(bench.campaign(bench.batches(), not_after=latest))
    assert (bench.phases(), report.exit_code) == ([Phase.SENT] * 2, ExitCode.WINDOW)


def test_the_end_of_the_sending_hours_is_looked_at_before_each_batch(bench: Bench) -> None:
    """No request starts at the very moment at which they end, or later; the halt says why, and what to do."""
    ended = Deadline(bench.clock.now() + timedelta(seconds=120), "the hours ended", "apply tomorrow")

    def answer(number: int) -> Outcome:
        bench.clock.advance(60)
        return accept(number)

    bench.api.answer = answer
    report = bench.run(bench.campaign(bench.batches(), deadlines=(ended,)))
    assert (bench.phases(), report.exit_code) == ([Phase.SENT] * 2, ExitCode.WINDOW)
    assert report.halt == Halt(ExitCode.WINDOW, "the hours ended", "apply tomorrow")


def test_the_time_of_a_wave_is_asked_of_its_own_requests_only(bench: Bench) -> None:
    """That another wave has left does not keep these back; of their own time not a moment is given away."""
    past = Deadline(bench.clock.now(), "the wave has left", is_own=True)
    leaves = bench.clock.now() + timedelta(hours=1)
    waves = [replace(batch, request=replace(batch.request, send_at=leaves.isoformat())) for batch in bench.batches()]
    own = Deadline(leaves, "this wave has left", is_own=True)

    def answer(number: int) -> Outcome:
        bench.clock.advance(1800)
        return accept(number)

    bench.api.answer = answer
    report = bench.run(bench.campaign(waves, deadlines=(past, own)))
    assert (bench.phases(), report.exit_code) == ([Phase.SENT] * 2, ExitCode.WINDOW)
    assert report.halt == Halt(ExitCode.WINDOW, "this wave has left", None)


def test_a_request_is_not_repeated_too_late(bench: Bench) -> None:
    """A pause between two tries can be longer than the hours: the request is given up, and the run says why."""
    ended = Deadline(bench.clock.now() + timedelta(seconds=100), "the hours ended", "apply tomorrow")
    bench.api.answer = lambda _: NotSent("busy", retry_after_s=120, throttled=True)
    report = bench.run(bench.campaign(bench.batches(), deadlines=(ended,)))
    assert (len(bench.api.posted), bench.phases(), report.exit_code) == (1, [Phase.FREE], ExitCode.WINDOW)
    assert report.halt == Halt(ExitCode.WINDOW, "the hours ended", "apply tomorrow")


def test_a_request_does_not_wait_for_its_turn_until_the_hours_are_over(bench: Bench) -> None:
    """At one request a minute the third would start two minutes after the first, when it is too late."""
    ended = Deadline(bench.clock.now() + timedelta(seconds=110), "the hours ended")
    report = bench.run(bench.campaign(bench.batches(), deadlines=(ended,)), rate=Decimal("0.0166667"))
    assert (bench.phases(), report.exit_code) == ([Phase.SENT] * 2, ExitCode.WINDOW)


def test_a_wish_to_stop_begins_nothing_new(bench: Bench) -> None:
    """What is done is recorded, nothing else is written down."""
    rules = Rules(stop_asked=lambda: STOPPED if len(bench.api.posted) == 2 else None)
    report = bench.run(bench.campaign(bench.batches()), rules=rules)
    assert (bench.phases(), report.exit_code, report.halt) == ([Phase.SENT] * 2, ExitCode.TERMINATED, STOPPED)


def test_a_wish_to_stop_ends_the_making_of_batches(bench: Bench) -> None:
    """A question that is cut short has no answer: the run ends with the reason, not as if all were done."""
    asked: list[Halt] = []

    def cut_short(question: object) -> None:
        asked.append(STOPPED)

    rules = Rules(stop_asked=lambda: asked[0] if asked else None, ask=cut_short)
    report = bench.run(bench.campaign(bench.batches()), rules=rules)
    assert (report.halt, report.exit_code, bench.api.posted) == (STOPPED, ExitCode.TERMINATED, [])


def test_a_request_given_up_because_of_a_stop_is_no_failure_of_the_api(bench: Bench) -> None:
    """The exit code is the signal's, though it came after the last look for one and before the outcome."""
    bench.api.answer = lambda _: NotSent("throttled", retry_after_s=1e6)
    looks = iter([None])
    rules = Rules(stop_asked=lambda: next(looks, STOPPED) if bench.api.posted else None)
    report = bench.run(bench.campaign(bench.batches()), rules=rules)
    assert (bench.phases(), report.halt, report.exit_code) == ([Phase.FREE], STOPPED, ExitCode.TERMINATED)


def test_requests_left_behind_are_unknown_and_open_in_the_journal(bench: Bench) -> None:
    """Their time is up while the API holds the answer: nothing is assumed about them."""
    posted, release = threading.Barrier(3), threading.Event()

    def answer(number: int) -> Outcome:
        posted.wait(timeout=30)
        release.wait(timeout=30)
        return Unknown("the test is over")

    bench.api.answer = answer
    asked: list[Halt] = []

    def stop() -> Halt | None:
        if not asked and len(bench.api.posted) == 2:
            posted.wait(timeout=30)
            asked.append(STOPPED)
        return asked[0] if asked else None

    report = bench.run(bench.campaign(bench.batches()), lanes=2, rules=Rules(stop_asked=stop, grace_s=0))
    phases = bench.phases()
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("send "):
            thread.join(timeout=30)
    assert (len(report.deliveries(Status.UNKNOWN)), report.exit_code) == (2, ExitCode.UNKNOWN)
    assert phases == [Phase.OPEN] * 2
    assert report.halt == STOPPED


# --- the end ---------------------------------------------------------------------------------------------------------


def test_only_a_run_that_got_to_its_end_is_complete(bench: Bench) -> None:
    """Every planned batch was sent; the next batch of the campaign opens it again."""
    bench.run(bench.campaign(bench.batches(3)))
    assert bench.session.campaigns()["sale"].is_complete
    rules = Rules(stop_asked=lambda: STOPPED if len(bench.api.posted) == 4 else None)
    bench.run(bench.campaign(bench.batches(5)[3:]), rules=rules)
    assert not bench.session.campaigns()["sale"].is_complete


def test_what_happens_is_told_in_order(bench: Bench) -> None:
    """Each campaign begins, has its outcomes, perhaps a halt, and its end; one that is not begun has its end alone."""
    told: list[Event] = []

    def tell(event: Event) -> None:
        if isinstance(event, Delivery):
            assert bench.phases(event.campaign).count(Phase.OPEN) == 0, "told before it was durable"
        told.append(event)

    bench.api.answer = lambda number: refuse(RefusalClass.FUNDS) if number == 2 else accept(number)
    runs = [bench.campaign(bench.batches(2, campaign=name)) for name in ("one", "sale", "two")]
    bench.run(*runs, on_event=tell)
    begun = ["CampaignBegun", "Delivery"]
    assert [type(event).__name__ for event in told] == [
        *begun,
        "Delivery",
        "CampaignReport",
        *begun,
        "Halt",
        "CampaignReport",
        "CampaignReport",
    ]
    assert [event.is_complete for event in told if isinstance(event, CampaignReport)] == [True, False, False]

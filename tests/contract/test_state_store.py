"""What every state home keeps, whatever store is under it. Run against each kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest

from octoplan.digests import DigestKey
from octoplan.state.home import Home, Intent, Session
from octoplan.state.journal import Kind, Phase
from octoplan.state.store import AlreadyWritten, Holder, LeaseHeld, LeaseLost, StateStore, StopNotice
from tests.clocks import ManualClock
from tests.contract.stores import KINDS, OpenStore
from tests.contract.stores import Kind as StoreKind

KEY = DigestKey(bytes(range(32)))
ALICE, BOB, CAROL = "+33612345601", "+33612345602", "+33612345603"
CLOCK = ManualClock()


class Bench:
    """One place, and as many openings of it as a test wants: each is what another process would have."""

    def __init__(self, opened: OpenStore, stack: ExitStack) -> None:
        self._opened = opened
        self._stack = stack

    def store(self) -> StateStore:
        store = self._opened(CLOCK)
        self._stack.callback(store.close)
        return store

    def home(self) -> Home:
        return Home(self.store(), KEY, CLOCK)

    def session(self, run: str = "r_1", home: Home | None = None) -> AbstractContextManager[Session]:
        return (home or self.home()).session(holder(run))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    kind: StoreKind = request.param
    with ExitStack() as stack:
        place = cast("Callable[[Path], AbstractContextManager[OpenStore]]", kind.place)
        yield Bench(stack.enter_context(place(tmp_path)), stack)


def holder(run: str) -> Holder:
    return Holder(run, "dana", "build-7", 4711, CLOCK.now(), url="https://ci.example.invalid/job/1")


def intent(digest: str = "b1_x", recipients: int = 2, attempt: int = 1, campaign: str = "sale") -> Intent:
    return Intent(campaign, digest, f"id{attempt}", attempt, recipients, recipients, "0.10", None)


def numbers(*phones: str) -> pa.StringArray:
    return pa.array(phones, pa.string())


def test_an_empty_place_knows_nothing(bench: Bench) -> None:
    """A plan can be made before anything was ever applied."""
    home = bench.home()
    assert dict(home.campaigns()) == {}
    assert home.written("sale", numbers(ALICE)).to_pylist() == [None]
    assert (home.holder(), home.stop_notice()) == (None, None)


def test_what_was_written_is_there_for_everybody(bench: Bench) -> None:
    """Journal and ledger, for another process, at once and afterwards."""
    with bench.session() as session:
        session.open_campaign("sale", {"type": "sms_premium"})
        session.intend(intent(), numbers(ALICE, BOB))
        assert bench.home().campaigns()["sale"].batches["b1_x"].phase is Phase.OPEN
        session.record(Kind.SENT, "sale", "b1_x", {"ticket": "sms_1"})
    again = bench.home()
    state = again.campaigns()["sale"]
    assert (state.content, state.batches["b1_x"].ticket) == ({"type": "sms_premium"}, "sms_1")
    assert again.written("sale", numbers(CAROL, BOB, ALICE)).to_pylist() == [None, "b1_x", "b1_x"]
    assert [entry.kind for entry in again.entries("sale")] == [Kind.OPENED, Kind.INTENDED, Kind.SENT]
    assert [entry.kind for entry in again.entries("other")] == []


def test_times_and_data_come_back_exactly(bench: Bench) -> None:
    """To the microsecond, in UTC; null, text with any character, numbers."""
    with bench.session() as session:
        session.open_campaign("sale", {"sender": "É'\"\\ \u2028😀"})
        (entry,) = session.entries("sale")
    (again,) = bench.home().entries("sale")
    assert again == entry
    assert again.at == CLOCK.now()


def test_counts_of_rows_are_written_where_they_changed(bench: Bench) -> None:
    """With the same content again: no entry for the same counts or for none, one for others."""
    counts = [{"rows": rows, "recipients": 1, "excluded": {"duplicate": rows - 1}} for rows in (2, 3)]
    with bench.session() as session:
        for audience in (counts[0], counts[0], None, counts[1]):
            session.open_campaign("sale", {"sender": "ACME"}, audience)
    home = bench.home()
    assert [entry.data["audience"] for entry in home.entries("sale")] == counts
    assert home.campaigns()["sale"].audience == counts[1]


def test_a_recipient_cannot_be_in_two_batches_of_a_campaign(bench: Bench) -> None:
    """The store itself refuses the second row, and then nothing of that batch is written."""
    with bench.session() as session:
        session.open_campaign("sale", {})
        session.intend(intent("b1_x"), numbers(ALICE, BOB))
        with pytest.raises(AlreadyWritten):
            session.intend(intent("b1_y"), numbers(CAROL, BOB))
        assert session.written("sale", numbers(CAROL)).to_pylist() == [None]
        assert set(session.campaigns()["sale"].batches) == {"b1_x"}
    assert set(bench.home().campaigns()["sale"].batches) == {"b1_x"}


def test_a_number_twice_in_one_batch_is_refused(bench: Bench) -> None:
    """The same person twice in one request would get it twice."""
    with bench.session() as session:
        session.open_campaign("sale", {})
        with pytest.raises(AlreadyWritten):
            session.intend(intent(), numbers(ALICE, ALICE))


def test_two_campaigns_may_write_to_the_same_person(bench: Bench) -> None:
    """The ledger is per campaign."""
    with bench.session() as session:
        for campaign in ("sale", "news"):
            session.open_campaign(campaign, {})
            session.intend(intent(recipients=1, campaign=campaign), numbers(ALICE))
    home = bench.home()
    assert {name: len(state.batches) for name, state in home.campaigns().items()} == {"sale": 1, "news": 1}


@pytest.mark.parametrize("kind", [Kind.NOT_SENT, Kind.REFUSED, Kind.SETTLED_NOT_SENT])
def test_a_certain_not_sent_frees_the_recipients(bench: Bench, kind: Kind) -> None:
    """Who certainly got nothing can be written to again; others stay where they are."""
    with bench.session() as session:
        session.open_campaign("sale", {})
        session.intend(intent("b1_other", recipients=1), numbers(CAROL))
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(kind, "sale", "b1_x", {})
        assert session.written("sale", numbers(ALICE, CAROL)).to_pylist() == [None, "b1_other"]
        attempt = session.campaigns()["sale"].batches["b1_x"].next_attempt
        session.intend(intent(attempt=attempt), numbers(ALICE, BOB))
    assert bench.home().written("sale", numbers(ALICE)).to_pylist() == ["b1_x"]


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, Kind.SENT, Kind.SETTLED_SENT])
def test_anything_else_keeps_them(bench: Bench, kind: Kind) -> None:
    """Who may have got it stays in the ledger."""
    with bench.session() as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(kind, "sale", "b1_x", {})
    assert bench.home().written("sale", numbers(ALICE)).to_pylist() == ["b1_x"]


@pytest.mark.parametrize("attempt", [1, 3])
def test_an_entry_that_is_no_step_is_refused(bench: Bench, attempt: int) -> None:
    """A batch that was sent cannot be intended again, under no attempt number and for no other recipients."""
    with bench.session() as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(Kind.SENT, "sale", "b1_x", {})
        with pytest.raises(AlreadyWritten):
            session.intend(intent(recipients=1, attempt=attempt), numbers(CAROL))
        with pytest.raises(AlreadyWritten):
            session.record(Kind.NOT_SENT, "sale", "b1_x", {})
    home = bench.home()
    assert home.written("sale", numbers(ALICE, CAROL)).to_pylist() == ["b1_x", None]
    assert home.campaigns()["sale"].batches["b1_x"].phase is Phase.SENT


def test_content_may_change_only_until_something_was_sent(bench: Bench) -> None:
    """While every batch is free the new content counts; afterwards another one is refused."""
    with bench.session() as session:
        session.open_campaign("sale", {"sender": "ACME"})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(Kind.REFUSED, "sale", "b1_x", {})
        session.open_campaign("sale", {"sender": "OTHER"})
        session.intend(intent(attempt=2), numbers(ALICE, BOB))
        with pytest.raises(AlreadyWritten):
            session.open_campaign("sale", {"sender": "THIRD"})
    assert bench.home().campaigns()["sale"].content == {"sender": "OTHER"}


def test_one_lease_at_a_time_with_its_holder_named(bench: Bench) -> None:
    """The second is refused and told who, where and since when."""
    with bench.session("r_1"):
        seen = bench.home().holder()
        assert seen is not None
        assert (seen.run, seen.owner, seen.host, seen.pid) == ("r_1", "dana", "build-7", 4711)
        assert seen.url == "https://ci.example.invalid/job/1"
        with pytest.raises(LeaseHeld, match="r_1"), bench.session("r_2"):
            pass
    assert bench.home().holder() is None
    with bench.session("r_3"):
        pass


def test_a_lease_that_was_given_back_is_taken_with_a_higher_fence(bench: Bench) -> None:
    """Every lease has a fencing number above all before it."""
    fences = []
    for run in ("r_1", "r_2"):
        with bench.session(run) as session:
            held = session.holder()
            assert held.took_over is None
            fences.append(held.fence)
    assert fences[0] < fences[1]


def test_a_run_whose_lease_was_taken_away_can_write_nothing(bench: Bench) -> None:
    """Paused, unlocked by a person, and awake again: the old run is fenced off."""
    with bench.session("r_1") as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        assert bench.home().unlock("r_other") is False
        assert bench.home().unlock("r_1") is True
        with pytest.raises(LeaseLost):
            session.record(Kind.SENT, "sale", "b1_x", {})
        with pytest.raises(LeaseLost):
            session.intend(intent("b1_y", recipients=1), numbers(CAROL))
    home = bench.home()
    assert home.campaigns()["sale"].batches["b1_x"].phase is Phase.OPEN
    assert home.written("sale", numbers(CAROL)).to_pylist() == [None]


def test_a_stop_notice_is_seen_by_a_running_apply(bench: Bench) -> None:
    """Posted and taken away while somebody else holds the lease, without disturbing its writes."""
    notice = StopNotice("wrong price in the text", "sam", CLOCK.now())
    with bench.session() as session:
        session.open_campaign("sale", {})
        assert session.stop_notice() is None
        bench.home().put_stop_notice(notice)
        assert session.stop_notice() == notice
        session.intend(intent(), numbers(ALICE, BOB))
        bench.home().put_stop_notice(None)
        assert session.stop_notice() is None
        session.record(Kind.SENT, "sale", "b1_x", {})


def test_forgetting_a_campaign_leaves_counts_and_closes_it(bench: Bench) -> None:
    """Nobody can tell any more who was in it, so nothing more can be written for it."""
    with bench.session() as session:
        session.open_campaign("sale", {"type": "sms_premium"})
        session.intend(intent(), numbers(ALICE, BOB))
        with pytest.raises(AlreadyWritten):
            session.forget("sale")
        session.record(Kind.SENT, "sale", "b1_x", {})
        session.forget("sale")
        assert session.written("sale", numbers(ALICE)).to_pylist() == [None]
        with pytest.raises(AlreadyWritten):
            session.intend(intent("b1_y"), numbers(ALICE, BOB))
    state = bench.home().campaigns()["sale"]
    assert (state.is_forgotten, state.sent_recipients) == (True, 2)
    assert "sale" not in bench.store().read_salts()


def test_requests_at_the_same_time_each_get_their_own_answer(bench: Bench) -> None:
    """Writes may share one durable step; the one that is at fault is refused, the others are written."""
    with bench.session() as session:
        session.open_campaign("sale", {})
        session.intend(intent("b1_first", recipients=1), numbers(ALICE))
        phones = [ALICE if index == 3 else f"+3361234570{index}" for index in range(8)]
        outcomes: dict[int, BaseException | None] = {}
        barrier = threading.Barrier(len(phones))

        def write(index: int) -> None:
            barrier.wait()
            try:
                session.intend(intent(f"b1_{index}", recipients=1), numbers(phones[index]))
                outcomes[index] = None
            except AlreadyWritten as error:
                outcomes[index] = error

        threads = [threading.Thread(target=write, args=(index,)) for index in range(len(phones))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [index for index, error in sorted(outcomes.items()) if error is not None] == [3]
    written = bench.home().written("sale", numbers(*phones)).to_pylist()
    assert written == ["b1_first" if index == 3 else f"b1_{index}" for index in range(8)]


def test_five_hundred_recipients_a_batch_and_lookups_of_any_size(bench: Bench) -> None:
    """Batches of the largest size, asked for in one piece that mixes known and unknown."""
    known = [f"+336123{40000 + index:05d}" for index in range(1000)]
    unknown = [f"+336123{45000 + index:05d}" for index in range(700)]
    with bench.session() as session:
        session.open_campaign("sale", {})
        for start in (0, 500):
            session.intend(intent(f"b1_{start}", recipients=500), numbers(*known[start : start + 500]))
        found = session.written("sale", numbers(*unknown, *known)).to_pylist()
    assert found == [None] * 700 + ["b1_0"] * 500 + ["b1_500"] * 500


def test_numbers_are_nowhere_in_what_the_store_hands_out(bench: Bench) -> None:
    """The journal's entries hold counts and digests; the rows are keyed, and differ from campaign to campaign."""
    with bench.session() as session:
        for campaign in ("sale", "news"):
            session.open_campaign(campaign, {})
            session.intend(intent(recipients=1, campaign=campaign), numbers(ALICE))
    text = repr(list(bench.home().entries()))
    assert ALICE not in text
    assert ALICE[3:] not in text


def test_a_wrong_holder_is_refused_even_with_the_right_name(bench: Bench) -> None:
    """The fencing number decides, not what the run calls itself."""
    store = bench.store()
    held = store.acquire(holder("r_1"))
    stale = replace(held, fence=held.fence - 1)
    with pytest.raises(LeaseLost):
        store.commit([], stale)
    store.release(held)

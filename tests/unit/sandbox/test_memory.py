"""What is remembered: request ids for a day, simulations not at all, campaigns until they leave or are cancelled."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from octoplan.sandbox.clock import MovableClock
from octoplan.sandbox.service import Octopush
from octoplan.sandbox.store import Filter, Store
from tests.sandbox_process import SandboxProcess, exact
from tests.unit.sandbox.bodies import FRENCH, campaign, contacts, french

NOON = datetime(2027, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def octopush() -> Iterator[Octopush]:
    """The API without HTTP, at a time that stands still, for rules about exact instants."""
    store = Store(":memory:")
    yield Octopush(store, MovableClock(store, lambda: NOON))
    store.close()


def post(octopush: Octopush, **changes: Any) -> tuple[int, Any]:
    """Status, and ticket or code."""
    answer = octopush.send(json.dumps(campaign(**changes)).encode())
    body = answer.body or {}
    return answer.status, body.get("sms_ticket", body.get("code"))


def test_request_id_is_remembered_for_24_hours(octopush: Octopush) -> None:
    """The same id is refused with 120 until 24 hours have passed since it was accepted, refusals not counted."""
    assert post(octopush, request_id="a1")[0] == 201
    octopush.clock.advance(DAY - INSTANT)
    assert post(octopush, request_id="a1") == (400, 120)
    octopush.clock.advance(INSTANT)
    assert post(octopush, request_id="a1")[0] == 201
    assert len(octopush.store.records(Filter(), after=0, limit=10)) == 2


def test_request_id_decides_alone(octopush: Octopush) -> None:
    """Whatever else has changed, a known id is refused with 120: body, blacklist, time, wallet."""
    assert post(octopush, request_id="a1", send_at="2027-03-20T12:30:00Z")[0] == 201
    octopush.store.set_balance(Decimal(0))
    octopush.store.add_to_blacklist([FRENCH])
    octopush.clock.advance(timedelta(hours=1))
    changes = {"send_at": "2027-03-20T12:30:00Z", "auto_remove_blacklisted_numbers": True, "text": "no mention"}
    assert post(octopush, request_id="a1", **changes) == (400, 120)


def test_refused_requests_do_not_use_up_their_id(octopush: Octopush) -> None:
    """After a refusal the same id may be tried again."""
    assert post(octopush, request_id="a1", text="no mention") == (400, 121)
    assert post(octopush, request_id="a1")[0] == 201


def test_simulation_neither_asks_nor_marks_a_request_id(octopush: Octopush) -> None:
    """A simulated request passes with a known id, and leaves a new one unused."""
    assert post(octopush, request_id="a1", simulation_mode=True)[0] == 201
    assert post(octopush, request_id="a1")[0] == 201
    assert post(octopush, request_id="a1", simulation_mode=True)[0] == 201
    assert post(octopush, request_id="a1") == (400, 120)


def test_acceptance_is_all_or_nothing(tmp_path: Path) -> None:
    """If the wallet cannot be debited, nothing was accepted and the request id is free."""
    path = tmp_path / "state.db"
    store = Store(path)
    octopush = Octopush(store, MovableClock(store, lambda: NOON))
    with closing(sqlite3.connect(path)) as saboteur:
        saboteur.execute("CREATE TRIGGER full BEFORE INSERT ON settings BEGIN SELECT RAISE(ABORT, 'full'); END")
        with pytest.raises(sqlite3.IntegrityError):
            post(octopush, request_id="a1")
        assert (store.records(Filter(), after=0, limit=1), store.campaign_costs(cancelled=False)) == ([], [])
        saboteur.execute("DROP TRIGGER full")
    assert post(octopush, request_id="a1")[0] == 201
    store.close()


def test_without_request_id_nothing_protects(octopush: Octopush) -> None:
    """The same request without an id is accepted as often as it comes, which the judge notices."""
    assert [post(octopush)[0], post(octopush)[0]] == [201, 201]
    assert octopush.store.duplicates() == 1


def test_simulation_leaves_no_trace(sandbox: SandboxProcess) -> None:
    """It is answered as a real one would be, and nothing but the counter of simulations moves."""
    answer = sandbox.send(campaign(simulation_mode=True, auto_remove_blacklisted_numbers=True))
    said = exact(answer)
    assert (answer.status_code, said["total_cost"], said["residual_credit"]) == (201, Decimal("0.071"), 10000)
    assert said["sms_ticket"].startswith("sms_")
    assert (sandbox.accepted(), sandbox.balance()) == ([], Decimal(10000))
    assert sandbox.stats() == {"real_sends": 0, "simulated_sends": 1, "refused": 0, "refused_by_code": {}}


def test_simulation_looks_at_the_body_alone(sandbox: SandboxProcess) -> None:
    """It does not look at the wallet or the clock, and judges everything else as a real send does."""
    sandbox.set_balance("0")
    assert sandbox.send(campaign(simulation_mode=True, send_at="2001-01-01T00:00:00Z")).status_code == 201
    assert exact(sandbox.send(campaign(simulation_mode=True, text="no mention")))["code"] == 121


def test_scheduled_campaign_leaves_when_its_time_has_come(sandbox: SandboxProcess) -> None:
    """It is paid for at once, waits, and has its receipt after its time, in French time."""
    sandbox.set_now("2027-03-20T09:00:00+01:00")
    sandbox.send(campaign(send_at="2027-03-20T10:00:00+01:00"))
    assert sandbox.balance() == Decimal("9999.939")
    assert [message["status"] for message in sandbox.accepted()] == ["scheduled"]
    assert sandbox.control("/receipts")["receipts"] == []
    sandbox.advance(3600)
    assert [message["status"] for message in sandbox.accepted()] == ["delivered"]
    (receipt,) = sandbox.control("/receipts")["receipts"]
    assert (receipt["status"], receipt["delivery_date"]) == ("DELIVERED", "2027-03-20 10:00:00")
    assert receipt["message_id"] == sandbox.accepted()[0]["ticket"]


def test_low_cost_has_no_receipts(sandbox: SandboxProcess) -> None:
    """Octopush sends receipts for premium messages only."""
    sandbox.send(campaign(type="sms_low_cost"))
    assert [message["status"] for message in sandbox.accepted()] == ["delivered"]
    assert sandbox.control("/receipts")["receipts"] == []


def test_cancelling_gives_the_money_back(sandbox: SandboxProcess) -> None:
    """A cancelled campaign is refunded in full and reaches nobody; its request_id stays used."""
    body = campaign(
        recipients=contacts(french(0), french(1)), send_at="2099-01-01T00:00:00Z", request_id="a1",
        auto_remove_blacklisted_numbers=True,
    )  # fmt: skip
    ticket = exact(sandbox.send(body))["sms_ticket"]
    answer = sandbox.cancel(ticket)
    assert (answer.status_code, answer.content, sandbox.balance()) == (204, b"", Decimal(10000))
    assert [message["status"] for message in sandbox.accepted()] == ["cancelled", "cancelled"]
    verdict = sandbox.summary()
    assert (verdict["messages"], verdict["requests"], verdict["cancelled_requests"]) == (0, 0, 1)
    assert exact(sandbox.send(body))["code"] == 120
    assert exact(sandbox.cancel(ticket))["code"] == 131


def test_cancelling_three_recipients(sandbox: SandboxProcess) -> None:
    """A campaign of three recipients or more cannot be cancelled."""
    body = campaign(recipients=contacts(*map(french, range(3))), send_at="2099-01-01T00:00:00Z")
    answer = sandbox.cancel(exact(sandbox.send(body))["sms_ticket"])
    assert (answer.status_code, exact(answer)["code"]) == (400, 400)
    assert [message["status"] for message in sandbox.accepted()] == ["scheduled"] * 3


def cancel(octopush: Octopush, ticket: str) -> int:
    """The status of a request to cancel."""
    return octopush.cancel(json.dumps({"ticket_number": ticket}).encode()).status


def test_cancelling_needs_more_than_ten_minutes(octopush: Octopush) -> None:
    """At ten minutes to go it is too late, an instant earlier it is not."""
    _, ticket = post(octopush, send_at="2027-03-20T13:00:00Z")
    octopush.clock.set(NOON + timedelta(minutes=50))
    assert cancel(octopush, ticket) == 400
    octopush.clock.advance(-INSTANT)
    assert cancel(octopush, ticket) == 204


def test_cancelling_what_has_been_sent(octopush: Octopush) -> None:
    """A campaign that was sent at once cannot be cancelled."""
    _, ticket = post(octopush)
    assert cancel(octopush, ticket) == 400


def test_cancelling_a_thousand_times_a_month(octopush: Octopush) -> None:
    """Requests to cancel, granted or not, are limited to 1000 a calendar month."""
    _, ticket = post(octopush, send_at="2027-06-01T00:00:00Z")
    for _ in range(1000):
        assert cancel(octopush, "sms_none") == 400
    assert cancel(octopush, ticket) == 400
    octopush.clock.set(datetime(2027, 4, 1, tzinfo=UTC))
    assert cancel(octopush, ticket) == 204


@pytest.mark.parametrize("body", [{}, {"ticket_number": 1}, {"ticket_number": "a", "more": 1}, ["a"]])
def test_cancelling_nonsense(sandbox: SandboxProcess, body: Any) -> None:
    """The body of a cancellation is one text, `ticket_number`."""
    answer = sandbox.request("DELETE", "/sms-campaign/cancel", body)
    assert (answer.status_code, exact(answer)["code"]) == (400, 400)


def test_there_is_no_draft(sandbox: SandboxProcess) -> None:
    """Nothing in this API makes a draft, so there is none to read."""
    answer = sandbox.request("GET", "/sms-campaign/draft")
    assert (answer.status_code, exact(answer)["code"]) == (400, 131)

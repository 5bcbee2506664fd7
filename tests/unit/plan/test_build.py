"""What a plan decides, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from octoplan import limits
from octoplan.diagnostics import ExitCode
from octoplan.gateway.port import Accepted, Outcome, RefusalClass, Refused, SendRequest
from octoplan.plan.build import build_action, check_balance, check_ledger_room
from octoplan.plan.model import Action, ActionKind
from octoplan.plan.outgoing import fresh_batches
from octoplan.state.home import Intent, Session
from octoplan.state.journal import Kind
from octoplan.state.local import local_home
from tests.clocks import HOLDER, ManualClock
from tests.unit.plan.projects import CAMPAIGN, KEY, FixedPrices, numbers, prepare, write_project

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def session(tmp_path: Path, clock: ManualClock) -> Iterator[Session]:
    home = local_home(tmp_path / "state", "production", KEY, clock)
    with home.session(HOLDER) as held:
        yield held
    home.close()


def action(root: Path, session: Session, *, prices: FixedPrices | None = None, now: datetime = NOW) -> Action:
    prepared = prepare(root, batch_size=3)
    with prepared.audience:
        state = session.campaigns().get("sale")
        return build_action(prepared, state, session, prices or FixedPrices(), ManualClock(now))


def send(root: Path, session: Session, how_many: int, outcome: Kind | None = Kind.SENT) -> None:
    """Record the first batches as if an apply had sent them."""
    prepared = prepare(root, batch_size=3)
    with prepared.audience:
        session.open_campaign("sale", prepared.content)
        batches = list(fresh_batches(prepared.dispatch, session.campaigns().get("sale"), session))
    for batch in batches[:how_many]:
        intent = Intent("sale", batch.digest, batch.request_id, batch.attempt, batch.recipients, 1, "0.15", None)
        session.intend(intent, batch.phones)
        if outcome is not None:
            session.record(outcome, "sale", batch.digest, {"cost": "0.15"})


def codes(found: Action) -> list[str]:
    return [reason.code for reason in found.reasons]


def test_a_new_campaign_is_sent(tmp_path: Path, session: Session) -> None:
    """One request a batch; the cost is the price times the recipients."""
    write_project(tmp_path, numbers(10))
    found = action(tmp_path, session)
    assert (found.kind, found.recipients, len(found.batches)) == (ActionKind.SEND, 10, 4)
    assert found.cost.total == Decimal("0.50")


def test_one_question_prices_a_stratum(tmp_path: Path, session: Session) -> None:
    """Recipients of one country and length cost the same, so the API is asked once for all of them."""
    write_project(tmp_path, [*numbers(10), "+12025550123", "+12025550124"])
    prices = FixedPrices()
    found = action(tmp_path, session, prices=prices)
    assert len(prices.asked) == 2
    assert [(unit.country, unit.recipients) for unit in found.cost.unit_prices] == [("FR", 10), ("US", 2)]


def test_offline_the_cost_is_unknown_and_not_zero(tmp_path: Path, session: Session) -> None:
    """Nobody was asked."""
    write_project(tmp_path, numbers(4))
    prepared = prepare(tmp_path)
    with prepared.audience:
        found = build_action(prepared, None, session, None, ManualClock(NOW))
    assert found.cost.total is None
    assert all(batch.cost is None for batch in found.batches)


def test_a_part_that_was_sent_is_not_sent_again(tmp_path: Path, session: Session) -> None:
    """Resume: the rest only, and the plan says how many have it."""
    write_project(tmp_path, numbers(10))
    send(tmp_path, session, 2)
    found = action(tmp_path, session)
    assert (found.kind, found.recipients, found.sent_recipients) == (ActionKind.RESUME, 4, 6)


def test_when_all_is_sent_there_is_nothing_to_do(tmp_path: Path, session: Session) -> None:
    """And no price is asked."""
    write_project(tmp_path, numbers(6))
    send(tmp_path, session, 2)
    prices = FixedPrices()
    found = action(tmp_path, session, prices=prices)
    assert (found.kind, found.batches, prices.asked) == (ActionKind.SENT, (), [])
    assert found.sent_cost == Decimal("0.30")


def test_an_unknown_outcome_is_repeated_inside_the_window_and_settled_outside(tmp_path: Path, session: Session) -> None:
    """20 hours after the first try, or with a clock that went backwards, a person must decide."""
    write_project(tmp_path, numbers(6))
    send(tmp_path, session, 1, outcome=None)
    inside = action(tmp_path, session)
    assert (inside.kind, inside.recipients, inside.batches[0].repeat) == (ActionKind.RESUME, 6, True)
    assert inside.batches[0].cost == Decimal("0.15")
    for now in (NOW + timedelta(seconds=limits.REPEAT_WINDOW_S + 1), NOW - timedelta(seconds=1)):
        outside = action(tmp_path, session, now=now)
        assert (outside.kind, outside.reasons[0].exit_code) == (ActionKind.UNKNOWN, ExitCode.UNKNOWN)


def test_an_unknown_batch_whose_rows_changed_is_a_persons_decision(tmp_path: Path, session: Session) -> None:
    """It cannot be repeated as it was, so it is not repeated at all."""
    write_project(tmp_path, numbers(6))
    send(tmp_path, session, 1, outcome=None)
    write_project(tmp_path, numbers(6), name="Zoé")
    assert action(tmp_path, session).kind is ActionKind.UNKNOWN


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("Bonjour", "Bonsoir", "changed-message"),
        ("alert", "wholesale", "changed-purpose"),
        ("sms_premium", "sms_low_cost", "changed-type"),
        ("purpose: alert", "purpose: alert\nsender: OTHER", "changed-sender"),
        ("purpose: alert", "purpose: alert\nwith_replies: true", "changed-with-replies"),
    ],
)
def test_an_edited_sent_campaign_is_a_conflict(
    tmp_path: Path, session: Session, before: str, after: str, code: str
) -> None:
    """What was sent cannot be changed; each field that differs is named."""
    write_project(tmp_path, numbers(6), campaign=CAMPAIGN.replace('name }}"', 'name }} STOP au XXXXX"'))
    send(tmp_path, session, 1)
    text = (tmp_path / "campaigns" / "sale.yaml").read_text()
    (tmp_path / "campaigns" / "sale.yaml").write_text(text.replace(before, after, 1))
    found = action(tmp_path, session)
    assert found.kind is ActionKind.CONFLICT
    assert code in codes(found)
    assert found.batches == ()


def test_an_edited_list_of_a_sent_campaign_is_a_conflict(tmp_path: Path, session: Session) -> None:
    """One number more or less; the order of the rows does not count."""
    write_project(tmp_path, numbers(6))
    send(tmp_path, session, 2)
    write_project(tmp_path, numbers(6)[::-1])
    assert action(tmp_path, session).kind is ActionKind.SENT
    for phones in (numbers(7), numbers(5)):
        write_project(tmp_path, phones)
        assert codes(action(tmp_path, session)) == ["changed-audience"]


def test_an_opt_out_is_no_edit_of_the_list(tmp_path: Path, session: Session) -> None:
    """Somebody who said STOP between two runs is left out; the rest goes on."""
    write_project(tmp_path, numbers(6))
    send(tmp_path, session, 1)
    already = session.written("sale", _column(numbers(6)))
    left = next(phone for phone, batch in zip(numbers(6), already.to_pylist(), strict=True) if batch is None)
    (tmp_path / "stop.txt").write_text(left + "\n")
    write_project(tmp_path, numbers(6), extra="suppression: [{path: stop.txt}]\n")
    found = action(tmp_path, session)
    assert (found.kind, found.recipients) == (ActionKind.RESUME, 2)


def _column(phones: list[str]) -> object:
    import pyarrow as pa

    return pa.array(phones, pa.string())


def test_what_was_certainly_not_sent_may_be_edited(tmp_path: Path, session: Session) -> None:
    """Refused as a whole: nobody has it, so the text may be mended."""
    write_project(tmp_path, numbers(3))
    send(tmp_path, session, 1, outcome=Kind.REFUSED)
    write_project(tmp_path, numbers(3), campaign=CAMPAIGN.replace("Bonjour", "Bonsoir"))
    assert action(tmp_path, session).kind is ActionKind.SEND


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("max_cost: 0.49", "over-max-cost"),
        ("max_recipients: 9", "over-max-recipients"),
        ("max_unit_price: 0.049", "over-max-unit-price"),
    ],
)
def test_a_limit_that_is_passed_blocks(tmp_path: Path, session: Session, limit: str, code: str) -> None:
    """Just over is blocked, exactly at the limit is not."""
    write_project(tmp_path, numbers(10), extra=f"limits: {{{limit}}}\n")
    found = action(tmp_path, session)
    assert (found.kind, codes(found), found.reasons[0].exit_code) == (ActionKind.BLOCKED, [code], ExitCode.BLOCKED)
    at_limit = limit.replace("0.49", "0.50").replace(": 9", ": 10").replace("0.049", "0.05")
    write_project(tmp_path, numbers(10), extra=f"limits: {{{at_limit}}}\n")
    assert action(tmp_path, session).kind is ActionKind.SEND


def test_limits_count_what_was_sent_before(tmp_path: Path, session: Session) -> None:
    """A campaign cannot pass its budget in two halves."""
    write_project(tmp_path, numbers(10), extra="limits: {max_recipients: 9, max_cost: 0.49}\n")
    send(tmp_path, session, 2)
    assert codes(action(tmp_path, session)) == ["over-max-recipients", "over-max-cost"]


def test_the_longest_message_counts_for_the_number_of_parts(tmp_path: Path, session: Session) -> None:
    """One recipient with an accent makes two parts of a text that is one part for the others."""
    campaign = CAMPAIGN.replace("Bonjour", "Bonjour " + "a" * 70)
    write_project(tmp_path, numbers(2), campaign=campaign, extra="limits: {max_segments: 1}\n")
    assert action(tmp_path, session).kind is ActionKind.SEND
    write_project(tmp_path, numbers(2), campaign=campaign, extra="limits: {max_segments: 1}\n", name="Loïc")
    assert codes(action(tmp_path, session)) == ["over-max-segments"]


def test_with_a_budget_an_unknown_price_blocks(tmp_path: Path, session: Session) -> None:
    """What cannot be shown to stay under the limit does not."""
    write_project(tmp_path, numbers(2), extra="limits: {max_cost: 100}\n")
    prepared = prepare(tmp_path)
    with prepared.audience:
        found = build_action(prepared, None, session, None, ManualClock(NOW))
    assert codes(found) == ["cost-unknown"]


@pytest.mark.parametrize("field", ["at", "not_after"])
def test_a_time_that_has_passed_blocks_and_never_means_now(tmp_path: Path, session: Session, field: str) -> None:
    """Exit code 8."""
    write_project(tmp_path, numbers(2), campaign=CAMPAIGN + f'schedule: {{{field}: "2027-03-01T09:59"}}\n')
    found = action(tmp_path, session)
    assert (found.kind, found.reasons[0].exit_code) == (ActionKind.BLOCKED, ExitCode.WINDOW)


def test_what_was_handed_over_for_later_is_scheduled(tmp_path: Path, session: Session) -> None:
    """Sent as far as we are concerned, but not on the phones yet."""
    write_project(tmp_path, numbers(3), campaign=CAMPAIGN + 'schedule: {at: "2027-03-02T10:00"}\n')
    prepared = prepare(tmp_path, batch_size=3)
    with prepared.audience:
        session.open_campaign("sale", prepared.content)
        (batch,) = fresh_batches(prepared.dispatch, None, session)
        send_at = batch.request.send_at
        assert send_at == "2027-03-02T10:00:00+01:00"
        session.intend(Intent("sale", batch.digest, batch.request_id, 1, 3, 3, None, send_at), batch.phones)
        session.record(Kind.SENT, "sale", batch.digest, {})
    assert action(tmp_path, session).kind is ActionKind.SCHEDULED
    assert action(tmp_path, session, now=NOW + timedelta(days=2)).kind is ActionKind.SENT


class Refusing(FixedPrices):
    def simulate(self, request: SendRequest) -> Outcome:
        return Refused(121, "Mention STOP is missing.", RefusalClass.FILE, "add it", 400)


class Wrong(FixedPrices):
    def simulate(self, request: SendRequest) -> Outcome:
        return Accepted("", 7, Decimal("0.05"))


def test_what_the_api_refuses_in_simulation_is_blocked(tmp_path: Path, session: Session) -> None:
    """With the API's code and words; the price stays unknown."""
    write_project(tmp_path, numbers(2))
    found = action(tmp_path, session, prices=Refusing())
    assert (found.kind, codes(found), found.cost.total) == (ActionKind.BLOCKED, ["api-121"], None)


def test_a_price_for_another_number_of_contacts_is_no_price(tmp_path: Path, session: Session) -> None:
    """One contact was asked for; an answer for seven says nothing."""
    write_project(tmp_path, numbers(2))
    assert action(tmp_path, session, prices=Wrong()).cost.total is None


def test_the_fee_for_the_blacklist_option_is_counted_once_a_request(tmp_path: Path, session: Session) -> None:
    """Octopush's page on scheduled sending: 0.01 for each request."""
    write_project(tmp_path, numbers(10), campaign=CAMPAIGN + "auto_remove_blacklisted_numbers: true\n")
    prices = FixedPrices()
    assert action(tmp_path, session, prices=prices).cost.total == Decimal("0.54")
    assert not any(request.auto_remove_blacklisted_numbers for request in prices.asked)


def test_the_wallet_pays_campaigns_in_order_until_it_is_empty(tmp_path: Path, session: Session) -> None:
    """What it does not pay for is blocked, with what must remain taken into account."""
    write_project(tmp_path, numbers(10))
    one = action(tmp_path, session)
    checked = check_balance([one, one], Decimal("0.99"), {})
    assert [each.kind for each in checked] == [ActionKind.SEND, ActionKind.BLOCKED]
    kept = check_balance([one], Decimal("0.99"), {"sale": Decimal("0.50")})
    assert kept[0].kind is ActionKind.BLOCKED


def test_what_the_home_has_no_room_to_remember_is_blocked(tmp_path: Path, session: Session) -> None:
    """In order, with those remembered already; a repeated request is remembered already. Without a bound all may go."""
    write_project(tmp_path, numbers(10))
    send(tmp_path, session, 1, outcome=None)
    one = action(tmp_path, session)
    assert (one.recipients, one.batches[0].repeat) == (10, True)
    states = session.campaigns().values()
    kinds = [each.kind for each in check_ledger_room([one, one], states, 10)]
    assert kinds == [ActionKind.RESUME, ActionKind.BLOCKED]
    (over,) = check_ledger_room([one], states, 9)
    assert over.reasons[-1].exit_code is ExitCode.BLOCKED
    assert "`postgres` home" in str(over.reasons[-1].hint)
    assert check_ledger_room([one, one], states, None) == (one, one)


def test_an_empty_audience_is_said_and_not_called_sent(tmp_path: Path, session: Session) -> None:
    """Nobody was ever written to."""
    write_project(tmp_path, ["not a number"])
    found = action(tmp_path, session)
    assert (found.kind, codes(found)) == (ActionKind.BLOCKED, ["no-recipients"])

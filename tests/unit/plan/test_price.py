"""Where a price comes from, and what a campaign costs with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from octoplan.gateway.port import Accepted, Outcome, SendRequest
from octoplan.plan.build import build_action
from octoplan.plan.model import Action
from octoplan.plan.price import Figure, Pricing
from octoplan.plan.price_memory import RememberedPrices
from octoplan.state.home import Session
from octoplan.state.local import local_home
from tests.clocks import HOLDER, ManualClock
from tests.unit.plan.projects import CAMPAIGN, KEY, FixedPrices, numbers, prepare, write_project

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
GERMAN = ["+491713920001", "+491713920002"]


class Prices(FixedPrices):
    """By the number of contacts; `contacts` is what the answer says of them."""

    contacts: int | None = None

    def simulate(self, request: SendRequest) -> Outcome:
        self.asked.append(request)
        sent = request.contacts.count(b"phone_number")
        return Accepted("", sent if self.contacts is None else self.contacts, self.price * sent)


class French:
    """A table that knows one country."""

    def find(self, request: SendRequest, stratum: tuple[str, int]) -> Figure:
        return Figure(Decimal("0.061"), "file", NOW) if stratum == ("FR", 1) else Figure()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    home = local_home(tmp_path / "state", "production", KEY, ManualClock(NOW))
    with home.session(HOLDER) as held:
        yield held
    home.close()


def plan(root: Path, session: Session, prices: FixedPrices | None, pricing: Pricing, extra: str = "") -> Action:
    """Ten French and two German numbers, in requests of three."""
    write_project(root, [*numbers(10), *GERMAN], campaign=CAMPAIGN + extra)
    prepared = prepare(root, batch_size=3)
    with prepared.audience:
        return build_action(prepared, None, session, prices, ManualClock(NOW), pricing)


def test_every_figure_has_its_source_and_its_date(tmp_path: Path, session: Session) -> None:
    """One question a stratum, and the plan says who answered it and when."""
    prices = Prices()
    cost = plan(tmp_path, session, prices, Pricing()).cost
    assert [(unit.country, unit.source, unit.at) for unit in cost.unit_prices] == [
        ("DE", "simulation", NOW),
        ("FR", "simulation", NOW),
    ]
    assert (cost.total, cost.least, cost.most, cost.source) == (Decimal("0.60"),) * 3 + ("simulation",)
    assert cost.simulated == len(prices.asked) == 2


def test_each_request_is_asked_about_with_the_recipients_it_will_have(tmp_path: Path, session: Session) -> None:
    """`all`: the very requests of apply, in its order, besides one for each stratum."""
    prices = Prices()
    found = plan(tmp_path, session, prices, Pricing("all"))
    whole = [request.contacts.count(b"phone_number") for request in prices.asked]
    assert whole == [3, 3, 3, 3, 1, 1]
    assert (found.cost.source, found.cost.total, found.cost.simulated) == ("requests", Decimal("0.60"), 6)


def test_a_text_that_may_be_shortened_is_asked_about_request_by_request(tmp_path: Path, session: Session) -> None:
    """With `auto_optimize_text` Octopush decides how many parts it bills: one recipient does not stand for others."""
    prices = Prices()
    cost = plan(tmp_path, session, prices, Pricing(), "auto_optimize_text: true\n").cost
    assert (cost.source, cost.simulated) == ("requests", 6)


def test_an_answer_about_fewer_recipients_counts_only_where_some_may_be_dropped(
    tmp_path: Path, session: Session
) -> None:
    """Octopush's blacklist may make a request smaller; without the option the answer says nothing about ours."""
    prices = Prices()
    prices.contacts = 1
    assert plan(tmp_path, session, prices, Pricing("all")).cost.total is None
    dropping = plan(tmp_path, session, prices, Pricing("all"), "auto_remove_blacklisted_numbers: true\n").cost
    assert dropping.total == Decimal("0.60")


def test_who_may_be_dropped_makes_the_cost_an_upper_bound(tmp_path: Path, session: Session) -> None:
    """Nobody knows who has opted out at Octopush: the bill is at most the price of all, with one fee a request."""
    cost = plan(tmp_path, session, Prices(), Pricing(), "auto_remove_blacklisted_numbers: true\n").cost
    assert (cost.total, cost.least, cost.most, cost.fees) == (
        Decimal("0.64"),
        Decimal(0),
        Decimal("0.64"),
        Decimal("0.04"),
    )


def test_a_country_that_the_table_does_not_know_makes_the_sum_unknown(tmp_path: Path, session: Session) -> None:
    """Never 0: what is known is a lower bound, and there is no upper one."""
    cost = plan(tmp_path, session, None, Pricing("none", table=French())).cost
    assert [(unit.country, unit.price, unit.source) for unit in cost.unit_prices] == [
        ("DE", None, "none"),
        ("FR", Decimal("0.061"), "file"),
    ]
    assert (cost.total, cost.most, cost.simulated) == (None, None, 0)
    assert cost.least == Decimal("0.610")


def memory(root: Path, *, now: datetime = NOW, recalls: bool = True) -> RememberedPrices:
    return RememberedPrices(root / "prices.json", "live", now, recalls)


def test_a_remembered_price_saves_a_question_but_the_first_of_a_campaign(tmp_path: Path, session: Session) -> None:
    """The first stratum is always asked, so that what the API objects to shows; the others name their date."""
    first = memory(tmp_path)
    plan(tmp_path, session, Prices(), Pricing(memory=first))
    first.save()
    later = NOW.replace(hour=10)
    prices = Prices()
    write_project(tmp_path, [*numbers(10), *GERMAN])
    prepared = prepare(tmp_path, batch_size=3)
    with prepared.audience:
        again = memory(tmp_path, now=later)
        found = build_action(prepared, None, session, prices, ManualClock(later), Pricing(memory=again))
    units = found.cost.unit_prices
    assert [(unit.country, unit.source, unit.at) for unit in units] == [
        ("DE", "simulation", later),
        ("FR", "memory", NOW),
    ]
    assert (len(prices.asked), found.cost.source) == (1, "memory+simulation")


def test_what_was_just_said_serves_the_other_campaigns_of_the_plan(tmp_path: Path, session: Session) -> None:
    """One question for the first stratum of each; all figures are of this plan."""
    shared = memory(tmp_path)
    plan(tmp_path, session, Prices(), Pricing(memory=shared))
    prices = Prices()
    units = plan(tmp_path, session, prices, Pricing(memory=shared)).cost.unit_prices
    assert (len(prices.asked), {unit.source for unit in units}) == (1, {"simulation"})


def test_a_price_that_has_changed_empties_the_memory(tmp_path: Path, session: Session) -> None:
    """One new price says that the others are in doubt."""
    first = memory(tmp_path)
    plan(tmp_path, session, Prices("0.05"), Pricing(memory=first))
    dearer = Prices("0.07")
    cost = plan(tmp_path, session, dearer, Pricing(memory=first)).cost
    assert (cost.total, len(dearer.asked)) == (Decimal("0.84"), 2)


def test_what_does_not_recall_still_remembers(tmp_path: Path, session: Session) -> None:
    """Apply asks for everything, and a plan after it knows the new prices: else the two could disagree for hours."""
    applying = memory(tmp_path, recalls=False)
    for price in ("0.05", "0.07"):
        prices = Prices(price)
        plan(tmp_path, session, prices, Pricing(memory=applying))
        assert len(prices.asked) == 2
    applying.save()
    prices = Prices("0.07")
    plan(tmp_path, session, prices, Pricing(memory=memory(tmp_path)))
    assert len(prices.asked) == 1


def test_a_request_that_collects_answers_has_a_price_of_its_own(tmp_path: Path, session: Session) -> None:
    """Options that cost something are part of what is remembered."""
    first = memory(tmp_path)
    plan(tmp_path, session, Prices(), Pricing(memory=first))
    prices = Prices()
    plan(tmp_path, session, prices, Pricing(memory=first), "with_replies: true\n")
    assert len(prices.asked) == 2


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", '{"version": 2, "prices": []}', '{"version": 1, "prices": [{"at": "now"}]}', "[" * 100_000],
)
def test_a_memory_that_cannot_be_read_is_empty(tmp_path: Path, content: str) -> None:
    """It saves questions and decides nothing."""
    (tmp_path / "prices.json").write_text(content)
    assert memory(tmp_path).find(_request(), ("FR", 1)) is None


@pytest.mark.parametrize(("hours", "is_found"), [(5.9, True), (6.1, False), (-0.1, False)])
def test_a_price_is_remembered_for_six_hours(tmp_path: Path, hours: float, is_found: bool) -> None:
    """Nor is one believed that is of the future: the clock was set back."""
    first = memory(tmp_path)
    first.keep(_request(), ("FR", 1), Figure(Decimal("0.061"), "simulation", NOW))
    first.save()
    now = datetime.fromtimestamp(NOW.timestamp() + hours * 3600, UTC)
    found = memory(tmp_path, now=now).find(_request(), ("FR", 1))
    assert found == (Figure(Decimal("0.061"), "memory", NOW) if is_found else None)
    other = replace(memory(tmp_path, now=now), scope="staging")
    assert other.find(_request(), ("FR", 1)) is None


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    """A plan needs no memory."""
    lost = RememberedPrices(tmp_path / "gone" / "prices.json", "live", NOW)
    lost.keep(_request(), ("FR", 1), Figure(Decimal("0.061"), "simulation", NOW))
    lost.save()
    assert not (tmp_path / "gone").exists()


def _request() -> SendRequest:
    return SendRequest(
        text="x",
        contacts=b"{}",
        type="sms_premium",
        purpose="alert",
        sender=None,
        send_at=None,
        with_replies=False,
        auto_optimize_text=False,
        auto_remove_blacklisted_numbers=False,
    )

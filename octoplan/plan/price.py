"""
What it costs: recipients fall into strata (country, parts), and one simulated request prices each.

A simulated request carries the literal `simulation_mode: true`, no request id, and one recipient of the stratum; or,
where every request is asked about, the recipients of one batch. The API calls the answer "fake"; each figure therefore
names its source and its date.

Invariants:
- What nobody tells stays unknown, never 0, and a sum with something unknown in it is unknown.
- The price of one recipient stands for a stratum only while the API bills the parts that were counted here. With
  `auto_optimize_text` it may bill fewer, so then every batch is asked about as a whole.
- What an earlier plan was told saves questions, but the first stratum of a campaign is always asked: the API's
  objections show, and a price that has changed since empties the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, Protocol

from octoplan import limits
from octoplan.diagnostics import AuthenticationFailed, OctoplanError
from octoplan.gateway.port import Accepted, Outcome, Prices, RefusalClass, Refused, SendRequest
from octoplan.messages.batches import Stratum
from octoplan.plan.model import Cost, PlannedBatch, PriceSource, UnitPrice
from octoplan.plan.outgoing import Outgoing

REQUEST_FEE: Final = Decimal(limits.BLACKLIST_OPTION_PRICE)

Simulate = Literal["strata", "all", "none"]
"""What the API is asked: once a stratum, every batch besides, or nothing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one message of a stratum costs; `at` is when the source said so. An `amount` of `None` is unknown."""

    amount: Decimal | None = None
    source: PriceSource = "none"
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One recipient that stands for a stratum: a request with a single contact."""

    stratum: Stratum
    request: SendRequest = field(repr=False)


class PriceTable(Protocol):
    """Prices that somebody wrote down, for plans that ask nobody."""

    def find(self, request: SendRequest, stratum: Stratum) -> Figure:
        """The price of one message; unknown where the table does not say."""
        ...


class PriceMemory(Protocol):
    """What the API said to earlier plans."""

    def find(self, request: SendRequest, stratum: Stratum) -> Figure | None:
        """A figure that is young enough, if there is one."""
        ...

    def keep(self, request: SendRequest, stratum: Stratum, figure: Figure) -> None:
        """Remember what the API has just said."""
        ...

    def clear(self) -> None:
        """Forget everything: a price has changed."""
        ...


@dataclass(frozen=True, slots=True)
class Pricing:
    """How a plan comes by its prices. `table` serves where the API is not asked."""

    simulate: Simulate = "strata"
    table: PriceTable | None = None
    memory: PriceMemory | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """
    Figures by stratum, and refusals that a real send would meet too.

    `batches` has the cost of each batch that was asked about as a whole, by digest; `asked` counts the questions.
    """

    figures: Mapping[Stratum, Figure]
    refusals: tuple[Refused, ...] = ()
    batches: Mapping[str, Decimal | None] = field(default_factory=dict)
    asked: int = 0


@dataclass(slots=True)
class Pricer:
    """
    Asks the prices of one campaign; `prices` is `None` offline.

    :raises AuthenticationFailed: if the API refuses the credentials.
    :raises OctoplanError: if the API cannot be reached.
    """

    request: SendRequest
    prices: Prices | None
    pricing: Pricing
    now: datetime
    _batches: dict[str, Decimal | None] = field(default_factory=dict)
    _refusals: dict[int, Refused] = field(default_factory=dict)
    _asked: int = 0

    def see(self, batch: Outgoing) -> None:
        """Be told of a batch while it has its contacts: where every batch is priced, this asks."""
        if self.prices is not None and (self.pricing.simulate == "all" or self.request.auto_optimize_text):
            self._batches[batch.digest] = self._ask(batch.request, batch.recipients)

    def price(self, samples: Mapping[Stratum, Sample], told: Callable[[int], None] = lambda _: None) -> Priced:
        """A figure for each stratum that a sample stands for; `told` hears of each."""
        figures: dict[Stratum, Figure] = {}
        for stratum in sorted(samples):
            figures[stratum] = self._figure(samples[stratum], may_recall=bool(figures))
            told(1)
        return Priced(figures, tuple(self._refusals.values()), dict(self._batches), self._asked)

    def _figure(self, sample: Sample, *, may_recall: bool) -> Figure:
        if self.prices is None:
            table = self.pricing.table
            return Figure() if table is None else table.find(sample.request, sample.stratum)
        memory = None if self.request.auto_optimize_text else self.pricing.memory
        known = memory.find(sample.request, sample.stratum) if memory is not None else None
        if may_recall and known is not None:
            return known
        # Without the option its fee per request is not in the answer: the fee is a known constant, added per batch.
        amount = self._ask(replace(sample.request, auto_remove_blacklisted_numbers=False), 1)
        figure = Figure(amount, "none" if amount is None else "simulation", self.now)
        if memory is not None and amount is not None:
            if known is not None and known.amount != amount:
                memory.clear()
            memory.keep(sample.request, sample.stratum, figure)
        return figure

    def _ask(self, request: SendRequest, recipients: int) -> Decimal | None:
        assert self.prices is not None
        self._asked += 1
        outcome = self.prices.simulate(request)
        if isinstance(outcome, Refused):
            self._refusals.setdefault(outcome.code, outcome)
        return _amount(outcome, recipients, may_be_fewer=request.auto_remove_blacklisted_numbers)


def _amount(outcome: Outcome, recipients: int, *, may_be_fewer: bool) -> Decimal | None:
    match outcome:
        case Accepted(cost=cost, contacts=contacts):
            is_ours = contacts in (None, recipients) or (may_be_fewer and contacts < recipients)
            return cost if is_ours else None
        case Refused(kind=RefusalClass.ACCOUNT):
            raise AuthenticationFailed(
                f"the API refused the account ({outcome.code}): {outcome.message}", hint=outcome.hint
            )
        case Refused():
            return None
        case _:
            reason = getattr(outcome, "reason", "the simulated request was taken for a duplicate")
            raise OctoplanError(
                f"the price could not be asked: {reason}",
                hint="try again, or plan with --offline: everything but the price is then the same",
            )


# --- from figures to costs --------------------------------------------------------------------------------------------


def batch_cost(batch: Outgoing, priced: Priced) -> Decimal | None:
    """
    The planned cost of one request; `None` if the price of anything in it is unknown.

    A repeated request costs what was planned when it was first made.
    """
    if batch.opened_at is not None:
        return batch.cost
    if batch.digest in priced.batches:
        return priced.batches[batch.digest]
    known = _known_cost(batch.strata, priced)
    return None if known is None else known + _fee(batch)


def campaign_cost(batches: Sequence[Outgoing], planned: Sequence[PlannedBatch], priced: Priced) -> Cost:
    """What all requests of a campaign cost together, and between what the true figure lies."""
    fresh = [batch for batch in batches if batch.opened_at is None]
    counts: dict[Stratum, int] = {}
    for batch in fresh:
        for stratum, number in batch.strata.items():
            counts[stratum] = counts.get(stratum, 0) + number
    units = tuple(_unit(stratum, counts[stratum], priced.figures.get(stratum, Figure())) for stratum in sorted(counts))
    costs = [each.cost for each in planned]
    total = _sum(costs)
    return Cost(
        total=total,
        source=_source(fresh, units, priced),
        unit_prices=units,
        least=sum((_least(batch, cost, priced) for batch, cost in zip(batches, costs, strict=True)), Decimal(0)),
        most=total,
        fees=sum((_fee(batch) for batch in fresh), Decimal(0)),
        repeats=_sum([batch.cost for batch in batches if batch.opened_at is not None]),
        simulated=priced.asked,
    )


def _least(batch: Outgoing, cost: Decimal | None, priced: Priced) -> Decimal:
    """What a batch costs at least: nothing where all of it may be dropped, for then it is refused, or shortened."""
    if batch.opened_at is not None or batch.digest in priced.batches:
        return cost or Decimal(0)
    if batch.request.auto_remove_blacklisted_numbers or batch.request.auto_optimize_text:
        return Decimal(0)
    known = {stratum: number for stratum, number in batch.strata.items() if _price(stratum, priced) is not None}
    return _known_cost(known, priced) or Decimal(0)


def _known_cost(strata: Mapping[Stratum, int], priced: Priced) -> Decimal | None:
    total = Decimal(0)
    for stratum, number in strata.items():
        price = _price(stratum, priced)
        if price is None:
            return None
        total += price * number
    return total


def _price(stratum: Stratum, priced: Priced) -> Decimal | None:
    return priced.figures.get(stratum, Figure()).amount


def _fee(batch: Outgoing) -> Decimal:
    return REQUEST_FEE if batch.request.auto_remove_blacklisted_numbers else Decimal(0)


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _unit(stratum: Stratum, recipients: int, figure: Figure) -> UnitPrice:
    country, segments = stratum
    return UnitPrice(country, segments, recipients, figure.amount, figure.source, figure.at)


def _source(fresh: Sequence[Outgoing], units: Sequence[UnitPrice], priced: Priced) -> str:
    """`requests` where every batch was asked about; else the sources of the unit prices, joined by `+`."""
    if fresh and all(batch.digest in priced.batches for batch in fresh):
        return "requests"
    return "+".join(sorted({unit.source for unit in units})) or "none"

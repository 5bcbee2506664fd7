"""
What it costs: recipients fall into strata (country, parts), and one simulated request prices each.

A simulated request carries the literal `simulation_mode: true`, no request id, and one recipient of the stratum. The
API calls the answer "fake"; the plan therefore names its source. What the API does not tell stays unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from octoplan import limits
from octoplan.diagnostics import AuthenticationFailed, OctoplanError
from octoplan.gateway.port import Accepted, Outcome, Prices, RefusalClass, Refused, SendRequest
from octoplan.messages.batches import Stratum

REQUEST_FEE: Final = Decimal(limits.BLACKLIST_OPTION_PRICE)


@dataclass(frozen=True, slots=True)
class Priced:
    """Unit prices by stratum (`None`: the API did not tell), and refusals that a real send would meet too."""

    prices: Mapping[Stratum, Decimal | None]
    refusals: tuple[Refused, ...] = ()
    source: str = "simulation"


@dataclass(frozen=True, slots=True)
class Sample:
    """One recipient that stands for a stratum: a request with a single contact."""

    stratum: Stratum
    request: SendRequest = field(repr=False)


def price_strata(
    samples: Mapping[Stratum, Sample], prices: Prices | None, told: Callable[[int], None] = lambda _: None
) -> Priced:
    """
    Ask for each stratum once, in order; `prices` is `None` offline. `told` hears of each answer.

    :raises AuthenticationFailed: if the API refuses the credentials.
    :raises OctoplanError: if the API cannot be reached.
    """
    if prices is None:
        return Priced(dict.fromkeys(samples), source="none")
    found: dict[Stratum, Decimal | None] = {}
    refusals: dict[int, Refused] = {}
    for stratum in sorted(samples):
        # Without the option its fee per request is not in the answer: the fee is a known constant, added per batch.
        request = replace(samples[stratum].request, auto_remove_blacklisted_numbers=False)
        outcome = prices.simulate(request)
        told(1)
        found[stratum] = _price(outcome)
        if isinstance(outcome, Refused):
            refusals.setdefault(outcome.code, outcome)
    return Priced(found, tuple(refusals.values()))


def _price(outcome: Outcome) -> Decimal | None:
    match outcome:
        case Accepted(cost=cost, contacts=contacts):
            return cost if contacts in (None, 1) else None
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


def batch_cost(strata: Mapping[Stratum, int], priced: Priced, *, fee: bool) -> Decimal | None:
    """The planned cost of one request; `None` if the price of a stratum in it is unknown."""
    total = REQUEST_FEE if fee else Decimal(0)
    for stratum, count in strata.items():
        price = priced.prices.get(stratum)
        if price is None:
            return None
        total += price * count
    return total

"""Where the prices of a plan come from, and which limits hold besides those of the files here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import click

from octoplan.apply.execute import Halt
from octoplan.campaign.model import Environment
from octoplan.campaign.protected import ProtectedLimits, read_protected_limits
from octoplan.cli.wiring import Workspace, account_of
from octoplan.diagnostics import ExitCode, Finding, InvalidInput, OctoplanError
from octoplan.gateway.port import Balance, SendRequest
from octoplan.messages.batches import Stratum
from octoplan.pipeline import Setting
from octoplan.plan.budget import budget_use, check_budget
from octoplan.plan.build import Prepared, check_wallet
from octoplan.plan.model import Action, Reason
from octoplan.plan.price import Figure, PriceTable, Pricing, Simulate
from octoplan.plan.price_file import PriceFile, read_price_file
from octoplan.plan.price_memory import FILE, RememberedPrices
from octoplan.plan.samples import PriceOf
from octoplan.state.home import StateReader
from octoplan.state.local import FOLDER
from octoplan.state.spending import add_spending

LIMITS_VARIABLE: Final = "OCTOPLAN_LIMITS_FROM"

simulate_option = click.option(
    "--simulate",
    type=click.Choice(["strata", "all", "none"]),
    default=None,
    help="What the API is asked for prices: one message of each country and length (strata, the default), every "
    "request as it will be sent (all), or nothing (none).",
)
offline_option = click.option(
    "--offline", is_flag=True, help="Ask the API nothing (--simulate none): costs come from the price file, if any."
)


def chosen_simulation(simulate: str | None, *, offline: bool) -> Simulate:
    """
    What two flags together say.

    :raises InvalidInput: if they contradict each other.
    """
    if offline and simulate not in (None, "none"):
        raise InvalidInput(f"--offline asks the API nothing, and --simulate {simulate} asks it")
    known: dict[str | None, Simulate] = {None: "strata", "strata": "strata", "all": "all", "none": "none"}
    return "none" if offline else known[simulate]


@contextmanager
def open_pricing(workspace: Workspace, simulate: Simulate, *, recalls: bool) -> Iterator[Pricing]:
    """
    Prices for one plan; what the API said is kept at the end. `recalls` off asks for every figure anew.

    :raises InvalidInput: if the environment's price file cannot be used.
    """
    if simulate == "none":
        yield Pricing(simulate, table=_price_file(workspace))
        return
    memory = _memory(workspace, recalls=recalls and simulate == "strata")
    yield Pricing(simulate, memory=memory)
    memory.save()


def known_prices(workspace: Workspace, request: SendRequest) -> PriceOf:
    """
    What a message of a campaign costs as far as is known here, asking nobody: from earlier plans, else the price file.

    :raises InvalidInput: if the environment's price file cannot be used.
    """
    table = known_table(workspace)

    def find(stratum: Stratum) -> Decimal | None:
        # With the option the API may bill fewer parts than are counted here.
        return None if request.auto_optimize_text else table.find(request, stratum).amount

    return find


def known_table(workspace: Workspace) -> PriceTable:
    """
    What the API said to earlier plans, else the price file.

    :raises InvalidInput: if the environment's price file cannot be used.
    """
    return _Known(_memory(workspace, recalls=True), _price_file(workspace))


@dataclass(frozen=True, slots=True)
class _Known:
    """Two tables as one."""

    memory: RememberedPrices
    file: PriceFile | None

    def find(self, request: SendRequest, stratum: Stratum) -> Figure:
        known = self.memory.find(request, stratum)
        if known is None and self.file is not None:
            return self.file.find(request, stratum)
        return known or Figure()


def _memory(workspace: Workspace, *, recalls: bool) -> RememberedPrices:
    endpoint = workspace.settings.endpoint if isinstance(workspace.settings, Environment) else ""
    scope = " ".join((workspace.name, endpoint, account_of(workspace) or ""))
    path, now = workspace.project.root / FOLDER / FILE, workspace.clock.now()
    return RememberedPrices(path, scope, now, recalls=recalls)


def _price_file(workspace: Workspace) -> PriceFile | None:
    path = workspace.settings.prices
    return None if path is None else read_price_file(workspace.project.root, path)


def pricing_findings(workspace: Workspace, pricing: Pricing) -> tuple[Finding, ...]:
    """Warnings about where the prices come from."""
    is_file = isinstance(pricing.table, PriceFile)
    return tuple(pricing.table.check_age(workspace.clock.now())) if is_file else ()  # type: ignore[union-attr]


def protected_limits(workspace: Workspace) -> ProtectedLimits:
    """
    What the branches of `limits_from` say, and the one in OCTOPLAN_LIMITS_FROM, which no pull request can change.

    :raises InvalidInput: if one is not in the clone, or cannot be read.
    """
    return read_protected_limits(workspace.project, workspace.name, os.environ.get(LIMITS_VARIABLE) or None)


def recheck(
    action: Action,
    prepared: Prepared,
    setting: Setting,
    reader: StateReader,
    balance: Callable[[], Balance | None],
    now: Callable[[], datetime],
) -> Callable[[], Halt | None]:
    """
    A question to ask right before a campaign begins: do wallet and budgets, as they are by then, still pay for it?

    Made before the first campaign begins, so that it knows what the run itself has been billed since.
    """
    before = add_spending(reader.campaigns().values()).known

    def ask() -> Halt | None:
        try:
            left = balance()
        except OctoplanError as error:
            reason = f"before {action.campaign} the wallet could not be read: {error.message}"
            return Halt(ExitCode.UNCLASSIFIED, reason, error.hint)
        if left is None:
            return None
        states = reader.campaigns().values()
        use = budget_use(setting.budgets, states, [action], now(), setting.timezone)
        if use.run is not None:
            use = replace(use, run=use.run - (add_spending(states).known - before))
        found = [check_wallet(action, left.amount, prepared.limits.min_balance or Decimal(0))]
        found += check_budget(action, use, Decimal(0), left.unit)
        return next((_halt(action, reason) for reason in found if reason is not None), None)

    return ask


def _halt(action: Action, reason: Reason) -> Halt:
    return Halt(reason.exit_code, f"{action.campaign} was not begun: {reason.detail}", reason.hint)

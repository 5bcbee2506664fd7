"""From a workspace to a plan, for every command that needs one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click

from octoplan import limits
from octoplan.campaign.model import Environment, EnvironmentSettings
from octoplan.campaign.project import Project, load_campaigns
from octoplan.campaign.resolve import Campaign
from octoplan.campaign.rules import NO_CAMPAIGNS
from octoplan.catalogue import check_overrides
from octoplan.cli.pricing import pricing_findings, protected_limits
from octoplan.cli.progress import Progress
from octoplan.cli.revision import find_revision
from octoplan.cli.wiring import Workspace, account_of
from octoplan.diagnostics import Finding, InvalidInput, StateUnavailable, UnknownOutcome, require_no_errors
from octoplan.gateway.port import Balance, Prices
from octoplan.meter import Meter
from octoplan.pipeline import Setting, build_plan, prepare_campaigns
from octoplan.plan.build import Prepared
from octoplan.plan.model import Plan
from octoplan.plan.price import Pricing
from octoplan.plan.saved import SavedPlan
from octoplan.state.home import StateReader
from octoplan.state.journal import CampaignState, Phase
from octoplan.state.lock import lock_of
from octoplan.unchanged import Unchanged
from octoplan.views.timings import Timings

timings_option = click.option(
    "--timings", "wants_timings", is_flag=True, help="Show how long each stage of the plan took, on standard error."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which campaigns a command is about; empty means all.

    `may_be_gone` is for the ids of a saved plan: a file that is gone is then no mistake of the caller's.
    """

    ids: Sequence[str] = ()
    paths: Sequence[Path] = ()
    may_be_gone: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan together with what apply needs to carry it out, and with what it took to make it."""

    plan: Plan
    prepared: tuple[Prepared, ...]
    setting: Setting
    timings: Timings
    unchanged_since: Mapping[str, datetime]
    """Campaigns that were not planned anew, by id."""


def select_campaigns(project: Project, selection: Selection) -> tuple[list[Campaign], tuple[Finding, ...]]:
    """
    The chosen campaigns, without an error in any of them, and the warnings.

    :raises InvalidInput: with all findings, or for an id that no file has.
    """
    campaigns, findings = load_campaigns(project, list(selection.paths) or None)
    chosen = [campaign for campaign in campaigns if not selection.ids or campaign.id in selection.ids]
    findings += check_overrides(campaigns)
    if selection.ids and {campaign.id for campaign in chosen} == set(selection.ids):
        # All that were asked for are sound: what is wrong with others does not stand in their way.
        files = {campaign.file for campaign in chosen}
        findings = [found for found in findings if found.place is None or found.place.file in files]
    if selection.may_be_gone:
        findings = [found for found in findings if found.code != NO_CAMPAIGNS.code]
    warnings = require_no_errors(findings, "the project has errors")
    unknown = sorted(set(selection.ids) - {campaign.id for campaign in chosen})
    if unknown and not selection.may_be_gone:
        known = ", ".join(sorted(campaign.id for campaign in campaigns)) or "none"
        raise InvalidInput(f"no campaign file has the id {', '.join(unknown)}", hint=f"ids of this project: {known}")
    return chosen, warnings


@contextlib.contextmanager
def planning(
    workspace: Workspace,
    prices: Prices | None,
    selection: Selection,
    *,
    endpoint: str,
    reader: StateReader | None = None,
    saved: SavedPlan | None = None,
    cache: Literal["use", "renew"] | None = None,
    pricing: Pricing | None = None,
) -> Iterator[Planned]:
    """
    Plan the chosen campaigns, with progress on standard error; audiences stay open for the length of the context.

    Around the questions for prices the balance is watched: a plan sends nothing, so it must not drop. What `cache`
    gives is not among the prepared campaigns, so it cannot be sent.

    :raises UnknownOutcome: if it did, and no other run explains it.
    """
    reader = reader or workspace.home
    campaigns, warnings = select_campaigns(workspace.project, selection)
    require_home_knows_lock(workspace, reader)
    _warn_of_old_lock(workspace, reader)
    key = workspace.home.key
    planned = {name: each.suppressed for name, each in saved.campaigns.items()} if saved else {}
    pricing = pricing or Pricing()
    with contextlib.ExitStack() as audiences:
        with Progress(sys.stderr) as progress:
            meter = Meter(progress.tell)
            account = account_of(workspace)
            setting = Setting(
                workspace.project,
                workspace.name,
                workspace.settings,
                account,
                key,
                planned=planned,
                ledger_rows_max=ledger_rows_max(workspace.settings),
                pricing=pricing,
                protected=protected_limits(workspace),
                meter=meter,
            )
            memory = None
            # What prices and limits were kept elsewhere is not part of what an entry is found by.
            if cache is not None and pricing.table is None and not setting.protected.sources:
                with meter.stage("cache"):
                    memory = Unchanged(setting, reader, workspace.clock, campaigns, is_offline=prices is None)
            known = memory.recall() if memory is not None and cache == "use" else {}
            changed = [campaign for campaign in campaigns if campaign.id not in known]
            prepared = audiences.enter_context(prepare_campaigns(setting, changed))
            before = prices.balance() if prices else None
            revision, unread = find_revision(workspace, campaigns)
            plan = build_plan(
                setting,
                prepared,
                reader,
                prices,
                balance=before,
                endpoint=endpoint,
                clock=workspace.clock,
                findings=(
                    *workspace.findings,
                    *warnings,
                    *unread,
                    *pricing_findings(workspace, pricing),
                    *(found for each in known.values() for found in each.findings),
                ),
                known=[(each, known[each.id].action) for each in campaigns if each.id in known],
                revision=revision,
            )
            if prices is not None and before is not None:
                _require_same_balance(workspace, before, prices.balance(), reader)
            if memory is not None:
                with meter.stage("cache"):
                    memory.remember(prepared, plan.actions, plan.created_at)
        unchanged = {name: each.planned_at for name, each in known.items()}
        yield Planned(plan, prepared, setting, Timings.of(meter), unchanged)


def _require_same_balance(workspace: Workspace, before: Balance, after: Balance, reader: StateReader) -> None:
    """
    A plan sends nothing, so the wallet cannot fall while one is made.

    :raises UnknownOutcome: if it did, and no other run explains it.
    """
    holder = None if reader is not workspace.home else workspace.home.holder()
    if after.unit == before.unit and after.amount < before.amount and holder is None:
        raise UnknownOutcome(
            f"the balance fell from {before.amount} to {after.amount} while planning, which must not happen: "
            "the API may have sent a message that was only simulated",
            hint="stop, compare with the account's own pages, and do not plan again before this is explained",
        )


def verify_plan(prepared: Sequence[Prepared]) -> Iterator[str]:
    """
    Render every message as a whole and compare it with what would be sent; one line a campaign.

    :raises RuntimeError: if one differs, which is a bug of octoplan's: nothing may be sent then.
    """
    for each in prepared:
        found = each.dispatch.message.verify()
        if found.different:
            rows = ", ".join(str(row) for row in found.rows)
            raise RuntimeError(
                f"{each.campaign.id}: {found.different:,} of {found.recipients:,} messages differ from the template "
                f"(records {rows})"
            )
        yield f"{each.campaign.id}: {found.recipients:,} messages verified, each as the template renders it"


def require_home_knows_lock(workspace: Workspace, reader: StateReader) -> None:
    """
    Refuse a state home that is behind the lock file: it would write to people a second time.

    :raises StateUnavailable: with the number of batches that it does not know.
    """
    missing = batches_unknown_to(reader, workspace)
    if missing:
        campaigns = ", ".join(sorted({campaign for campaign, _ in missing}))
        raise StateUnavailable(
            f"{workspace.lock_path.name} records {len(missing)} request(s) that the state home here does not know "
            f"({campaigns}): planning from it could send them again",
            hint="bring the state home of the machine that sent them; a copy of this repository alone is not enough",
        )


def batches_unknown_to(reader: StateReader, workspace: Workspace) -> list[tuple[str, str]]:
    """Campaign and digest of each batch that the lock file records and the home does not know, or knows less of."""
    states = reader.campaigns()
    return [
        (campaign, digest)
        for campaign, digest in workspace.lock.batches()
        if campaign not in states or not _knows(states[campaign], digest, workspace.lock.lines[campaign, digest])
    ]


def _warn_of_old_lock(workspace: Workspace, reader: StateReader) -> None:
    """An old checkout, or a second run of an old CI job: the home wins, and whoever reads this knows it."""
    sent = lock_of(workspace.name, workspace.home.key.fingerprint, reader.campaigns().values()).batches()
    missing = sorted(set(sent) - set(workspace.lock.batches()))
    if missing:
        campaigns = ", ".join(sorted({campaign for campaign, _ in missing}))
        click.echo(
            f"Warning: {workspace.lock_path.name} is older than the state home: it lacks {len(missing)} request(s) "
            f"({campaigns}). The state home counts; what it knows as sent is not sent again. An old checkout?",
            err=True,
        )


def _knows(state: CampaignState, digest: str, line: Mapping[str, Any]) -> bool:
    """Whether the home is level with a line of the lock file, or ahead: what was unknown may be settled as not sent."""
    batch = state.batches.get(digest)
    if batch is None:
        return False
    is_settled_since = line.get("state") == "unknown" and line.get("request_id") == batch.request_id
    return batch.phase is not Phase.FREE or is_settled_since


def ledger_rows_max(settings: EnvironmentSettings) -> int | None:
    """How many recipients the state home can remember; `None` where only the disk bounds it."""
    is_git = isinstance(settings, Environment) and settings.state.home == "git"
    return limits.GIT_LEDGER_ROWS_MAX if is_git else None


def endpoint_of(workspace: Workspace) -> str:
    """What the plan says about where it would send."""
    settings = workspace.settings
    return settings.endpoint if isinstance(settings, Environment) else "local sandbox, sends nothing"

"""Two plans to hold against each other: the one just made, one from a file, or that of a git revision."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from octoplan.campaign.checkout import UnusableRevision, open_checkout
from octoplan.campaign.project import load_project
from octoplan.campaign.resolve import Campaign
from octoplan.cli.planning import Selection, endpoint_of, ledger_rows_max, select_campaigns
from octoplan.cli.pricing import known_table, protected_limits
from octoplan.cli.progress import Progress
from octoplan.cli.revision import find_revision
from octoplan.cli.wiring import Workspace, account_of
from octoplan.diagnostics import InvalidInput, OctoplanError, require_no_errors
from octoplan.meter import Meter
from octoplan.pipeline import Setting, build_plan, prepare_campaigns, read_include
from octoplan.plan.compare import Compared
from octoplan.plan.model import Plan
from octoplan.plan.price import Pricing
from octoplan.plan.saved import plan_document, read_other_plan
from octoplan.plan.written import Written, describe_written
from octoplan.state.git_revision import Revision

WORKING_TREE: Final = "working tree"


_NEEDED_BY: Final = "comparing revisions"


def present_plan(workspace: Workspace, plan: Plan, campaigns: Iterable[Campaign], name: str = WORKING_TREE) -> Compared:
    """A plan that was just made, with its files at hand."""
    return Compared(name, _document(plan, workspace), _written(workspace.project.root, campaigns))


def plan_in_file(workspace: Workspace, path: Path) -> Compared:
    """
    A saved plan, or one from `--output json`; with the words of its texts where its revision is in the clone.

    :raises InvalidInput: if it is no plan.
    :raises StalePlan: if it was edited since it was made.
    """
    other = read_other_plan(path, workspace.home.key)
    unproven = f"{path.name} was made with another digest key, so nobody can tell whether it was edited since"
    written = _written_at(workspace, other.document.get("revision"))
    return Compared(path.name, other.document, written, notes=() if other.is_proven else (unproven,))


def _written_at(workspace: Workspace, revision: Mapping[str, Any] | None) -> Mapping[str, Written]:
    """The campaigns of a revision; none where they are not what was planned, or cannot be read."""
    if revision is None or revision["dirty"]:
        return {}
    try:
        with open_checkout(workspace.project.root, revision["commit"], _NEEDED_BY, lists=False) as checkout:
            there = _moved_to(workspace, checkout.root)
            campaigns, _ = select_campaigns(there.project, Selection(may_be_gone=True))
            return _written(checkout.root, campaigns)
    except OctoplanError:
        return {}


@contextlib.contextmanager
def plan_at_revision(workspace: Workspace, revision: str | None, selection: Selection) -> Iterator[Compared]:
    """
    Plan the campaigns of a revision, of the working tree for `None`, with the state and the limits of here.

    Asks the API nothing: prices are what earlier plans were told, or the price file's.

    :raises InvalidInput: if the revision is unknown.
    :raises UnusableRevision: if its project cannot be planned.
    """
    if revision is None:
        yield _plan(workspace, workspace, selection, WORKING_TREE)
        return
    with open_checkout(workspace.project.root, revision, _NEEDED_BY) as checkout:
        if not checkout.has_project:
            yield _nothing(workspace, revision, checkout.commit)
            return
        try:
            there = _moved_to(workspace, checkout.root)
            compared = _plan(workspace, there, selection, revision, Revision(checkout.commit, None, 0))
        except InvalidInput as error:
            message = f"`{revision}` cannot be planned: {error.message}"
            raise UnusableRevision(message, hint=error.hint, findings=error.findings) from None
        yield replace(compared, borrowed=checkout.borrowed)


def _moved_to(workspace: Workspace, root: Path) -> Workspace:
    """The same environment and memory, with the project's files of another folder."""
    project, findings = load_project(root)
    warnings = require_no_errors(findings, "its octoplan.yaml has errors")
    if project is None:
        raise InvalidInput("its octoplan.yaml cannot be used")
    return replace(workspace, project=project, findings=warnings, settings=project.environment(workspace.name))


def _plan(
    here: Workspace, there: Workspace, selection: Selection, name: str, revision: Revision | None = None
) -> Compared:
    campaigns, _ = select_campaigns(there.project, selection)
    if revision is None:
        revision, _ = find_revision(there, campaigns)
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(sys.stderr))
        setting = Setting(
            there.project,
            there.name,
            there.settings,
            account_of(there),
            there.home.key,
            ledger_rows_max=ledger_rows_max(there.settings),
            pricing=Pricing("none", table=known_table(here)),
            protected=protected_limits(here),
            meter=Meter(progress.tell),
        )
        prepared = stack.enter_context(prepare_campaigns(setting, campaigns))
        plan = build_plan(
            setting,
            prepared,
            there.home,
            None,
            balance=None,
            endpoint=endpoint_of(there),
            clock=there.clock,
            revision=revision,
        )
    return present_plan(there, plan, campaigns, name)


def _nothing(workspace: Workspace, revision: str, commit: str) -> Compared:
    """The plan of a revision that has no project yet."""
    now, model = workspace.clock.now(), workspace.project.model
    key = workspace.home.key.fingerprint
    plan = Plan(model.project, workspace.name, "", key, None, now, now, (), None, None)
    return Compared(revision, _document(replace(plan, revision=Revision(commit, None, 0)), workspace))


def _document(plan: Plan, workspace: Workspace) -> dict[str, Any]:
    """Without what costs time and is not compared: the digests of who is suppressed."""
    bare = [
        action if action.audience is None else replace(action, audience=replace(action.audience, suppressed=bytes))
        for action in plan.actions
    ]
    return plan_document(replace(plan, actions=tuple(bare)), workspace.home.key)


def _written(root: Path, campaigns: Iterable[Campaign]) -> dict[str, Written]:
    return {campaign.id: describe_written(campaign, partial(read_include, root)) for campaign in campaigns}


@dataclass(frozen=True, slots=True)
class Revisions:
    """What `octoplan diff` is asked to compare; `None` is the working tree."""

    before: str
    after: str | None

    @classmethod
    def of(cls, words: Sequence[str]) -> Revisions:
        """
        From `REV1`, `REV1 REV2`, or as git writes it `REV1..REV2`.

        :raises InvalidInput: for anything else.
        """
        if len(words) == 1 and ".." in words[0]:
            words = [word or "HEAD" for word in words[0].split("..", 1)]
        if not 1 <= len(words) <= 2 or any(word.startswith(("-", ".")) for word in words):
            raise InvalidInput("one or two revisions are compared", hint="`octoplan diff main`, `octoplan diff v1 v2`")
        return cls(words[0], words[1] if len(words) > 1 else None)

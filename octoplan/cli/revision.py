"""Of which git revision the files of a plan are."""

from __future__ import annotations

from collections.abc import Iterable

from octoplan.campaign.project import PROJECT_FILE, matches_any
from octoplan.campaign.resolve import Campaign
from octoplan.cli.wiring import Workspace
from octoplan.diagnostics import Finding, InvalidInput
from octoplan.limits import INCLUDES_FOLDER
from octoplan.plan.rules import NO_REVISION
from octoplan.state.git_revision import Revision, read_revision


def find_revision(workspace: Workspace, campaigns: Iterable[Campaign]) -> tuple[Revision | None, tuple[Finding, ...]]:
    """
    The revision of the project's files, and a warning where git has one and does not tell.

    What differs from the commit is counted if a plan is made of it: settings, campaigns, texts they include, lists.
    """
    project = workspace.project
    found = [*(campaign.contacts for campaign in campaigns), *(each.files for each in project.suppression)]
    lists = {file.name for each in found for files in (each.files, *each.tables.values()) for file in files}
    named = lists | {PROJECT_FILE, workspace.settings.prices}

    def is_ours(name: str) -> bool:
        is_text = name.startswith(f"{INCLUDES_FOLDER}/") or matches_any(name, project.model.campaigns)
        return is_text or name in named

    try:
        return read_revision(project.root, is_ours), ()
    except InvalidInput as error:
        hint = "run as the folder's owner, or name it with `git config --global --add safe.directory`"
        is_foreign = "dubious ownership" in error.message
        return None, (NO_REVISION.at(None, f"Git says: {error.message}.", hint if is_foreign else None),)

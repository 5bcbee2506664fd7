"""
A project's folder: `octoplan.yaml`, and all its campaigns.

Invariants:
- Files are found by names that the project lists, in sorted order, without following symbolic links to folders, and
  never more than a bound.
- A campaign with an error is never handed on; what is wrong with it, and with all others, is reported at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeVar

from octoplan.campaign import rules
from octoplan.campaign.check import check_campaign, drop_overridden
from octoplan.campaign.document import Document, parse_document, shorten
from octoplan.campaign.fields import bound_findings, build_model
from octoplan.campaign.model import (
    SANDBOX,
    Budgets,
    CampaignModel,
    Environment,
    EnvironmentSettings,
    Limits,
    ProjectModel,
    Sandbox,
    Suppression,
    Windows,
)
from octoplan.campaign.resolve import Campaign, FoundFiles, resolve_campaign, resolve_source
from octoplan.campaign.source import read_source
from octoplan.campaign.words import check_words
from octoplan.diagnostics import Finding, InvalidInput, Place
from octoplan.limits import CAMPAIGN_FILES_MAX, PROJECT_ENTRIES_MAX, PROJECT_PARENTS_MAX
from octoplan.values.names import IDENTIFIER_PATTERN, IDENTIFIER_RULE, nearest

PROJECT_FILE: Final = "octoplan.yaml"

_SHAPING: Final = frozenset({"defaults", "campaigns"})
"""Sections that decide what a campaign means; while they are wrong, findings in campaigns would mislead."""

Number = TypeVar("Number", int, Decimal, timedelta)


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """A list of numbers that get nothing: the `number`-th of `octoplan.yaml`, and the files that it names."""

    model: Suppression
    files: FoundFiles
    region: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Project:
    """A checked project. `root` is its folder, absolute, without symbolic links."""

    root: Path
    model: ProjectModel
    suppression: tuple[SuppressionList, ...]
    document: Document = field(repr=False, compare=False)

    @property
    def environment_names(self) -> tuple[str, ...]:
        """`sandbox` first, then those that the project declares, sorted."""
        return (SANDBOX, *sorted(self.model.environments.declared))

    def environment(self, name: str | None = None) -> Environment | Sandbox:
        """
        The settings of an environment, of the default one for `None`.

        :raises InvalidInput: if there is none of that name.
        """
        wanted = name or self.model.default_environment
        if wanted == SANDBOX:
            return self.model.environments.sandbox
        if found := self.model.environments.declared.get(wanted):
            return found
        finding = _unknown_environment(self.model, wanted, self.document.key_place("environments"))
        raise InvalidInput(finding.detail, hint=finding.hint)

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` of `octoplan.yaml` is written; else the nearest around it."""
        return self.document.place(*path)


def find_project_root(start: Path) -> Path:
    """
    The nearest folder with an `octoplan.yaml`, from `start` upward.

    :raises InvalidInput: if there is none.
    """
    first = start.resolve()
    for folder in (first, *list(first.parents)[:PROJECT_PARENTS_MAX]):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise InvalidInput(f"There is no {PROJECT_FILE} here or in a folder above.", hint="`octoplan init` makes a project")


# --- octoplan.yaml ----------------------------------------------------------------------------------------------------


def load_project(root: Path) -> tuple[Project | None, list[Finding]]:
    """
    Read and check `octoplan.yaml` in the folder `root`.

    With an error in the findings the project is only good for checking its campaigns, so that everything is reported
    at once: callers end with `require_no_errors`. `None` if not even that is possible.
    """
    document, found = load_document(root, PROJECT_FILE)
    if document is None:
        return None, found
    built = build_model(ProjectModel, document)
    model = built.usable
    found += built.findings
    if model is None or built.faulty & _SHAPING:
        return None, bound_findings(found)
    lists, outside = _resolve_suppression(root, model, document)
    found += [*outside, *_check_environments(model, document)]
    return Project(root.resolve(), model, lists, document), bound_findings(found)


def _resolve_suppression(
    root: Path, model: ProjectModel, document: Document
) -> tuple[tuple[SuppressionList, ...], list[Finding]]:
    lists: list[SuppressionList] = []
    found: list[Finding] = []
    for index, item in enumerate(model.suppression):
        files, wrong = resolve_source(root, item, document, ("suppression", index))
        found += wrong
        if files is not None:
            lists.append(SuppressionList(item, files, item.region or model.defaults.region, index))
    return tuple(lists), found


def _check_environments(model: ProjectModel, document: Document) -> list[Finding]:
    found = [
        rules.BAD_VALUE.at(document.key_place("environments", name), f"`{shorten(name)}`: {IDENTIFIER_RULE}.")
        for name in model.environments.declared
        if not re.fullmatch(IDENTIFIER_PATTERN, name)
    ]
    found += [
        rules.MISSING_FIELD.at(
            document.place("environments", name, "state"), "A `postgres` state home needs `url`.", "add `url: env/NAME`"
        )
        for name, each in model.environments.declared.items()
        if each.state.home == "postgres" and each.state.url is None
    ]
    wanted = model.default_environment
    if wanted != SANDBOX and wanted not in model.environments.declared:
        found.append(_unknown_environment(model, wanted, document.place("default_environment")))
    return found


def _unknown_environment(model: ProjectModel, name: str, place: Place) -> Finding:
    known = [SANDBOX, *sorted(model.environments.declared)]
    guess = nearest(name, known)
    hint = f"did you mean `{guess}`?" if guess else f"there are {', '.join(f'`{name}`' for name in known)}"
    return rules.UNKNOWN_ENVIRONMENT.at(place, f"There is no environment `{shorten(name)}`.", hint)


# --- campaigns --------------------------------------------------------------------------------------------------------


def load_campaigns(project: Project, paths: Sequence[Path] | None = None) -> tuple[list[Campaign], list[Finding]]:
    """
    Read and check the campaigns: those of `paths` (files, or folders with campaign files in them), else all.

    Answers those without an error, sorted by file, and the findings of all.
    """
    names, found = choose_files(project.root, project.model.campaigns, paths)
    if not names and not found:
        found = [_no_campaigns(project.model.campaigns)]
    campaigns: list[Campaign] = []
    ids: dict[str, Place] = {}
    for name in names:
        campaign, wrong = load_campaign(project, name)
        if campaign is not None:
            wrong += _check_id(campaign, ids)
            campaigns.append(campaign)
        found += wrong
    return campaigns, found


def load_campaign(project: Project, name: str) -> tuple[Campaign | None, list[Finding]]:
    """Read and check the campaign file `name`, a path from the project's folder; `None` if it has an error."""
    document, found = load_document(project.root, name)
    if document is None:
        return None, found
    built = build_model(CampaignModel, document)
    found += built.findings
    if built.usable is None:
        return None, bound_findings(found)
    campaign, unresolved = resolve_campaign(built.usable, document, project.model.defaults, project.root)
    found += [*check_campaign(built.usable, document, project.model.defaults), *unresolved]
    found += check_words(built.usable, document)
    found = drop_overridden(found, built.usable.overrides)
    has_error = any(finding.severity == "error" for finding in found)
    return None if has_error else campaign, bound_findings(found)


def load_document(root: Path, name: str) -> tuple[Document | None, list[Finding]]:
    """Read and parse a file of the project, by its path from the folder `root`."""
    source, found = read_source(root, name)
    if source is None:
        return None, bound_findings(found)
    document, wrong = parse_document(source)
    return document, bound_findings(found + wrong)


def _check_id(campaign: Campaign, ids: dict[str, Place]) -> list[Finding]:
    found = []
    places = {campaign.id: campaign.place("id")}
    if campaign.identity != campaign.id:
        places[campaign.identity] = campaign.place("moved", "from")
    for name, place in places.items():
        first = ids.setdefault(name, place)
        if first is not place:
            detail = f"`{name}` is also the id in {first}; what was sent is remembered by id."
            found.append(rules.DUPLICATE_ID.at(place, detail, "give one of them an id of its own"))
    return found


def choose_files(
    root: Path, patterns: Sequence[str], paths: Sequence[Path] | None = None
) -> tuple[list[str], list[Finding]]:
    """
    The files that match a pattern, sorted: those of `paths` (files as they are, folders with such files in them), else
    all. A finding if there are too many.
    """
    if paths is None:
        return _list_files(root, patterns)
    names: set[str] = set()
    found: list[Finding] = []
    for path in paths:
        # The folder is resolved, as the root is; the file is not, so that a link is seen as the link it is.
        name = Path(os.path.relpath(path.absolute().parent.resolve() / path.name, root)).as_posix()
        if path.is_dir():
            listed, wrong = _list_files(root, patterns)
            names.update(file for file in listed if name == "." or file.startswith(f"{name}/"))
            found += wrong
        else:
            names.add(name)
    return sorted(names), found


def _list_files(root: Path, patterns: Sequence[str]) -> tuple[list[str], list[Finding]]:
    """The files of the project that match a pattern, sorted; with a finding if there are too many."""
    names: list[str] = []
    for seen, name in enumerate(_walk(root)):
        if seen >= PROJECT_ENTRIES_MAX or len(names) > CAMPAIGN_FILES_MAX:
            detail = f"The bounds are {PROJECT_ENTRIES_MAX} files to look at and {CAMPAIGN_FILES_MAX} of one kind."
            hint = "narrow `campaigns:` or `tests:` down"
            return sorted(names), [rules.TOO_MANY_FILES.at(Place(PROJECT_FILE), detail, hint)]
        if matches_any(name, patterns):
            names.append(name)
    return sorted(names), []


def _no_campaigns(patterns: Sequence[str]) -> Finding:
    listed = ", ".join(f"`{pattern}`" for pattern in patterns)
    return rules.NO_CAMPAIGNS.at(Place(PROJECT_FILE), f"Looked for {listed}.")


def _walk(root: Path) -> Iterator[str]:
    """Paths of all files in the project, hidden ones left out."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(folder).relative_to(root)
        yield from ((inside / name).as_posix() for name in sorted(files) if not name.startswith("."))


def matches_any(name: str, patterns: Sequence[str]) -> bool:
    """Whether a path, from the project's folder, is one of the campaign files that `patterns` name."""
    return any(_matches(name, pattern) for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    """Whether a path matches a pattern in which `**`, at most once, stands for any number of folders."""
    parts, wanted = name.split("/"), pattern.split("/")
    if "**" not in wanted:
        return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
    middle = wanted.index("**")
    head, tail = wanted[:middle], wanted[middle + 1 :]
    if len(parts) < len(head) + len(tail):
        return False
    ends = zip([*head, *tail], [*parts[: len(head)], *parts[len(parts) - len(tail) :]], strict=True)
    return all(fnmatchcase(part, part_wanted) for part_wanted, part in ends)


# --- settings of more than one level ----------------------------------------------------------------------------------


def effective_windows(project: ProjectModel, environment: EnvironmentSettings) -> Windows:
    """What the rules on sending hours do in an environment."""
    default = "warn" if isinstance(environment, Sandbox) else project.defaults.windows
    return environment.windows or default or "enforce"


# --- limits -----------------------------------------------------------------------------------------------------------


def effective_limits(
    project: ProjectModel, environment: EnvironmentSettings, campaign: CampaignModel, *others: Limits
) -> Limits:
    """The strictest of the three levels and any others: the smallest of each maximum, the largest minimum."""
    levels = (project.limits, environment.limits, campaign.limits, *others)
    return Limits(
        max_cost=_smallest(level.max_cost for level in levels),
        max_recipients=_smallest(level.max_recipients for level in levels),
        max_segments=_smallest(level.max_segments for level in levels),
        max_unit_price=_smallest(level.max_unit_price for level in levels),
        max_growth=_smallest(level.max_growth for level in levels),
        min_balance=_largest(level.min_balance for level in levels),
        min_growth_pause=_largest(level.min_growth_pause for level in levels),
    )


def effective_budgets(*budgets: Budgets) -> Budgets:
    """The strictest of several; the first that names a currency says which."""
    return Budgets(
        month=_smallest(each.month for each in budgets),
        run=_smallest(each.run for each in budgets),
        currency=next((each.currency for each in budgets if each.currency is not None), None),
    )


def _smallest(values: Iterator[Number | None]) -> Number | None:
    return min((value for value in values if value is not None), default=None)


def _largest(values: Iterator[Number | None]) -> Number | None:
    return max((value for value in values if value is not None), default=None)

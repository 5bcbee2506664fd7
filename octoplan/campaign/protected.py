"""
Limits, budgets and policies as a protected branch has them (`limits_from: origin/main`), so that a pull request cannot
loosen its own.

Invariants:
- What is read here only ever adds limits: the stricter of the files here and of the branch holds.
- A pull request that changes `limits_from`, or takes it out, gains nothing: the remote's main branch is asked too, and
  each branch's own `octoplan.yaml` may name a further one.
- What cannot be read of a branch that is named is an error, never "no limit". A branch that has no such file yet sets
  no limit. Sections that are no limits are not looked at: a mistake in them is for whoever plans that branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from octoplan.campaign.document import Document, parse_document
from octoplan.campaign.fields import Model, build_model
from octoplan.campaign.model import DEFAULT_CAMPAIGNS, Budgets, GitRef, Glob, Identifier, Limits, Policy
from octoplan.campaign.project import PROJECT_FILE, Project, matches_any
from octoplan.campaign.resolve import Campaign
from octoplan.campaign.source import decode_source
from octoplan.diagnostics import InvalidInput
from octoplan.limits import CAMPAIGN_FILES_MAX, LIMITS_REFS_MAX
from octoplan.state.git_ref import GitFile, GitFolder, is_repository, open_ref

_MAIN_BRANCHES: Final = ("origin/HEAD", "origin/main", "origin/master")
"""Asked even if nobody names them: the first that there is decides."""


@dataclass(frozen=True, slots=True)
class ProtectedLimits:
    """What protected branches say; `sources` are their names with the commit, for people."""

    limits: tuple[Limits, ...] = ()
    budgets: tuple[Budgets, ...] = ()
    policies: tuple[Policy, ...] = ()
    sources: tuple[str, ...] = ()
    _by_id: Mapping[str, tuple[Limits, ...]] = field(default_factory=dict)
    _by_file: Mapping[str, tuple[Limits, ...]] = field(default_factory=dict)

    def limits_for(self, campaign: Campaign) -> tuple[Limits, ...]:
        """Those of project and environment, and of the campaign with this id, its old id, or in this file."""
        ids = {campaign.id, campaign.identity}
        own = [self._by_file.get(campaign.file, ()), *(self._by_id.get(each, ()) for each in sorted(ids))]
        return (*self.limits, *(each for levels in own for each in levels))


@dataclass(slots=True)
class _Collected:
    """Limits while branch after branch is read."""

    limits: list[Limits] = field(default_factory=list)
    budgets: list[Budgets] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    by_id: dict[str, list[Limits]] = field(default_factory=dict)
    by_file: dict[str, list[Limits]] = field(default_factory=dict)

    def finish(self) -> ProtectedLimits:
        return ProtectedLimits(
            limits=tuple(self.limits),
            budgets=tuple(self.budgets),
            policies=tuple(self.policies),
            sources=tuple(self.sources),
            _by_id=_frozen(self.by_id),
            _by_file=_frozen(self.by_file),
        )


def _frozen(levels: Mapping[str, list[Limits]]) -> dict[str, tuple[Limits, ...]]:
    return {name: tuple(each) for name, each in levels.items()}


class _Environment(BaseModel):
    """Of an environment, what is read here."""

    limits: Limits = Limits()
    budgets: Budgets = Budgets()
    policy: Policy = Policy()
    limits_from: GitRef | None = None


class _Project(BaseModel):
    """Of `octoplan.yaml`, what is read here."""

    campaigns: tuple[Glob, ...] = DEFAULT_CAMPAIGNS
    limits: Limits = Limits()
    policy: Policy = Policy()
    limits_from: GitRef | None = None
    environments: dict[str, _Environment] = Field(default_factory=dict)

    def refs(self, environment: str) -> list[str]:
        """The branches that it names."""
        found = [self.limits_from, self.environments.get(environment, _Environment()).limits_from]
        return [ref for ref in found if ref is not None]


class _Campaign(BaseModel):
    """Of a campaign, what is read here."""

    id: Identifier
    limits: Limits = Limits()


def read_protected_limits(project: Project, environment: str, also: str | None = None) -> ProtectedLimits:
    """
    The limits of every branch that the project, the environment, `also` or one of these branches names.

    :raises InvalidInput: if a named branch is not in the clone, or its files cannot be read.
    """
    settings = project.environment(environment)
    named = [ref for ref in (project.model.limits_from, settings.limits_from, also) if ref is not None]
    named += _named_by_main(project.root, environment)
    found = _Collected()
    seen: set[str] = set()
    while named:
        ref = named.pop(0)
        if ref in seen:
            continue
        seen.add(ref)
        if len(seen) > LIMITS_REFS_MAX:
            raise InvalidInput(f"`limits_from` leads from branch to branch, over more than {LIMITS_REFS_MAX}")
        named += _collect(_require_ref(project.root, ref), environment, found)
    return found.finish()


def _named_by_main(root: Path, environment: str) -> list[str]:
    """The branches that the remote's main branch names; nobody has asked for it, so it need not be there or sound."""
    if not is_repository(root):
        return []
    folder = next((folder for name in _MAIN_BRANCHES if (folder := open_ref(root, name)) is not None), None)
    if folder is None:
        return []
    try:
        model = _read_project(folder)
    except InvalidInput:
        return []
    return [] if model is None else model.refs(environment)


def _require_ref(root: Path, ref: str) -> GitFolder:
    folder = open_ref(root, ref)
    if folder is None:
        remote, _, branch = ref.removeprefix("refs/remotes/").partition("/")
        raise InvalidInput(
            f"`limits_from: {ref}` names a branch that this clone does not know",
            hint=f"fetch it: `git fetch --depth=1 {remote} +{branch}:refs/remotes/{remote}/{branch}` "
            "(a CI checkout has only the commit it was started for)",
        )
    return folder


# --- one branch -------------------------------------------------------------------------------------------------------


def _collect(folder: GitFolder, environment: str, found: _Collected) -> list[str]:
    """Add what a branch says; answers the branches that it names itself."""
    found.sources.append(f"{folder.ref} ({folder.commit[:12]})")
    model = _read_project(folder)
    if model is None:
        return []
    own = model.environments.get(environment, _Environment())
    found.limits += [model.limits, own.limits]
    found.budgets.append(own.budgets)
    found.policies += [model.policy, own.policy]
    for file, campaign in _read_campaigns(folder, model):
        found.by_file.setdefault(file, []).append(campaign.limits)
        found.by_id.setdefault(campaign.id, []).append(campaign.limits)
    return model.refs(environment)


def _read_project(folder: GitFolder) -> _Project | None:
    """`octoplan.yaml` of the branch; `None` if it has none."""
    file = folder.list_files().get(PROJECT_FILE)
    if file is None:
        return None
    ((_, document),) = _documents(folder, [file])
    return _read(_Project, document)


def _read_campaigns(folder: GitFolder, model: _Project) -> Iterator[tuple[str, _Campaign]]:
    files = [file for name, file in sorted(folder.list_files().items()) if matches_any(name, model.campaigns)]
    if len(files) > CAMPAIGN_FILES_MAX:
        raise InvalidInput(f"`{folder.ref}` has more than {CAMPAIGN_FILES_MAX} campaigns")
    for file, document in _documents(folder, files):
        yield file, _read(_Campaign, document)


def _read(kind: type[Model], document: Document) -> Model:
    built = build_model(kind, document)
    if built.model is None:
        raise InvalidInput(f"the limits in {document.source.name} cannot be read", findings=built.findings)
    return built.model


def _documents(folder: GitFolder, files: Iterable[GitFile]) -> Iterator[tuple[str, Document]]:
    wanted = list(files)
    for file, data in zip(wanted, folder.read(wanted), strict=True):
        source, findings = decode_source(f"{folder.ref}:{file.name}", data)
        document = None
        if source is not None:
            document, wrong = parse_document(source)
            findings += wrong
        if document is None:
            raise InvalidInput(f"the limits in {folder.ref}:{file.name} cannot be read", findings=findings)
        yield file.name, document

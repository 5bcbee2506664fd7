"""A shop whose campaigns are in a repository on GitHub, with a laptop that pushes to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.behaviour.gate import Gate
from tests.behaviour.project import Project
from tests.forge_server import Forge, serving
from tests.git_repositories import git
from tests.sandbox_process import KEY, LOGIN, SandboxProcess
from tests.workflows.runner import Event, GitHub
from tests.workflows.uses import REPOSITORY

DIGEST_KEY: Final = "5a" * 32
SECRETS: Final = {"OCTOPUSH_API_LOGIN": LOGIN, "OCTOPUSH_API_KEY": KEY, "OCTOPLAN_DIGEST_KEY": DIGEST_KEY}
BOTH: Final = {"login": "env/OCTOPUSH_API_LOGIN", "key": "env/OCTOPUSH_API_KEY"}


class Shop:
    """The laptop's side: branches, pull request 7, merges; and the sandbox, which knows what was sent."""

    def __init__(self, folder: Path, sandbox: SandboxProcess, gate: Gate, forge: Forge) -> None:
        self.sandbox, self.gate, self.forge = sandbox, gate, forge
        self.remote = folder / "remote.git"
        self.laptop = folder / "laptop"
        git(folder, "init", "-q", "--bare", str(self.remote))
        git(folder, "clone", "-q", str(self.remote), str(self.laptop))
        self.project = Project(self.laptop)
        (self.laptop / "campaigns/spring.yaml").unlink()
        live = {"endpoint": gate.endpoint, "credentials": BOTH, "windows": "off", "state": {"home": "git"}}
        self.project.settings(environments={"production": live})
        self.commit("The shop")
        git(self.laptop, "push", "-q", "origin", "HEAD:main")
        self.github = GitHub(folder, self.remote, forge.url, SECRETS)

    def commit(self, words: str) -> str:
        """Commit everything; the commit."""
        git(self.laptop, "add", ".")
        git(self.laptop, "commit", "-q", "-m", words)
        return git(self.laptop, "rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        """A branch from `main`, to be edited."""
        git(self.laptop, "fetch", "-q", "origin")
        git(self.laptop, "checkout", "-q", "-B", name, "origin/main")

    def pull_request(self, *, repository: str = REPOSITORY) -> Event:
        """What the branch has, as pull request 7: the commit that it would be merged with `main` to."""
        head = self.commit("A change")
        ref = "refs/pull/7/merge"
        parents = ("-p", "origin/main", "-p", head)
        merge = git(self.laptop, "commit-tree", *parents, "-m", "Merge", f"{head}^{{tree}}")
        git(self.laptop, "push", "-q", "--force", "origin", f"{merge}:{ref}")
        pull = {"number": 7, "head": {"sha": head, "repo": {"full_name": repository}}}
        return Event("pull_request", ref, merge, {"pull_request": pull})

    def merge(self) -> Event:
        """The branch becomes `main`."""
        git(self.laptop, "push", "-q", "origin", "HEAD:main")
        return Event("push", "refs/heads/main", git(self.laptop, "rev-parse", "HEAD"))

    def require_once(self, messages: int) -> None:
        """So many messages have left, each once."""
        summary: dict[str, Any] = self.sandbox.summary()
        assert (summary["messages"], summary["duplicates"]) == (messages, 0)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with SandboxProcess.start(tmp_path / "sandbox") as sandbox, Gate(sandbox.url) as gate, serving() as forge:
        yield Shop(tmp_path, sandbox, gate, forge)

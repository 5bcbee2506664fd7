"""A project, the command, a sandbox to answer and to judge, and a gate in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sandbox_process
from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate
from tests.behaviour.project import KEY, LOGIN, Project
from tests.sandbox_process import SandboxProcess

CREDENTIALS = {LOGIN: sandbox_process.LOGIN, KEY: sandbox_process.KEY}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Five people, one campaign of three requests, the built-in environment."""
    return Project(tmp_path / "maple")


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox") / "served") as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox: SandboxProcess, project: Project) -> SandboxProcess:
    """A sandbox as on its first day, which `--env sandbox` finds in the project."""
    running_sandbox.reset()
    announce(running_sandbox, project)
    return running_sandbox


def announce(sandbox: SandboxProcess, project: Project) -> None:
    """Let the commands of a project find a sandbox that runs already, instead of starting one each."""
    folder = project.state / "sandbox"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(sandbox.directory / "sandbox.json", folder)


@pytest.fixture
def octoplan(project: Project, sandbox: SandboxProcess) -> Iterator[Octoplan]:
    """The command in the project, with the credentials of the environment `live`."""
    command = Octoplan(project.root, CREDENTIALS)
    yield command
    command.close()


@pytest.fixture
def gate(project: Project, sandbox: SandboxProcess) -> Iterator[Gate]:
    """The environment `live` reaches the sandbox through this gate, and is the default."""
    with Gate(sandbox.url) as between:
        project.environment(between.endpoint)
        yield between

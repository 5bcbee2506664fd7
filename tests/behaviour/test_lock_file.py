"""The lock file in git: merged, damaged, deleted, and brought back."""

from __future__ import annotations

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import PEOPLE, Project
from tests.sandbox_process import SandboxProcess

LOCK = "octoplan.sandbox.lock"


@pytest.fixture
def applied(octoplan: Octoplan) -> None:
    octoplan("apply", "--auto-approve")


@pytest.mark.usefixtures("applied")
def test_conflict_markers_are_named_and_resolved(project: Project, octoplan: Octoplan) -> None:
    """Both sides of a merge were sent: every command names the markers with 3, `lock resolve` keeps all lines."""
    path = project.root / LOCK
    whole = path.read_text()
    lines = whole.splitlines()
    ours, theirs = lines[-2], lines[-1]
    path.write_text("\n".join([*lines[:-2], "<<<<<<< HEAD", ours, "=======", ours, theirs, ">>>>>>> spring"]) + "\n")
    named = octoplan("apply", "--auto-approve", code=3).stderr
    assert named.count("[lock/conflict-markers]") == 3
    assert f"{LOCK}:{len(lines) - 1}" in named
    assert "octoplan lock resolve" in named
    octoplan("lock", "resolve", code=0)
    assert path.read_text() == whole
    octoplan("lock", "check", code=0)


@pytest.mark.usefixtures("applied")
def test_a_deleted_lock_file_is_rebuilt(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The journal has everything: without the file nothing is sent twice, and `lock rebuild` writes the same bytes."""
    path = project.root / LOCK
    whole = path.read_text()
    path.unlink()
    assert "is behind the state home" in octoplan("lock", "check", code=1).stdout
    assert "is behind" in octoplan("status", code=0).stdout
    octoplan("lock", "rebuild", code=0)
    assert path.read_text() == whole
    path.unlink()
    octoplan("apply", "--auto-approve", code=0)
    assert path.read_text() == whole
    assert sandbox.summary()["messages"] == len(PEOPLE)


@pytest.mark.usefixtures("applied")
def test_a_lock_file_that_cannot_be_read_is_3(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A lock file of another environment, version or of no form at all is named; nothing is sent over it."""
    path = project.root / LOCK
    whole = path.read_text()
    for damaged in (
        whole.replace("environment: sandbox", "environment: live"),
        whole.replace("version: 1", "version: 9"),
        whole.replace('campaign: "spring"', "campaign: [1]"),
        "",
        "\x00",
    ):
        path.write_text(damaged)
        assert "[lock/unreadable]" in octoplan("apply", "--auto-approve", code=3).stderr
    assert sandbox.summary()["messages"] == len(PEOPLE)

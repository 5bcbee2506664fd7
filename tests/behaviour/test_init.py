"""The first minutes: a project that works as it was written."""

from __future__ import annotations

from pathlib import Path

from tests.behaviour.command import Octoplan
from tests.behaviour.project import Project
from tests.sandbox_process import SandboxProcess


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_project_validates_plans_and_applies(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """What `init` writes has no finding, is planned without an account, and is sent to the sandbox."""
    octoplan("init", "fresh")
    here = Octoplan(octoplan.folder / "fresh")
    (here.folder / ".octoplan/sandbox").mkdir()
    (here.folder / ".octoplan/sandbox/sandbox.json").write_bytes((sandbox.directory / "sandbox.json").read_bytes())
    assert "0 error(s), 0 warning(s)" in here("validate").stdout
    assert "+ send      welcome  3 recipients" in here("plan").stdout
    here("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 3
    key = here.folder / ".octoplan/digest.key"
    assert key.stat().st_mode & 0o077 == 0
    assert (here.folder / ".octoplan/.gitignore").read_text().endswith("*\n")


def test_nothing_is_ever_overwritten(project: Project, octoplan: Octoplan) -> None:
    """One file in the way and nothing at all is written; a second `init` changes nothing either."""
    before = snapshot(project.root)
    assert "octoplan.yaml" in octoplan("init", ".", code=3).stderr
    assert snapshot(project.root) == before
    octoplan("init", "fresh")
    fresh = snapshot(project.root / "fresh")
    assert "already there" in octoplan("init", "fresh", code=3).stderr
    assert snapshot(project.root / "fresh") == fresh

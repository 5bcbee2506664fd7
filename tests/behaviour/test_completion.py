"""What the shell completes, asked in a real bash through the script that `octoplan completion bash` prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from click.shell_completion import FishComplete, ZshComplete

from octoplan.cli.main import COMMANDS
from tests.architecture.test_start import HEAVY, imported_by
from tests.behaviour.command import Octoplan
from tests.behaviour.project import Project

ASK: Final = """\
source <(octoplan completion bash)
compopt() { COMPREPLY+=("files"); }  # bash itself offers file names, only to a person at a terminal
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_octoplan_completion octoplan
printf '%s\\n' "${COMPREPLY[@]}"
"""

Ask = Callable[..., list[str]]


@pytest.fixture
def ask(project: Project) -> Ask:
    """The answers to TAB after some words, in the project's folder."""

    def offered(*words: str, folder: Path = project.root) -> list[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        command = ["bash", "--norc", "--noprofile", "-c", ASK, "bash", "octoplan", *words]
        done = subprocess.run(command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split()

    return offered


def test_commands_options_and_values(project: Project, ask: Ask) -> None:
    """Commands, options, choices and rule ids by their first letters; names of files are left to the shell."""
    assert ask("st") == ["status", "stop", "state"]
    assert ask("plan", "--of") == ["--offline"]
    assert ask("completion", "") == ["bash", "zsh", "fish"]
    assert "policy/sender" in ask("rules", "policy/")
    assert ask("plan", "--out", "") == ["files"]
    assert ask("validate", "camp") == ["files"]
    assert set(ask("")) == set(COMMANDS)


def test_campaigns_and_environments_of_the_project(project: Project, ask: Ask) -> None:
    """Ids as the files have them, also of a file with errors, from any folder of the project and with `-C`."""
    project.environment("http://localhost:1/v1/public")
    project.write("campaigns/deep/summer.yaml", "type: nonsense\nid: 'summer' # of 2027\n")
    project.write("campaigns/broken.yaml", "id: [")
    assert ask("plan", "--campaign", "s") == ["spring", "summer"]
    assert ask("preview", "sp") == ["spring"]
    assert ask("plan", "--env", "") == ["sandbox", "live"]
    assert ask("show", "s", folder=project.root / "campaigns/deep") == ["spring", "summer"]
    assert ask("-C", str(project.root), "plan", "--campaign", "su", folder=project.root.parent) == ["summer"]


def test_a_broken_project_offers_less_and_says_nothing(project: Project, ask: Ask) -> None:
    """Without a project, or with one that cannot be read, there is no error in the middle of somebody's line."""
    assert ask("plan", "--campaign", "", folder=project.root.parent) == []
    project.write("octoplan.yaml", "environments: [\n")
    assert ask("plan", "--env", "") == ["sandbox"]
    project.write("octoplan.yaml", "campaigns: ['/etc/*', '../*', '**x/**', 3]\n")
    assert ask("plan", "--campaign", "") == []


def test_names_of_commands_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Completing a command imports none."""
    monkeypatch.setenv("_OCTOPLAN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "octoplan\npl")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert imported_by(folder=tmp_path) & HEAVY == set()


@pytest.mark.parametrize(("shell", "kind"), [("zsh", ZshComplete), ("fish", FishComplete)])
def test_other_shells_get_a_script(
    shell: str, kind: type[ZshComplete | FishComplete], project: Project, tmp_path: Path
) -> None:
    """The script asks the same way; these shells are not run here."""
    script = Octoplan(project.root)("completion", shell).stdout
    assert f"_OCTOPLAN_COMPLETE={kind.name}_complete" in script

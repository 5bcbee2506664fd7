"""The workflow files themselves: what their schemas, shellcheck, and the rules for actions with secrets say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from octoplan.cli.main import COMMANDS
from tests.workflows.runner import ROOT

BIN: Final = Path(sys.executable).parent
EXAMPLES: Final = ROOT / "examples/github"
GITHUB: Final = sorted(EXAMPLES.glob("*.yml"))
GITLAB: Final = ROOT / "examples/gitlab/.gitlab-ci.yml"
ACTION: Final = ROOT / "action.yml"
SCHEMAS: Final = {
    "vendor.github-actions": [ACTION],
    "vendor.github-workflows": GITHUB,
    "vendor.gitlab-ci": [GITLAB],
}


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in GITHUB:
        for name, job in load(file)["jobs"].items():
            yield f"{file.name} {name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of GitHub's files, the action's included, with where it is."""
    yield from (("action.yml", step) for step in load(ACTION)["runs"]["steps"])
    for where, job in jobs():
        yield from ((where, step) for step in job["steps"])


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_files_are_what_their_schemas_say(schema: str) -> None:
    """No key that the forge does not know."""
    words = [str(BIN / "check-jsonschema"), "--builtin-schema", schema, *map(str, SCHEMAS[schema])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_finds_nothing() -> None:
    """In any script, each read as the shell that carries it out."""
    scripts = [step["run"] for _, step in steps() if "run" in step]
    scripts += ["\n".join(job["script"]) for job in load(GITLAB).values() if "script" in job]
    assert len(scripts) > 8
    for script in scripts:
        words = [str(BIN / "shellcheck"), "--shell=bash", "--exclude=SC2148", "-"]
        done = subprocess.run(words, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_no_value_becomes_code() -> None:
    """Scripts get what people write as variables: an expression in a script would be put in before bash reads it."""
    assert [where for where, step in steps() if "${{" in step.get("run", "")] == []


def test_each_job_says_what_it_may_do_and_for_how_long() -> None:
    """Nothing by default, a list for each job, and only one job that may write to the repository."""
    assert [file.name for file in GITHUB if load(file)["permissions"] != {}] == []
    assert [where for where, job in jobs() if not {"permissions", "timeout-minutes"} <= job.keys()] == []
    writing = [where for where, job in jobs() if job["permissions"]["contents"] == "write"]
    assert writing == ["apply.yml apply"]


def test_a_fork_never_meets_a_secret() -> None:
    """Its event is one that has none, and its job names none."""
    assert [file.name for file in GITHUB if "pull_request_target" in load(file)[True]] == []
    fork = load(ROOT / "examples/github/plan.yml")["jobs"]["fork"]
    assert "secrets." not in yaml.safe_dump(fork)


def test_every_action_has_a_version() -> None:
    """A branch would be whatever it is tomorrow."""
    used = [step["uses"] for _, step in steps() if "uses" in step]
    assert [name for name in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d[\d.]*", name)] == []


def test_the_signal_of_a_cancelled_run_reaches_octoplan() -> None:
    """The step that sends ends in `exec`: GitHub signals the shell alone."""
    (script,) = (step["run"] for step in load(ACTION)["runs"]["steps"] if step.get("id") == "octoplan")
    assert script.strip().splitlines()[-1] == 'exec octoplan "${words[@]}"'


def test_the_action_knows_only_commands_that_there_are() -> None:
    """Each command that the examples ask it for is one of octoplan's."""
    asked = {step["with"]["command"] for _, step in steps() if "command" in step.get("with", {})}
    assert asked == {"validate", "plan", "apply", "status"}
    assert asked <= set(COMMANDS)


@pytest.mark.install
def test_the_action_can_be_installed(tmp_path: Path) -> None:
    """Its own script brings a command that works, into a Python that has nothing."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    (script,) = (step["run"] for step in load(ACTION)["runs"]["steps"] if step.get("name") == "Install octoplan")
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HOME"))},
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
        "ACTION_PATH": str(ROOT),
        "EXTRAS": "postgres",
    }
    subprocess.run(["bash", "-e", "-c", script], env=environment, check=True)
    done = subprocess.run([str(tmp_path / "bin/octoplan"), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("octoplan")


def test_the_guide_shows_the_files_as_they_are() -> None:
    """A file in the guide is the one in `examples`, and every example is linked."""
    guide = (ROOT / "docs/guides/ci.md").read_text(encoding="utf-8")
    shown = re.findall(r"^`([\w.-]+)`:\n\n```yml\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert [name for name, text in shown if text != (EXAMPLES / name).read_text(encoding="utf-8")] == []
    assert shown
    linked = [f"../../{file.relative_to(ROOT)}" for file in (*GITHUB, GITLAB)]
    assert [name for name in linked if f"({name})" not in guide] == []


def test_the_guide_names_every_input() -> None:
    """Who writes a workflow need not read the action."""
    guide = (ROOT / "docs/guides/ci.md").read_text(encoding="utf-8")
    assert [name for name in load(ACTION)["inputs"] if f"`{name}`" not in guide] == []

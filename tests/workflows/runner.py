"""
A small GitHub: runs workflow files as its runners do, with real bash, real git and a folder for the artifacts.

- Each job has a folder, home and `$RUNNER_TEMP` of its own, and nothing of this machine but its programs. Python and
  octoplan are there only after the steps that bring them.
- A job can do what its `permissions` allow and no more: without `contents: write` git cannot push, without
  `pull-requests: write` its token is refused.
- A cancelled run gets SIGINT, after 7.5 s SIGTERM, after 2.5 s more SIGKILL; the first two go to the shell alone.
- `concurrency`, `environment` and time limits are not played; runs start when the test says so.
- Anything else that it does not know fails the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from tests.forge_server import TOKEN
from tests.workflows.expressions import Context, Status, fill, holds
from tests.workflows.uses import OURS, REPOSITORY, USES, empty_place, inherited

ROOT: Final = Path(__file__).parents[2]
STEP_MAX_S: Final = 120.0
SIGINT_FOR_S: Final = 7.5
SIGTERM_FOR_S: Final = 2.5
_SHELLS: Final = {None: ("bash", "-e"), "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail")}
_POWERLESS: Final = "ghs_may_not_comment"
_JOB_KEYS: Final = frozenset(
    {"if", "needs", "runs-on", "timeout-minutes", "permissions", "outputs", "steps", "environment", "concurrency"}
)
_STEP_KEYS: Final = frozenset({"name", "id", "if", "uses", "with", "run", "env", "shell", "working-directory"})


@dataclass(frozen=True, slots=True)
class Event:
    """What starts a run: its name, the ref and commit that are checked out, and what `$GITHUB_EVENT_PATH` says."""

    name: str
    ref: str
    sha: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """How a job ended; `codes` has the exit code of each step that ran a script, by its name."""

    result: Status | Literal["skipped"] = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    log: str = ""
    summary: str = ""


class GitHub:
    """A repository on a forge: where its remote and its API are, and which secrets it has."""

    def __init__(self, folder: Path, remote: Path, api_url: str, secrets: Mapping[str, str]) -> None:
        self.folder = folder
        self.remote = remote
        self.api_url = api_url
        self.secrets = secrets
        self._numbers = count(1)

    def start(self, workflow: str, event: Event, *, is_fork: bool = False) -> Run:
        """Begin a run of an example, to be carried out by `all_jobs` or job by job. A fork's has no secrets."""
        number = next(self._numbers)
        document: dict[Any, Any] = yaml.safe_load((ROOT / "examples/github" / workflow).read_text(encoding="utf-8"))
        return Run(self, document, event, number, {} if is_fork else self.secrets)

    def run(self, workflow: str, event: Event, *, is_fork: bool = False) -> Run:
        """Carry out a run of an example to its end."""
        run = self.start(workflow, event, is_fork=is_fork)
        run.all_jobs()
        return run


class Run:
    """One run of a workflow and its attempts: its jobs by name, as they ended last."""

    def __init__(
        self, github: GitHub, document: dict[Any, Any], event: Event, number: int, secrets: Mapping[str, str]
    ) -> None:
        # YAML 1.1 reads the key `on` as true.
        assert event.name in document[True], f"{event.name} does not start this workflow"
        self.github, self.event, self.number, self.secrets = github, event, number, secrets
        self.jobs: dict[str, Job] = {}
        self.attempt = 1
        self.artifacts = github.folder / f"run-{number}" / "artifacts"
        self.is_cancelled = threading.Event()
        self.is_gone = threading.Event()
        self._definitions: dict[str, dict[str, Any]] = document["jobs"]
        self._running: subprocess.Popen[str] | None = None
        self._said = ""
        self._saying = threading.Condition()

    def all_jobs(self) -> None:
        """One job after another, in the order of the file."""
        for name in self._definitions:
            self.job(name)

    def again(self, name: str) -> Job:
        """What the button "Re-run job" does: the same commit, and the artifacts and outputs of the other jobs."""
        self.attempt += 1
        self.is_cancelled.clear()
        self.is_gone.clear()
        return self.job(name)

    def job(self, name: str) -> Job:
        """Carry out one job."""
        definition = self._definitions[name]
        assert definition.keys() <= _JOB_KEYS, f"unknown: {definition.keys() - _JOB_KEYS}"
        job = self.jobs[name] = Job()
        needed = [self.jobs[other] for other in _words(definition.get("needs", []))]
        context = Context({"github": self._github(), "needs": self._needs()}, _worst(needed))
        if holds(definition.get("if", "true"), context):
            _Attempt(self, definition, job, context).carry_out()
        else:
            job.result = "skipped"
        return job

    def cancel(self) -> None:
        """Cancel what runs, as GitHub does: the first two signals reach the shell of the step and nobody else."""
        process = self._running
        assert process is not None
        self.is_cancelled.set()
        for told, wait_s in ((signal.SIGINT, SIGINT_FOR_S), (signal.SIGTERM, SIGTERM_FOR_S)):
            process.send_signal(told)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait_s)
                return
        os.killpg(process.pid, signal.SIGKILL)

    def vanish(self) -> None:
        """The machine of the job is gone, without a word to anybody."""
        assert self._running is not None
        self.is_gone.set()
        os.killpg(self._running.pid, signal.SIGKILL)

    def call(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
        """Run a step's script; its exit code, and what it said on both streams."""
        with subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            self._running = process
            watchdog = threading.Timer(STEP_MAX_S, os.killpg, (process.pid, signal.SIGKILL))
            watchdog.start()
            assert process.stdout is not None
            said = "".join(self._heard(line) for line in process.stdout)
            watchdog.cancel()
            return process.wait(), said

    def await_said(self, words: str) -> str:
        """The line in which a step says this; returns as soon as it is there."""
        with self._saying:
            assert self._saying.wait_for(lambda: words in self._said, STEP_MAX_S), self._said
            return next(line for line in self._said.splitlines() if words in line)

    def _heard(self, line: str) -> str:
        with self._saying:
            self._said += line
            self._saying.notify_all()
        return line

    def _github(self) -> dict[str, Any]:
        return {
            "repository": REPOSITORY,
            "ref": self.event.ref,
            "sha": self.event.sha,
            "event": self.event.payload,
            "event_name": self.event.name,
            "run_attempt": str(self.attempt),
        }

    def _needs(self) -> dict[str, Any]:
        return {name: {"result": job.result, "outputs": job.outputs} for name, job in self.jobs.items()}


class _Attempt:
    """A job on its way: its folders, variables, and what its steps have left for those after them."""

    def __init__(self, run: Run, definition: dict[str, Any], job: Job, context: Context) -> None:
        folder = run.artifacts.with_name(f"job-{len(list(run.artifacts.parent.glob('job-*')))}")
        allowed = definition.get("permissions", {})
        self._run, self._definition, self._job = run, definition, job
        self._place = empty_place(
            folder, run.github.remote, run.event.sha, allowed.get("contents"), artifacts=run.artifacts
        )
        self._token = TOKEN if allowed.get("pull-requests") == "write" else _POWERLESS
        self._values = {
            **context.values,
            "github": {**context.values["github"], "token": self._token},
            "secrets": run.secrets,
            "runner": {"temp": str(self._place.temp)},
        }
        (folder / "event.json").write_text(json.dumps(run.event.payload), encoding="utf-8")

    def carry_out(self) -> None:
        steps: dict[str, Any] = {}
        self._job.result = self._steps(self._definition["steps"], {"steps": steps}, {})
        context = Context({**self._values, "steps": steps})
        self._job.outputs = {name: fill(text, context) for name, text in self._definition.get("outputs", {}).items()}
        summary = self._place.folder / "summary.md"
        self._job.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""

    def _steps(self, steps: list[dict[str, Any]], values: dict[str, Any], environment: dict[str, str]) -> Status:
        """Steps of a job or of a composite action; `values` holds their `steps`, which each adds its outputs to."""
        status: Status = "success"
        for step in steps:
            if self._run.is_gone.is_set():
                return "failure"
            assert step.keys() <= _STEP_KEYS, f"unknown: {step.keys() - _STEP_KEYS}"
            status = "cancelled" if self._run.is_cancelled.is_set() else status
            context = Context({**self._values, **values}, status)
            if not holds(step.get("if", "true"), context):
                continue
            added = {name: fill(str(text), context) for name, text in step.get("env", {}).items()}
            is_good, outputs = self._step(step, context, environment | added)
            values["steps"][step.get("id")] = {"outputs": outputs}
            status = status if is_good else "failure"
        return "cancelled" if self._run.is_cancelled.is_set() else status

    def _step(self, step: dict[str, Any], context: Context, environment: dict[str, str]) -> tuple[bool, dict[str, str]]:
        if "run" in step:
            return self._script(step, context, environment)
        given = {name: fill(str(text), context) for name, text in step.get("with", {}).items()}
        name, _, _ = step["uses"].partition("@")
        if name == OURS:
            return self._action(given, environment)
        self._job.log += USES[name](self._place, given)
        return True, {}

    def _action(self, given: dict[str, str], environment: dict[str, str]) -> tuple[bool, dict[str, str]]:
        """The composite action of this repository."""
        action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        assert given.keys() <= action["inputs"].keys()
        missing = [name for name, about in action["inputs"].items() if about.get("required") and name not in given]
        assert not missing
        outer = Context(self._values)
        inputs = {name: fill(about.get("default", ""), outer) for name, about in action["inputs"].items()} | given
        github = {**self._values["github"], "action_path": str(ROOT)}
        # A composite action sees no secrets: what it needs comes as inputs and variables.
        values = {"inputs": inputs, "steps": {}, "github": github, "secrets": {}}
        status = self._steps(action["runs"]["steps"], values, environment)
        context = Context({**self._values, **values})
        return status == "success", {name: fill(out["value"], context) for name, out in action["outputs"].items()}

    def _script(
        self, step: dict[str, Any], context: Context, environment: dict[str, str]
    ) -> tuple[bool, dict[str, str]]:
        script, output = self._place.folder / "step.sh", self._place.folder / "output"
        script.write_text(fill(step["run"], context), encoding="utf-8")
        output.write_text("")
        folder = self._place.workspace / fill(step.get("working-directory", "."), context)
        words = [*_SHELLS[step.get("shell")], str(script)]
        code, said = self._run.call(words, folder, self._environment() | environment)
        self._job.codes[step["name"]] = code
        self._job.log += said
        return code == 0, _outputs(output.read_text(encoding="utf-8"))

    def _environment(self) -> dict[str, str]:
        run, folder = self._run, self._place.folder
        return inherited(self._place) | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": run.github.api_url,
            "GITHUB_EVENT_NAME": run.event.name,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_REF": run.event.ref,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": str(run.number),
            "GITHUB_RUN_ATTEMPT": str(run.attempt),
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_SHA": run.event.sha,
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_WORKSPACE": str(self._place.workspace),
            "RUNNER_TEMP": str(self._place.temp),
        }


def _outputs(text: str) -> dict[str, str]:
    """`$GITHUB_OUTPUT`, read as the runner reads it."""
    lines, found = iter(text.splitlines()), {}
    for line in lines:
        name, delimiter = line.split("<<")
        found[name] = "\n".join(iter(lambda end=delimiter: next(lines), delimiter))  # type: ignore[misc]
    return found


def _words(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _worst(jobs: list[Job]) -> Status:
    """A job whose needs were not all met is skipped, unless its `if` says otherwise."""
    return "success" if all(job.result == "success" for job in jobs) else "failure"

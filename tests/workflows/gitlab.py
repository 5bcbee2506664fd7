"""
A small GitLab: carries out the jobs of the example as its runners do, with real bash and git.

A job is one script, its lines together, after those of `before_script`. Jobs get the artifacts and the dotenv variables
of the jobs before them. Images, caches, resource groups and time limits are not played.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.workflows.uses import Workplace, checkout, empty_place, inherited, setup_python

EXAMPLE: Final = Path(__file__).parents[2] / "examples/gitlab/.gitlab-ci.yml"
JOB_MAX_S: Final = 120.0
_GENERAL: Final = frozenset({"stages", "variables", "default"})
_CONDITION: Final = re.compile(r'(\$\w+) (==|!=) (\$\w+|"[^"]*")')


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended, what it said, and the reports it left, by kind."""

    code: int
    log: str
    reports: Mapping[str, str]


class Pipeline:
    """One pipeline: what its jobs leave for those after them."""

    def __init__(self, folder: Path, remote: Path, variables: Mapping[str, str]) -> None:
        self._document: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
        self._folder, self._remote = folder, remote
        self._variables = {**self._document["variables"], **variables}
        self._artifacts = folder / "artifacts"
        self._artifacts.mkdir(parents=True)

    @property
    def jobs(self) -> dict[str, str]:
        """The jobs that the rules let in, and when they start: `on_success` or `manual`."""
        found: dict[str, str] = {}
        for name, job in self._document.items():
            if name not in _GENERAL:
                rules = [rule for rule in job["rules"] if self._holds(rule["if"])]
                found |= {name: rules[0].get("when", "on_success")} if rules else {}
        return found

    def run(self, name: str) -> Ended:
        """Carry out a job."""
        assert name in self.jobs
        job = self._document[name]
        place = empty_place(self._folder / name, self._remote, self._variables["CI_COMMIT_SHA"], contents="write")
        checkout(place, {})
        setup_python(place, {"python-version": self._document["default"]["image"]})
        shutil.copytree(self._artifacts, place.workspace, dirs_exist_ok=True)
        script = "\n".join([*self._document["default"]["before_script"], *job["script"]])
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=place.workspace,
            env=inherited(place) | {"CI": "true", "GITLAB_CI": "true"} | self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=JOB_MAX_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout + done.stderr, self._keep(job.get("artifacts", {}), place, done))

    def _keep(
        self, artifacts: dict[str, Any], place: Workplace, done: subprocess.CompletedProcess[str]
    ) -> dict[str, str]:
        if done.returncode and artifacts.get("when") != "always":
            return {}
        for name in artifacts.get("paths", []):
            if (place.workspace / name).exists():
                shutil.copy(place.workspace / name, self._artifacts)
        reports = {kind: (place.workspace / name).read_text() for kind, name in artifacts.get("reports", {}).items()}
        self._variables |= dict(line.split("=", 1) for line in reports.get("dotenv", "").splitlines())
        return reports

    def _holds(self, condition: str) -> bool:
        """`$A == $B`, `$A != "text"`, several with `&&`."""
        parts = [_CONDITION.fullmatch(part) for part in condition.split(" && ")]
        assert all(parts), f"cannot read the rule {condition!r}"
        return all((self._value(part[1]) == self._value(part[3])) == (part[2] == "==") for part in parts if part)

    def _value(self, word: str) -> str | None:
        return self._variables.get(word[1:]) if word.startswith("$") else word[1:-1]

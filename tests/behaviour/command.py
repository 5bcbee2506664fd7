"""The real command in a process of its own, as a shell or a CI runner starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.behaviour.warm import READ_AT_START, Warm

ENDS_WITHIN_S: Final = 120.0
WORDS: Final = (sys.executable, "-m", "octoplan")
_KEPT: Final = ("PATH", "COVERAGE_")
"""What a command inherits from the test run; everything else could change its answer (CI, NO_COLOR, OCTOPLAN_…)."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both streams."""
        return self.stdout + self.stderr

    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.stdout)


class Octoplan:
    """
    Runs `python -m octoplan -C <folder> …` without a terminal and with a clean environment.

    A call states the exit code that it expects; a traceback fails the test whatever the code.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.variables = dict(variables or {})
        self.results: list[Result] = []
        self._started: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: str, code: int = 0, variables: Mapping[str, str] | None = None) -> Result:
        """Run a command to its end; `variables` are added to the environment of this call."""
        environment = self.environment(variables)
        if any(name.startswith(READ_AT_START) for name in environment):
            return self.finish(self.start(*arguments, variables=variables), code)
        words = self.words(*arguments)[len(WORDS) :]
        return self._held_against(code, Result(*_warm().run(words, self.folder, environment, ENDS_WITHIN_S)))

    def start(self, *arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command that a test wants to disturb."""
        process = subprocess.Popen(
            self.words(*arguments),
            cwd=self.folder,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], code: int) -> Result:
        """Wait for the end of a started command, and hold it against the exit code that is expected."""
        stdout, stderr = process.communicate(timeout=ENDS_WITHIN_S)
        return self._held_against(code, Result(process.returncode, stdout, stderr))

    def _held_against(self, code: int, result: Result) -> Result:
        self.results.append(result)
        said = f"exit code {result.code}, expected {code}\n{result.output}"
        assert result.code == code, said
        assert "Traceback" not in result.output, said
        return result

    def words(self, *arguments: str) -> list[str]:
        """The command line."""
        return [*WORDS, "-C", str(self.folder), *arguments]

    def environment(self, variables: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a command."""
        return _inherited() | {"HOME": str(self.folder.parent)} | self.variables | dict(variables or {})

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()


@cache
def _warm() -> Warm:
    """One for all tests of this process."""
    return Warm(_inherited())


def end_warm() -> None:
    """At the end of the tests."""
    if _warm.cache_info().currsize:
        _warm().close()
        _warm.cache_clear()


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}

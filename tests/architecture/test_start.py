"""`octoplan --help` answers at once: what it may import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "duckdb",
    "pyarrow",
    "httpx",
    "pydantic",
    "jinja2",
    "rich",
    "starlette",
    "uvicorn",
    "phonenumbers",
    "yaml",
    "holidays",
}


def imported_by(*arguments: str, folder: Path) -> set[str]:
    """The top-level packages that a run imports."""
    words = [sys.executable, "-X", "importtime", "-m", "octoplan", *arguments]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_imports_nothing_heavy(tmp_path: Path, flag: str) -> None:
    """Help and version know the commands without importing one."""
    imported = imported_by(flag, folder=tmp_path)
    assert {"octoplan", "click"} <= imported
    assert imported & HEAVY == set()


def test_the_measure_sees_what_a_command_imports(tmp_path: Path) -> None:
    """The same measure finds pydantic where it is needed."""
    assert {"pydantic", "pydantic_core"} <= imported_by("schema", folder=tmp_path)

"""Servers in processes of their own that end with the tests, however these end: when their standard input closes."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def start_keeper(
    module: str, environment: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Run `module`, which writes a line of JSON when its server answers: the process, and what it wrote."""
    keeper = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[1],
        env=environment,
    )
    atexit.register(keeper.communicate)
    assert keeper.stdout is not None
    line = keeper.stdout.readline()
    assert line, f"{module} did not start; what it said is on standard error"
    return keeper, json.loads(line)

"""The built-in environment `sandbox`: find the local API that runs, or start one for the length of a command."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from octoplan import limits
from octoplan.diagnostics import OctoplanError
from octoplan.values.secret import Secret

API_PATH: Final = "/v1/public"
LOGIN: Final = Secret("sandbox@octoplan.invalid")
KEY: Final = Secret("sandbox-key")
"""Not secret: the sandbox listens on this machine only and sends nothing."""

_READY_FILE: Final = "sandbox.json"
_ASK_TIMEOUT_S: Final = 2.0
_POLL_S: Final = 0.02


def sandbox_folder(root: Path) -> Path:
    """Where the project's sandbox keeps its state."""
    return root / ".octoplan" / "sandbox"


@contextlib.contextmanager
def running_sandbox(root: Path) -> Iterator[str]:
    """
    The URL of the project's sandbox, running at least as long as the context.

    :raises OctoplanError: if it cannot be started.
    """
    folder = sandbox_folder(root)
    url = find_sandbox(folder)
    if url is not None:
        yield url
        return
    with _started(folder) as url:
        yield url


def find_sandbox(folder: Path) -> str | None:
    """The URL of the sandbox that serves `folder` now, if one does."""
    try:
        note = json.loads((folder / _READY_FILE).read_text(encoding="utf-8"))
        health = httpx.get(f"{note['url']}/_sandbox/health", timeout=_ASK_TIMEOUT_S, trust_env=False).json()
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
        return None
    # After a crash the note may be stale and its port somebody else's.
    return str(note["url"]) if health.get("pid") == note.get("pid") else None


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[str]:
    """A child that ends with us, however we end: it watches the pipe that we hold open."""
    command = [sys.executable, "-m", "octoplan.sandbox.server", str(folder), "--until-stdin-closes"]
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C goes to every process of the terminal; the sandbox must outlive the answer we wait for.
        start_new_session=True,
    )
    with child:
        try:
            yield _await_ready(child, folder)
        finally:
            child.terminate()


def _await_ready(child: subprocess.Popen[str], folder: Path) -> str:
    deadline = time.monotonic() + limits.SANDBOX_START_TIMEOUT_S
    while time.monotonic() < deadline:
        if (url := find_sandbox(folder)) is not None:
            return url
        if child.poll() is not None:
            # Somebody else may have started it in the same moment.
            if (url := find_sandbox(folder)) is not None:
                return url
            said = child.stderr.read().strip() if child.stderr else ""
            raise OctoplanError(f"the sandbox could not start: {said or 'it gave no reason'}")
        time.sleep(_POLL_S)
    raise OctoplanError(
        "the sandbox did not start in time", hint=f"look at {folder}, or run `octoplan sandbox` to see why"
    )

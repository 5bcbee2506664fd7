"""
Commands from a process that has the libraries loaded already: each is still a process of its own, with its own folder,
environment and streams, but begins where a fork begins. Most of what a short command costs is loading them.

    python -m tests.behaviour.warm SOCKET
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from octoplan.cli.main import COMMANDS, main

ORDER_BYTES_MAX: Final = 64 * 1024
READ_AT_START: Final = ("PYTHON", "LANG", "LC_", "TZ")
"""Variables that the interpreter reads before any of our code runs begin so: they need a process from the start."""


class Warm:
    """Starts commands by asking a server of its own; the server and all that it started end with `close`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="octoplan-warm-")
        self._path = str(Path(self._folder.name) / "socket")
        words = [sys.executable, "-m", "tests.behaviour.warm", self._path]
        self._server = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, start_new_session=True)
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float
    ) -> tuple[int, str, str]:
        """Run a command to its end: its exit code, and what it wrote to both streams."""
        order = json.dumps([list(arguments), str(folder), dict(environment)]).encode()
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked,
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
        ):
            asked.settimeout(timeout_s)
            asked.connect(self._path)
            socket.send_fds(asked, [order], [stdout.fileno(), stderr.fileno()])
            code = int(asked.recv(16))
            for stream in (stdout, stderr):
                stream.seek(0)
            # Both are text of ours; a line end is what it is.
            return code, stdout.read().decode(), stderr.read().decode()

    def close(self) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.communicate()
        self._folder.cleanup()


def _load() -> None:
    for name in COMMANDS:
        importlib.import_module(f"octoplan.cli.{name}")
    assert threading.active_count() == 1, "a thread would be missing after a fork"


def _serve(path: str) -> tuple[list[str], str, dict[str, str], list[int]]:
    """Returns once for each order, in a process for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            asked, _ = listener.accept()
            with asked:
                if os.fork() == 0:
                    listener.close()
                    return _keep(asked)


def _keep(asked: socket.socket) -> tuple[list[str], str, dict[str, str], list[int]]:
    """Become the process of a command; the one in between waits for its end and tells it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order, streams, _, _ = socket.recv_fds(asked, ORDER_BYTES_MAX, 2)
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    asked.close()
    arguments, folder, environment = json.loads(order)
    return arguments, folder, environment, streams


def _become(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    given = os.open(os.devnull, os.O_RDONLY)
    for number, stream in enumerate([given, *streams]):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = ["octoplan", *arguments]
    again: Any = open
    sys.stdin = again(0, encoding="utf-8", closefd=False)
    sys.stdout = again(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = again(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)


if __name__ == "__main__":
    _load()
    _become(*_serve(sys.argv[1]))
    main()

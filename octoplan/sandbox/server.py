"""
The sandbox as a process: a real socket, one folder of state, and a file that says where it listens.

    python -m octoplan.sandbox.server FOLDER [--port N]

Invariants:
- One server a folder: it holds a lock that the kernel drops with the process, so a crash leaves nothing stale.
- `sandbox.json` is there only after the socket listens, and whole. After `kill -9` it may be left behind; who reads it
  asks `/_sandbox/health` and compares the `pid`.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import socket
import sqlite3
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from octoplan.sandbox.api import Account
from octoplan.sandbox.app import create_app
from octoplan.sandbox.control import PROTOCOL_VERSION
from octoplan.sandbox.store import Store
from octoplan.sandbox.transport import CUT

READY_FILE: Final = "sandbox.json"
LOCK_FILE: Final = "sandbox.lock"
DATABASE: Final = "sandbox.db"
BACKLOG: Final = 128
STOP_TIMEOUT_S: Final = 1
"""How long a request that is being answered may hold up the end of the server."""


class SandboxError(RuntimeError):
    """The sandbox cannot run here; the message says why in one sentence."""


def run_server(
    directory: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    account: Account | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """
    Serve the state in `directory` until SIGTERM or SIGINT, then return. Only in the main thread.

    `port` 0 takes a free one. `on_ready` is called with the URL, such as `http://127.0.0.1:40123`, once it listens.

    :raises SandboxError: if the directory is served already or cannot be used, or the port is taken.
    """
    with _locked(directory), _listening(host, port) as listener, _stored(directory / DATABASE) as store:
        url = _url(host, listener.getsockname()[1])
        ready = directory / READY_FILE
        server = _Server(_config(store, account or Account()), lambda: _announce(ready, url, on_ready))
        try:
            server.run(sockets=[listener])
        finally:
            ready.unlink(missing_ok=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (directory / LOCK_FILE).open("a")
    except OSError as error:
        raise SandboxError(f"The folder {directory} cannot be used: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxError(f"Another sandbox serves {directory} already.") from None
        (directory / READY_FILE).unlink(missing_ok=True)  # left by a crash
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((host, port), backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise SandboxError(f"Cannot listen on {host} port {port}: {error}.") from None
    with listener:
        yield listener


@contextmanager
def _stored(path: Path) -> Iterator[Store]:
    try:
        store = Store(path)
    except (sqlite3.Error, ValueError) as error:
        raise SandboxError(f"The state in {path} cannot be used: {error}.") from None
    with closing(store):
        yield store


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(ready: Path, url: str, on_ready: Callable[[str], None] | None) -> None:
    scratch = ready.with_suffix(".tmp")
    scratch.write_text(json.dumps({"url": url, "pid": os.getpid(), "version": PROTOCOL_VERSION}) + "\n")
    scratch.replace(ready)
    if on_ready is not None:
        on_ready(url)


def _config(store: Store, account: Account) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(store, account),
        http=_CuttableProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


class _Server(uvicorn.Server):
    """Says when it is ready, and returns after a signal instead of raising it again."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in self.server_state.connections:  # which wait for a body, or for a rehearsed delay
            connection.transport.close()
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _CuttableProtocol(H11Protocol):
    """HTTP whose application may reset the connection it was called on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does it only for sockets that name their protocol; without it an answer in two writes takes 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app: Any = self.app

        async def cuttable(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "extensions": {CUT: lambda: _reset(transport)}}, receive, send)

        self.app = cuttable


def _reset(transport: asyncio.Transport) -> None:
    """Drop the connection with a TCP reset, as a crashed peer would, instead of an orderly end."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _stop_at_end_of_input() -> None:
    """For a server that must not outlive whoever started it: their end of the pipe closes even with `kill -9`."""

    def watch() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would be held when the interpreter ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 after a signal, 1 with a sentence on stderr if it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m octoplan.sandbox.server", description="A local Octopush.")
    parser.add_argument("directory", type=Path, help="where the state is kept; made if it does not exist")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: only this machine)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--login", default=Account().login, help="the api-login to ask for")
    parser.add_argument("--key", default=Account().key, help="the api-key to ask for")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop with the process that started it")
    given = parser.parse_args(arguments)
    if given.until_stdin_closes:
        _stop_at_end_of_input()
    try:
        run_server(given.directory, given.host, given.port, account=Account(given.login, given.key), on_ready=_say)
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

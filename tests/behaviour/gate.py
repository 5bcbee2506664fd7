"""
A relay between the command and the sandbox that holds one exchange where a test wants it.

With it a test knows what is going on at the moment it sends a signal: no sleep, no race.
"""

from __future__ import annotations

import http.client
import threading
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

WAITS_AT_MOST_S: Final = 60.0
_NOT_RELAYED: Final = frozenset({"host", "connection", "transfer-encoding", "content-length", "date", "server"})


class Moment(StrEnum):
    """Where an exchange can be held."""

    PRICE = "price"  # a simulated request, before the API sees it
    REQUEST = "request"  # a real send, before the API sees it
    WALLET = "wallet"  # a question for the balance
    ANSWER = "answer"  # a real send that the API has obeyed, before the client hears of it


class Lost(Exception):
    """The exchange is not carried on."""


class Gate:
    """Relays everything to `upstream`, a URL such as `http://127.0.0.1:40123`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self._armed: Moment | None = None
        self._next: Moment | None = None
        self._held = threading.Event()
        self._free = threading.Event()
        self._holding: threading.Thread | None = None
        self._lost = False
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}/v1/public"

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold(self, moment: Moment, then: Moment | None = None) -> None:
        """Hold the next exchange that comes to `moment`, after its release one at `then`; all others pass."""
        self._next = then
        self._held.clear()
        self._free.clear()
        self._lost = False
        self._armed = moment

    def await_held(self) -> None:
        """Return when the exchange is held."""
        assert self._held.wait(WAITS_AT_MOST_S), "nothing came to the gate"

    def release(self) -> None:
        """Let the held exchange go on."""
        free = self._free
        if self._next is not None:
            self._held, self._free = threading.Event(), threading.Event()
            self._armed, self._next = self._next, None
        free.set()

    def release_and_await(self) -> None:
        """Let the held exchange go on, and return when it is over: nothing of it arrives later than that."""
        holding = self._holding
        self.release()
        assert holding is not None
        holding.join(WAITS_AT_MOST_S)
        assert not holding.is_alive(), "the exchange did not end"

    def drop(self) -> None:
        """Close the held connection: a request is lost, or an answer."""
        self._lost = True
        self._armed = None
        self._free.set()

    def come_to(self, moment: Moment) -> None:
        """Called for every exchange. :raises Lost: if this one was held and is not to go on."""
        if self._armed is not moment:
            return
        self._armed, free = None, self._free
        self._holding = threading.current_thread()
        self._held.set()
        assert free.wait(WAITS_AT_MOST_S), "the test forgot to release"
        if self._lost:
            raise Lost

    def ask_upstream(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the API's answer."""
        connection = http.client.HTTPConnection(self.upstream, timeout=WAITS_AT_MOST_S)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in _NOT_RELAYED}
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing to say: a killed client or a reset connection is what the tests are about."""


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            gate.come_to(Moment.WALLET)
            self.relay(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if b'"simulation_mode":true' in body:
                gate.come_to(Moment.PRICE)
                self.relay(body)
            else:
                gate.come_to(Moment.REQUEST)
                self.relay(body, Moment.ANSWER)

        def relay(self, body: bytes, then: Moment | None = None) -> None:
            status, headers, content = gate.ask_upstream(self, body)
            if then is not None:
                gate.come_to(then)
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _NOT_RELAYED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *values: Any) -> None:
            pass

    return Handler

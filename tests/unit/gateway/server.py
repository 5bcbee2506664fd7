"""A server of raw bytes on a real socket, to do to a client what no well-behaved server does."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

ACCEPTED: Final = b'{"sms_ticket":"sms_5f3fbce61266e","number_of_contacts":1,"total_cost":5.00502839}'
_POLL_S: Final = 0.05
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    head: str
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split("\r\n")[0]

    @property
    def headers(self) -> dict[str, str]:
        pairs = (line.split(": ", 1) for line in self.head.split("\r\n")[1:])
        return {name.lower(): value for name, value in pairs}


@dataclass
class Server:
    """What a test sees of its server: where it is and what it got."""

    port: int
    stopping: threading.Event = field(default_factory=threading.Event)
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/public"

    def read(self, connection: socket.socket) -> Received | None:
        """One whole request, or `None` if the client closed first."""
        got = b""
        while b"\r\n\r\n" not in got:
            piece = connection.recv(65536)
            if not piece:
                return None
            got += piece
        head, body = got.split(b"\r\n\r\n", 1)
        received = Received(head.decode("latin-1"), body)
        length = int(received.headers.get("content-length", 0))
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(Received(received.head, body))
        return self.requests[-1]


Behaviour = Callable[[Server, socket.socket], None]


def response(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(raw: bytes) -> Behaviour:
    """Read the request, write exactly these bytes, close."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(raw)

    return behave


def answers(status: int, body: bytes = b"", *headers: str) -> Behaviour:
    """Read the request and answer it in full."""
    return says(response(status, body, *headers))


def keeps_alive(server: Server, connection: socket.socket) -> None:
    """Answer one request after the other for as long as the client leaves the connection open."""
    while server.read(connection):
        connection.sendall(response(201, ACCEPTED, "Set-Cookie: session=1; Path=/", "Connection: keep-alive"))


def speaks_first(server: Server, connection: socket.socket) -> None:
    """Write plain HTTP at once: to a client that wants TLS this is rubbish."""
    connection.sendall(response(201, ACCEPTED))
    while connection.recv(65536):
        pass


def stays_silent(server: Server, connection: socket.socket) -> None:
    """Read everything, answer nothing, until the client gives up."""
    server.read(connection)
    while connection.recv(65536):
        pass


def resets_unread(server: Server, connection: socket.socket) -> None:
    """Reset the connection after the first byte of the request."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def resets_after_reading(server: Server, connection: socket.socket) -> None:
    """Take the whole request, then reset: the API may have sent."""
    server.read(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def drips(start: bytes, piece: bytes, end: bytes) -> Behaviour:
    """Write a good answer so slowly that it takes ten seconds, but never pause for long."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(start)
        for _ in range(500):
            if server.stopping.wait(0.02):
                return
            connection.sendall(piece)
        connection.sendall(end)

    return behave


@contextlib.contextmanager
def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve one connection at a time on a free port of this machine until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_POLL_S)
        server = Server(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, listener, behave, tls))
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            thread.join()


def _serve(server: Server, listener: socket.socket, behave: Behaviour, tls: ssl.SSLContext | None) -> None:
    while not server.stopping.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        server.connections += 1
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                behave(server, connection)


def unused_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port

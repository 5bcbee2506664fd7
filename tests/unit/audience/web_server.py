"""A server on a socket that says whatever a test wants, also what no server should."""

from __future__ import annotations

import socket
import ssl
import threading

LIST = b"mobile\n0612340001\n0612340002\n"


class Server:
    """
    Gives each connection the next of `answers`, the last one ever again, and, if it is to be slow, a byte more now and
    then.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: list[bytes] = []
        self.drips = False
        self.requests: list[bytes] = []
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def address(self, name: str) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self._socket.getsockname()[1]}/lists/{name}"

    def says(self, body: bytes = LIST, *, status: str = "200 OK", headers: str | None = None) -> None:
        about = f"Content-Length: {len(body)}\r\n" if headers is None else headers
        self.answers = [f"HTTP/1.1 {status}\r\n{about}\r\n".encode() + body]

    def close(self) -> None:
        self._over.set()
        with socket.create_connection(self._socket.getsockname()):
            pass
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if self._over.is_set():
                    return
                try:
                    with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as stream:
                        self._answer(stream)
                except OSError:
                    pass  # the other side has had enough

    def _answer(self, stream: socket.socket) -> None:
        self.requests.append(stream.recv(65_536))
        stream.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        while self.drips and not self._over.wait(0.02):
            stream.sendall(b"x")

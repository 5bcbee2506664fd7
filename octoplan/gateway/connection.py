"""
One request, one answer, over one fresh connection, bounded in time and size.

Invariants:
- No connection is used twice: a stale one that breaks is exactly the "did it arrive?" case that must not happen.
- Nothing is followed, remembered or decided by the environment: no redirects, no cookies, no proxy variables.
- A request ends within its time, however slowly the other side drips its bytes.
- Credentials are read from their wrapper only to be put into the headers of one request.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpcore
import httpx

from octoplan import __version__
from octoplan.diagnostics import InvalidInput
from octoplan.limits import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    REQUEST_TIME_MAX_S,
    RESPONSE_BYTES_MAX,
    WRITE_TIMEOUT_S,
)
from octoplan.values.secret import Secret

_PORT_MAX: Final = 65535
_HOST: Final = re.compile(r"[0-9A-Za-z._:-]+")
"""A name or an address; httpx lets some hosts through that no resolver knows what to do with."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect (TLS included), for one write, for one read, and for the whole request once connected."""

    connect_s: float = CONNECT_TIMEOUT_S
    write_s: float = WRITE_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    request_s: float = REQUEST_TIME_MAX_S

    def as_extension(self) -> dict[str, float]:
        """As httpx hands them to its transport."""
        return {"connect": self.connect_s, "write": self.write_s, "read": self.read_s, "pool": self.connect_s}


DEFAULT_TIMEOUTS: Final = Timeouts()


class Answer(NamedTuple):
    """What came back, whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerTooLong(Exception):
    """The answer has more bytes than any that is right; the rest was not read."""


class Connection:
    """
    The way to one API: its base URL and the account.

    Nothing stays open between two requests, so there is nothing to close. Threads may share one.

    :raises InvalidInput: if the endpoint, the proxy or a credential cannot be used. No message shows any of them.
    """

    def __init__(
        self,
        endpoint: str,
        login: Secret,
        key: Secret,
        *,
        proxy: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base = _require_endpoint(endpoint)
        self._login = _require_header_text(login, "login")
        self._key = _require_header_text(key, "key")
        self._timeouts = timeouts
        self._transport = transport or FreshTransport(_require_proxy(proxy), timeouts.request_s)

    @property
    def host(self) -> str:
        """Which machine is asked, for messages."""
        return self._base.host

    def ask(
        self, method: str, path: str, *, content: bytes | None = None, params: tuple[tuple[str, str], ...] = ()
    ) -> Answer:
        """
        Send one request and read its answer; `path` starts with a slash and is joined to the endpoint's own.

        The transport is used without httpx's client on purpose: a client would look at redirects, whose broken
        addresses raise the same errors as a request that never left.

        :raises AnswerTooLong: if it is longer than any answer of the API.
        :raises httpx.HTTPError: and others, all of which `outcomes.classify_error` explains.
        """
        request = httpx.Request(
            method,
            self._base.copy_with(path=self._base.path.rstrip("/") + path),
            params=params,
            headers=self._headers(),
            content=content,
            extensions={"timeout": self._timeouts.as_extension()},
        )
        response = self._transport.handle_request(request)
        try:
            body = read_bounded(response)
        finally:
            response.close()
        return Answer(response.status_code, dict(response.headers.items()), body)

    def _headers(self) -> dict[str, str]:
        return {
            "api-login": self._login.reveal(),
            "api-key": self._key.reveal(),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"octoplan/{__version__}",
            "Connection": "close",
        }


def read_bounded(response: httpx.Response, bytes_max: int = RESPONSE_BYTES_MAX) -> bytes:
    """
    The body of an answer, whole.

    :raises AnswerTooLong: if it has more bytes.
    """
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > bytes_max:
            raise AnswerTooLong
    return bytes(body)


class FreshTransport(httpx.HTTPTransport):
    """httpx's transport over connections that serve one request and live no longer than it may last."""

    def __init__(self, proxy: httpx.Proxy | None, request_s: float) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        super().__init__(trust_env=False, limits=limits, proxy=proxy)
        # httpcore takes a network backend, but httpx has no argument to pass one on.
        self._pool._network_backend = _BoundedBackend(request_s)  # noqa: SLF001


class _BoundedBackend(httpcore.SyncBackend):
    """TCP connections that end `request_s` seconds after they were opened."""

    def __init__(self, request_s: float) -> None:
        self._request_s = request_s

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _BoundedStream(stream, time.monotonic() + self._request_s)


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose every operation gets at most the time that is left; the error says which one was late."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._time_left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._time_left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            left = self._time_left(timeout, httpcore.ConnectTimeout)
        except httpcore.ConnectTimeout:
            self.close()  # httpcore leaves this to the stream whose TLS failed
            raise
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _time_left(self, timeout: float | None, late: type[Exception]) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise late
        return left if timeout is None else min(left, timeout)


def _require_endpoint(text: str) -> httpx.URL:
    """The base URL, proved usable here, so that no odd one fails in the middle of a send."""
    try:
        url = httpx.URL(text)
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise _unusable("endpoint", "it is not a URL") from None
    if not _is_reachable(url):
        raise _unusable("endpoint", "it is not an http or https URL with a host")
    if url.userinfo or url.query or url.fragment:
        raise _unusable("endpoint", "it has a user, a query or a fragment")
    return url


def _require_proxy(text: str | None) -> httpx.Proxy | None:
    if text is None:
        return None
    try:
        proxy = httpx.Proxy(text)
    except (httpx.InvalidURL, ValueError):
        raise _unusable("proxy", "it is not a URL") from None
    if not _is_reachable(proxy.url):
        raise _unusable("proxy", "it is not an http or https URL with a host")
    return proxy


def _is_reachable(url: httpx.URL) -> bool:
    host = url.raw_host.decode("ascii")
    return url.scheme in ("http", "https") and bool(_HOST.fullmatch(host)) and (url.port or 1) <= _PORT_MAX


def _require_header_text(secret: Secret, name: str) -> Secret:
    """A line break in a header would be refused by the HTTP library, in an error that shows the value."""
    text = secret.reveal()
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise InvalidInput(
            f"The account's {name} is empty, or has spaces around it or characters that no header can carry.",
            hint="Look for a line break at the end of the variable that `credentials` refers to.",
        )
    return secret


def _unusable(field: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"The environment's `{field}` cannot be used: {why}.",
        hint="An example is https://api.octopush.com/v1/public" if field == "endpoint" else None,
    )

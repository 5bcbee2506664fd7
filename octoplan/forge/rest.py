"""
One request to a forge's API, over one fresh connection.

Invariants:
- The token goes over https only, besides to this machine, and nowhere but into one header; no error shows it.
- No redirect is followed, and no proxy or certificate is taken from variables of the machine.
- What may succeed later is `Again`, with the time that the forge asks for; whoever asked decides whether to repeat it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from octoplan import __version__
from octoplan.diagnostics import InvalidInput, OctoplanError
from octoplan.gateway.connection import AnswerTooLong, FreshTransport, Timeouts, read_bounded
from octoplan.limits import FORGE_REQUEST_TIME_MAX_S, FORGE_RESPONSE_BYTES_MAX, FORGE_WAIT_MAX_S
from octoplan.values.secret import Secret
from octoplan.values.web_address import LOOPBACK

_TOO_MANY: Final = 429
_FORBIDDEN: Final = 403
_SERVER_ERROR: Final = 500


class Again(Exception):
    """The forge could not answer now; `wait_s` is how long it asks to wait, `None` if it does not say."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer; `None` for a body that is no JSON."""

    status: int
    document: Any

    @property
    def is_good(self) -> bool:
        """Whether the forge did what was asked."""
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """The forge's own words, short; the empty text if it has none."""
        found = self.document.get("message") if isinstance(self.document, dict) else None
        return found[:200] if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class Api:
    """A forge's REST API: its name for messages, its base URL, and the header that holds the token."""

    name: str
    base: str
    header: str
    token: Secret
    headers: Mapping[str, str] = field(default_factory=dict)
    # It keeps no connection, so there is nothing to close.
    _transport: FreshTransport = field(
        default_factory=lambda: FreshTransport(None, FORGE_REQUEST_TIME_MAX_S), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """
        Check that the token can travel.

        :raises InvalidInput: if the URL is not https (besides on this machine), or the token is no header's text.
        """
        try:
            url = httpx.URL(self.base)
        except httpx.InvalidURL:
            raise InvalidInput(f"the address of {self.name}'s API is no URL") from None
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            raise InvalidInput(f"the address of {self.name}'s API is not https://, so no token is sent there")
        text = self.token.reveal()
        if not text.isascii() or not text.isprintable() or text != text.strip():
            raise InvalidInput(
                f"the token for {self.name} has spaces around it, or characters that no header can carry"
            )

    def ask(
        self, method: str, path: str, *, params: Mapping[str, int] | None = None, body: str | None = None
    ) -> Answer:
        """
        Send one request; `path` begins with `/` and is put behind the base, `body` is the text of a comment.

        :raises Again: if there was no answer, or one that says to come back.
        :raises OctoplanError: if it asks to wait longer than is waited for.
        """
        request = httpx.Request(
            method,
            self.base.rstrip("/") + path,
            params=params,
            headers={**self.headers, **self._own_headers()},
            json=None if body is None else {"body": body},
            extensions={"timeout": Timeouts(request_s=FORGE_REQUEST_TIME_MAX_S).as_extension()},
        )
        try:
            response = self._transport.handle_request(request)
            try:
                content = read_bounded(response, FORGE_RESPONSE_BYTES_MAX)
            finally:
                response.close()
        except (httpx.HTTPError, AnswerTooLong) as error:
            raise Again(f"{self.name} could not be asked ({type(error).__name__})") from None
        self._require_now(response)
        return Answer(response.status_code, _document(content))

    def _own_headers(self) -> dict[str, str]:
        return {
            self.header: self.token.reveal(),
            "Accept-Encoding": "identity",
            "User-Agent": f"octoplan/{__version__}",
            "Connection": "close",
        }

    def _require_now(self, response: httpx.Response) -> None:
        wait_s = _asked_wait(response.headers)
        is_limited = response.status_code == _TOO_MANY or (response.status_code == _FORBIDDEN and wait_s is not None)
        if not is_limited and response.status_code < _SERVER_ERROR:
            return
        if wait_s is not None and wait_s > FORGE_WAIT_MAX_S:
            raise OctoplanError(
                f"{self.name} asks to wait {wait_s:.0f} s, which is not waited for", hint="run the job again later"
            )
        raise Again(f"{self.name} answers {response.status_code}", wait_s)


def _asked_wait(headers: httpx.Headers) -> float | None:
    """Seconds to wait, from `Retry-After` or the reset of an empty rate limit; `None` if neither says."""
    try:
        if "retry-after" in headers:
            return max(0.0, float(headers["retry-after"]))
        if headers.get("x-ratelimit-remaining") == "0":
            return max(0.0, float(headers["x-ratelimit-reset"]) - time.time())
    except (KeyError, ValueError):
        return None
    return None


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None

"""What the API and the control endpoints share of HTTP: bounded bodies, exact JSON, answers that never come."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from octoplan.sandbox.exact import write_json
from octoplan.sandbox.rules import BODY_TOO_LARGE

BODY_BYTES_MAX: Final = 2 * 1024 * 1024
"""500 contacts with seven merge values of 50 characters of four bytes are under 1 MB."""
CUT: Final = "octoplan.cut"
"""The name of the ASGI extension, set by the server, that resets the connection."""


async def read_body(request: Request) -> bytes:
    """
    The whole body.

    :raises Refusal: 400 with status 413 over `BODY_BYTES_MAX`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BODY_TOO_LARGE.refusal()
    return bytes(body)


def json_response(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    """An answer in exact JSON; `None` for no body at all."""
    if body is None:
        return Response(status_code=status, headers=headers)
    return Response(write_json(body), status, headers, media_type="application/json")


class CutResponse(Response):
    """No answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Reset the connection and wait until the server has noticed."""
        scope["extensions"][CUT]()
        await until_disconnected(receive)


async def until_disconnected(receive: Receive) -> None:
    """Wait until the client is gone; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass

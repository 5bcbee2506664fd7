"""The sandbox as an ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount

from octoplan.sandbox.api import Account, Api
from octoplan.sandbox.clock import MovableClock
from octoplan.sandbox.control import Control
from octoplan.sandbox.faults import FaultQueue
from octoplan.sandbox.service import Octopush
from octoplan.sandbox.store import Store
from octoplan.sandbox.transport import json_response


def create_app(store: Store, account: Account) -> Starlette:
    """
    The API and its control endpoints over one store.

    The faults that cut a connection need the ASGI extension of `server.py`.
    """
    octopush, faults = Octopush(store, MovableClock(store)), FaultQueue()
    app = Starlette(
        routes=[
            Mount("/v1/public", routes=Api(octopush, account, faults).routes()),
            Mount("/_sandbox", routes=Control(octopush, faults).routes()),
        ],
        exception_handlers={HTTPException: _answer_in_json, ClientDisconnect: _answer_nobody},
    )
    app.router.redirect_slashes = False
    return app


async def _answer_in_json(_request: Request, error: Exception) -> Response:
    """Unknown routes and wrong methods, in the form of the API's own refusals."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    return json_response(error.status_code, {"code": error.status_code, "message": error.detail}, headers)


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """A client that left before its request was whole: nothing to do, and nothing to log."""
    return Response(status_code=400)

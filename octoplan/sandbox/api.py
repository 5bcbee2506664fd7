"""The routes under `/v1/public`: credentials, content type, faults; everything else is `service.py`."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from octoplan.sandbox.exact import write_json
from octoplan.sandbox.faults import Fault, FaultQueue
from octoplan.sandbox.rules import CREDENTIALS, PAYLOAD, Refusal
from octoplan.sandbox.service import Answer, Octopush
from octoplan.sandbox.transport import CutResponse, json_response, read_body, until_disconnected

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
WRONG_COST: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Account:
    """The login and key that the sandbox asks for."""

    login: str = "sandbox@octoplan.invalid"
    key: str = field(default="sandbox-key", repr=False)

    def matches(self, login: str, key: str) -> bool:
        """Whether these are the credentials."""
        return hmac.compare_digest(f"{login}\0{key}".encode(), f"{self.login}\0{self.key}".encode())


@dataclass(frozen=True, slots=True)
class Api:
    """The public endpoints of one account."""

    octopush: Octopush
    account: Account
    faults: FaultQueue

    def routes(self) -> list[Route]:
        """What to mount under `/v1/public`."""
        return [
            Route("/sms-campaign/send", self._guarded(self.send), methods=["POST"]),
            Route("/sms-campaign/cancel", self._guarded(self.cancel), methods=["DELETE"]),
            Route("/sms-campaign/draft", self._guarded(self.draft), methods=["GET"]),
            Route("/wallet/check-balance", self._guarded(self.check_balance), methods=["GET"]),
            Route("/wallet/check-credits", self._guarded(self.check_credits), methods=["GET"]),
        ]

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            try:
                self._require_credentials(request)
                return await endpoint(request)
            except Refusal as refusal:
                return _respond(self.octopush.refuse(refusal))

        return guarded

    def _require_credentials(self, request: Request) -> None:
        if not self.account.matches(request.headers.get("api-login", ""), request.headers.get("api-key", "")):
            raise CREDENTIALS.refusal()

    async def send(self, request: Request) -> Response:
        """Send, unless a fault waits for this request."""
        body = await _read_json_body(request)
        fault = self.faults.take(body)
        if fault is None:
            return _respond(self._obey(body))
        return await self._play(fault, body, request)

    def _obey(self, body: bytes) -> Answer:
        return self.octopush.send(body, ignore_simulation=self.faults.ignore_simulation)

    async def _play(self, fault: Fault, body: bytes, request: Request) -> Response:
        """Let the fault happen. Before the first `await` the request is obeyed or not, once and for all."""
        if fault.kind == "reset_before":
            return CutResponse()
        if fault.kind == "refuse":
            return json_response(fault.status or 400, {"code": fault.code, "message": fault.message})
        if fault.kind == "status" and not fault.process:
            return _error_page(fault)
        answer = self._obey(body)
        match fault.kind:
            case "reset_after":
                return CutResponse()
            case "status":
                return _error_page(fault)
            case "truncate":
                return _truncated(answer)
            case "delay":
                await _wait(request, float(fault.delay_s))
            case "wrong_count" | "wrong_cost":
                return _respond(_falsified(answer, fault.kind))
        return _respond(answer)

    async def cancel(self, request: Request) -> Response:
        """Cancel a scheduled campaign."""
        return _respond(self.octopush.cancel(await _read_json_body(request)))

    async def draft(self, _request: Request) -> Response:
        """Read the draft."""
        return _respond(self.octopush.draft())

    async def check_balance(self, request: Request) -> Response:
        """Read the balance."""
        query = request.query_params
        details = query.get("with_details", "false") in ("1", "true", "True")
        return _respond(
            self.octopush.check_balance(query.get("country_code"), query.get("product_name"), with_details=details)
        )

    async def check_credits(self, request: Request) -> Response:
        """Read what the balance buys."""
        return _respond(self.octopush.check_credits(request.query_params.getlist("country_codes[]")))


def _respond(answer: Answer) -> Response:
    return json_response(answer.status, answer.body)


async def _read_json_body(request: Request) -> bytes:
    body = await read_body(request)
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if kind.strip() != "application/json" or parameters.strip().strip('"') not in ("", "charset=utf-8"):
        raise PAYLOAD.refusal("the Content-Type is not application/json in UTF-8.")
    return body


def _error_page(fault: Fault) -> Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Response(fault.body, fault.status or 503, headers, media_type="text/html")


def _truncated(answer: Answer) -> Response:
    """Well-formed HTTP around half of the JSON."""
    whole = write_json(answer.body)
    return Response(whole[: len(whole) // 2], answer.status, media_type="application/json")


def _falsified(answer: Answer, kind: str) -> Answer:
    body = dict(answer.body or {})
    if kind == "wrong_count" and "number_of_contacts" in body:
        body["number_of_contacts"] -= 1
    if kind == "wrong_cost" and "total_cost" in body:
        body["total_cost"] += WRONG_COST
    return Answer(answer.status, body)


async def _wait(request: Request, seconds: float) -> None:
    """Wait, but not for a client that has gone."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until_disconnected(request.receive)

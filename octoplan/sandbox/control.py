"""
The routes under `/_sandbox`: what a test or a person asks the judge, and how they move its world.

Invariant: only the machine itself is answered, since the inbox holds whole phone numbers and texts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from octoplan.sandbox.exact import read_json
from octoplan.sandbox.faults import FaultQueue, parse_fault
from octoplan.sandbox.reading import parse_time
from octoplan.sandbox.rules import Refusal
from octoplan.sandbox.service import Octopush
from octoplan.sandbox.store import Filter, Record
from octoplan.sandbox.transport import json_response, read_body

Command = Callable[[Any], dict[str, Any]]
Question = Callable[[Request], dict[str, Any]]
PROTOCOL_VERSION: Final = 1
PAGE_MAX: Final = 10_000
AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?")
RECEIPT_ZONE: Final = ZoneInfo("Europe/Paris")
"""Octopush's receipts have dates without a zone; presumably French time."""


@dataclass(frozen=True, slots=True)
class Control:
    """The operator's endpoints."""

    octopush: Octopush
    faults: FaultQueue

    def routes(self) -> list[Route]:
        """What to mount under `/_sandbox`."""
        return [
            Route("/health", _question(self.health), methods=["GET"]),
            Route("/accepted", _question(self.accepted), methods=["GET"]),
            Route("/accepted/summary", _question(self.summary), methods=["GET"]),
            Route("/receipts", _question(self.receipts), methods=["GET"]),
            Route("/stats", _question(self.stats), methods=["GET"]),
            Route("/clock", _question(self.read_clock), methods=["GET"]),
            Route("/clock", _command(self.move_clock), methods=["POST"]),
            Route("/balance", _command(self.set_balance), methods=["POST"]),
            Route("/blacklist", _command(self.add_to_blacklist), methods=["POST"]),
            Route("/faults", _question(self.read_faults), methods=["GET"]),
            Route("/faults", _command(self.add_faults), methods=["POST"]),
            Route("/reset", _command(self.reset), methods=["POST"]),
        ]

    def health(self, request: Request) -> dict[str, Any]:
        """Who answers here."""
        return {
            "name": "octoplan-sandbox",
            "version": PROTOCOL_VERSION,
            "url": str(request.base_url).rstrip("/").removesuffix("/_sandbox"),
            "pid": os.getpid(),
            "accepted": self.octopush.store.counters().get("accepted", 0),
        }

    def accepted(self, request: Request) -> dict[str, Any]:
        """A page of the inbox: who got what. `next` is the `after` of the next page, `None` at the end."""
        now = self.octopush.clock.now()
        records, following = self._page(request)
        return {"messages": [_message(record, now) for record in records], "next": following}

    def receipts(self, request: Request) -> dict[str, Any]:
        """A page of delivery receipts, in the API's form, of all premium messages that have left."""
        now = self.octopush.clock.now()
        records, following = self._page(request)
        return {"receipts": [_receipt(record) for record in records if _has_receipt(record, now)], "next": following}

    def _page(self, request: Request) -> tuple[list[Record], int | None]:
        query = dict(request.query_params)
        after, limit = int(query.pop("after", "0")), int(query.pop("limit", str(PAGE_MAX)))
        if not 1 <= limit <= PAGE_MAX or not set(query) <= {"ticket", "request_id", "number"}:
            raise ValueError(f"ticket, request_id, number, after, limit (1 to {PAGE_MAX}) are what can be asked")
        records = self.octopush.store.records(Filter(**query), after=after, limit=limit)
        return records, records[-1].id if len(records) == limit else None

    def summary(self, _request: Request) -> dict[str, Any]:
        """The verdict in six figures; cancelled campaigns count in `cancelled_requests` alone."""
        store = self.octopush.store
        messages, recipients = store.message_counts()
        costs = store.campaign_costs(cancelled=False)
        return {
            "messages": messages,
            "distinct_recipients": recipients,
            "requests": len(costs),
            "duplicates": store.duplicates(),
            "cost": sum(costs, Decimal(0)),
            "cancelled_requests": len(store.campaign_costs(cancelled=True)),
        }

    def stats(self, _request: Request) -> dict[str, Any]:
        """How requests ended."""
        counters = self.octopush.store.counters()
        refused = {
            name.removeprefix("refused "): count for name, count in counters.items() if name.startswith("refused ")
        }
        return {
            "real_sends": counters.get("accepted", 0),
            "simulated_sends": counters.get("simulated", 0),
            "refused": sum(refused.values()),
            "refused_by_code": refused,
        }

    def read_clock(self, _request: Request) -> dict[str, Any]:
        """What time it is here."""
        return {"now": self.octopush.clock.now().isoformat()}

    def move_clock(self, given: Any) -> dict[str, Any]:
        """`advance_s` (negative goes back), `now` (ISO 8601 with an offset), or `reset`."""
        match given:
            case {"advance_s": int() | Decimal() as seconds, **rest} if not rest and not isinstance(seconds, bool):
                self.octopush.clock.advance(timedelta(microseconds=int(seconds * 1_000_000)))
            case {"now": str() as now, **rest} if not rest:
                self.octopush.clock.set(parse_time(now))
            case {"reset": True, **rest} if not rest:
                self.octopush.clock.reset()
            case _:
                raise ValueError('one of {"advance_s": 60}, {"now": "2027-03-20T10:00:00+01:00"}, {"reset": true}')
        return {"now": self.octopush.clock.now().isoformat()}

    def set_balance(self, given: Any) -> dict[str, Any]:
        """Put an amount in the wallet, as text."""
        match given:
            case {"amount": str() as amount, **rest} if not rest and AMOUNT.fullmatch(amount):
                self.octopush.store.set_balance(Decimal(amount))
            case _:
                raise ValueError('{"amount": "100.00"}: up to 12 digits, and 8 after the point')
        return {"amount": self.octopush.store.balance()}

    def add_to_blacklist(self, given: Any) -> dict[str, Any]:
        """Let numbers opt out."""
        match given:
            case {"numbers": [*numbers], **rest} if not rest and all(isinstance(n, str) for n in numbers):
                with self.octopush.store.transaction():
                    self.octopush.store.add_to_blacklist(numbers)
            case _:
                raise ValueError('{"numbers": ["+33…"]}')
        return {"blacklisted": self.octopush.store.blacklist_size()}

    def read_faults(self, _request: Request) -> dict[str, Any]:
        """The mishaps still to come."""
        return {"waiting": self.faults.waiting(), "ignore_simulation": self.faults.ignore_simulation}

    def add_faults(self, given: Any) -> dict[str, Any]:
        """One fault or a list of them; `{"clear": true}` for none; `ignore_simulation` is a mode, on or off."""
        match given:
            case {"clear": True}:
                self.faults.clear()
            case {"kind": "ignore_simulation", "on": bool() as on}:
                self.faults.ignore_simulation = on
            case _:
                for fault in [parse_fault(one) for one in (given if isinstance(given, list) else [given])]:
                    self.faults.add(fault)
        return {"waiting": self.faults.waiting(), "ignore_simulation": self.faults.ignore_simulation}

    def reset(self, _given: Any) -> dict[str, Any]:
        """Everything as on the first day: inbox, wallet, clock, blacklist, counters, faults."""
        self.octopush.store.clear()
        self.faults.clear()
        return {}


def _message(record: Record, now: datetime) -> dict[str, Any]:
    return {
        "number": record.number,
        "text": record.text,
        "ticket": record.ticket,
        "request_id": record.request_id,
        "type": record.type,
        "sender": record.sender,
        "accepted_at": record.accepted_at.isoformat(),
        "send_at": record.due_at.isoformat() if record.scheduled else None,
        "parts": record.parts,
        "cost": record.cost,
        "status": _status(record, now),
    }


def _status(record: Record, now: datetime) -> str:
    if record.cancelled_at is not None:
        return "cancelled"
    if record.due_at > now:
        return "scheduled"
    return "blacklisted" if record.blacklisted else "delivered"


def _has_receipt(record: Record, now: datetime) -> bool:
    """Octopush sends receipts for premium messages only."""
    return record.type == "sms_premium" and _status(record, now) in ("delivered", "blacklisted")


def _receipt(record: Record) -> dict[str, Any]:
    return {
        "message_id": record.ticket,
        "number": record.number,
        "status": "BLACKLISTED_NUMBER" if record.blacklisted else "DELIVERED",
        "delivery_date": record.due_at.astimezone(RECEIPT_ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        "channel": "sms",
        "meta_data": None,
    }


def _question(answer: Question) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def endpoint(request: Request) -> Response:
        return _attempt(request, lambda: answer(request))

    return endpoint


def _command(obey: Command) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await read_body(request)
        except Refusal as refusal:
            return json_response(refusal.status, {"code": refusal.code, "message": refusal.message})
        return _attempt(request, lambda: obey(read_json(body or b"{}")))

    return endpoint


def _attempt(request: Request, act: Callable[[], dict[str, Any]]) -> Response:
    if not _is_local(request):
        return json_response(403, {"code": 403, "message": "The control endpoints answer only this machine."})
    try:
        return json_response(200, act())
    except (ValueError, OverflowError) as error:
        return json_response(400, {"code": 400, "message": str(error)})


def _is_local(request: Request) -> bool:
    """From this machine, and by a name of it: a web page elsewhere could point its own name here."""
    named = request.url.hostname or ""
    return request.client is not None and _is_loopback(request.client.host) and _is_loopback(named)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

"""
The port to the SMS API: what is asked of it and what can come back.

A send answers with one of five outcomes and never raises for anything that the network or the API can do:
`Accepted`, `Refused` (it said no), `Duplicate` (it says that it has seen this request id), `NotSent` (safe to try
again), `Unknown` (it may have been accepted).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol


class RefusalClass(StrEnum):
    """What a refusal asks for; the classes of the API's codes are data in `codes.py`."""

    FILE = "file"  # fix the campaign
    ACCOUNT = "account"  # fix the account, its rights or the credentials
    FUNDS = "funds"  # add credit, then resume
    DUPLICATE = "duplicate"  # the request id or batch was seen before
    RETRY = "retry"  # refused now, may pass later
    UNCLEAR = "unclear"  # refused with a code whose meaning is not known: stop and ask a person


@dataclass(frozen=True, slots=True)
class Accepted:
    """The API took it. `cost` is exact, in the account's own unit; `None` where the answer had no readable figure."""

    ticket: str
    contacts: int | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The API said no: certainly not sent. `message` is the API's own, digits of phone numbers masked."""

    code: int
    message: str
    kind: RefusalClass
    hint: str
    status: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The API has seen this request id (codes 120, 132, 133, 182). What that proves depends on our journal."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """It failed before the request left, or was throttled (429): safe to repeat. `retry_after_s` if it was named."""

    reason: str
    retry_after_s: float | None = None
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been accepted: time-out, reset, 5xx, unreadable answer."""

    reason: str


Outcome = Accepted | Refused | Duplicate | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class SendRequest:
    """
    The campaign-wide fields of one request, exactly typed; made into bytes only by `body.py`.

    `contacts` is the canonical JSON of the contact objects, comma-separated, without the brackets: personal data, so it
    stays out of `repr`. `send_at` is ISO 8601 with an offset, or `None` for now (the field is then left out).
    """

    text: str = field(repr=False)
    contacts: bytes = field(repr=False)
    type: str
    purpose: str
    sender: str | None
    send_at: str | None
    with_replies: bool
    auto_optimize_text: bool
    auto_remove_blacklisted_numbers: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """What the wallet holds: euros, or messages of one product where a country and product were asked for."""

    amount: Decimal
    unit: str


class Prices(Protocol):
    """What a plan may ask: nothing here can send."""

    def simulate(self, request: SendRequest) -> Outcome:
        """Ask for the price of `request` with `simulation_mode: true` and no request id."""
        ...

    def balance(self) -> Balance:
        """
        What is left in the wallet.

        :raises AuthenticationFailed: if the API refuses the credentials.
        :raises OctoplanError: if it cannot be read.
        """
        ...


class Gateway(Prices, Protocol):
    """What apply may do besides: the one way to send."""

    def send(self, body: bytes) -> Outcome:
        """POST the bytes of one batch, once; never raises for what the network or the API can do."""
        ...

    def cancel(self, ticket: str) -> Outcome | None:
        """Ask to cancel a scheduled campaign; `None` when it was cancelled."""
        ...


Json = dict[str, Any]

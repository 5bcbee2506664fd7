"""
What an answer, or its absence, says about a request: sent, refused, seen before, not sent, or unknown.

Invariants:
- `NotSent` only where the request cannot have been processed: it is repeated without a second thought.
- `Refused` only where the API or its web server said no: the recipients get a new attempt with a new request id.
- `Accepted` only with a ticket.
- Every doubt is `Unknown`: it costs a person's time, while the other mistakes cost a message sent twice or never.

Everything here is pure. No text of an exception is kept: it can quote headers and addresses.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Final, NoReturn

import httpx

from octoplan.gateway.codes import ACCEPTED, CODES, DUPLICATE_CODES, Code, explain, read_code
from octoplan.gateway.connection import AnswerTooLong
from octoplan.gateway.port import Accepted, Duplicate, Json, NotSent, Outcome, RefusalClass, Refused, Unknown
from octoplan.limits import (
    AMOUNT_DECIMALS_MAX,
    AMOUNT_MAX,
    API_MESSAGE_CHARACTERS_MAX,
    REQUEST_ID_LIFETIME_S,
    TICKET_CHARACTERS_MAX,
)

_INTERRUPTED: Final = Unknown("the connection broke before the whole answer was there")
_MISUSED: Final = Unknown("the HTTP library stopped in the middle of the request")
_UNNAMED: Final = Unknown("the HTTP library failed without saying where")

ERRORS: Final[Mapping[type[Exception], NotSent | Unknown]] = {
    # Before the request left. TLS failures are connect errors; a proxy error is a refused tunnel.
    httpx.ConnectError: NotSent("no connection to the API: name not found, connection refused, or TLS failed"),
    httpx.ConnectTimeout: NotSent("no connection to the API in time"),
    httpx.PoolTimeout: NotSent("no connection was free in time"),
    httpx.ProxyError: NotSent("the proxy opened no connection to the API"),
    httpx.UnsupportedProtocol: NotSent("the address is not one of HTTP"),
    httpx.InvalidURL: NotSent("the address is not valid"),
    # Once bytes may have left: what the other side did with them is not known. A write error comes after the first
    # bytes, and the last of them may have arrived.
    httpx.WriteError: _INTERRUPTED,
    httpx.WriteTimeout: Unknown("the request could not be written in time"),
    httpx.ReadError: _INTERRUPTED,
    httpx.ReadTimeout: Unknown("no whole answer in time"),
    httpx.CloseError: _INTERRUPTED,
    httpx.RemoteProtocolError: _INTERRUPTED,
    httpx.DecodingError: Unknown("the answer could not be decompressed"),
    AnswerTooLong: Unknown("the answer is longer than any answer of the API"),
    # Almost always before anything left, but the class does not promise it.
    httpx.LocalProtocolError: _MISUSED,
    # Not raised the way octoplan uses httpx; named so that a new class in httpx cannot go unnoticed.
    httpx.TooManyRedirects: _MISUSED,
    httpx.HTTPStatusError: _MISUSED,
    httpx.CookieConflict: _MISUSED,
    httpx.StreamError: _MISUSED,
    httpx.StreamConsumed: _MISUSED,
    httpx.StreamClosed: _MISUSED,
    httpx.ResponseNotRead: _MISUSED,
    httpx.RequestNotRead: _MISUSED,
    # Base classes: raised as such they say nothing.
    httpx.HTTPError: _UNNAMED,
    httpx.RequestError: _UNNAMED,
    httpx.TransportError: _UNNAMED,
    httpx.TimeoutException: _UNNAMED,
    httpx.NetworkError: _UNNAMED,
    httpx.ProtocolError: _UNNAMED,
}

_ENDPOINT: Final = "Check the environment's `endpoint`: what answered is not the API's send endpoint."
_BETWEEN: Final = (
    "Something between here and the API refuses the request: check the environment's `endpoint` and `proxy`."
)

REFUSING_STATUSES: Final[Mapping[int, Code]] = {
    # With these a web server says that it did not take the request at all: not from this client, not at this address,
    # not with this method, length, size, type or these headers. So they are refusals even without a code of the API.
    401: CODES[401],
    403: CODES[403],
    404: Code(RefusalClass.UNCLEAR, "nothing is at this address", _ENDPOINT),
    405: Code(RefusalClass.UNCLEAR, "the address does not take this method", _ENDPOINT),
    411: Code(RefusalClass.UNCLEAR, "the length of the request is missing", _BETWEEN),
    413: Code(RefusalClass.UNCLEAR, "the request is too large", "Lower `batch_size` in the environment."),
    414: Code(RefusalClass.UNCLEAR, "the address is too long", _ENDPOINT),
    415: Code(RefusalClass.UNCLEAR, "the request's type is not taken", _BETWEEN),
    431: Code(RefusalClass.UNCLEAR, "the request's headers are too large", _BETWEEN),
}

UNKNOWN_STATUSES: Final = frozenset({408, 425})
"""Time-out while waiting for the request, and "too early": both come from servers that may have passed it on."""

_SEEN_BEFORE: Final = re.compile(r"request.?id|duplic|loop|already|twice|d[ée]j[àa]|double", re.IGNORECASE)
_TICKET: Final = re.compile(rf"[!-~]{{1,{TICKET_CHARACTERS_MAX}}}")
_PRIVATE: Final = re.compile(
    r"\d(?:[ .()/-]{0,3}\d){5,}"  # six digits and more, also when grouped: a phone number
    r"|[^\s@]{1,64}@[^\s@]{1,255}"  # an e-mail address: the account's login
    r"|\b(?=[\w-]{0,40}\d)[\w-]{20,}"  # a long word with a digit: a key or a token
)


def classify_error(error: Exception) -> NotSent | Unknown:
    """
    What is known when no answer came.

    Only the exact class counts, not its parents: a class that nobody has thought about is unknown.
    """
    return ERRORS.get(type(error), Unknown(f"an unexpected {type(error).__name__} during the request"))


def classify_response(status: int, headers: Mapping[str, str], body: bytes, *, simulated: bool = False) -> Outcome:
    """
    What an answer to a send says. `headers` have names in lower case.

    A `simulated` answer may lack its ticket, since no source promises one: it is then the empty text. Nothing else
    tells a simulated answer from a real one, so the caller has to know what it asked.
    """
    answer = read_object(body)
    if 200 <= status <= 299:
        return _classify_success(status, answer, simulated=simulated)
    if status == 429:
        return NotSent("the API asks to slow down (HTTP 429)", read_retry_after(headers), throttled=True)
    if 400 <= status <= 499 and status not in UNKNOWN_STATUSES:
        return _classify_refusal(status, answer or {}, body)
    # 5xx can come after the work was done. A redirect is not followed: the next address might be anybody's.
    return Unknown(f"HTTP {status} does not say whether the request was processed")


def _classify_success(status: int, answer: Json | None, *, simulated: bool) -> Accepted | Unknown:
    if answer is None:
        return Unknown(f"HTTP {status} without a readable answer")
    code = answer.get("code")
    if code is not None and read_code(code) != ACCEPTED:
        return Unknown(f"HTTP {status} with the error code {read_code(code) or 'unreadable'}")
    ticket = answer.get("sms_ticket")
    readable = isinstance(ticket, str) and _TICKET.fullmatch(ticket)
    if not readable and not simulated:
        return Unknown(f"HTTP {status} without a readable ticket")
    return Accepted(
        ticket=str(ticket) if readable else "",
        contacts=_read_count(answer.get("number_of_contacts")),
        cost=_read_cost(answer.get("total_cost")),
    )


def _classify_refusal(status: int, answer: Json, body: bytes) -> Refused | Duplicate | Unknown:
    code, message = read_code(answer.get("code")), clean_message(answer.get("message"))
    if code in DUPLICATE_CODES:
        return Duplicate(code, message)
    entry = REFUSING_STATUSES.get(status) if code is None else _explain(status, code)
    if entry is None or code == ACCEPTED:
        return Unknown(f"HTTP {status} without a readable code")
    if answer and not _says_why(code) and _speaks_of_repetition(message, body):
        # A repetition may get any code: the API's page promises "a validation error" and names none.
        return Unknown(f"HTTP {status} that seems to speak of a repetition: {message or 'no message'}")
    return Refused(status if code is None else code, message or entry.meaning, entry.kind, entry.hint, status)


def _explain(status: int, code: int) -> Code:
    """A code wins over the status, unless only the status has a clear meaning, as 401 and 403 have."""
    entry = explain(code)
    if entry.kind is RefusalClass.UNCLEAR:
        return REFUSING_STATUSES.get(status, entry)
    return entry


def _says_why(code: int | None) -> bool:
    """Whether a code names a cause; those from 400 to 499 only repeat an HTTP status."""
    return code is not None and explain(code).kind is not RefusalClass.UNCLEAR and not 400 <= code <= 499


def _speaks_of_repetition(message: str, body: bytes) -> bool:
    """In the message or anywhere else in a JSON answer, whose form for validation errors is stated nowhere."""
    return bool(_SEEN_BEFORE.search(message) or _SEEN_BEFORE.search(body.decode("utf-8", "replace")))


def read_object(body: bytes) -> Json | None:
    """A JSON object with its fractions as exact decimals, or `None` for anything else."""
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def read_amount(value: object) -> Decimal | None:
    """An exact amount of money or messages, or `None` if it is no number or out of all bounds."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    amount = Decimal(value)
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -AMOUNT_DECIMALS_MAX or not -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        return None
    return amount


def _read_cost(value: object) -> Decimal | None:
    amount = read_amount(value)
    return None if amount is None or amount < 0 else amount


def _read_count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= AMOUNT_MAX:
        return None
    return value


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """
    Seconds to wait, or `None` if the API named none. Never below 0, nor above the lifetime of a request id.

    A date is taken against the answer's own `Date`, so that no clock of ours has a part in it.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), REQUEST_ID_LIFETIME_S)
    until, now = _read_date(text), _read_date(headers.get("date", ""))
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), REQUEST_ID_LIFETIME_S)


def _read_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def clean_message(value: object) -> str:
    """
    The API's own words as they may be shown: one line, bounded, without control characters or personal data.

    Phone numbers, e-mail addresses and long tokens become stars. Anything but text becomes the empty text.
    """
    if not isinstance(value, str):
        return ""
    # Cut to more than is shown before masking, so that no half of a number stays at the end.
    words = value[: 2 * API_MESSAGE_CHARACTERS_MAX].split()
    line = "".join(letter for letter in " ".join(words) if unicodedata.category(letter)[0] != "C")
    return _PRIVATE.sub(lambda private: "*" * len(private[0]), line)[:API_MESSAGE_CHARACTERS_MAX]

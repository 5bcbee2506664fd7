"""
From the bytes of a request to a `Campaign`, by the strictest reading.

Octopush says that it repairs or ignores what it cannot read and sends anyway, so a misspelt `simulation_mode` may be a
real send. The sandbox refuses instead: unknown fields, other types, other words. A client that passes here leaves
nothing to repair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from octoplan.sandbox.exact import read_json
from octoplan.sandbox.rules import (
    BODY_MISSING,
    NO_RECIPIENT_LEFT,
    PAYLOAD,
    RECIPIENTS_MISSING,
    TEXT_MISSING,
    TOO_MANY_RECIPIENTS,
    TYPE_MISSING,
)

RECIPIENTS_MAX: Final = 500
MERGE_VALUE_CHARACTERS_MAX: Final = 50
MERGE_FIELDS: Final = ("first_name", "last_name", "param1", "param2", "param3", "param4", "param5")
FIELDS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "recipients": list,
        "text": str,
        "type": str,
        "sender": str,
        "send_at": str,
        "purpose": str,
        "with_replies": bool,
        "simulation_mode": bool,
        "request_id": str,
        "auto_optimize_text": bool,
        "auto_remove_blacklisted_numbers": bool,
    }
)
TYPES: Final = ("sms_premium", "sms_low_cost")
PURPOSES: Final = ("wholesale", "alert")
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Contact:
    """A phone number as it was written, without spaces, and the merge values that are not null."""

    number: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a request to send asks for. `send_at` is in UTC, `None` means now. Holds personal data."""

    contacts: tuple[Contact, ...] = field(repr=False)
    text: str = field(repr=False)
    type: str
    purpose: str
    sender: str | None
    send_at: datetime | None
    request_id: str | None
    with_replies: bool
    simulation_mode: bool
    auto_optimize_text: bool
    auto_remove_blacklisted_numbers: bool


def read_campaign(body: bytes) -> Campaign:
    """
    Read a request to send. Only its shape is judged here.

    :raises Refusal: 100, 103, 107, 110, 112, 305, or 400 with the field's name.
    """
    given = read_object(body)
    _check_fields(given)
    return Campaign(
        contacts=_read_contacts(given.get("recipients")),
        text=_require(given, "text", TEXT_MISSING.refusal()),
        type=_one_of("type", _require(given, "type", TYPE_MISSING.refusal()), TYPES),
        purpose=_one_of("purpose", given.get("purpose", "wholesale"), PURPOSES),
        sender=given.get("sender"),
        send_at=None if "send_at" not in given else _read_send_at(given["send_at"]),
        request_id=_read_request_id(given.get("request_id")),
        with_replies=given.get("with_replies", False),
        simulation_mode=given.get("simulation_mode", False),
        auto_optimize_text=given.get("auto_optimize_text", True),
        auto_remove_blacklisted_numbers=given.get("auto_remove_blacklisted_numbers", False),
    )


def read_ticket_number(body: bytes) -> str:
    """
    Read a request to cancel.

    :raises Refusal: 100, or 400 unless the body is one text, `ticket_number`.
    """
    given = read_object(body)
    if set(given) != {"ticket_number"} or not _is_text(given["ticket_number"]):
        raise PAYLOAD.refusal("ticket_number, a string, is the one field.")
    return str(given["ticket_number"])


def read_object(body: bytes) -> dict[str, Any]:
    """
    Read a JSON object.

    :raises Refusal: 100 for an empty body, 400 for anything else that is no JSON object in UTF-8.
    """
    if not body.strip():
        raise BODY_MISSING.refusal()
    try:
        given = read_json(body)
    except ValueError:  # its text may quote the body
        raise PAYLOAD.refusal("the body is not JSON in UTF-8.") from None
    if not isinstance(given, dict):
        raise PAYLOAD.refusal("the body is not an object.")
    return given


def parse_time(text: str) -> datetime:
    """
    An ISO 8601 time with seconds and an offset, such as `2018-10-03T07:42:39-07:00`, in UTC.

    :raises ValueError: for any other text; a time without offset above all.
    """
    if not TIME.fullmatch(text):
        raise ValueError("not an ISO 8601 time with an offset")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        raise ValueError("out of the calendar") from None


def _check_fields(given: dict[str, Any]) -> None:
    unknown = len(set(given) - set(FIELDS))
    if unknown:
        raise PAYLOAD.refusal(f"{unknown} unknown field(s).")
    for name, value in given.items():
        if not isinstance(value, FIELDS[name]) or (isinstance(value, str) and not _is_text(value)):
            raise PAYLOAD.refusal(f"{name} has the wrong type.")


def _is_text(value: Any) -> bool:
    """Lone surrogates can be written in JSON but are no text."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _require(given: dict[str, Any], name: str, refusal: Exception) -> str:
    if not given.get(name):
        raise refusal
    return str(given[name])


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise PAYLOAD.refusal(f"{name} is not one of {', '.join(allowed)}.")
    return value


def _read_request_id(value: str | None) -> str | None:
    if value is not None and not REQUEST_ID.fullmatch(value):
        raise PAYLOAD.refusal("request_id is not 1 to 64 letters or digits.")
    return value


def _read_send_at(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise PAYLOAD.refusal("send_at is not an ISO 8601 time with an offset.") from None


def _read_contacts(recipients: list[Any] | None) -> tuple[Contact, ...]:
    if recipients is None:
        raise RECIPIENTS_MISSING.refusal()
    if not recipients:
        raise NO_RECIPIENT_LEFT.refusal()
    if len(recipients) > RECIPIENTS_MAX:
        raise TOO_MANY_RECIPIENTS.refusal(f"{len(recipients)}, at most {RECIPIENTS_MAX}.")
    return tuple(_read_contact(recipient) for recipient in recipients)


def _read_contact(recipient: Any) -> Contact:
    if not isinstance(recipient, dict) or not _is_text(recipient.get("phone_number")):
        raise PAYLOAD.refusal("a recipient is not an object with a phone_number.")
    values = {name: value for name, value in recipient.items() if name != "phone_number" and value is not None}
    if not set(recipient) <= {"phone_number", *MERGE_FIELDS}:
        raise PAYLOAD.refusal("a recipient has an unknown field.")
    if not all(_is_text(value) and len(value) <= MERGE_VALUE_CHARACTERS_MAX for value in values.values()):
        raise PAYLOAD.refusal(f"a merge value is not a string of at most {MERGE_VALUE_CHARACTERS_MAX} characters.")
    # The API's own example has a space after the plus.
    return Contact(recipient["phone_number"].replace(" ", ""), values)

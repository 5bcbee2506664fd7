"""
What a campaign sends to whom, and what that costs: the rules that need nothing but the request and the blacklist.

Invariants:
- A simulation and a real send are judged and priced by the same call, so their costs are equal to the last digit.
- Parts are counted on the text that a handset would receive: filled in, then optimised if that is on.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from octoplan.sandbox.packing import measure, optimise
from octoplan.sandbox.reading import MERGE_FIELDS, Campaign, Contact
from octoplan.sandbox.rules import (
    COUNTRY_NOT_SERVED,
    NO_LOW_COST,
    NO_RECIPIENT_LEFT,
    NUMBERS_INVALID,
    PAYLOAD,
    PREFIX_UNKNOWN,
    PUB_STOP_MISSING,
    SENDER_MALFORMED,
    STOP_MISSING,
    TEXT_TOO_LONG,
    Rule,
)
from octoplan.sandbox.tables import BLACKLIST_OPTION, BY_CALLING_CODE, REPLIES_SURCHARGE, Country, calling_code

TEXT_CHARACTERS_MAX: Final = 1224
E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
SENDER: Final = re.compile(r"(?=.{3,11}$)[A-Za-z0-9]+( +[A-Za-z0-9]+)*")
STOP: Final = re.compile(r"\bSTOP (au|at) (XXXXX|3[0-9]{4})\b")
PUB_STOP: Final = "no PUB=STOP"
PLACEHOLDER: Final = re.compile(r"\{(" + "|".join(MERGE_FIELDS) + r")\}")


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient; `cost` in euros."""

    number: str = field(repr=False)
    text: str = field(repr=False)
    parts: int
    cost: Decimal
    blacklisted: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """All messages of a request; `cost` in euros includes what is charged for the request itself."""

    messages: tuple[Message, ...]
    cost: Decimal

    @property
    def parts(self) -> int:
        """How many SMS are billed."""
        return sum(message.parts for message in self.messages)


def quote(campaign: Campaign, blacklist: Set[str]) -> Quote:
    """
    Judge the content of a request and say what it would send and cost.

    :raises Refusal: 103, 106, 117, 121, 122, 150, 151, 152, 189 or 400.
    """
    _check_sender(campaign.sender)
    countries = _check_numbers([contact.number for contact in campaign.contacts], campaign.type)
    _check_stop_mention(campaign)
    messages = tuple(
        _message(campaign, contact, country, contact.number in blacklist)
        for contact, country in zip(campaign.contacts, countries, strict=True)
    )
    if not campaign.auto_remove_blacklisted_numbers:
        return Quote(messages, _sum(messages))
    kept = tuple(message for message in messages if not message.blacklisted)
    if not kept:
        raise NO_RECIPIENT_LEFT.refusal("All are blacklisted.")
    return Quote(kept, _sum(kept) + BLACKLIST_OPTION)


def _sum(messages: tuple[Message, ...]) -> Decimal:
    return sum((message.cost for message in messages), Decimal(0))


def _check_sender(sender: str | None) -> None:
    if sender is not None and not SENDER.fullmatch(sender):
        raise SENDER_MALFORMED.refusal()


def _check_numbers(numbers: list[str], product: str) -> list[Country]:
    _refuse_some(NUMBERS_INVALID, [not E164.fullmatch(number) for number in numbers])
    codes = [calling_code(number) for number in numbers]
    _refuse_some(PREFIX_UNKNOWN, [code is None for code in codes])
    _refuse_some(COUNTRY_NOT_SERVED, [code not in BY_CALLING_CODE for code in codes])
    countries = [BY_CALLING_CODE[str(code)] for code in codes]
    _refuse_some(NUMBERS_INVALID, [not _has_length(*pair) for pair in zip(numbers, countries, strict=True)])
    _refuse_some(NO_LOW_COST, [country.price(product) is None for country in countries])
    if len(set(numbers)) < len(numbers):
        raise PAYLOAD.refusal(f"{len(numbers) - len(set(numbers))} phone number(s) appear more than once.")
    return countries


def _refuse_some(rule: Rule, broken: list[bool]) -> None:
    if any(broken):
        raise rule.refusal(f"{sum(broken)} of {len(broken)}.")


def _has_length(number: str, country: Country) -> bool:
    fewest, most = country.digits
    return fewest <= len(number) - len("+" + country.calling) <= most


def _check_stop_mention(campaign: Campaign) -> None:
    """In the text as it came: a mention that only some contacts' values bring is none."""
    if campaign.purpose != "wholesale" or STOP.search(campaign.text):
        return
    if campaign.type == "sms_premium":
        raise STOP_MISSING.refusal()
    if PUB_STOP not in campaign.text:
        raise PUB_STOP_MISSING.refusal()


def _message(campaign: Campaign, contact: Contact, country: Country, blacklisted: bool) -> Message:
    filled = fill_in(campaign.text, contact)
    if len(filled) > TEXT_CHARACTERS_MAX:
        raise TEXT_TOO_LONG.refusal(f"{len(filled)} characters once filled in, at most {TEXT_CHARACTERS_MAX}.")
    text = optimise(filled) if campaign.auto_optimize_text else filled
    parts = measure(text).parts
    price = country.price(campaign.type)
    assert price is not None  # code 152 came first
    if campaign.with_replies:
        price += REPLIES_SURCHARGE.get(country.code, Decimal(0))
    return Message(contact.number, text, parts, parts * price, blacklisted)


def fill_in(text: str, contact: Contact) -> str:
    """
    The text for one contact. Values are not looked into again; names that the API does not know stay as they are.

    :raises Refusal: 400 if the contact has no value, or an empty one, for a placeholder of the text.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if not contact.values.get(name):
            raise PAYLOAD.refusal(f"a recipient has no value for {{{name}}}.")
        return contact.values[name]

    return PLACEHOLDER.sub(value, text)

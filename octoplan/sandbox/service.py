"""
The API itself, without HTTP: a request's bytes in, status and body out.

Invariants:
- A refused request changes nothing but the counter of refusals.
- A simulated request changes nothing but the counter of simulations.
- A request_id is used up by acceptance alone, and for 24 hours of the sandbox's clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from octoplan.sandbox.billing import Quote, quote
from octoplan.sandbox.clock import MovableClock
from octoplan.sandbox.reading import TYPES, Campaign, read_campaign, read_ticket_number
from octoplan.sandbox.rules import (
    CAMPAIGN_NOT_FOUND,
    CREDIT_EXHAUSTED,
    NOT_CANCELLABLE,
    PAYLOAD,
    REQUEST_ID_SEEN,
    Refusal,
)
from octoplan.sandbox.store import Accepted, Store
from octoplan.sandbox.tables import BY_CODE, OTHER_PRODUCTS, Country

REQUEST_ID_LIFETIME: Final = timedelta(hours=24)
CANCEL_RECIPIENTS_BELOW: Final = 3
CANCEL_AHEAD: Final = timedelta(minutes=10)
CANCEL_REQUESTS_PER_MONTH: Final = 1000
PACK_EXPIRATION: Final = "2099-12-31 23:59:59"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON to go with it; `None` for no body."""

    status: int
    body: dict[str, Any] | None


class Octopush:
    """One account with its wallet, its inbox and its memory of request ids."""

    def __init__(self, store: Store, clock: MovableClock) -> None:
        self.store = store
        self.clock = clock

    def refuse(self, refusal: Refusal) -> Answer:
        """Count a refusal and word it."""
        self.store.count(f"refused {refusal.code}")
        return Answer(refusal.status, {"code": refusal.code, "message": refusal.message})

    def send(self, body: bytes, *, ignore_simulation: bool = False) -> Answer:
        """`POST /sms-campaign/send`. With `ignore_simulation` a simulated request is a real, billed one."""
        try:
            campaign = read_campaign(body)
            if campaign.simulation_mode and not ignore_simulation:
                return self._simulate(campaign)
            with self.store.transaction():
                return self._accept(campaign, self.clock.now())
        except Refusal as refusal:
            return self.refuse(refusal)

    def _simulate(self, campaign: Campaign) -> Answer:
        quoted = self._quote(campaign)
        self.store.count("simulated")
        return _sent(_new_ticket(), quoted, self.store.balance())

    def _accept(self, campaign: Campaign, now: datetime) -> Answer:
        # Before all that may have changed since: a repetition must hear that it is one.
        if campaign.request_id and self.store.has_request_id(campaign.request_id, now - REQUEST_ID_LIFETIME):
            raise REQUEST_ID_SEEN.refusal()
        if campaign.send_at is not None and campaign.send_at < now:
            raise PAYLOAD.refusal("send_at is in the past.")
        quoted = self._quote(campaign)
        balance = self.store.balance() - quoted.cost
        if balance < 0:
            raise CREDIT_EXHAUSTED.refusal()
        accepted = Accepted(
            ticket=_new_ticket(),
            request_id=campaign.request_id,
            accepted_at=now,
            due_at=campaign.send_at or now,
            scheduled=campaign.send_at is not None,
            type=campaign.type,
            purpose=campaign.purpose,
            sender=campaign.sender,
            contacts=len(quoted.messages),
            cost=quoted.cost,
        )
        self.store.add_campaign(accepted, quoted.messages)
        self.store.set_balance(balance)
        self.store.count("accepted")
        return _sent(accepted.ticket, quoted, balance)

    def _quote(self, campaign: Campaign) -> Quote:
        return quote(campaign, self.store.blacklisted(contact.number for contact in campaign.contacts))

    def cancel(self, body: bytes) -> Answer:
        """`DELETE /sms-campaign/cancel`: the whole cost comes back, the request_id stays used."""
        now = self.clock.now()
        try:
            ticket = read_ticket_number(body)
            self._count_cancel_request(now)
            with self.store.transaction():
                campaign = self._require_cancellable(ticket, now)
                self.store.cancel_campaign(ticket, now)
                self.store.set_balance(self.store.balance() + campaign.cost)
        except Refusal as refusal:
            return self.refuse(refusal)
        return Answer(204, None)

    def _count_cancel_request(self, now: datetime) -> None:
        if self.store.cancel_requests(now) >= CANCEL_REQUESTS_PER_MONTH:
            raise NOT_CANCELLABLE.refusal(f"more than {CANCEL_REQUESTS_PER_MONTH} requests to cancel this month.")
        self.store.add_cancel_request(now)

    def _require_cancellable(self, ticket: str, now: datetime) -> Accepted:
        campaign = self.store.campaign(ticket)
        if campaign is None or campaign.cancelled_at is not None:
            raise CAMPAIGN_NOT_FOUND.refusal()
        if campaign.contacts >= CANCEL_RECIPIENTS_BELOW:
            raise NOT_CANCELLABLE.refusal(f"it has {CANCEL_RECIPIENTS_BELOW} recipients or more.")
        if campaign.due_at - now <= CANCEL_AHEAD:
            raise NOT_CANCELLABLE.refusal("it is not more than 10 minutes ahead.")
        return campaign

    def draft(self) -> Answer:
        """`GET /sms-campaign/draft`: nothing in this API makes a draft, so there never is one."""
        return self.refuse(CAMPAIGN_NOT_FOUND.refusal())

    def check_balance(self, country: str | None, product: str | None, *, with_details: bool) -> Answer:
        """`GET /wallet/check-balance`: euros, or how many messages they buy if a country and product are named."""
        if (country is None) != (product is None):
            return self.refuse(PAYLOAD.refusal("country_code and product_name come together."))
        amount, unit = self.store.balance(), "euros"
        if country is not None and product is not None:
            try:
                amount, unit = Decimal(_affordable(amount, _price(country, product))), product
            except Refusal as refusal:
                return self.refuse(refusal)
        pack = {"wallet_pack_id": 1, "credit": amount, "expiration_date": PACK_EXPIRATION}
        return Answer(200, {"amount": amount, "unit": unit, **({"wallet_packs": [pack]} if with_details else {})})

    def check_credits(self, countries: Sequence[str]) -> Answer:
        """`GET /wallet/check-credits`: how many messages of each product the whole wallet buys, by country."""
        if not countries or any(code not in BY_CODE for code in countries):
            return self.refuse(PAYLOAD.refusal("country_codes[] are not countries that are served."))
        return Answer(200, {code: _credits(self.store.balance(), BY_CODE[code]) for code in countries})


def _new_ticket() -> str:
    return f"sms_{secrets.token_hex(11)}"


def _sent(ticket: str, quoted: Quote, balance: Decimal) -> Answer:
    return Answer(
        201,
        {
            "sms_ticket": ticket,
            "number_of_contacts": len(quoted.messages),
            "total_cost": quoted.cost,
            "number_of_sms_needed": quoted.parts,
            "residual_credit": balance,
        },
    )


def _price(country: str, product: str) -> Decimal | None:
    if country not in BY_CODE:
        raise PAYLOAD.refusal("country_code is not a country that is served.")
    if product not in (*TYPES, *OTHER_PRODUCTS):
        raise PAYLOAD.refusal(f"product_name is not one of {', '.join((*TYPES, *OTHER_PRODUCTS))}.")
    return OTHER_PRODUCTS[product] if product in OTHER_PRODUCTS else BY_CODE[country].price(product)


def _affordable(balance: Decimal, price: Decimal | None) -> int:
    """How many messages `balance` buys; none where the product does not exist."""
    return 0 if price is None else int(balance // price)


def _credits(balance: Decimal, country: Country) -> dict[str, int]:
    """The names are the API's own: the other way round from `product_name`."""
    return {
        "premium_sms": _affordable(balance, country.premium),
        "low_cost_sms": _affordable(balance, country.low_cost),
        "vocal_sms": _affordable(balance, OTHER_PRODUCTS["vocal_sms"]),
        "hlr": _affordable(balance, OTHER_PRODUCTS["hlr"]),
    }

"""
The HTTP client of the SMS API.

Invariants (a plan sends nothing):
- `_post` is the only place that writes to the send endpoint, and it looks at the very bytes that leave.
- A plan is handed a `PriceGateway`, which posts nothing but simulations; only `OctopushGateway` can send.
- `send`, `simulate` and `cancel` never raise for what the network or the API does: every way out is an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import httpx

from octoplan.diagnostics import AuthenticationFailed, OctoplanError
from octoplan.digests import canonical_json
from octoplan.gateway.body import encode_body, require_mode
from octoplan.gateway.codes import CREDENTIAL_CODES, explain, read_code
from octoplan.gateway.connection import DEFAULT_TIMEOUTS, Answer, Connection, Timeouts
from octoplan.gateway.outcomes import classify_error, classify_response, clean_message, read_amount, read_object
from octoplan.gateway.port import Accepted, Balance, Json, NotSent, Outcome, SendRequest, Unknown
from octoplan.values.secret import Secret

SEND_PATH: Final = "/sms-campaign/send"
CANCEL_PATH: Final = "/sms-campaign/cancel"
BALANCE_PATH: Final = "/wallet/check-balance"
CREDITS_PATH: Final = "/wallet/check-credits"

_NO_CONTENT: Final = 204
_OK: Final = 200


class PriceGateway:
    """
    What a plan may ask: prices and balances. It cannot send.

    `endpoint` is the base URL, with or without a slash at its end. `transport` replaces httpx's own and then keeps
    its own time limits.

    :raises InvalidInput: if the endpoint, the proxy or a credential cannot be used.
    """

    can_send: ClassVar[bool] = False

    def __init__(
        self,
        endpoint: str,
        login: Secret,
        key: Secret,
        *,
        proxy: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(endpoint, login, key, proxy=proxy, timeouts=timeouts, transport=transport)

    def simulate(self, request: SendRequest) -> Outcome:
        """
        Ask for the price of `request` with `simulation_mode: true` and no request id.

        The answer is Octopush's "fake result": its ticket, where it has one, stands for nothing and is not to be kept.
        """
        return self._post(encode_body(request, request_id=None, simulation=True), simulation=True)

    def balance(self, country: str | None = None, product: str | None = None) -> Balance:
        """
        What is left in the wallet: euros, or with a country (ISO 3166) and a product a number of its messages.

        :raises ValueError: if only one of the two is given.
        :raises AuthenticationFailed: if the API refuses the credentials.
        :raises OctoplanError: if the API cannot be reached, or answers something else.
        """
        if (country is None) is not (product is None):
            raise ValueError("a balance is asked for a country and a product together, or for neither")
        params = () if country is None or product is None else (("country_code", country), ("product_name", product))
        answer = self._read(BALANCE_PATH, params)
        amount, unit = read_amount(answer.get("amount")), clean_message(answer.get("unit"))
        if amount is None or not unit:
            raise self._unreadable("balance")
        return Balance(amount, unit)

    def credits(self, countries: Sequence[str]) -> dict[str, dict[str, int]]:
        """
        How many messages of each product the wallet pays for, by country (ISO 3166).

        The products have this endpoint's own names: `premium_sms`, `low_cost_sms`, `vocal_sms`, `hlr`.

        :raises AuthenticationFailed: if the API refuses the credentials.
        :raises OctoplanError: if the API cannot be reached, or answers something else.
        """
        answer = self._read(CREDITS_PATH, tuple(("country_codes[]", country) for country in countries))
        return {country: self._read_products(answer.get(country)) for country in countries}

    def _read_products(self, products: object) -> dict[str, int]:
        if not isinstance(products, dict):
            raise self._unreadable("list of credits")
        return {name: count for name, count in products.items() if type(count) is int}

    def _post(self, body: bytes, *, simulation: bool) -> Outcome:
        """
        The one way to the send endpoint.

        :raises ValueError: before anything leaves, if the bytes are not for `simulation`, or this gateway cannot send.
        """
        if not simulation and not self.can_send:
            raise ValueError("this gateway cannot send")
        require_mode(body, simulation=simulation)
        answer = self._ask("POST", SEND_PATH, content=body)
        return classify_response(*answer, simulated=simulation) if isinstance(answer, Answer) else answer

    def _ask(
        self, method: str, path: str, *, content: bytes | None = None, params: tuple[tuple[str, str], ...] = ()
    ) -> Answer | NotSent | Unknown:
        """The answer, or what its absence means. No error of the HTTP library gets further: it holds the headers."""
        try:
            return self._connection.ask(method, path, content=content, params=params)
        except Exception as error:  # noqa: BLE001  whatever it was, the request may have arrived
            return classify_error(error)

    def _read(self, path: str, params: tuple[tuple[str, str], ...]) -> Json:
        answer = self._ask("GET", path, params=params)
        if not isinstance(answer, Answer):
            raise self._unreachable(answer.reason)
        said = read_object(answer.body) or {}
        code = read_code(said.get("code"))
        if answer.status == _OK and said and not code:
            return said
        raise self._refused(answer.status, code, clean_message(said.get("message")))

    def _refused(self, status: int, code: int | None, message: str) -> OctoplanError:
        if code in CREDENTIAL_CODES or status in CREDENTIAL_CODES:
            why = explain(code if code in CREDENTIAL_CODES else status)
            return AuthenticationFailed(
                f"{self._connection.host} refused the credentials: {why.meaning}.", hint=why.hint
            )
        if code:
            why = explain(code)
            said = message or why.meaning
            return OctoplanError(f"{self._connection.host} refused to answer: {said} (code {code}).", hint=why.hint)
        return self._unreachable(f"HTTP {status} without anything readable")

    def _unreachable(self, reason: str) -> OctoplanError:
        return OctoplanError(
            f"{self._connection.host} gave no answer: {reason}.",
            hint="Nothing was sent. Check the network and the environment's `endpoint` and `proxy`, then try again.",
        )

    def _unreadable(self, what: str) -> OctoplanError:
        return OctoplanError(
            f"{self._connection.host} answered something that is no {what}.",
            hint="Check that the environment's `endpoint` is the base URL of the API.",
        )


class OctopushGateway(PriceGateway):
    """What apply may do besides: send, and cancel what is scheduled."""

    can_send: ClassVar[bool] = True

    def send(self, body: bytes) -> Outcome:
        """
        POST the bytes of one batch, once. Never raises for what the network or the API can do.

        KeyboardInterrupt and SystemExit pass through: the journal then holds an intent without an outcome, which is
        what happened.

        :raises ValueError: before anything leaves, if `body` is no real send with a request id made by `encode_body`.
        """
        return self._post(body, simulation=False)

    def cancel(self, ticket: str) -> Outcome | None:
        """
        Ask to cancel a scheduled campaign; `None` when it was cancelled.

        The API takes back only campaigns of fewer than 3 recipients, more than 10 minutes ahead, 1000 times a month.
        """
        answer = self._ask("DELETE", CANCEL_PATH, content=canonical_json({"ticket_number": ticket}))
        if not isinstance(answer, Answer):
            return answer
        if answer.status == _NO_CONTENT:
            return None
        outcome = classify_response(*answer)
        if isinstance(outcome, Accepted):
            return Unknown("the API answered a cancellation as if it were a send")
        return outcome

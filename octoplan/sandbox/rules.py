"""
Every reason to refuse a request, with its HTTP status and the API's code.

`docs/sandbox.md` names the source of each; a test keeps the two in step. A refusal changes nothing: it costs nothing,
reaches nobody and does not use up its request_id. Messages count phone numbers, they never quote one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


class Refusal(Exception):
    """The answer to a request that breaks a rule."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to be refused. `message` is fixed; `refusal` may add what is special to the case."""

    status: int
    code: int
    message: str

    def refusal(self, detail: str = "") -> Refusal:
        """The exception to raise."""
        return Refusal(self.status, self.code, f"{self.message} {detail}".strip())


CREDENTIALS: Final = Rule(401, 101, "Wrong login or API key.")
BODY_MISSING: Final = Rule(400, 100, "The request has no body.")
BODY_TOO_LARGE: Final = Rule(413, 400, "Payload validation error: the body is too large.")
PAYLOAD: Final = Rule(400, 400, "Payload validation error:")
RECIPIENTS_MISSING: Final = Rule(400, 110, "The list of recipients is missing.")
NO_RECIPIENT_LEFT: Final = Rule(400, 103, "There is no recipient left.")
TOO_MANY_RECIPIENTS: Final = Rule(400, 305, "There are too many contacts in the request.")
TEXT_MISSING: Final = Rule(400, 107, "The text is missing.")
TEXT_TOO_LONG: Final = Rule(400, 189, "The text is too long.")
TYPE_MISSING: Final = Rule(400, 112, "The type of SMS is missing.")
SENDER_MALFORMED: Final = Rule(400, 106, "The sender is malformed: 3 to 11 letters or digits.")
NUMBERS_INVALID: Final = Rule(400, 117, "The list has phone numbers that are not valid:")
PREFIX_UNKNOWN: Final = Rule(400, 150, "No country has the prefix of some phone numbers:")
COUNTRY_NOT_SERVED: Final = Rule(400, 151, "The country of some phone numbers is not served:")
NO_LOW_COST: Final = Rule(400, 152, "No low cost SMS to the country of some phone numbers, use premium:")
STOP_MISSING: Final = Rule(400, 121, "Mention STOP is missing.")
PUB_STOP_MISSING: Final = Rule(400, 122, "Mention no PUB=STOP is missing.")
REQUEST_ID_SEEN: Final = Rule(400, 120, "A message with this request_id has been sent already.")
CREDIT_EXHAUSTED: Final = Rule(400, 104, "There is not enough credit.")
CAMPAIGN_NOT_FOUND: Final = Rule(400, 131, "There is no such campaign.")
NOT_CANCELLABLE: Final = Rule(400, 400, "The campaign cannot be cancelled:")

RULES: Final = tuple(value for value in globals().copy().values() if isinstance(value, Rule))

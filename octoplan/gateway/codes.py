"""
Every code that the API is known to answer, what it means and what the user does about it, as one table.

Sources: 121 is on Octopush's page on scheduled sending and was seen live, 400 on its page on portability. The rest up
to 501 is the list of the old API (its return codes page and official old clients), the codes above 133 without a
meaning and 181, 182, 189, 1340 and 1341 are known from one third-party client only. So a code may be wrong for the
current API: only the class decides what happens next, and an unlisted code stops the run.

`docs/reference/api-errors.md` shows this table; a test keeps the two in step.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from octoplan.gateway.port import RefusalClass

ACCEPTED: Final = 0
"""Written `0` or `000`: no error. Every other code is a refusal."""


class Code(NamedTuple):
    """What a code asks for, what it means in our words, and the user's next step."""

    kind: RefusalClass
    meaning: str
    hint: str


_FILE, _ACCOUNT, _FUNDS = RefusalClass.FILE, RefusalClass.ACCOUNT, RefusalClass.FUNDS
_DUPLICATE, _RETRY, _UNCLEAR = RefusalClass.DUPLICATE, RefusalClass.RETRY, RefusalClass.UNCLEAR

_OUR_BUG: Final = "The campaign is not to blame: report this as a bug of octoplan, with the code."
_CREDENTIALS: Final = "Check the `login` and `key` that the environment's `credentials` refer to."
_ASK: Final = "Ask Octopush's support what this code means for your account before you apply again."
_LATER: Final = "Nothing was sent; run `octoplan apply` again in a few minutes."
_SEEN: Final = "Do not send it again by other means; `octoplan recover` shows what the journal knows of this batch."
_NOT_USED: Final = "octoplan does not use this feature: check that the environment's `endpoint` is the current API."
_TOP_UP: Final = "Add credit to the account, then run `octoplan apply` again: it sends only what was not sent."
_SENDER: Final = "Use 3 to 11 letters and digits for `sender`."
_SHORTEN: Final = "Shorten `message.template` or the values that fill it in; `octoplan preview` shows the longest text."
_COUNTRIES: Final = "Remove the numbers of that country with `recipients.where`; the plan lists the countries."

CODES: Final[dict[int, Code]] = {
    100: Code(_FILE, "the request had no body", _OUR_BUG),
    101: Code(_ACCOUNT, "the login or the key is wrong", _CREDENTIALS),
    102: Code(_FILE, "the text has more than 160 characters", _SHORTEN),
    103: Code(_FILE, "no recipient is left", "See what the plan excludes and why; the API dropped the others."),
    104: Code(_FUNDS, "the credit is used up", _TOP_UP),
    105: Code(_FUNDS, "the credit is short while an order awaits validation", _TOP_UP),
    106: Code(_FILE, "the sender is malformed", _SENDER),
    107: Code(_FILE, "the text is missing", "Write a `message.template`."),
    108: Code(_ACCOUNT, "the login is missing", _CREDENTIALS),
    109: Code(_ACCOUNT, "the password is missing", _CREDENTIALS),
    110: Code(_FILE, "the list of recipients is missing", _OUR_BUG),
    111: Code(_FILE, "the way to enter recipients was not chosen", _NOT_USED),
    112: Code(_FILE, "the product was not given", "Set `type` to `sms_premium` or `sms_low_cost`."),
    113: Code(
        _ACCOUNT, "the account is not validated", "Finish the phone and identity checks in your Octopush account."
    ),
    114: Code(_ACCOUNT, "the account is under review for fraud", "Contact Octopush's support."),
    115: Code(_FILE, "there are more or fewer parameter values than recipients", _OUR_BUG),
    116: Code(_FILE, "personalised texts are allowed only with a stored list", _NOT_USED),
    117: Code(
        _FILE, "no number in the list is valid", "Set `recipients.region`, so that numbers get their country's prefix."
    ),
    118: Code(_UNCLEAR, "the box for a test message was not ticked", _ASK),
    119: Code(_FILE, "this product allows no more than 160 characters", _SHORTEN),
    120: Code(_DUPLICATE, "a message with this request id was already sent", _SEEN),
    121: Code(
        _FILE,
        "the mention of how to stop messages is missing",
        "End the text with the mention that your account needs, such as `STOP au 30101`; see the API's message.",
    ),
    122: Code(_FILE, "the mention for low cost messages is missing", "End the text with `no PUB=STOP`, in this case."),
    123: Code(_FILE, "the hash of the request is missing", _NOT_USED),
    124: Code(_FILE, "the hash of the request is wrong", _NOT_USED),
    125: Code(_UNCLEAR, "an undefined error", _ASK),
    126: Code(_ACCOUNT, "a large campaign already waits for approval", "Approve or cancel it in the Octopush account."),
    127: Code(_RETRY, "a large campaign is being computed", _LATER),
    128: Code(_UNCLEAR, "too many attempts at this campaign", _ASK),
    129: Code(_RETRY, "the campaign is being built", _LATER),
    130: Code(_UNCLEAR, "the campaign is not marked as finished", _ASK),
    131: Code(_FILE, "the campaign was not found", "Check the ticket: `octoplan status` lists those of this project."),
    132: Code(_DUPLICATE, "the campaign was already sent", _SEEN),
    133: Code(_DUPLICATE, "the batch id was already used", _SEEN),
    134: Code(_UNCLEAR, "the whole request was refused, no source says why", _ASK),
    139: Code(_UNCLEAR, "the whole request was refused, no source says why", _ASK),
    142: Code(_UNCLEAR, "the whole request was refused, no source says why", _ASK),
    150: Code(_FILE, "no country has this prefix", "Check `recipients.region` and the numbers with a rare prefix."),
    151: Code(_FILE, "the country is not served", _COUNTRIES),
    152: Code(_FILE, "the country takes no low cost messages", "Set `type: sms_premium`."),
    153: Code(_RETRY, "the route is congested", _LATER),
    181: Code(
        _FILE,
        "a recipient is refused, and the batch with it",
        "Lower `batch_size` to find the number, then suppress it.",
    ),
    182: Code(_DUPLICATE, "the request id was seen in the last 24 hours", _SEEN),
    189: Code(_FILE, "the text is too long", _SHORTEN),
    201: Code(_ACCOUNT, "the option is available on request only", "Ask Octopush's support to enable it."),
    202: Code(_ACCOUNT, "the e-mail of the account to credit is wrong", _NOT_USED),
    203: Code(_RETRY, "a session is already open", _LATER),
    204: Code(_ACCOUNT, "the token is wrong", _NOT_USED),
    205: Code(_FILE, "the amount to transfer is too low", _NOT_USED),
    206: Code(_RETRY, "no campaign can be sent during a transfer of credit", _LATER),
    207: Code(_ACCOUNT, "the account has no access to this feature", "Ask Octopush's support to enable it."),
    208: Code(_FILE, "the product is wrong", "Set `type` to `sms_premium` or `sms_low_cost`."),
    209: Code(_ACCOUNT, "the account may not send to this user", "Ask the owner of the main account for the right."),
    210: Code(_ACCOUNT, "the e-mail is not that of a sub-account", _NOT_USED),
    300: Code(_ACCOUNT, "the account may not manage lists by API", _NOT_USED),
    301: Code(_ACCOUNT, "the account has its maximum number of lists", _NOT_USED),
    302: Code(_FILE, "the list's name is taken", _NOT_USED),
    303: Code(_FILE, "the list does not exist", _NOT_USED),
    304: Code(_FILE, "the list is full", _NOT_USED),
    305: Code(_FILE, "too many contacts in one request", "Lower `batch_size` in the campaign or the environment."),
    306: Code(_FILE, "the action on a list is unknown", _NOT_USED),
    308: Code(_FILE, "an error with a file", _NOT_USED),
    400: Code(_FILE, "the request does not have the form that the API asks for", _OUR_BUG),
    401: Code(_ACCOUNT, "access was refused", _CREDENTIALS),
    403: Code(
        _ACCOUNT, "access was refused", f"{_CREDENTIALS} A firewall or a list of allowed addresses may refuse too."
    ),
    438: Code(_UNCLEAR, "no source gives a meaning", _ASK),
    500: Code(_UNCLEAR, "the action is impossible", _ASK),
    501: Code(_UNCLEAR, "a connection error inside the API", _ASK),
    1340: Code(_FILE, "a word in the text or the sender is forbidden", "Reword the text, or take another `sender`."),
    1341: Code(_FILE, "a word in the text or the sender is forbidden", "Reword the text, or take another `sender`."),
}

UNLISTED: Final = Code(_UNCLEAR, "the code is in no list of the API's codes", _ASK)

DUPLICATE_CODES: Final = frozenset(code for code, entry in CODES.items() if entry.kind is RefusalClass.DUPLICATE)
"""Sources disagree on which code a repeated request id gets (120 or 182), so all that mean "seen before" count."""

CREDENTIAL_CODES: Final = frozenset({101, 108, 109, 401, 403})
"""Refusals of who is asking, not of what was asked."""

_DIGITS: Final = re.compile(r"[0-9]{1,6}")


def explain(code: int) -> Code:
    """The entry of a code; unlisted codes ask to stop and ask a person."""
    return CODES.get(code, UNLISTED)


def read_code(value: object) -> int | None:
    """
    A code as the API wrote it: an integer, or text of digits, as old lists write `000`; `None` if it is neither.

    No code has more than 6 digits. `True`, which Python counts among the integers, is none.
    """
    if isinstance(value, str | int) and _DIGITS.fullmatch(str(value)):
        return int(value)
    return None

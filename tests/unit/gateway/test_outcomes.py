"""The outcome table: what every error and every answer says about a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoplan.gateway.codes import CODES, DUPLICATE_CODES
from octoplan.gateway.connection import AnswerTooLong
from octoplan.gateway.outcomes import (
    ERRORS,
    classify_error,
    classify_response,
    clean_message,
    read_amount,
    read_object,
    read_retry_after,
)
from octoplan.gateway.port import Accepted, Duplicate, NotSent, Outcome, RefusalClass, Refused, Unknown
from octoplan.limits import API_MESSAGE_CHARACTERS_MAX, REQUEST_ID_LIFETIME_S

TICKET = "sms_5f3fbce61266e"


def answer(status: int, said: object, **headers: str) -> Outcome:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return classify_response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


# --- errors ----------------------------------------------------------------------------------------------------------


def errors_of(module: Any) -> set[type[Exception]]:
    """Every exception that a library names, and everything derived from those."""
    named = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Exception)]
    return {error for name in named for error in derived(name) if error.__module__.split(".")[0] == module.__name__}


def derived(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for child in error.__subclasses__():
        yield from derived(child)


def test_every_error_of_httpx_has_its_place() -> None:
    """A class that a new version brings makes this fail, so that somebody thinks about it."""
    assert set(ERRORS) - {AnswerTooLong} == errors_of(httpx)


def test_every_error_of_httpcore_becomes_one_of_httpx() -> None:
    """The layer below has no error that reaches us under a name we do not know."""
    names = {error.__name__ for error in errors_of(httpcore)}
    # The pool's own signal to take another connection, raised before anything is written.
    assert names - {"ConnectionNotAvailable"} <= {error.__name__ for error in ERRORS}


def test_only_these_errors_mean_not_sent() -> None:
    """Not sent is repeated at once, so the list is short and changes only on purpose."""
    assert {error for error, outcome in ERRORS.items() if isinstance(outcome, NotSent)} == {
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
        httpx.InvalidURL,
    }


def test_an_error_counts_by_its_exact_class() -> None:
    """A new kind of connect error might come later than connecting: it is unknown until somebody looked."""

    class NewConnectError(httpx.ConnectError):
        pass

    assert classify_error(httpx.ConnectError("x")) == ERRORS[httpx.ConnectError]
    assert isinstance(classify_error(NewConnectError("x")), Unknown)
    assert isinstance(classify_error(OSError("x")), Unknown)


# --- success ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("code", [{}, {"code": 0}, {"code": "000"}, {"code": None}])
def test_a_success_with_a_ticket_is_accepted(status: int, code: dict[str, object]) -> None:
    """Any 2xx with a ticket counts, also one that says `"code": 0`."""
    said = {"sms_ticket": TICKET, "number_of_contacts": 3, "total_cost": 0.135, **code}
    assert answer(status, said) == Accepted(TICKET, 3, Decimal("0.135"))


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        TICKET,
        None,
        {"sms_ticket": ""},
        {"sms_ticket": " "},
        {"sms_ticket": None},
        {"sms_ticket": 5},
        {"sms_ticket": "a b"},
        {"sms_ticket": "a\nb"},
        {"sms_ticket": "é"},
        {"sms_ticket": "x" * 129},
        {"ticket": TICKET},
        {"sms_ticket": TICKET, "code": 101},
        {"sms_ticket": TICKET, "code": "120"},
        {"sms_ticket": TICKET, "code": "?"},
        {"sms_ticket": TICKET, "code": False},
        {"error_code": "101"},
        b"",
        b"{",
        b"<html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"sms_ticket":"x","total_cost":NaN}',
        b'{"sms_ticket":"x","total_cost":1e99999999999999999999}',
        b'{"sms_ticket":"x","total_cost":' + b"9" * 5000 + b"}",
    ],
)
def test_a_success_that_cannot_be_trusted_is_unknown(said: object) -> None:
    """Without a ticket that can be written down, or with an error code beside it, it may or may not have been sent."""
    assert isinstance(answer(201, said), Unknown)


def test_a_byte_order_mark_does_no_harm() -> None:
    """Some web frameworks write one in front of their JSON."""
    assert answer(201, b'\xef\xbb\xbf{"sms_ticket":"t"}') == Accepted("t", None, None)


@pytest.mark.parametrize("cost", ["1", -1, -0.01, True, None, [], 10**13, b"1e-30", b"1e+500"])
def test_an_odd_cost_is_none(cost: object) -> None:
    """A figure that is no amount of money is not known; it is never 0 and never a number too large to print."""
    written = cost if isinstance(cost, bytes) else json.dumps(cost).encode()
    assert answer(201, b'{"sms_ticket":"t","total_cost":' + written + b"}") == Accepted("t", None, None)


@pytest.mark.parametrize("count", ["1", -1, 1.0, True, None, [], 10**13])
def test_an_odd_count_is_none(count: object) -> None:
    """Only a natural number counts contacts."""
    assert answer(201, {"sms_ticket": "t", "number_of_contacts": count}) == Accepted("t", None, None)


@given(st.decimals(min_value=0, max_value=10**12, allow_nan=False, places=8))
def test_costs_are_exact(cost: Decimal) -> None:
    """The decimal that the API wrote is the decimal that is kept, digit for digit."""
    got = answer(201, f'{{"sms_ticket":"t","total_cost":{cost:f}}}'.encode())
    assert got == Accepted("t", None, cost)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(set(CODES) - DUPLICATE_CODES))
@pytest.mark.parametrize("write", [int, str])
def test_a_code_is_a_refusal_of_its_class(code: int, write: type[int | str]) -> None:
    """Each listed code gives its class, the API's words and our hint."""
    entry = CODES[code]
    expected = Refused(code, "The API's words", entry.kind, entry.hint, 400)
    assert answer(400, {"code": write(code), "message": "The API's words"}) == expected


def test_a_refusal_without_words_has_ours() -> None:
    """A code alone is explained by the table."""
    refused = answer(400, {"code": 104})
    assert isinstance(refused, Refused)
    assert refused.message == CODES[104].meaning


@pytest.mark.parametrize("code", sorted(DUPLICATE_CODES))
@pytest.mark.parametrize("status", [400, 401, 409, 422])
def test_a_repetition_is_a_duplicate(code: int, status: int) -> None:
    """Whatever the status beside it, the code says that the id was seen."""
    assert answer(status, {"code": code, "message": "x"}) == Duplicate(code, "x")


@pytest.mark.parametrize("code", [999, "999", 125, 134, 400, 438])
@pytest.mark.parametrize(
    "message",
    [
        "request_id exists",
        "Request ID taken",
        "Duplicated",
        "Loop detected",
        "Already sent",
        "sent twice",
        "Déjà envoyé",
    ],
)
def test_an_unclear_code_that_speaks_of_a_repetition_is_unknown(code: object, message: str) -> None:
    """The API names no code for a repeated request; to take it for a refusal would send again under a new id."""
    assert isinstance(answer(400, {"code": code, "message": message}), Unknown)


def test_a_repetition_is_seen_wherever_it_is_said() -> None:
    """The form of validation errors is not documented, so the whole answer is looked at."""
    assert isinstance(answer(400, {"code": 400, "errors": [{"field": "request_id"}]}), Unknown)
    assert isinstance(answer(403, {"message": "already processed"}), Unknown)


def test_a_clear_code_is_believed_whatever_its_words() -> None:
    """A code with a meaning of its own is a refusal, even if a word in its message looks like a repetition."""
    refused = answer(400, {"code": 302, "message": "The list already exists"})
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalClass.FILE


@pytest.mark.parametrize("code", [999, 7, 123456])
def test_an_unlisted_code_is_unclear(code: int) -> None:
    """It was refused, so nothing was sent, but only a person can say what to do."""
    refused = answer(400, {"code": code, "message": "Whatever"})
    assert isinstance(refused, Refused)
    assert (refused.code, refused.kind) == (code, RefusalClass.UNCLEAR)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("said", [b"", b"<html>already</html>", {"message": "no"}, {"code": 999}, {"code": 403}])
def test_refused_access_is_about_the_account(status: int, said: object) -> None:
    """Whoever answers so, the API or a firewall before it, has not taken the request."""
    refused = answer(status, said)
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalClass.ACCOUNT


def test_a_clear_code_wins_over_the_status() -> None:
    """403 with "credit used up" is about money, not about the key."""
    refused = answer(403, {"code": 104})
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalClass.FUNDS


@pytest.mark.parametrize("status", [404, 405, 411, 413, 414, 415, 431])
def test_some_statuses_refuse_without_a_code(status: int) -> None:
    """With these a web server says that it did not take the request at all."""
    refused = answer(status, b"<html>")
    assert isinstance(refused, Refused)
    assert (refused.code, refused.status, refused.kind) == (status, status, RefusalClass.UNCLEAR)


@pytest.mark.parametrize("status", [400, 402, 406, 407, 409, 410, 418, 422, 451, 499])
@pytest.mark.parametrize("said", [b"", b"<html>", b"[]", {}, {"code": "x"}, {"code": 0}, {"code": True}])
def test_other_client_errors_without_a_code_are_unknown(status: int, said: object) -> None:
    """Anything on the way may have written it, before or after the API had the request."""
    assert isinstance(answer(status, said), Unknown)


@pytest.mark.parametrize(
    "status", [100, 199, 300, 302, 304, 307, 399, 408, 425, 500, 502, 503, 504, 520, 599, 600, 999]
)
@pytest.mark.parametrize("said", [b"", {"code": 121}, {"code": 120}, {"sms_ticket": TICKET}])
def test_every_other_status_is_unknown(status: int, said: object) -> None:
    """A server error or a redirect says nothing about what was done before it, whatever its body claims."""
    assert isinstance(answer(status, said), Unknown)


@given(
    status=st.integers(100, 999),
    body=st.binary() | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["code", "message", "sms_ticket", "number_of_contacts", "total_cost"]) | st.text(), inner
        ),
    ).map(lambda said: json.dumps(said).encode()),
    headers=st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text()),
    simulated=st.booleans(),
)  # fmt: skip
def test_any_answer_has_an_outcome(status: int, body: bytes, headers: dict[str, str], simulated: bool) -> None:
    """No bytes that the network can bring raise an error, and none outside 2xx are accepted."""
    outcome = classify_response(status, headers, body, simulated=simulated)
    assert isinstance(outcome, Outcome)
    assert isinstance(outcome, Accepted) <= (200 <= status <= 299)


# --- throttling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 120 "}, 120),
        ({"retry-after": "999999999"}, REQUEST_ID_LIFETIME_S),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 20 Mar 2027 09:01:30 GMT"}, None),
        ({"retry-after": "Sat, 20 Mar 2027 09:01:30 GMT", "date": "Sat, 20 Mar 2027 09:00:00 GMT"}, 90),
        ({"retry-after": "Sat, 20 Mar 2027 10:01:30 +0100", "date": "Sat, 20 Mar 2027 09:00:00 GMT"}, 90),
        ({"retry-after": "Sat, 20 Mar 2027 08:00:00 GMT", "date": "Sat, 20 Mar 2027 09:00:00 GMT"}, 0),
        (
            {"retry-after": "Sat, 20 Mar 2087 08:00:00 GMT", "date": "Sat, 20 Mar 2027 09:00:00 GMT"},
            REQUEST_ID_LIFETIME_S,
        ),
        ({"retry-after": "Sat, 20 Mar 2027 08:00:00 GMT", "date": "today"}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359", "date": "Sat, 20 Mar 2027 09:00:00 GMT"}, None),
    ],
)
def test_the_wait_that_the_api_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, or a date against the answer's own clock; bounded, and `None` where it cannot be read."""
    assert read_retry_after(headers) == seconds
    outcome = classify_response(429, headers, b'{"code":120}')
    assert isinstance(outcome, NotSent)
    assert (outcome.retry_after_s, outcome.throttled) == (seconds, True)


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Mention STOP is missing.", "Mention STOP is missing."),
        ("[STOP au 30101] is missing", "[STOP au 30101] is missing"),
        ("Field auto_remove_blacklisted_numbers is wrong", "Field auto_remove_blacklisted_numbers is wrong"),
        ("Number +33612340001 is bad", "Number +*********** is bad"),
        ("Number +33 (0)6 12.34-00 01!", "Number +*******************!"),
        ("06\u00a012\u00a034\u00a000\u00a001", "**************"),
        ("0612\u200b340001", "**********"),
        ("User founder@acme.example unknown", "User ******************** unknown"),
        ("Key abcdefghijklmnop12345 unknown", "Key ********************* unknown"),
        ("a\x1b[31mred\x07\n\n two \u202e", "a[31mred two "),
        ("half \ud800 pair", "half  pair"),
        (None, ""),
        (5, ""),
        (["x"], ""),
    ],
)
def test_messages_are_shown_without_personal_data(said: object, shown: str) -> None:
    """Numbers, addresses and tokens become stars; nothing moves the cursor or turns the text around."""
    assert clean_message(said) == shown


@given(st.text())
def test_messages_are_bounded_and_printable(said: str) -> None:
    """However long and odd, what is kept is one bounded line that any terminal can print."""
    shown = clean_message(said * 50)
    assert len(shown) <= API_MESSAGE_CHARACTERS_MAX
    assert "\n" not in shown
    shown.encode()


@pytest.mark.parametrize("before", range(API_MESSAGE_CHARACTERS_MAX // 2 - 8, API_MESSAGE_CHARACTERS_MAX // 2 + 1))
def test_no_half_of_a_number_stays_at_the_end(before: int) -> None:
    """Where the text is cut, the number that lies across the cut is masked as well."""
    assert "3361" not in clean_message("x " * before + "+33612340001")


def test_deep_answers_are_unreadable_not_fatal() -> None:
    """An answer nested beyond what Python reads is no object, and costs no traceback."""
    assert read_object(b'{"a":' * 50_000 + b"1" + b"}" * 50_000) is None


@pytest.mark.parametrize(("value", "amount"), [(12, Decimal(12)), (Decimal("-3.5"), Decimal("-3.5")), (1.5, None)])
def test_amounts_are_exact_or_nothing(value: object, amount: Decimal | None) -> None:
    """An overdrawn wallet is an amount; a float is not, for its digits are already lost."""
    assert read_amount(value) == amount

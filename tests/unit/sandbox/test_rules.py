"""Every request that is refused, with its code; and that a refusal leaves no trace."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import phonenumbers
import pytest

from octoplan.sandbox.tables import ASSIGNED_ELSEWHERE, BY_CALLING_CODE, COUNTRIES
from tests.sandbox_process import HEADERS, SandboxProcess, exact
from tests.unit.sandbox.bodies import AMERICAN, FRENCH, GERMAN, campaign, contacts, french, without

LATER = "2026-01-01T11:00:00+01:00"

REFUSED: dict[str, tuple[Any, int]] = {
    "no body": (b"", 100),
    "blank body": (b" \n", 100),
    "not JSON": (b"{", 400),
    "not UTF-8": ('{"text": "é"}'.encode("latin-1"), 400),
    "not an object": ([campaign()], 400),
    "a key twice": (b'{"text": "a", "text": "b"}', 400),
    "a lone surrogate": (b'{"text": "\\ud800"}', 400),
    "unknown field": (campaign(list_name="spring"), 400),
    "misspelt simulation_mode": (campaign(simulation_mod=True), 400),
    "simulation_mode as text": (campaign(simulation_mode="true"), 400),
    "simulation_mode as number": (campaign(simulation_mode=1), 400),
    "text as number": (campaign(text=1), 400),
    "null for a field": (campaign(send_at=None), 400),
    "unknown type": (campaign(type="sms_vocal"), 400),
    "unknown purpose": (campaign(purpose="alerting"), 400),
    "recipients is no list": (campaign(recipients=FRENCH), 400),
    "a recipient is no object": (campaign(recipients=[FRENCH]), 400),
    "a recipient without number": (campaign(recipients=[{"param1": "x"}]), 400),
    "a number that is no text": (campaign(recipients=[{"phone_number": 33612340000}]), 400),
    "a recipient with an unknown field": (campaign(recipients=contacts(FRENCH, param6="x")), 400),
    "a merge value that is no text": (campaign(recipients=[{"phone_number": FRENCH, "param1": 1}]), 400),
    "a merge value too long": (campaign(recipients=contacts(FRENCH, param1="x" * 51)), 400),
    "a placeholder without value": (campaign(text="{param1} STOP au 36111"), 400),
    "a placeholder with null": (campaign(text="{param1} STOP au 36111", recipients=contacts(FRENCH, param1=None)), 400),
    "a placeholder with nothing": (
        campaign(text="{param1} STOP au 36111", recipients=contacts(FRENCH, param1="")),
        400,
    ),
    "a number twice": (campaign(recipients=contacts(FRENCH, french(1), FRENCH)), 400),
    "a number twice, spaced": (campaign(recipients=contacts(FRENCH, "+33 6 12 34 00 00")), 400),
    "empty request_id": (campaign(request_id=""), 400),
    "request_id with punctuation": (campaign(request_id="a-b"), 400),
    "request_id too long": (campaign(request_id="a" * 65), 400),
    "send_at without offset": (campaign(send_at="2099-01-01T10:00:00"), 400),
    "send_at without seconds": (campaign(send_at="2099-01-01T10:00+01:00"), 400),
    "send_at is no time": (campaign(send_at="tomorrow"), 400),
    "send_at is no date": (campaign(send_at="2099-02-30T10:00:00+01:00"), 400),
    "send_at out of the calendar": (campaign(send_at="9999-12-31T23:59:59-01:00"), 400),
    "send_at in the past": (campaign(send_at="2001-01-01T10:00:00+01:00"), 400),
    "no recipients": (without("recipients"), 110),
    "empty recipients": (campaign(recipients=[]), 103),
    "501 recipients": (campaign(recipients=contacts(*map(french, range(501)))), 305),
    "no text": (without("text"), 107),
    "empty text": (campaign(text=""), 107),
    "no type": (without("type"), 112),
    "sender too short": (campaign(sender="AB"), 106),
    "sender too long": (campaign(sender="ABCDEFGHIJKL"), 106),
    "sender with a sign": (campaign(sender="ACME!"), 106),
    "sender with an accent": (campaign(sender="Créé"), 106),
    "sender with a space at the end": (campaign(sender="ACME "), 106),
    "a national number": (campaign(recipients=contacts("0612340000")), 117),
    "one bad number among good ones": (campaign(recipients=contacts(FRENCH, "+33")), 117),
    "a number too short for its country": (campaign(recipients=contacts("+3361234000")), 117),
    "a number too long for its country": (campaign(recipients=contacts("+336123400000")), 117),
    "a number with other digits": (campaign(recipients=contacts("+3361234000\u0660")), 117),
    "nobody's prefix": (campaign(recipients=contacts("+9991234567")), 150),
    "a country that is not served": (campaign(recipients=contacts("+8881234567")), 151),
    "low cost where there is none": (campaign(recipients=contacts(AMERICAN), type="sms_low_cost"), 152),
    "marketing without STOP": (campaign(text="Soldes"), 121),
    "STOP in small letters": (campaign(text="Soldes. stop au 36111"), 121),
    "STOP with four X": (campaign(text="Soldes. STOP au XXXX"), 121),
    "STOP with six X": (campaign(text="Soldes. STOP au XXXXXX"), 121),
    "STOP with a no-break space": (campaign(text="Soldes. STOP au\u00a036111"), 121),
    "STOP from a merge value": (
        campaign(text="Soldes {param1}", recipients=contacts(FRENCH, param1="STOP au 36111")),
        121,
    ),
    "premium with the low cost mention": (campaign(text="Soldes no PUB=STOP"), 121),
    "low cost marketing without mention": (campaign(text="Soldes", type="sms_low_cost"), 122),
    "text too long": (campaign(text="a" * 1211 + " STOP au 36111"), 189),
    "text too long once filled in": (
        campaign(text="{param1}" + "a" * 1200 + " STOP au 36111", recipients=contacts(FRENCH, param1="x" * 11)),
        189,
    ),
}


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(sandbox: SandboxProcess, body: Any, code: int) -> None:
    """A request that breaks a rule gets 400 and the rule's code, costs nothing, reaches nobody, and quotes nobody."""
    answer = sandbox.send(body)
    said = exact(answer)
    assert (answer.status_code, said["code"]) == (400, code)
    assert not any(number in said["message"] for number in ("+33", "3612"))
    assert sandbox.stats()["refused_by_code"] == {str(code): 1}
    assert (sandbox.accepted(), sandbox.balance()) == ([], Decimal(10000))


ACCEPTED: dict[str, dict[str, Any]] = {
    "as it is": campaign(),
    "no sender": without("sender"),
    "sender with a space, as in the API's example": campaign(sender="Company X"),
    "number with a space, as in the API's example": campaign(recipients=contacts("+ 33612340000")),
    "no purpose means marketing": without("purpose"),
    "alert without STOP": campaign(text="Votre code", purpose="alert"),
    "STOP in English": campaign(text="Sale. STOP at XXXXX"),
    "STOP with a stand-in": campaign(text="Soldes. STOP au XXXXX"),
    "low cost with its own mention": campaign(text="Soldes no PUB=STOP", type="sms_low_cost"),
    "low cost with STOP": campaign(type="sms_low_cost"),
    "500 recipients": campaign(recipients=contacts(*map(french, range(500)))),
    "1224 characters": campaign(text="a" * 1210 + " STOP au 36111"),
    "more only before filling in": campaign(
        text="{first_name}" * 2 + "a" * 1208 + " STOP au 36111", recipients=contacts(FRENCH, first_name="A")
    ),
    "a merge value of 50 characters": campaign(recipients=contacts(FRENCH, param5="x" * 50)),
    "null for an unused merge value": campaign(recipients=contacts(FRENCH, last_name=None)),
    "scheduled": campaign(send_at="2099-01-01T10:00:00+01:00"),
    "scheduled in UTC": campaign(send_at="2099-01-01T10:00:00Z"),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(sandbox: SandboxProcess, body: dict[str, Any]) -> None:
    """A request just inside the rules gets 201 and a ticket, and is in the inbox once for each recipient."""
    answer = sandbox.send(body)
    assert answer.status_code == 201, answer.text
    assert exact(answer)["sms_ticket"].startswith("sms_")
    assert len(sandbox.accepted()) == len(body["recipients"])


def test_no_purpose_is_marketing(sandbox: SandboxProcess) -> None:
    """Octopush's default purpose is marketing, so without one the STOP mention is asked for."""
    body = {**without("purpose"), "text": "Soldes"}
    assert exact(sandbox.send(body))["code"] == 121


def test_the_apis_own_example(sandbox: SandboxProcess) -> None:
    """The request printed on Octopush's API page (with a number reserved for fiction) is accepted, before its date."""
    sandbox.set_now("2025-07-01T00:00:00Z")
    body = (
        b'{"recipients": [{"phone_number": "+ 442079460123", "param1": "Alex"}], "text": "This is a Premium SMS with '
        b'stop mention. STOP at XXXXX", "type": "sms_premium", "purpose": "wholesale", "sender": "Company X", '
        b'"send_at": "2025-07-29T11:00:39-07:00"}'
    )
    answer = sandbox.send(body)
    assert (answer.status_code, exact(answer)["number_of_contacts"]) == (201, 1)
    (message,) = sandbox.accepted()
    assert (message["number"], message["send_at"]) == ("+442079460123", "2025-07-29T18:00:39+00:00")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"api-login": HEADERS["api-login"]},
        {"api-key": HEADERS["api-key"]},
        {"api-login": HEADERS["api-login"], "api-key": "wrong"},
        {"api-login": "other@octoplan.invalid", "api-key": HEADERS["api-key"]},
    ],
    ids=["none", "no key", "no login", "wrong key", "wrong login"],
)
def test_credentials(sandbox: SandboxProcess, headers: dict[str, str]) -> None:
    """Without the right login and key every endpoint answers 401 with code 101, whatever else is wrong."""
    for method, path in [
        ("POST", "/sms-campaign/send"),
        ("DELETE", "/sms-campaign/cancel"),
        ("GET", "/sms-campaign/draft"),
        ("GET", "/wallet/check-balance"),
        ("GET", "/wallet/check-credits"),
    ]:
        answer = sandbox.request(method, path, b"{", headers)
        assert (answer.status_code, exact(answer)["code"]) == (401, 101)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json; charset=latin-1"])
def test_content_type(sandbox: SandboxProcess, kind: str) -> None:
    """Only JSON in UTF-8 is read."""
    answer = sandbox.request("POST", "/sms-campaign/send", campaign(), {**HEADERS, "Content-Type": kind})
    assert (answer.status_code, exact(answer)["code"]) == (400, 400)


def test_content_type_may_name_utf8(sandbox: SandboxProcess) -> None:
    """The charset may be written out."""
    headers = {**HEADERS, "Content-Type": "application/json; charset=UTF-8"}
    assert sandbox.request("POST", "/sms-campaign/send", campaign(), headers).status_code == 201


def test_body_is_bounded(sandbox: SandboxProcess) -> None:
    """A body over 2 MiB is refused without being read to the end of its meaning."""
    answer = sandbox.send(b" " * (2 * 1024 * 1024 + 1))
    assert (answer.status_code, exact(answer)["code"]) == (413, 400)


def test_unknown_route_and_wrong_method(sandbox: SandboxProcess) -> None:
    """They are answered in JSON with 404 and 405."""
    for method, path, status in [("GET", "/nowhere", 404), ("GET", "/sms-campaign/send", 405)]:
        answer = sandbox.request(method, path)
        assert (answer.status_code, exact(answer)["code"]) == (status, status)


def test_every_calling_code_is_known() -> None:
    """Every calling code that libphonenumber knows is either served or known as not served, and none begins another."""
    known = {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
    ours = BY_CALLING_CODE.keys() | ASSIGNED_ELSEWHERE
    assert known <= ours
    assert not BY_CALLING_CODE.keys() & ASSIGNED_ELSEWHERE
    assert not [(a, b) for a in ours for b in ours if a != b and b.startswith(a)]


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.code)
def test_served_countries_take_every_valid_length(country: Any) -> None:
    """No number that libphonenumber could call valid is refused for its length."""
    fewest, most = country.digits
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(country.calling)]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        assert metadata is not None
        for kind in (metadata.mobile, metadata.fixed_line):
            lengths = kind.possible_length if kind is not None else ()
            assert all(length < 0 or fewest <= length <= most for length in lengths)


@pytest.mark.parametrize("number", [FRENCH, AMERICAN, GERMAN])
def test_numbers_of_several_countries(sandbox: SandboxProcess, number: str) -> None:
    """Numbers of every served country are taken."""
    assert sandbox.send(campaign(recipients=contacts(number))).status_code == 201

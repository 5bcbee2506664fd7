"""The rules of `octoplan/gateway/body.py`: the hashed bytes are the sent bytes, and a simulation cannot be mistaken."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoplan.gateway.body import encode_body, hashed_body, require_mode
from octoplan.gateway.port import SendRequest

from .requests import NAME, PHONE, REQUEST_ID, request

PRINTABLE = st.characters(exclude_categories=["Cc", "Cs"])
TEXTS = st.text(PRINTABLE | st.just("\n"), min_size=1)
CONTACTS = st.lists(
    st.fixed_dictionaries({"phone_number": st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)},
                          optional={"first_name": TEXTS, "param1": TEXTS}),
    min_size=1, max_size=5,
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> tuple[SendRequest, dict[str, Any]]:
    """A request and the plain object that it stands for."""
    contacts = draw(CONTACTS)
    fields: dict[str, Any] = {
        "text": draw(TEXTS),
        "type": draw(st.sampled_from(["sms_premium", "sms_low_cost"])),
        "purpose": draw(st.sampled_from(["wholesale", "alert"])),
        "sender": draw(st.none() | st.from_regex("[A-Za-z0-9 ]{3,11}", fullmatch=True)),
        "send_at": draw(st.none() | st.just("2027-03-20T10:00:00+01:00")),
        "with_replies": draw(st.booleans()),
        "auto_optimize_text": draw(st.booleans()),
        "auto_remove_blacklisted_numbers": draw(st.booleans()),
    }
    spliced = b",".join(orjson.dumps(contact, option=orjson.OPT_SORT_KEYS) for contact in contacts)
    plain = {name: value for name, value in fields.items() if value is not None}
    return SendRequest(contacts=spliced, **fields), plain | {"recipients": contacts}


def canonical(plain: dict[str, Any], **more: Any) -> bytes:
    return orjson.dumps(plain | more, option=orjson.OPT_SORT_KEYS)


@given(requests())
def test_a_body_is_the_canonical_json_of_the_whole_object(made: tuple[SendRequest, dict[str, Any]]) -> None:
    """Splicing contacts in gives exactly what orjson with sorted keys writes for the same object."""
    sent, plain = made
    assert hashed_body(sent) == canonical(plain, simulation_mode=False)
    assert encode_body(sent, request_id=None, simulation=True) == canonical(plain, simulation_mode=True)
    real = encode_body(sent, request_id=REQUEST_ID, simulation=False)
    assert real == canonical(plain, simulation_mode=False, request_id=REQUEST_ID)


@given(requests())
def test_a_real_send_is_the_hashed_bytes_with_the_request_id_spliced_in(
    made: tuple[SendRequest, dict[str, Any]],
) -> None:
    """What is hashed is what is sent: taking the request id out of the sent bytes gives the hashed ones."""
    real = encode_body(made[0], request_id=REQUEST_ID, simulation=False)
    identified = f'"request_id":"{REQUEST_ID}",'.encode()
    assert real.count(identified) == 1
    assert real.replace(identified, b"") == hashed_body(made[0])


@given(requests())
def test_the_guard_takes_what_the_encoder_makes(made: tuple[SendRequest, dict[str, Any]]) -> None:
    """Whatever the text and the names contain, a body passes for its own mode and never for the other."""
    real = encode_body(made[0], request_id=REQUEST_ID, simulation=False)
    simulated = encode_body(made[0], request_id=None, simulation=True)
    require_mode(real, simulation=False)
    require_mode(simulated, simulation=True)
    with pytest.raises(ValueError, match="not what this call is for"):
        require_mode(real, simulation=True)
    with pytest.raises(ValueError, match="not what this call is for"):
        require_mode(simulated, simulation=False)


def test_the_bytes_are_these() -> None:
    """The format is final: a change of one byte changes every digest and request id that users have."""
    assert encode_body(request(), request_id=REQUEST_ID, simulation=False).decode() == (
        '{"auto_optimize_text":false,"auto_remove_blacklisted_numbers":true,"purpose":"wholesale",'
        '"recipients":[{"first_name":"Ludivine","phone_number":"+33612340001"}],'
        '"request_id":"k3v7q2mzx5n4c6b2a7d5e3f4g6h2j5l7","send_at":"2027-03-20T10:00:00+01:00","sender":"ACME",'
        '"simulation_mode":false,"text":"Bonjour {first_name}, -20% jusqu\'à dimanche.\\nSTOP au XXXXX",'
        '"type":"sms_premium","with_replies":false}'
    )


def test_absent_fields_are_left_out() -> None:
    """`None` is never written as null: how the API reads a null is stated nowhere."""
    body = json.loads(hashed_body(request(sender=None, send_at=None)))
    assert not {"sender", "send_at", "request_id"} & body.keys()


@pytest.mark.parametrize(("request_id", "simulation"), [(REQUEST_ID, True), (None, False)])
def test_a_simulation_has_no_request_id_and_a_send_has_one(request_id: str | None, simulation: bool) -> None:
    """Whether a simulation uses up an id is stated nowhere; a send without one has no protection at all."""
    with pytest.raises(ValueError, match="request id"):
        encode_body(request(), request_id=request_id, simulation=simulation)


@pytest.mark.parametrize("request_id", ["", "a" * 33, "Abc", "a-b", "a b", 'a"b', "é"])
def test_a_request_id_is_lower_case_letters_and_digits(request_id: str) -> None:
    """An API that strips other characters could make two ids equal, or one id into none."""
    with pytest.raises(ValueError, match="32 lower-case"):
        encode_body(request(), request_id=request_id, simulation=False)


@pytest.mark.parametrize("bad", ["\0", "\t", "\r", "\x1b", "\x7f", "\x85", "\ud800"])
@pytest.mark.parametrize("field", ["text", "sender", "send_at"])
def test_control_characters_are_refused(field: str, bad: str) -> None:
    """Only the line feed may pass: anything else would be repaired by somebody on the way."""
    with pytest.raises(ValueError, match="control characters"):
        hashed_body(request(**{field: f"a{bad}b"}))


@pytest.mark.parametrize("empty", [{"text": ""}, {"contacts": b""}])
def test_an_empty_request_is_refused(empty: dict[str, Any]) -> None:
    """A request without text or recipients is a mistake of ours, not something to ask the API about."""
    with pytest.raises(ValueError, match="at least one recipient"):
        hashed_body(request(**empty))


SIMULATED = encode_body(request(), request_id=None, simulation=True)
LOOKALIKES = {
    "the flag as text": SIMULATED.replace(b":true,", b':"true",'),
    "the flag misspelt": SIMULATED.replace(b"simulation_mode", b"simulation_made"),
    "no flag": SIMULATED.replace(b'"simulation_mode":true,', b""),
    "the flag twice": SIMULATED.replace(
        b'"purpose":"wholesale","recipients":[{', b'"purpose":"wholesale","recipients":[{"simulation_mode":false,'
    ),
    "contacts that break out": encode_body(
        request(contacts=b'{}],"simulation_mode":false,"x":[{}'), request_id=None, simulation=True
    ),
    "the flag in a contact only": SIMULATED.replace(b'"simulation_mode":true,', b"").replace(
        b'[{"first_name"', b'[{"simulation_mode":true,"first_name"'
    ),
    "something after the end": SIMULATED + b"{}",
    "spaces": SIMULATED.replace(b":true", b": true"),
    "nothing": b"",
}


@pytest.mark.parametrize("body", LOOKALIKES.values(), ids=LOOKALIKES.keys())
def test_a_body_with_any_doubt_about_its_flag_is_refused(body: bytes) -> None:
    """The flag is one JSON literal in its one place; the message of the refusal shows nobody's data."""
    with pytest.raises(ValueError, match="not a body made by encode_body") as refused:
        require_mode(body, simulation=True)
    assert PHONE not in str(refused.value)
    assert NAME not in str(refused.value)


def test_a_text_that_speaks_of_the_flag_changes_nothing() -> None:
    """A text with the flag's very bytes is escaped in JSON, so it cannot pass for the flag."""
    text = '"simulation_mode":true,"text":"x","type":"y","with_replies":false}'
    require_mode(encode_body(request(text=text), request_id=None, simulation=True), simulation=True)
    with pytest.raises(ValueError, match="not what this call is for"):
        require_mode(encode_body(request(text=text), request_id=REQUEST_ID, simulation=False), simulation=True)


def test_the_hashed_form_itself_cannot_be_sent() -> None:
    """Without a request id a send has no protection, so the bytes made for hashing are refused."""
    with pytest.raises(ValueError, match="a real send has a request id"):
        require_mode(hashed_body(request()), simulation=False)


def test_nothing_personal_shows_in_a_request() -> None:
    """A request that ends in a log or a traceback shows no number, no name and no text."""
    shown = repr(request())
    assert PHONE not in shown
    assert NAME not in shown
    assert "Bonjour" not in shown


def test_bodies_and_codes_cost_no_http_client() -> None:
    """What plan and state import of the gateway starts fast: httpx is for those who connect."""
    script = "import sys; from octoplan.gateway import body, codes, port; print('httpx' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"

"""The HTTP client against real sockets that misbehave in every way a network can."""

from __future__ import annotations

import json
import logging
import shutil
import ssl
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from octoplan import __version__
from octoplan.diagnostics import AuthenticationFailed, InvalidInput, OctoplanError
from octoplan.gateway.body import encode_body, hashed_body
from octoplan.gateway.connection import Timeouts
from octoplan.gateway.octopush import OctopushGateway, PriceGateway
from octoplan.gateway.port import (
    Accepted,
    Balance,
    Duplicate,
    Gateway,
    NotSent,
    Prices,
    RefusalClass,
    Refused,
    Unknown,
)
from octoplan.limits import RESPONSE_BYTES_MAX
from octoplan.values.secret import Secret

from .requests import NAME, PHONE, REQUEST_ID, request
from .server import (
    ACCEPTED,
    Behaviour,
    answers,
    drips,
    keeps_alive,
    resets_after_reading,
    resets_unread,
    response,
    says,
    serving,
    speaks_first,
    stays_silent,
    unused_port,
)

LOGIN = "founder@acme.example"
KEY = "not-a-real-key-but-it-looks-like-one-0123"
BODY = encode_body(request(), request_id=REQUEST_ID, simulation=False)
SENT = Accepted("sms_5f3fbce61266e", 1, Decimal("5.00502839"))


def gateway(url: str, **options: Any) -> OctopushGateway:
    return OctopushGateway(url, Secret(LOGIN), Secret(KEY), **options)


def prices(url: str) -> PriceGateway:
    return PriceGateway(url, Secret(LOGIN), Secret(KEY))


def test_the_classes_are_the_ports() -> None:
    """What apply and plan are typed against is what they get."""
    sends: Gateway = gateway("http://127.0.0.1:1")
    asks: Prices = prices("http://127.0.0.1:1")
    assert hasattr(sends, "send")
    assert not hasattr(asks, "send")
    assert not hasattr(asks, "cancel")


# --- what leaves -----------------------------------------------------------------------------------------------------


def test_the_bytes_are_sent_as_they_are() -> None:
    """The body arrives byte for byte, and every header is the one that was meant."""
    with serving(answers(201, ACCEPTED)) as server:
        assert gateway(server.url).send(BODY) == SENT
    [received] = server.requests
    assert received.line == "POST /v1/public/sms-campaign/send HTTP/1.1"
    assert received.body == BODY
    assert received.headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-length": str(len(BODY)),
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"octoplan/{__version__}",
        "connection": "close",
        "api-login": LOGIN,
        "api-key": KEY,
    }


def test_every_send_has_a_connection_of_its_own() -> None:
    """No connection is used twice, although the server offers it, and no cookie comes back."""
    with serving(keeps_alive) as server:
        client = gateway(server.url)
        assert [client.send(BODY), client.send(BODY)] == [SENT, SENT]
    assert server.connections == 2
    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_endpoint_may_end_in_a_slash(slash: str) -> None:
    """The path is joined with one slash, however the endpoint was written."""
    with serving(answers(201, ACCEPTED)) as server:
        gateway(server.url + slash).send(BODY)
    assert server.requests[0].line == "POST /v1/public/sms-campaign/send HTTP/1.1"


def test_the_environment_chooses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is used by configuration only: credentials never go where a variable of the shell points."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    with serving(answers(201, ACCEPTED)) as server:
        assert gateway(server.url).send(BODY) == SENT


def test_a_configured_proxy_is_used() -> None:
    """With a proxy the request goes there, in the form that proxies take."""
    with serving(answers(201, ACCEPTED)) as proxy:
        client = gateway("http://api.example.test/v1", proxy=f"http://127.0.0.1:{proxy.port}")
        assert client.send(BODY) == SENT
    assert proxy.requests[0].line == "POST http://api.example.test/v1/sms-campaign/send HTTP/1.1"


def test_a_proxy_that_opens_no_tunnel_was_told_nothing() -> None:
    """A refused tunnel is certainly not sent, and neither key nor body reached the proxy."""
    with serving(answers(403, b"no")) as proxy:
        client = gateway("https://api.example.test/v1", proxy=f"http://127.0.0.1:{proxy.port}")
        assert isinstance(client.send(BODY), NotSent)
    [received] = proxy.requests
    assert received.line == "CONNECT api.example.test:443 HTTP/1.1"
    assert "api-key" not in received.headers
    assert received.body == b""


# --- what comes back, or does not ------------------------------------------------------------------------------------


def test_nobody_listens() -> None:
    """A refused connection is certainly not sent."""
    assert isinstance(gateway(f"http://127.0.0.1:{unused_port()}").send(BODY), NotSent)


def test_no_such_host() -> None:
    """A name that does not resolve is certainly not sent."""
    assert isinstance(gateway("https://api.invalid/v1").send(BODY), NotSent)


def test_no_tls_on_the_other_side() -> None:
    """A server that speaks no TLS gets nothing to read, so nothing was sent."""
    with serving(speaks_first) as server:
        assert isinstance(gateway(server.url.replace("http:", "https:")).send(BODY), NotSent)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command to make a certificate")
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """TLS is verified: an unknown certificate ends it before the key and the body leave."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = f"openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 1 -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(answers(201, ACCEPTED), tls=context) as server:
        assert isinstance(gateway(server.url.replace("http:", "https:")).send(BODY), NotSent)
    assert server.requests == []


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks) + end


UNKNOWN: dict[str, Behaviour] = {
    "reset while the request is read": resets_unread,
    "reset after the request was read": resets_after_reading,
    "closed without an answer": says(b""),
    "not HTTP": says(b"220 mail.example.test ESMTP\r\n"),
    "half a head": says(b"HTTP/1.1 201 Created\r\nContent-Le"),
    "half a body": says(response(201, ACCEPTED)[:-20]),
    "half a body whose end is the connection's": says(b"HTTP/1.1 201 Created\r\n\r\n" + ACCEPTED[:-20]),
    "chunks without their end": says(chunked(ACCEPTED, end=b"")),
    "a broken compressed answer": answers(201, ACCEPTED, "Content-Encoding: gzip"),
    "a page of a proxy": answers(502, b"<html>Bad Gateway</html>", "Content-Type: text/html"),
    "a success in HTML": answers(200, b"<html>Welcome to the hotel's network</html>"),
    "no content": answers(204),
    "no ticket": answers(201, b'{"number_of_contacts":1}'),
    "more than any answer": answers(201, ACCEPTED[:-1] + b',"more":"' + b"x" * RESPONSE_BYTES_MAX + b'"}'),
    "endless heads": says(b"HTTP/1.1 201 Created\r\n" + b"X-Filler: x\r\n" * 20_000),
}


@pytest.mark.parametrize("behave", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_answer_that_cannot_be_read_is_unknown(behave: Behaviour) -> None:
    """Whatever happens once the request may have arrived: it may have been accepted. Nothing is repeated."""
    with serving(behave) as server:
        assert isinstance(gateway(server.url).send(BODY), Unknown)
    assert server.connections == 1


def test_silence_is_unknown() -> None:
    """A server that takes the request and says nothing may have sent it."""
    with serving(stays_silent) as server:
        outcome = gateway(server.url, timeouts=Timeouts(read_s=0.2)).send(BODY)
    assert outcome == Unknown("no whole answer in time")
    assert server.requests[0].body == BODY


DRIPS = {
    "in its head": drips(b"HTTP/1.1 201 Created\r\n", b"X: y\r\n", b"Content-Length: 0\r\n\r\n"),
    "in its body": drips(b"HTTP/1.1 201 Created\r\n\r\n", b" ", ACCEPTED),
}


@pytest.mark.parametrize("behave", DRIPS.values(), ids=DRIPS.keys())
def test_a_dripping_answer_ends_with_the_request_s_time(behave: Behaviour) -> None:
    """Each byte comes in time for its read, but the request as a whole is bounded."""
    with serving(behave) as server:
        outcome = gateway(server.url, timeouts=Timeouts(request_s=0.3)).send(BODY)
    assert outcome == Unknown("no whole answer in time")


@pytest.mark.parametrize(("scheme", "kind"), [("http", Unknown), ("https", NotSent)])
def test_a_request_whose_time_is_over_does_not_go_on(scheme: str, kind: type[object]) -> None:
    """The bound holds for each step: before TLS is there nothing was sent, later nobody knows."""
    with serving(speaks_first) as server:
        client = gateway(server.url.replace("http", scheme, 1), timeouts=Timeouts(request_s=0))
        assert isinstance(client.send(BODY), kind)
    assert server.requests == []


def test_an_answer_in_chunks_is_read() -> None:
    """A whole answer is accepted however it was cut, and without a length."""
    with serving(says(chunked(ACCEPTED[:10], ACCEPTED[10:]))) as server:
        assert gateway(server.url).send(BODY) == SENT
    with serving(says(b"HTTP/1.1 200 OK\r\n\r\n" + ACCEPTED)) as server:
        assert gateway(server.url).send(BODY) == SENT


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The key and the recipients go to the configured endpoint and nowhere else."""
    with serving(answers(201, ACCEPTED)) as elsewhere:
        with serving(answers(status, b"", f"Location: {elsewhere.url}")) as server:
            assert isinstance(gateway(server.url).send(BODY), Unknown)
        assert elsewhere.connections == 0


@pytest.mark.parametrize("location", ["http://[", "ftp://x/y", "http://a:99999999/", "\xff"])
def test_a_redirect_to_nonsense_is_unknown_too(location: str) -> None:
    """An unusable address in an answer is not mistaken for one of ours, which would count as not sent."""
    raw = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    with serving(says(raw)) as server:
        assert isinstance(gateway(server.url).send(BODY), Unknown)


def test_the_api_says_no() -> None:
    """A code of the API becomes a refusal with the API's words and our hint."""
    with serving(answers(400, b'{"code":121,"message":"Mention STOP is missing."}')) as server:
        refused = gateway(server.url).send(BODY)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.message, refused.kind, refused.status) == (
        121,
        "Mention STOP is missing.",
        RefusalClass.FILE,
        400,
    )


def test_the_api_has_seen_it() -> None:
    """A repeated request id is an outcome of its own: what it proves is for the journal to say."""
    with serving(answers(400, b'{"code":120,"message":"seen"}')) as server:
        assert gateway(server.url).send(BODY) == Duplicate(120, "seen")


def test_the_api_is_busy() -> None:
    """Throttled is not sent; the time that the API names is handed on."""
    with serving(answers(429, b"", "Retry-After: 7")) as server:
        outcome = gateway(server.url).send(BODY)
    assert outcome == NotSent("the API asks to slow down (HTTP 429)", 7.0, throttled=True)


class Breaks(httpx.BaseTransport):
    """A network that fails with whatever it is told."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error


def test_an_error_nobody_thought_of_is_unknown() -> None:
    """Any exception becomes an outcome, and its text, which may hold anything, is not kept."""
    outcome = gateway("http://127.0.0.1:1", transport=Breaks(ZeroDivisionError(f"{KEY} {PHONE}"))).send(BODY)
    assert outcome == Unknown("an unexpected ZeroDivisionError during the request")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_not_swallowed(stop: type[BaseException]) -> None:
    """Ctrl-C is not an outcome: the program ends, and the journal keeps an intent without one."""
    with pytest.raises(stop):
        gateway("http://127.0.0.1:1", transport=Breaks(stop())).send(BODY)


# --- a plan sends nothing --------------------------------------------------------------------------------------------


def test_everything_that_a_plan_can_ask_leaves_no_real_send() -> None:
    """Driven through all its methods, a price gateway posts `simulation_mode: true` and nothing else."""
    with serving(answers(200, ACCEPTED[:-1] + b',"amount":1,"unit":"euros","FR":{"premium_sms":1}}')) as server:
        asks = prices(server.url)
        for text in ("Bonjour", '"simulation_mode":false', 'x","simulation_mode":false,"y":"'):
            assert asks.simulate(request(text=text)) == SENT
        asks.balance()
        asks.balance("FR", "sms_premium")
        asks.credits(["FR"])
    posted = [json.loads(received.body) for received in server.requests if received.line.startswith("POST")]
    assert len(posted) == 3
    assert [body for body in posted if body["simulation_mode"] is not True or "request_id" in body] == []
    assert {received.line.split()[0] for received in server.requests} == {"POST", "GET"}


@pytest.mark.parametrize("simulation", [True, False])
def test_a_price_gateway_cannot_be_made_to_send(simulation: bool) -> None:
    """Not even its inner way to the endpoint lets a real body through, whatever it is told about it."""
    with serving(answers(201, ACCEPTED)) as server:
        with pytest.raises(ValueError, match=r"cannot send|not what this call is for"):
            prices(server.url)._post(BODY, simulation=simulation)
        assert server.connections == 0


@pytest.mark.parametrize(
    "body",
    [
        encode_body(request(), request_id=None, simulation=True),
        hashed_body(request()),
        b"{}",
        BODY.replace(b"se,", b"x"),
    ],
)
def test_only_a_real_send_is_sent(body: bytes) -> None:
    """A simulation, the hashed form, or anything not made by the encoder is a bug and does not leave."""
    with serving(answers(201, ACCEPTED)) as server:
        with pytest.raises(ValueError, match=r"body|simulation"):
            gateway(server.url).send(body)
        assert server.connections == 0


def test_a_simulation_may_have_no_ticket() -> None:
    """No source promises a ticket in a simulated answer, so its price counts without one; a send's would not."""
    with serving(answers(201, b'{"number_of_contacts":1,"total_cost":0.045}')) as server:
        assert gateway(server.url).simulate(request()) == Accepted("", 1, Decimal("0.045"))
        assert isinstance(gateway(server.url).send(BODY), Unknown)


# --- reading and cancelling ------------------------------------------------------------------------------------------


def test_the_balance_is_exact() -> None:
    """Amounts are decimals from the first moment: a float would lose the last digit."""
    with serving(answers(200, b'{"amount":12.540000000000000001,"unit":"euros"}')) as server:
        assert prices(server.url).balance() == Balance(Decimal("12.540000000000000001"), "euros")
    assert server.requests[0].line == "GET /v1/public/wallet/check-balance HTTP/1.1"
    assert server.requests[0].body == b""


def test_the_balance_of_a_product() -> None:
    """With country and product the API answers a number of messages."""
    with serving(answers(200, b'{"amount":204,"unit":"sms_premium","wallet_packs":[]}')) as server:
        assert prices(server.url).balance("FR", "sms_premium") == Balance(Decimal(204), "sms_premium")
    target = "/v1/public/wallet/check-balance?country_code=FR&product_name=sms_premium"
    assert server.requests[0].line == f"GET {target} HTTP/1.1"
    with pytest.raises(ValueError, match="together"):
        prices(server.url).balance("FR")


def test_credits_come_by_country() -> None:
    """Each country asked for is answered; a count that is no count is left out."""
    answer = b'{"FR":{"premium_sms":12,"low_cost_sms":30,"hlr":null},"BE":{"premium_sms":9}}'
    with serving(answers(200, answer)) as server:
        assert prices(server.url).credits(["FR", "BE"]) == {
            "FR": {"premium_sms": 12, "low_cost_sms": 30},
            "BE": {"premium_sms": 9},
        }
        with pytest.raises(OctoplanError, match="no list of credits"):
            prices(server.url).credits(["DE"])
    target = server.requests[0].line.split()[1]
    assert httpx.URL(target).params.get_list("country_codes[]") == ["FR", "BE"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b""),
        (403, b"<html>"),
        (400, b'{"code":101,"message":"x"}'),
        (200, b'{"code":"101","amount":1,"unit":"x"}'),
    ],
)
def test_refused_credentials_have_their_own_error(status: int, body: bytes) -> None:
    """By status or by code: wrong credentials end with exit code 4 and say where to look."""
    with serving(answers(status, body)) as server, pytest.raises(AuthenticationFailed, match=r"127\.0\.0\.1") as failed:
        prices(server.url).balance()
    assert failed.value.hint
    assert "credentials" in failed.value.hint


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b'{"amount":"12.54","unit":"euros"}', "is no balance"),
        (200, b'{"amount":12.54}', "is no balance"),
        (200, b"<html>", "HTTP 200"),
        (200, b'{"code":104,"message":"no credit"}', r"no credit \(code 104\)"),
        (400, b'{"code":207}', "no access to this feature"),
        (302, b"", "HTTP 302"),
        (503, b"", "HTTP 503"),
    ],
)
def test_a_balance_that_cannot_be_read_is_never_zero(status: int, body: bytes, says: str) -> None:
    """Anything but a balance is an error that names the host and what it said."""
    with serving(answers(status, body)) as server, pytest.raises(OctoplanError, match=says) as failed:
        prices(server.url).balance()
    assert "127.0.0.1" in failed.value.message
    assert failed.value.hint


def test_an_unreachable_host_is_named() -> None:
    """The message names the host and what went wrong; the HTTP library's error, with its headers, is not attached."""
    with pytest.raises(OctoplanError, match=r"127\.0\.0\.1 gave no answer: no connection") as failed:
        prices(f"http://127.0.0.1:{unused_port()}").balance()
    assert failed.value.__context__ is None
    assert failed.value.__cause__ is None


def test_a_scheduled_campaign_is_cancelled() -> None:
    """The ticket goes into the body of a DELETE, and an empty answer means done."""
    with serving(answers(204)) as server:
        assert gateway(server.url).cancel("sms_624b06226b091819434905") is None
    [received] = server.requests
    assert received.line == "DELETE /v1/public/sms-campaign/cancel HTTP/1.1"
    assert received.body == b'{"ticket_number":"sms_624b06226b091819434905"}'


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"code":131}', Refused),
        (401, b"", Refused),
        (429, b"", NotSent),
        (500, b"", Unknown),
        (200, b"<html>", Unknown),
        (200, ACCEPTED, Unknown),
    ],
)
def test_a_cancellation_is_believed_only_when_confirmed(status: int, body: bytes, kind: type[object]) -> None:
    """A campaign that was not cancelled for sure is never shown as cancelled, nor as sent."""
    with serving(answers(status, body)) as server:
        assert isinstance(gateway(server.url).cancel("sms_1"), kind)


def test_a_cancellation_without_a_network() -> None:
    """Cancelling never raises for what the network does."""
    assert isinstance(gateway(f"http://127.0.0.1:{unused_port()}").cancel("sms_1"), NotSent)


# --- configuration and secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "api.octopush.com/v1",
        "ftp://api.octopush.com",
        "https://",
        "https://h:99999/",
        "https://u:hunter2@h/",
        "https://h/?q=hunter2",
        "https://h/#hunter2",
        "https://[",
        "https://" + "a" * 64 + ".example/",
        "https://h\x00/",
    ],
)
def test_an_unusable_endpoint_is_found_before_anything_is_sent(endpoint: str) -> None:
    """Bad configuration is the user's to fix, with exit code 3, and is not echoed: it may hold a password."""
    with pytest.raises(InvalidInput, match="endpoint") as refused:
        gateway(endpoint)
    assert "hunter2" not in refused.value.message
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("proxy", ["", "127.0.0.1:8080", "socks5://127.0.0.1:1080", "http://", "http://["])
def test_an_unusable_proxy_is_found_too(proxy: str) -> None:
    """Only HTTP proxies are supported, and an empty one is no silent "none"."""
    with pytest.raises(InvalidInput, match="proxy"):
        gateway("https://api.example.test", proxy=proxy)


@pytest.mark.parametrize("bad", ["", " x", "hunter2\n", "hun\r\nter2: y", "hunter2é"])
@pytest.mark.parametrize("name", ["login", "key"])
def test_a_credential_that_no_header_can_carry_is_refused(name: str, bad: str) -> None:
    """Found at once and not shown: the HTTP library's own error would quote it."""
    credentials = {"login": Secret(LOGIN), "key": Secret(KEY)} | {name: Secret(bad)}
    with pytest.raises(InvalidInput, match=f"account's {name}") as refused:
        OctopushGateway("https://api.example.test", credentials["login"], credentials["key"])
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"


def test_nothing_secret_or_personal_shows(caplog: pytest.LogCaptureFixture) -> None:
    """Outcomes, reprs and every log line of every library stay free of key, login, numbers and names."""
    leak = json.dumps({"code": 999, "message": f"{LOGIN} {KEY} {PHONE} +33 6 12.34-00 01"}).encode()
    with caplog.at_level(logging.DEBUG), serving(answers(400, leak)) as server:
        client = gateway(server.url)
        shown = f"{client!r} {client.send(BODY)!r} {client.simulate(request())!r}"
    with caplog.at_level(logging.DEBUG), serving(resets_after_reading) as server:
        client = gateway(server.url)
        shown += f"{client.send(BODY)!r} {vars(client)!r} {vars(client._connection)!r}"
    visible = shown + caplog.text
    for private in (LOGIN, KEY, PHONE, PHONE[1:], "34-00 01", NAME):
        assert private not in visible

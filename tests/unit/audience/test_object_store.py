"""Lists in object storage: against a real server that checks signatures, and against one that lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pytest

from octoplan.audience.engine import Engine
from octoplan.audience.readers import object_store
from octoplan.audience.readers.object_store import Stored
from octoplan.audience.readers.signature import Credentials, signed_headers, store_url
from octoplan.audience.readers.source import Source, open_source
from octoplan.diagnostics import Finding, InvalidInput, Place
from octoplan.values.secret import Secret
from tests import s3_server
from tests.unit.audience.web_server import LIST, Server

PLACE = Place("campaigns/a.yaml", 7)
pytestmark = pytest.mark.usefixtures("private")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> s3_server.Server:
    """A bucket that the key of the standard variables may read."""
    for name, value in s3_server.server().variables.items():
        monkeypatch.setenv(name, value)
    return s3_server.server()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A store that says whatever it is told to."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "walnutkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "walnutsecret")
    server = Server()
    server.says()
    yield server
    server.close()


def stored(at: s3_server.Server | Server, key: str) -> Stored:
    endpoint = at.endpoint if isinstance(at, s3_server.Server) else at.address("").removesuffix("/lists/")
    return Stored(f"s3://{s3_server.BUCKET}/{key}", "us-east-1", endpoint)


def read(remote: Stored) -> list[str]:
    records, _ = open_source(Source(remote.address, remote=remote, places=lambda _: PLACE))
    with Engine(records.files()) as engine:
        return [value for batch in records.stream(engine, [0]) for value in batch.column("c0").to_pylist()]


def failure(remote: Stored) -> Finding:
    with pytest.raises(InvalidInput) as caught:
        read(remote)
    (finding,) = caught.value.findings
    assert finding.place == PLACE
    assert "walnut" not in repr(caught.value) + repr(finding)
    return finding


def listing(*keys: str, token: str = "") -> bytes:
    """A page of a bucket's list."""
    entries = "".join(f"<Contents><Key>{escape(key)}</Key><Size>9</Size></Contents>" for key in keys)
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return (
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{entries}{more}</ListBucketResult>'.encode()
    )


# --- a real server ---------------------------------------------------------------------------------------------------


def test_a_file_is_read_whatever_its_name(store: s3_server.Server) -> None:
    """Names with spaces, signs and accents are signed as the store reads them."""
    for key in ("lists/a.csv", "lists/2027 03/dt=2027-03-01/a+b=c@d,e~f.csv", "lists/été.csv"):
        store.put(key, LIST)
        assert read(stored(store, key)) == ["0612340001", "0612340002"]


def test_a_pattern_stands_for_the_files_of_one_folder(store: s3_server.Server) -> None:
    """In the order of their names, over several pages of the list, without hidden files and other folders."""
    for name in ("part-3", "part-1", "part-5", "part-2", "part-4", ".part-6", "part-7/a", "other"):
        store.put(f"lists/many/{name}.csv", b"mobile\n" + name[-1:].encode() + b"\n")
    assert read(stored(store, "lists/many/part-*.csv")) == ["1", "2", "3", "4", "5"]
    assert read(stored(store, "lists/many/*-3.csv")) == ["3"]
    nothing = failure(stored(store, "lists/many/none-*.csv"))
    assert nothing.code == "audience/missing-file"


def test_what_a_store_refuses_says_what_to_do(store: s3_server.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there or not for this key, another bucket, a wrong secret, a wrong key, a token of nobody."""
    store.put("private/a.csv", LIST)
    assert failure(stored(store, "lists/none.csv")).hint == object_store.HINTS["NoSuchKey"]
    assert failure(stored(store, "private/a.csv")).hint == object_store.HINTS["AccessDenied"]
    other = replace(stored(store, "lists/a.csv"), address="s3://acme-other/lists/a.csv")
    assert failure(other).code == "audience/unreadable-source"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "walnut")
    assert failure(stored(store, "lists/a.csv")).hint == object_store.HINTS["SignatureDoesNotMatch"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "walnut")
    assert failure(stored(store, "lists/a.csv")).hint == object_store.HINTS["InvalidAccessKeyId"]


def test_credentials_come_from_the_named_variables(store: s3_server.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """From no others, and from no file of the machine; one that is not set is named."""
    store.put("lists/a.csv", LIST)
    named = replace(stored(store, "lists/a.csv"), key="MAPLE_ID", secret="MAPLE_SECRET", token="MAPLE_TOKEN")
    assert "MAPLE_ID" in failure(named).detail
    monkeypatch.setenv("MAPLE_ID", store.key)
    assert "MAPLE_SECRET" in failure(named).detail
    monkeypatch.setenv("MAPLE_SECRET", store.secret)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert len(read(named)) == 2


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_signature_of_amazon_s_own_example() -> None:
    """The example "GET Object" of Amazon's page on signature version 4 in the authorization header."""
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    url = store_url("https://examplebucket.s3.amazonaws.com", "test.txt")
    moment = datetime(2013, 5, 24, tzinfo=UTC)
    headers = signed_headers(url, "us-east-1", credentials, moment, {"range": "bytes=0-9"})
    signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert headers["authorization"].endswith(f"Signature={signature}")


def test_neither_secret_leaves_the_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store gets the key's id, a signature, and the token of a lent key, which is signed too."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "lent")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    read(stored(server, "lists/a b.csv"))
    (request,) = server.requests
    assert request.startswith(b"GET /acme-lists/lists/a%20b.csv HTTP/1.1\r\n")
    assert b"Credential=walnutkey/" in request
    assert b"x-amz-security-token: lent\r\n" in request
    assert b"x-amz-security-token,Signature=" in request
    assert b"walnutsecret" not in request


@pytest.mark.parametrize(
    ("address", "endpoint", "allowed"),
    [
        ("s3://acme-lists/a.csv", None, "acme-lists.s3.eu-west-3.amazonaws.com"),
        ("s3://lists.acme.example/a.csv", None, "s3.eu-west-3.amazonaws.com/lists.acme.example"),
        ("s3://acme-lists/a.csv", "https://s3.fr-par.scw.cloud", "s3.fr-par.scw.cloud/acme-lists"),
        ("s3://acme-lists/a.csv", "https://minio.example:9000", "minio.example/acme-lists"),
    ],
)
def test_a_bucket_has_to_be_allowed_outside_the_repository(
    server: Server, monkeypatch: pytest.MonkeyPatch, address: str, endpoint: str | None, allowed: str
) -> None:
    """Not only the host, which a store shares among strangers; nothing is asked for, not even the host's address."""
    remote = Stored(address, "eu-west-3", endpoint)
    others = f"{allowed.partition('/')[0]}x evil.example/acme-lists {allowed}x x{allowed} s3.fr-par.scw.cloud"
    monkeypatch.setenv("OCTOPLAN_ALLOWED_HOSTS", others)
    finding = failure(remote)
    assert finding.code == "audience/source-not-allowed"
    assert finding.hint == f"if this host is right, allow it outside the repository: OCTOPLAN_ALLOWED_HOSTS={allowed}"


# --- a store that lies -----------------------------------------------------------------------------------------------


def test_no_redirect_is_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon's own client would take the token to the other host."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "lent")
    other = Server()
    other.says()
    try:
        away = f"Location: {other.address('a.csv')}\r\nContent-Length: 0\r\n"
        server.says(b"", status="307 Temporary Redirect", headers=away)
        for key in ("lists/a.csv", "lists/*.csv"):
            finding = failure(stored(server, key))
            assert finding.code == "audience/source-not-allowed"
            assert "region" in str(finding.hint)
        assert other.requests == []
    finally:
        other.close()


def test_bounds_hold_for_all_files_together(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, time, files, and the list of files."""
    ok = server.answers[0]
    server.says(listing("lists/a.csv", "lists/b.csv"))
    page = server.answers[0]
    files = stored(server, "lists/*.csv")
    server.answers = [page, ok]
    assert failure(replace(files, bytes_max=2 * len(LIST) - 1)).code == "audience/source-too-large"
    server.answers = [page, ok]
    assert len(read(replace(files, bytes_max=2 * len(LIST)))) == 4
    server.says(listing("lists/x.txt", token="again"))
    monkeypatch.setattr(object_store, "STORE_LISTED_MAX", 3)
    assert failure(files).code == "audience/source-too-large"
    server.says(listing(token="again"))
    monkeypatch.setattr(object_store, "STORE_LISTING_BYTES_MAX", 1_000)
    assert failure(files).code == "audience/source-too-large"
    server.says(headers="Content-Length: 99999999\r\n")
    server.drips = True
    assert failure(replace(stored(server, "lists/a.csv"), time_max_s=0.3)).code == "audience/source-too-slow"


def test_a_list_of_files_is_not_believed(server: Server) -> None:
    """What is not in the folder, or does not match, is not fetched; what is no list, or a bomb, is an error."""
    ok = server.answers[0]
    server.says(listing("private/a.csv", "../keys.csv", "lists/../keys.csv", "lists/x/a.csv", "lists/a?b#c%2e.csv"))
    server.answers.append(ok)
    assert len(read(stored(server, "lists/*.csv"))) == 2
    assert [each.split()[1] for each in server.requests[1:]] == [b"/acme-lists/lists/a%3Fb%23c%252e.csv"]
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><ListBucketResult>&b;</ListBucketResult>'
    for page in (b"", b"<html>", b"\x00", bomb):
        server.says(page)
        assert failure(stored(server, "lists/*.csv")).code == "audience/unreadable-source"


def test_a_list_that_is_cut_off_is_no_shorter_list(server: Server) -> None:
    """Neither a file nor the list of files."""
    for headers in ("Content-Length: 999\r\n", ""):
        server.says(listing("lists/a.csv"), headers=headers)
        for key in ("lists/a.csv", "lists/*.csv"):
            assert failure(stored(server, key)).code == "audience/unreadable-source"


def test_no_word_of_a_store_is_repeated(server: Server) -> None:
    """Of an error's page only a code is looked at, and then it is our own words that are shown."""
    for body in (b"<Code>walnut</Code>", b"<Code>AccessDenied</Code><K>walnut</K>", b"x" * 50_000):
        server.says(body, status="403 Forbidden")
        finding = failure(stored(server, "lists/a.csv"))
        assert finding.detail == "`s3://acme-lists/lists/a.csv` answers 403"
        assert finding.hint in (None, object_store.HINTS["AccessDenied"])


def test_variables_of_the_machine_are_no_credentials(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that could not stand in a header is named, and not its value."""
    for value in ("", "wal\nnut", "wälnut"):
        monkeypatch.setitem(os.environ, "AWS_SECRET_ACCESS_KEY", value)
        assert "AWS_SECRET_ACCESS_KEY" in failure(stored(server, "lists/a.csv")).detail
    assert server.requests == []

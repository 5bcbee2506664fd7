"""Lists on the web: what is fetched, what is not, and that nothing stays behind."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoplan.audience.engine import Engine
from octoplan.audience.readers.download import Remote
from octoplan.audience.readers.source import Source, open_source
from octoplan.diagnostics import Finding, InvalidInput, Place
from tests.unit.audience.web_server import LIST, Server

PLACE = Place("campaigns/a.yaml", 7)
pytestmark = pytest.mark.usefixtures("private")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.says()
    yield server
    server.close()


def read(address: str, *, kind: Any = None, query: str | None = None, **fields: Any) -> list[str]:
    remote = Remote(address, **fields)
    records, _ = open_source(Source(address, kind=kind, query=query, remote=remote, places=lambda _: PLACE))
    with Engine(records.files()) as engine:
        return [value for batch in records.stream(engine, [0]) for value in batch.column("c0").to_pylist()]


def failure(address: str, **fields: Any) -> Finding:
    with pytest.raises(InvalidInput) as caught:
        read(address, **fields)
    (finding,) = caught.value.findings
    assert finding.place == PLACE
    return finding


def test_a_list_is_read_as_a_file_of_its_name(server: Server, tmp_path: Path) -> None:
    """The ending says what it is, and it lives as long as its rows are needed."""
    numbers = ["0612340001", "0612340002"]
    assert read(server.address("list.csv")) == numbers
    pq.write_table(pa.table({"mobile": numbers}), tmp_path / "a.parquet")
    server.says((tmp_path / "a.parquet").read_bytes())
    assert read(server.address("list.parquet")) == numbers
    server.says(pa.compress(LIST, "gzip", asbytes=True))
    assert read(server.address("list.csv.gz")) == numbers
    server.says(b"1d\r\n" + LIST + b"\r\n0\r\n\r\n", headers="Transfer-Encoding: chunked\r\n")
    assert read(server.address("list.csv")) == numbers


def test_headers_come_from_variables_and_are_never_shown(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gets the value; a finding names the variable at most."""
    monkeypatch.setenv("MAPLE_TOKEN", "Bearer walnut")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    read(server.address("list.csv"), headers={"Authorization": "MAPLE_TOKEN"})
    assert b"Authorization: Bearer walnut\r\n" in server.requests[0]
    server.says(status="403 Forbidden")
    refused = failure(server.address("list.csv"), headers={"Authorization": "MAPLE_TOKEN"})
    assert refused.detail.endswith("answers 403")
    for value in ("", "wal\nnut", "wälnut"):
        monkeypatch.setenv("MAPLE_TOKEN", value)
        unset = failure(server.address("list.csv"), headers={"Authorization": "MAPLE_TOKEN"})
        assert "MAPLE_TOKEN" in unset.detail
        assert "nut" not in unset.detail


def test_no_redirect_is_followed(server: Server) -> None:
    """Not even to the same folder: the allowed address is the one that is asked."""
    server.says(b"", status="302 Found", headers=f"Location: {server.address('b.csv')}\r\nContent-Length: 0\r\n")
    assert failure(server.address("a.csv")).code == "audience/source-not-allowed"
    assert len(server.requests) == 1


def test_a_list_that_is_cut_off_is_no_shorter_list(server: Server) -> None:
    """Fewer bytes than announced, a broken chunk, and a length that nobody tells."""
    for headers in ("Content-Length: 999\r\n", "Transfer-Encoding: chunked\r\n", ""):
        server.says(headers=headers)
        assert failure(server.address("a.csv")).code == "audience/unreadable-source"


def test_bounds_on_size_and_time(server: Server) -> None:
    """A list that is too long, and one that comes a byte at a time."""
    assert failure(server.address("a.csv"), bytes_max=len(LIST) - 1).code == "audience/source-too-large"
    assert len(read(server.address("a.csv"), bytes_max=len(LIST))) == 2
    server.says(headers="Content-Length: 99999999\r\n")
    server.drips = True
    assert failure(server.address("a.csv"), time_max_s=0.3).code == "audience/source-too-slow"


def test_nobody_answers(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server, a server that speaks something else, an address that is none."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert failure(f"http://127.0.0.1:{port}/a.csv").code == "audience/unreadable-source"
    server.answers = [b"SSH-2.0-OpenSSH\r\n"]
    assert failure(server.address("a.csv")).code == "audience/unreadable-source"
    monkeypatch.setenv("OCTOPLAN_ALLOWED_HOSTS", "999.999.999.999")
    assert failure("https://999.999.999.999/a.csv").code == "audience/unreadable-source"


def test_a_host_has_to_be_allowed_outside_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull request that changes `octoplan.yaml` too cannot have a secret sent to a host of its own."""
    monkeypatch.setenv("MAPLE_TOKEN", "walnut")
    monkeypatch.setenv("OCTOPLAN_ALLOWED_HOSTS", "files.example.com")
    for host in ("evil.example", "files.example.com.evil.example", "example.com"):
        finding = failure(f"https://{host}/a.csv", headers={"Authorization": "MAPLE_TOKEN"})
        assert finding.code == "audience/source-not-allowed"
        assert finding.hint == f"if this host is right, allow it outside the repository: OCTOPLAN_ALLOWED_HOSTS={host}"


def test_certificate_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that vouches for itself is not believed, whatever variables say; nothing is asked of it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    about = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *about]
    subprocess.run(made, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(context)
    try:
        assert failure(server.address("a.csv")).code == "audience/unreadable-source"
        assert server.requests == []
    finally:
        server.close()

"""The sandbox as a process: one a folder, nothing lost, nothing left behind, nothing said in its log."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.sandbox_process import HEADERS, SandboxProcess, end, exact, log_of, spawn
from tests.unit.sandbox.bodies import campaign, contacts, french


def test_ready_file(tmp_path: Path) -> None:
    """`sandbox.json` names URL, process and version once the socket listens, and goes with the process."""
    with SandboxProcess.start(tmp_path / "state") as running:
        ready = tmp_path / "state" / "sandbox.json"
        assert json.loads(ready.read_bytes()) == {"url": running.url, "pid": running.process.pid, "version": 1}
        assert running.url.startswith("http://127.0.0.1:")
    assert not ready.exists()
    assert running.process.returncode == 0


def test_new_folder_is_private(tmp_path: Path) -> None:
    """A folder that the server makes is its owner's alone: the inbox holds phone numbers."""
    folder = tmp_path / "deep" / "state"
    with SandboxProcess.start(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_state_survives_kill(tmp_path: Path) -> None:
    """After `kill -9` and a restart nothing that was answered is forgotten: inbox, wallet, request ids, clock."""
    running = SandboxProcess.start(tmp_path)
    running.set_now("2030-01-01T00:00:00Z")
    body = campaign(recipients=contacts(*map(french, range(500))), request_id="a1")
    assert running.send(body).status_code == 201
    running.kill()
    with SandboxProcess.start(tmp_path) as restarted:
        assert len(restarted.accepted()) == 500
        assert restarted.balance() == Decimal(10000) - 500 * Decimal("0.061")
        assert exact(restarted.send(body))["code"] == 120
        assert restarted.control("/clock")["now"].startswith("2030-01-01")


def test_stale_ready_file_is_replaced(tmp_path: Path) -> None:
    """What a killed server left behind neither stops nor misleads the next one."""
    running = SandboxProcess.start(tmp_path)
    running.kill()
    assert (tmp_path / "sandbox.json").exists()
    with SandboxProcess.start(tmp_path) as restarted:
        assert restarted.control("/health")["pid"] == restarted.process.pid


def test_one_server_a_folder(tmp_path: Path) -> None:
    """A second server on the same folder is refused in one sentence and does not disturb the first."""
    with SandboxProcess.start(tmp_path) as running:
        second = spawn(tmp_path)
        assert second.wait(20) == 1
        end(second)
        assert f"Another sandbox serves {tmp_path} already." in running.log()
        assert json.loads((tmp_path / "sandbox.json").read_bytes())["pid"] == running.process.pid
        assert running.balance() == 10000


def test_port_that_is_taken(tmp_path: Path) -> None:
    """It is refused in one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = spawn(tmp_path, f"--port={port}")
        assert process.wait(20) == 1
        end(process)
    assert f"Cannot listen on 127.0.0.1 port {port}" in log_of(tmp_path)


def test_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A state that is no database is refused in one sentence, and left as it is."""
    (tmp_path / "sandbox.db").write_text("not a database, but somebody's notes " * 100)
    process = spawn(tmp_path)
    assert process.wait(20) == 1
    end(process)
    assert log_of(tmp_path).startswith("The state in ")
    assert "Traceback" not in log_of(tmp_path)


def test_ends_with_its_parent(tmp_path: Path) -> None:
    """A server that was told so ends when its input closes, which the kernel does for a killed parent."""
    running = SandboxProcess.start(tmp_path)
    assert running.process.stdin is not None
    running.process.stdin.close()
    assert running.process.wait(20) == 0
    assert not (tmp_path / "sandbox.json").exists()
    running.stop()


def test_interrupt_ends_it_like_a_stop(tmp_path: Path) -> None:
    """SIGINT ends it in order, even while a request waits for its answer."""
    running = SandboxProcess.start(tmp_path)
    running.faults({"kind": "delay", "delay_s": 60})
    host, port = running.url.removeprefix("http://").split(":")
    body = json.dumps(campaign()).encode()
    with socket.create_connection((host, int(port))) as waiting:
        head = "".join(f"{name}: {value}\r\n" for name, value in {**HEADERS, "Content-Length": len(body)}.items())
        waiting.sendall(f"POST /v1/public/sms-campaign/send HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode() + body)
        deadline = time.monotonic() + 10
        while running.stats()["real_sends"] == 0:
            assert time.monotonic() < deadline
        os.kill(running.process.pid, signal.SIGINT)
        assert running.process.wait(20) == 0
    running.stop()
    assert running.log() == f"{running.url}\n"


def test_client_that_leaves_in_the_middle_of_its_request(tmp_path: Path) -> None:
    """Half a request is no request, and nothing to complain about."""
    with SandboxProcess.start(tmp_path) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as leaving:
            head = "".join(f"{name}: {value}\r\n" for name, value in {**HEADERS, "Content-Length": 100}.items())
            leaving.sendall(f"POST /v1/public/sms-campaign/send HTTP/1.1\r\nHost: {host}\r\n{head}\r\n{{".encode())
        assert running.summary()["requests"] == 0
    assert running.log() == f"{running.url}\n"


def test_other_credentials(tmp_path: Path) -> None:
    """Login and key can be chosen."""
    with SandboxProcess.start(tmp_path, 0, "--login=me@octoplan.invalid", "--key=other") as running:
        assert running.request("GET", "/wallet/check-balance").status_code == 401
        headers = {"api-login": "me@octoplan.invalid", "api-key": "other"}
        assert running.request("GET", "/wallet/check-balance", None, headers).status_code == 200


def test_log_says_nothing_of_requests(tmp_path: Path) -> None:
    """Neither texts, numbers nor keys are logged, whatever goes wrong; only the URL is."""
    with SandboxProcess.start(tmp_path) as running:
        running.faults({"kind": "reset_after"})
        with pytest.raises(httpx.ReadError):
            running.send(campaign())
        running.send(campaign(text="", sender="!"))
        running.send(b'{"text": "caf\xe9')
    assert running.log() == f"{running.url}\n"

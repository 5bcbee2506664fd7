"""A real sandbox server in a process of its own, for tests that need somebody to answer and to judge."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import httpx

LOGIN: Final = "sandbox@octoplan.invalid"
KEY: Final = "sandbox-key"
HEADERS: Final = {"api-login": LOGIN, "api-key": KEY, "Content-Type": "application/json"}
READY_WITHIN_S: Final = 30.0
POLL_S: Final = 0.01
STOP_WITHIN_S: Final = 10.0


class SandboxProcess:
    """
    `octoplan.sandbox.server` on a socket. It ends with `stop`, with `kill`, or with the process that started it.

    `url` is the root, `endpoint` what a client is given. Amounts in answers are `Decimal`.
    """

    def __init__(self, process: subprocess.Popen[bytes], directory: Path, url: str) -> None:
        self.process = process
        self.directory = directory
        self.url = url
        self.endpoint = f"{url}/v1/public"
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=30.0)

    @classmethod
    def start(cls, directory: Path, port: int = 0, *options: str) -> SandboxProcess:
        """Serve `directory` (made if it is not there) and wait until it listens."""
        process = spawn(directory, f"--port={port}", *options)
        ready = directory / "sandbox.json"
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            if ready.exists() and (said := json.loads(ready.read_bytes()))["pid"] == process.pid:
                return cls(process, directory, said["url"])
            time.sleep(POLL_S)
        end(process)
        raise AssertionError(f"the sandbox did not start: {log_of(directory)}")

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- as a client --------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = HEADERS) -> httpx.Response:
        """Ask the API. `body` is sent as JSON, or as it is if it is bytes."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self._client.request(method, f"/v1/public{path}", content=content, headers=dict(headers))

    def send(self, body: Any) -> httpx.Response:
        """`POST /sms-campaign/send`."""
        return self.request("POST", "/sms-campaign/send", body)

    def cancel(self, ticket: str) -> httpx.Response:
        """`DELETE /sms-campaign/cancel`."""
        return self.request("DELETE", "/sms-campaign/cancel", {"ticket_number": ticket})

    def balance(self) -> Decimal:
        """What is left in the wallet, in euros."""
        return Decimal(exact(self.request("GET", "/wallet/check-balance"))["amount"])

    # --- as the operator ----------------------------------------------------------------------------------------------

    def control(self, path: str, body: Any = None, **query: str | int) -> Any:
        """Ask (`body` is `None`) or tell the control endpoint `path`; an answer that is not 200 is an error."""
        method = "GET" if body is None else "POST"
        content = None if body is None else json.dumps(body).encode()
        answer = self._client.request(method, f"/_sandbox{path}", content=content, params=query)
        assert answer.status_code == 200, answer.text
        return exact(answer)

    def accepted(self, **wanted: str) -> list[dict[str, Any]]:
        """Every accepted message, in order. `wanted` may name `ticket`, `request_id`, `number`."""
        messages: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.control("/accepted", after=after, **wanted)
            messages += page["messages"]
            after = page["next"]
        return messages

    def summary(self) -> dict[str, Any]:
        """messages, distinct_recipients, requests, duplicates, cost, cancelled_requests."""
        return dict(self.control("/accepted/summary"))

    def stats(self) -> dict[str, Any]:
        """real_sends, simulated_sends, refused, refused_by_code."""
        return dict(self.control("/stats"))

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self.control("/clock", {"advance_s": seconds})

    def set_now(self, now: str) -> None:
        """Make it `now`, ISO 8601 with an offset."""
        self.control("/clock", {"now": now})

    def set_balance(self, amount: str) -> None:
        """Put `amount` euros in the wallet."""
        self.control("/balance", {"amount": amount})

    def blacklist(self, *numbers: str) -> None:
        """Let numbers opt out."""
        self.control("/blacklist", {"numbers": list(numbers)})

    def faults(self, *faults: Mapping[str, Any]) -> None:
        """Queue mishaps, such as `{"kind": "reset_after"}`; real sends meet them unless they say `"on": "any"`."""
        self.control("/faults", [dict(fault) for fault in faults])

    def ignore_simulation(self, on: bool) -> None:
        """Treat simulated requests as real ones, or stop doing so."""
        self.control("/faults", {"kind": "ignore_simulation", "on": on})

    def reset(self) -> None:
        """Everything as on the first day."""
        self.control("/reset", {})

    # --- as the kernel ------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """`kill -9`, without a chance to tidy up."""
        self.process.kill()
        self._leave()

    def stop(self) -> None:
        """SIGTERM, as its operator would."""
        self.process.terminate()
        self._leave()

    def log(self) -> str:
        """What it wrote on stdout and stderr."""
        return log_of(self.directory)

    def _leave(self) -> None:
        self._client.close()
        end(self.process)


def spawn(directory: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start the server's command line on `directory`, bound to the life of this process."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with log_file(directory).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "octoplan.sandbox.server", str(directory), "--until-stdin-closes", *options],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end; one that does not come is forced."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def log_of(directory: Path) -> str:
    """What a sandbox of that folder wrote."""
    return log_file(directory).read_text()


def log_file(directory: Path) -> Path:
    """Beside the folder, which the server makes itself."""
    return directory.with_name(f"{directory.name}.log")


def exact(answer: httpx.Response) -> Any:
    """An answer's JSON with every amount to the last digit."""
    return json.loads(answer.content, parse_float=Decimal)

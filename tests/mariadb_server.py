"""
A real MariaDB for the tests: the one that is installed, as a server of its own in a folder of its own.

`make test` installs it where it may (as root, on Debian). Where there is none the tests that need it are skipped, but
fail in CI. Run as a program it starts the server, prints where it is, and stops it and deletes the folder as soon as
its standard input ends. So no server outlives its tests, however they end.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.keeper import start_keeper

_PLACES = os.pathsep.join(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])
"""Where servers are installed that are not in everybody's PATH."""
_SETTINGS = ("--bind-address=127.0.0.1", "--skip-name-resolve", "--log-warnings=0", "--innodb-buffer-pool-size=16M")
_CERTIFICATE = ("-subj", "/CN=maple", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")


@dataclass(frozen=True, slots=True)
class Server:
    """Its port on this machine, the password of `octo`, who may do everything, and its certificate's file."""

    port: int
    password: str
    certificate: str

    def url(self, user: str, password: str, database: str = "crm", host: str = "127.0.0.1") -> str:
        return f"mysql://{user}:{password}@{host}:{self.port}/{database}"

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Beside the code under test; the rows of the last statement."""
        connection = pymysql.connect(
            host="127.0.0.1", port=self.port, user="octo", password=self.password, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@cache
def server() -> Server:
    """The server of this test process, started when it is first asked for."""
    if _find("mariadbd") is None:
        missing = "MariaDB is not installed (Debian: mariadb-server-core and mariadb-client-core)"
        (pytest.fail if os.environ.get("CI", "").lower() in ("true", "1") else pytest.skip)(missing)
    _, said = start_keeper("tests.mariadb_server")
    return Server(**said)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="octoplan-my-"))
    try:
        with _running(folder) as found:
            sys.stdout.write(json.dumps(asdict(found)) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(folder: Path) -> Iterator[Server]:
    user = ("--user=root",) if os.geteuid() == 0 else ()
    data = f"--datadir={folder / 'data'}"
    _run(_find("mariadb-install-db"), "--no-defaults", *user, data, "--skip-test-db", "--skip-name-resolve")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    files = ("-keyout", key, "-out", certificate)
    _run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *_CERTIFICATE)
    found = Server(_free_port(), secrets.token_hex(16), str(certificate))
    grants = folder / "grants.sql"
    grants.write_text(f"GRANT ALL ON *.* TO octo@127.0.0.1 IDENTIFIED BY '{found.password}' WITH GRANT OPTION;\n")
    process = subprocess.Popen(
        [
            str(_find("mariadbd")),
            *("--no-defaults", *user, data, *_SETTINGS, f"--port={found.port}", f"--socket={folder / 'socket'}"),
            *(f"--init-file={grants}", f"--ssl-cert={certificate}", f"--ssl-key={key}"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            _await_ready(process)
            yield found
        finally:
            process.kill()


def _await_ready(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "ready for connections" in line:
            return
    sys.stderr.writelines(said)
    raise SystemExit(1)


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{_PLACES}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _run(*command: str | Path | None) -> None:
    words = [str(part) for part in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()

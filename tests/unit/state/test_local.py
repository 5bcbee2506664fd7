"""What is special to the local state home; what every home keeps is in the contract suite."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from octoplan.clock import SystemClock
from octoplan.diagnostics import StateUnavailable
from octoplan.digests import DigestKey
from octoplan.state.home import Home, Intent
from octoplan.state.journal import Kind, Phase
from octoplan.state.local import create_key, local_home, read_key
from octoplan.state.store import Holder, LeaseHeld, StopNotice

KEY = DigestKey(bytes(range(32)))
ALICE, BOB = "+33612345601", "+33612345602"


def home_in(folder: Path) -> Home:
    return local_home(folder, "production", KEY, SystemClock())


def database(folder: Path) -> Path:
    return folder / "environments" / "production" / "state.db"


def holder(run: str = "r_1") -> Holder:
    return Holder(run, "dana", "build-7", os.getpid(), SystemClock().now())


def intent(digest: str = "b1_x", recipients: int = 2) -> Intent:
    return Intent("sale", digest, "id1", 1, recipients, recipients, "0.10", None)


def numbers(*phones: str) -> pa.StringArray:
    return pa.array(phones, pa.string())


HOLD = """
import os, sys
from pathlib import Path
from octoplan.clock import SystemClock
from octoplan.digests import DigestKey
from octoplan.state.local import local_home
from octoplan.state.store import Holder
home = local_home(Path(sys.argv[1]), "production", DigestKey(bytes(range(32))), SystemClock())
with home.session(Holder("r_other", "sam", "here", os.getpid(), SystemClock().now())):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_dead_apply_holds_nothing(tmp_path: Path) -> None:
    """While another process holds the lease its owner is named; when it is killed the lease is free at once."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    home = home_in(tmp_path)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        current = home.holder()
        assert current is not None
        assert (current.run, current.pid) == ("r_other", other.pid)
        with pytest.raises(LeaseHeld, match="r_other"), home.session(holder()):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert home.holder() is None
        with home.session(holder()):
            pass
    home.close()


def test_a_plan_leaves_no_trace(tmp_path: Path) -> None:
    """Reading an environment that was never applied creates nothing."""
    home = home_in(tmp_path)
    assert dict(home.campaigns()) == {}
    assert home.written("sale", numbers(ALICE)).to_pylist() == [None]
    assert (home.holder(), home.stop_notice()) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_of_several_that_begin_at_once_one_makes_the_tables(tmp_path: Path) -> None:
    """Nobody is refused because another one was a moment earlier."""
    together = Barrier(8)

    def begin(folder: Path) -> None:
        home = home_in(folder)
        together.wait()
        try:
            home.put_stop_notice(StopNotice("lunch", "dana", SystemClock().now()))
        finally:
            home.close()

    with ThreadPoolExecutor(8) as pool:
        for number in range(5):
            folder = tmp_path / str(number)
            list(pool.map(begin, [folder] * 8))
            seen = home_in(folder)
            assert seen.stop_notice() is not None
            seen.close()


def test_no_number_is_in_the_files(tmp_path: Path) -> None:
    """The state holds keyed digests; no spelling of a phone number is in any of its bytes."""
    home = home_in(tmp_path)
    with home.session(holder()) as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
    home.close()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert ALICE[1:].encode() not in content
    assert b"0612345601" not in content


def test_what_was_forgotten_is_not_in_the_files(tmp_path: Path) -> None:
    """Neither the salt nor a ledger row is left in any page or log."""
    home = home_in(tmp_path)
    with home.session(holder()) as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(Kind.SENT, "sale", "b1_x", {})
        connection = sqlite3.connect(database(tmp_path))
        secrets = [
            row[0] for row in connection.execute("SELECT salt FROM campaigns UNION SELECT recipient FROM ledger")
        ]
        connection.close()
        assert len(secrets) == 3
        session.forget("sale")
    home.close()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(secret in content for secret in secrets)


@pytest.mark.parametrize("cut", [1, 17, 400, 5000])
def test_a_torn_end_of_the_log_loses_no_earlier_entry(tmp_path: Path, cut: int) -> None:
    """The write-ahead log is cut as a crash of the machine could cut it: what was durable before is still there."""
    home = home_in(tmp_path)
    copy = database(tmp_path / "copy")
    copy.parent.mkdir(parents=True)
    with home.session(holder()) as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        log = database(tmp_path).with_name("state.db-wal")
        durable = log.stat().st_size
        session.record(Kind.SENT, "sale", "b1_x", {})
        torn = log.read_bytes()[: max(durable, log.stat().st_size - cut)]
        copy.write_bytes(database(tmp_path).read_bytes())
        copy.with_name("state.db-wal").write_bytes(torn)
    home.close()
    again = home_in(tmp_path / "copy")
    assert again.campaigns()["sale"].batches["b1_x"].phase is Phase.OPEN
    assert again.written("sale", numbers(ALICE)).to_pylist() == ["b1_x"]
    again.close()


def test_a_full_disk_is_exit_code_7_and_writes_nothing_by_halves(tmp_path: Path) -> None:
    """No space left: the batch is not intended, so it is not sent; with space again it goes on."""
    home = home_in(tmp_path)
    with home.session(holder()) as session:
        session.open_campaign("sale", {})
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = database(tmp_path).with_name("state.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
        try:
            with pytest.raises(StateUnavailable):
                session.intend(intent(), numbers(ALICE, BOB))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert session.campaigns()["sale"].batches == {}
        session.intend(intent(), numbers(ALICE, BOB))
    assert home.campaigns()["sale"].batches["b1_x"].phase is Phase.OPEN
    home.close()


def test_a_damaged_database_is_exit_code_7_and_not_a_traceback(tmp_path: Path) -> None:
    """Whatever SQLite says about a broken file becomes StateUnavailable."""
    database(tmp_path).parent.mkdir(parents=True)
    database(tmp_path).write_bytes(b"this is no database, but it is long enough to look like one" * 20)
    home = home_in(tmp_path)
    with pytest.raises(StateUnavailable):
        home.campaigns()
    home.close()


def test_a_journal_that_contradicts_itself_is_refused_as_a_whole(tmp_path: Path) -> None:
    """Somebody edited it: nothing is sent from it."""
    home = home_in(tmp_path)
    with home.session(holder()) as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(Kind.SENT, "sale", "b1_x", {})
    home.close()
    connection = sqlite3.connect(database(tmp_path))
    with connection:
        connection.execute("UPDATE journal SET kind = 'intended' WHERE kind = 'sent'")
    connection.close()
    with pytest.raises(StateUnavailable, match="contradicts"):
        home.campaigns()
    home.close()


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    """A state written by a newer octoplan is not touched."""
    home = home_in(tmp_path)
    with home.session(holder()):
        pass
    home.close()
    connection = sqlite3.connect(database(tmp_path))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateUnavailable, match="format 99"):
        home_in(tmp_path).campaigns()


def test_the_key_is_made_once_and_is_nobody_elses_business(tmp_path: Path) -> None:
    """A second call returns the first key; the file is readable by its owner only and ignored by git."""
    folder = tmp_path / ".octoplan"
    first = create_key(folder)
    assert create_key(folder) == first == read_key(folder)
    assert (folder / "digest.key").stat().st_mode & 0o077 == 0
    assert (folder / ".gitignore").read_text().splitlines()[-1] == "*"
    assert first.secret.hex() not in repr(first)


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    """A new key would forget everybody who was written to."""
    folder = tmp_path / ".octoplan"
    folder.mkdir()
    (folder / "digest.key").write_text("not a key\n")
    with pytest.raises(StateUnavailable):
        read_key(folder)
    with pytest.raises(StateUnavailable):
        create_key(folder)
    assert (folder / "digest.key").read_text() == "not a key\n"

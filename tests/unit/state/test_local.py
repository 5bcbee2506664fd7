"""The local state home: what it keeps, what it refuses, and what a second process sees."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from octoplan.clock import SystemClock
from octoplan.diagnostics import StateUnavailable
from octoplan.digests import DigestKey
from octoplan.state.home import AlreadyWritten, Intent
from octoplan.state.journal import BrokenJournal, Kind, Phase
from octoplan.state.local import LocalHome, create_key, read_key

KEY = DigestKey(bytes(range(32)))
ALICE, BOB, CAROL = "+33612345601", "+33612345602", "+33612345603"


def home_in(folder: Path) -> LocalHome:
    return LocalHome(folder, "production", KEY, SystemClock())


def intent(digest: str = "b1_x", recipients: int = 2, attempt: int = 1, campaign: str = "sale") -> Intent:
    return Intent(campaign, digest, f"id{attempt}", attempt, recipients, recipients, "0.10", None)


def numbers(*phones: str) -> pa.StringArray:
    return pa.array(phones, pa.string())


def test_what_was_written_is_there_for_the_next_process(tmp_path: Path) -> None:
    """Journal and ledger survive closing and opening again."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        session.open_campaign("sale", {"type": "sms_premium"})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(Kind.SENT, "sale", "b1_x", {"ticket": "sms_1"})
    home.close()
    again = home_in(tmp_path)
    assert again.campaigns()["sale"].batches["b1_x"].ticket == "sms_1"
    assert again.campaigns()["sale"].content == {"type": "sms_premium"}
    assert again.written("sale", numbers(CAROL, BOB, ALICE)).to_pylist() == [None, "b1_x", "b1_x"]
    again.close()


def test_a_recipient_cannot_be_in_two_batches_of_a_campaign(tmp_path: Path) -> None:
    """The store itself refuses the second row, and then nothing of that batch is written."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        session.open_campaign("sale", {})
        session.intend(intent("b1_x"), numbers(ALICE, BOB))
        with pytest.raises(AlreadyWritten):
            session.intend(intent("b1_y"), numbers(CAROL, BOB))
        assert session.written("sale", numbers(CAROL)).to_pylist() == [None]
        assert set(session.campaigns()["sale"].batches) == {"b1_x"}
    home.close()


def test_two_campaigns_may_write_to_the_same_person(tmp_path: Path) -> None:
    """The ledger is per campaign, and its rows differ, so that campaigns cannot be linked through it."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        for campaign in ("sale", "news"):
            session.open_campaign(campaign, {})
            session.intend(intent(recipients=1, campaign=campaign), numbers(ALICE))
    home.close()
    with sqlite3.connect(tmp_path / "environments" / "production" / "state.db") as connection:
        rows = [row for (row,) in connection.execute("SELECT recipient FROM ledger")]
    connection.close()
    assert len(set(rows)) == 2


@pytest.mark.parametrize("kind", [Kind.NOT_SENT, Kind.REFUSED, Kind.SETTLED_NOT_SENT])
def test_a_certain_not_sent_frees_the_recipients(tmp_path: Path, kind: Kind) -> None:
    """Who certainly got nothing can be written to again; the batch may be intended anew."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(kind, "sale", "b1_x", {})
        assert session.written("sale", numbers(ALICE)).to_pylist() == [None]
        attempt = session.campaigns()["sale"].batches["b1_x"].next_attempt
        session.intend(intent(attempt=attempt), numbers(ALICE, BOB))
        assert session.campaigns()["sale"].batches["b1_x"].phase is Phase.OPEN
    home.close()


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, Kind.SENT, Kind.SETTLED_SENT])
def test_anything_else_keeps_them(tmp_path: Path, kind: Kind) -> None:
    """Who may have got it stays in the ledger."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(kind, "sale", "b1_x", {})
        assert session.written("sale", numbers(ALICE)).to_pylist() == ["b1_x"]
    home.close()


@pytest.mark.parametrize("attempt", [1, 3])
def test_the_home_refuses_an_entry_that_is_no_step(tmp_path: Path, attempt: int) -> None:
    """A batch that was sent cannot be intended again, under no attempt number and for no other recipients."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(Kind.SENT, "sale", "b1_x", {})
        with pytest.raises(BrokenJournal):
            session.intend(intent(recipients=1, attempt=attempt), numbers(CAROL))
        with pytest.raises(BrokenJournal):
            session.record(Kind.NOT_SENT, "sale", "b1_x", {})
        assert session.written("sale", numbers(ALICE, CAROL)).to_pylist() == ["b1_x", None]
        assert session.campaigns()["sale"].batches["b1_x"].phase is Phase.SENT
    home.close()


def test_content_may_change_only_until_something_was_sent(tmp_path: Path) -> None:
    """While every batch is free the new content counts; afterwards another one is refused."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        session.open_campaign("sale", {"sender": "ACME"})
        session.intend(intent(), numbers(ALICE, BOB))
        session.record(Kind.REFUSED, "sale", "b1_x", {})
        session.open_campaign("sale", {"sender": "OTHER"})
        assert session.campaigns()["sale"].content == {"sender": "OTHER"}
        session.intend(intent(attempt=2), numbers(ALICE, BOB))
        with pytest.raises(AlreadyWritten):
            session.open_campaign("sale", {"sender": "THIRD"})
    home.close()


def test_no_number_is_in_the_files(tmp_path: Path) -> None:
    """The state holds keyed digests; no spelling of a phone number is in any of its bytes."""
    home = home_in(tmp_path)
    with home.session("r_1") as session:
        session.open_campaign("sale", {})
        session.intend(intent(), numbers(ALICE, BOB))
    home.close()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert ALICE[1:].encode() not in content
    assert b"0612345601" not in content


HOLD = """
import sys
from pathlib import Path
from octoplan.clock import SystemClock
from octoplan.digests import DigestKey
from octoplan.state.local import LocalHome
home = LocalHome(Path(sys.argv[1]), "production", DigestKey(bytes(range(32))), SystemClock())
with home.session("r_other"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_apply_at_a_time_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    """While another process holds the lease its owner is named; when it is killed the lease is free at once."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    home = home_in(tmp_path)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        holder = home.holder()
        assert holder is not None
        assert (holder.run, holder.pid) == ("r_other", other.pid)
        with pytest.raises(StateUnavailable, match="r_other"), home.session("r_1"):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert home.holder() is None
        with home.session("r_1"):
            holder = home_in(tmp_path).holder()
            assert holder is not None
            assert holder.run == "r_1"
    home.close()


def test_a_plan_leaves_no_trace(tmp_path: Path) -> None:
    """Reading an environment that was never applied creates nothing."""
    home = home_in(tmp_path)
    assert dict(home.campaigns()) == {}
    assert home.written("sale", numbers(ALICE)).to_pylist() == [None]
    assert home.holder() is None
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_exit_code_7_and_not_a_traceback(tmp_path: Path) -> None:
    """Whatever SQLite says about a broken file becomes StateUnavailable."""
    folder = tmp_path / "environments" / "production"
    folder.mkdir(parents=True)
    (folder / "state.db").write_bytes(b"this is no database, but it is long enough to look like one" * 20)
    home = home_in(tmp_path)
    with pytest.raises(StateUnavailable):
        home.campaigns()
    home.close()


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    """A state written by a newer octoplan is not touched."""
    home = home_in(tmp_path)
    with home.session("r_1"):
        pass
    home.close()
    connection = sqlite3.connect(tmp_path / "environments" / "production" / "state.db")
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

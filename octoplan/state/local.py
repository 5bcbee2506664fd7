"""
The `local` state home: the folder `.octoplan/` of a project.

    .octoplan/digest.key                          the project's digest key, mode 0600
    .octoplan/environments/<name>/state.db        journal and ledger, one SQLite file (WAL, synchronous=FULL)
    .octoplan/environments/<name>/lease.lock      held by the operating system while an apply runs

Invariants:
- A write is one SQLite transaction, on the disk when it returns: ledger rows and their entry, or neither.
- A run's write looks at the fencing number inside of its transaction; one whose lease was taken away writes nothing.
- The lease is an advisory lock on an open file: when its process dies, however it dies, the lease is free again and
  nobody has to break it. What the file says is for messages and decides nothing.
- The digest key is there whole or not at all, and is never overwritten.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

from octoplan import limits
from octoplan.clock import Clock, from_text, to_text
from octoplan.diagnostics import StateUnavailable
from octoplan.digests import DigestKey
from octoplan.state.home import Home
from octoplan.state.journal import Entry, Kind
from octoplan.state.store import AlreadyWritten, Change, Holder, LeaseHeld, LeaseLost, StopNotice

FOLDER: Final = ".octoplan"
KEY_FILE: Final = "digest.key"
FORMAT: Final = 1

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, run TEXT NOT NULL, kind TEXT NOT NULL,
  campaign TEXT NOT NULL, batch TEXT, data TEXT NOT NULL) STRICT;
CREATE TABLE campaigns (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, salt BLOB) STRICT;
CREATE TABLE batches (
  id INTEGER PRIMARY KEY, campaign INTEGER NOT NULL REFERENCES campaigns, digest TEXT NOT NULL,
  UNIQUE (campaign, digest)) STRICT;
CREATE TABLE ledger (
  campaign INTEGER NOT NULL, recipient BLOB NOT NULL, batch INTEGER NOT NULL,
  PRIMARY KEY (campaign, recipient)) STRICT, WITHOUT ROWID;
"""

_LOOKUP_CHUNK: Final = 500
_LEASE_TRIES: Final = 5
_LEASE_PAUSE_S: Final = 0.05


def local_home(folder: Path, environment: str, key: DigestKey, clock: Clock) -> Home:
    """The home of one environment in a project's `.octoplan/` folder."""
    return Home(LocalStore(folder / "environments" / environment, clock), key, clock)


def read_key(folder: Path) -> DigestKey | None:
    """
    The project's digest key, or `None` if there is none yet.

    :raises StateUnavailable: if the file is there but cannot be used.
    """
    path = folder / KEY_FILE
    try:
        return DigestKey.from_text(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        hint = "restore the file from where the project's key is kept; a new key would forget what was sent"
        raise StateUnavailable(f"the digest key {path} cannot be read: {_reason(error)}", hint=hint) from None


def create_key(folder: Path) -> DigestKey:
    """
    Make the folder and a new digest key, durable when this returns; an existing key is kept.

    :raises StateUnavailable: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# State and keys: never committed.\n*\n", encoding="ascii")
        _write_new(folder / KEY_FILE, DigestKey.generate().to_text() + "\n")
    except OSError as error:
        raise StateUnavailable(f"cannot write to the state home {folder}: {_reason(error)}") from None
    key = read_key(folder)
    if key is None:
        raise StateUnavailable(f"the digest key in {folder} vanished while it was made")
    return key


def _write_new(path: Path, text: str) -> None:
    """Create `path` whole or not at all, never over an existing file, with its folder entry durable."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


class LocalStore:
    """One environment's folder. Threads of one process may share it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._mutex = threading.RLock()
        self._lease: TextIO | None = None

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    def read_entries(self, campaign: str | None = None) -> list[Entry]:
        """The journal in the order in which it was written; an environment that was never applied has none."""
        where, values = ("WHERE campaign = ?", [campaign]) if campaign is not None else ("", [])
        query = f"SELECT kind, campaign, batch, at, run, data FROM journal {where} ORDER BY seq"  # noqa: S608
        return [
            Entry(Kind(kind), name, batch, from_text(at), run, json.loads(data))
            for kind, name, batch, at, run, data in self._read(query, values)
        ]

    def read_salts(self) -> Mapping[str, bytes]:
        """The salt of every campaign that has a ledger."""
        return dict(self._read("SELECT name, salt FROM campaigns WHERE salt IS NOT NULL", []))

    def find(self, campaign: str, recipients: Sequence[bytes]) -> Mapping[bytes, str]:
        """Those of `recipients` that are in the ledger, and their batch."""
        found: dict[bytes, str] = {}
        for start in range(0, len(recipients), _LOOKUP_CHUNK):
            chunk = recipients[start : start + _LOOKUP_CHUNK]
            query = (
                "SELECT l.recipient, b.digest FROM campaigns c JOIN ledger l ON l.campaign = c.id "  # noqa: S608
                f"JOIN batches b ON b.id = l.batch WHERE c.name = ? AND l.recipient IN ({','.join('?' * len(chunk))})"
            )
            found.update(self._read(query, [campaign, *chunk]))
        return found

    def commit(self, changes: Sequence[Change], holder: Holder) -> None:
        """One transaction for all, durable when this returns."""
        with self._transaction(holder) as connection:
            for change in changes:
                _write_change(connection, change)

    def acquire(self, holder: Holder) -> Holder:
        """Lock the lease file for as long as this process lives, and note who holds it."""
        with _as_unavailable(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lease = (self._folder / "lease.lock").open("a+", encoding="utf-8")
        if not self._take(lease):
            current = _read_holder(lease) or replace(holder, run="not yet named")
            lease.close()
            raise LeaseHeld(current, hint="wait until it has ended; if its process is dead the lease is free by itself")
        self._lease = lease
        # A run that ends in order leaves the file empty.
        before = _read_holder(lease)
        try:
            with self._transaction(None) as connection:
                fence = 1 + int((_get(connection, "fence") or ["0"])[0])
                _put(connection, "fence", str(fence))
            held = replace(holder, fence=fence)
            _write_holder(lease, held)
        except BaseException:
            self.release(holder)
            raise
        return replace(held, took_over=before)

    def _take(self, lease: TextIO) -> bool:
        """Whoever asks for the holder has the lock for an instant, so one refusal is not an answer yet."""
        for _ in range(_LEASE_TRIES):
            if _try_lock(lease, fcntl.LOCK_EX):
                return True
            self._clock.sleep(_LEASE_PAUSE_S)
        return False

    def release(self, holder: Holder) -> None:  # noqa: ARG002 - the open file is the lease
        """Unlock the lease file."""
        if self._lease is not None:
            self._lease.truncate(0)
            self._lease.close()
            self._lease = None

    def holder(self) -> Holder | None:
        """Who holds the lease now; asking does not disturb the holder."""
        path = self._folder / "lease.lock"
        if not path.exists():
            return None
        with _as_unavailable(self._folder), path.open("r", encoding="utf-8") as handle:
            return None if _try_lock(handle, fcntl.LOCK_SH) else _read_holder(handle)

    def unlock(self, run: str) -> bool:
        """
        Let whoever holds the lease write nothing more; its process keeps the file locked until it ends.

        A lease whose process is dead is free by itself, so this is for one that hangs.
        """
        current = self.holder()
        if current is None or current.run != run:
            return False
        with self._transaction(None) as connection:
            _put(connection, "fence", str(1 + current.fence))
        return True

    def stop_notice(self) -> StopNotice | None:
        """The notice, read afresh."""
        rows = self._read("SELECT value FROM meta WHERE name = 'stop'", [])
        if not rows:
            return None
        data = json.loads(rows[0][0])
        return StopNotice(data["reason"], data["owner"], from_text(data["at"]))

    def put_stop_notice(self, notice: StopNotice | None) -> None:
        """Write or delete the notice; short enough to be done beside a running apply."""
        with _as_unavailable(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._transaction(None) as connection:
            if notice is None:
                connection.execute("DELETE FROM meta WHERE name = 'stop'")
            else:
                data = {"reason": notice.reason, "owner": notice.owner, "at": to_text(notice.at)}
                _put(connection, "stop", json.dumps(data))

    def forget(self, entry: Entry, holder: Holder) -> None:
        """Delete salt and rows, and overwrite the pages they were on."""
        with self._mutex:
            with self._transaction(holder) as connection:
                connection.execute("PRAGMA secure_delete = ON")
                where = "(SELECT id FROM campaigns WHERE name = ?)"
                connection.execute(f"DELETE FROM ledger WHERE campaign = {where}", (entry.campaign,))  # noqa: S608
                connection.execute("UPDATE campaigns SET salt = NULL WHERE name = ?", (entry.campaign,))
                _append(connection, entry)
            with _as_unavailable(self._folder):
                # Old pages may still be in the write-ahead log.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the database; the store can be used again afterwards."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _read(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._mutex, _as_unavailable(self._folder):
            connection = self._open(create=False)
            return [] if connection is None else connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self, holder: Holder | None) -> Iterator[sqlite3.Connection]:
        with self._mutex, _as_unavailable(self._folder):
            connection = self._open(create=True)
            assert connection is not None
            connection.execute("BEGIN IMMEDIATE")
            try:
                if holder is not None:
                    _require_fence(connection, holder)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _open(self, *, create: bool) -> sqlite3.Connection | None:
        if self._connection is None and (create or (self._folder / "state.db").exists()):
            self._connection = _connect(self._folder / "state.db")
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    # One connection for all threads of the process, which take turns.
    connection = sqlite3.connect(
        path, timeout=limits.STATE_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _format(connection) == 0:
        _create(connection)
    version = _format(connection)
    if version != FORMAT:
        raise StateUnavailable(
            f"the state in {path} has format {version}, this octoplan knows {FORMAT}",
            hint="use the version of octoplan that wrote it, or a newer one",
        )


def _create(connection: sqlite3.Connection) -> None:
    """All of it or nothing; of several that find an empty database at once, only the first."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _format(connection) == 0:
            for table in _SCHEMA.split(";"):
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _format(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _write_change(connection: sqlite3.Connection, change: Change) -> None:
    entry = change.entry
    if change.salt is not None:
        connection.execute(
            "INSERT INTO campaigns (name, salt) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
            (entry.campaign, change.salt),
        )
    if change.add is not None:
        _add_rows(connection, entry.campaign, change.add.batch, change.add.recipients)
    _append(connection, entry)
    if change.free:
        connection.execute(
            "DELETE FROM ledger WHERE campaign = (SELECT id FROM campaigns WHERE name = ?) AND batch = "
            "(SELECT b.id FROM batches b JOIN campaigns c ON c.id = b.campaign WHERE c.name = ? AND b.digest = ?)",
            (entry.campaign, entry.campaign, entry.batch),
        )


def _add_rows(connection: sqlite3.Connection, campaign: str, batch: str, recipients: Sequence[bytes]) -> None:
    (number,) = connection.execute("SELECT id FROM campaigns WHERE name = ?", (campaign,)).fetchone()
    connection.execute("INSERT INTO batches (campaign, digest) VALUES (?, ?) ON CONFLICT DO NOTHING", (number, batch))
    (row,) = connection.execute("SELECT id FROM batches WHERE campaign = ? AND digest = ?", (number, batch)).fetchone()
    try:
        connection.executemany(
            "INSERT INTO ledger (campaign, recipient, batch) VALUES (?, ?, ?)",
            [(number, recipient, row) for recipient in recipients],
        )
    except sqlite3.IntegrityError:
        raise AlreadyWritten(f"a recipient of batch {batch} is in the ledger already") from None


def _append(connection: sqlite3.Connection, entry: Entry) -> None:
    data = json.dumps(dict(entry.data), sort_keys=True)
    connection.execute(
        "INSERT INTO journal (at, run, kind, campaign, batch, data) VALUES (?, ?, ?, ?, ?, ?)",
        (to_text(entry.at), entry.run, entry.kind, entry.campaign, entry.batch, data),
    )


def _get(connection: sqlite3.Connection, name: str) -> list[str] | None:
    row: list[str] | None = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row


def _put(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def _require_fence(connection: sqlite3.Connection, holder: Holder) -> None:
    current = _get(connection, "fence")
    if current is None or int(current[0]) != holder.fence:
        raise LeaseLost(
            f"the lease of run {holder.run} was taken away; it writes and sends nothing more",
            hint="see `octoplan status` for who applies now",
        )


@contextlib.contextmanager
def _as_unavailable(folder: Path) -> Iterator[None]:
    """Turn what a disk or SQLite can do into exit code 7; nothing was sent when it happens before a POST."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        hint = "check that the folder is writable and the disk not full; nothing is sent without a durable record"
        raise StateUnavailable(f"the state home {folder} cannot be used: {_reason(error)}", hint=hint) from error


def _try_lock(handle: TextIO, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _write_holder(handle: TextIO, holder: Holder) -> None:
    handle.seek(0)
    handle.truncate(0)
    data = {"run": holder.run, "owner": holder.owner, "host": holder.host, "pid": holder.pid, "fence": holder.fence}
    handle.write(json.dumps(data | {"since": to_text(holder.since), "url": holder.url}))
    handle.flush()


def _read_holder(handle: TextIO) -> Holder | None:
    handle.seek(0)
    try:
        data = json.loads(handle.read())
        since = from_text(data["since"])
        return Holder(data["run"], data["owner"], data["host"], data["pid"], since, data["fence"], url=data["url"])
    except (ValueError, KeyError):
        return None

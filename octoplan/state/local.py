"""
The `local` state home: the folder `.octoplan/` of a project.

    .octoplan/digest.key                          the project's digest key, mode 0600
    .octoplan/environments/<name>/state.db        journal and ledger, one SQLite file (WAL, synchronous=FULL)
    .octoplan/environments/<name>/lease.lock      held by the operating system while an apply runs

Ledger rows and the Intended entry are one SQLite transaction, durable when it returns. The lease is an advisory lock on
an open file: when its process dies, however it dies, the lease is free again and nobody has to break it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import hashlib
import json
import os
import secrets
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa

from octoplan import limits
from octoplan.clock import Clock, from_text, to_text
from octoplan.diagnostics import StateUnavailable
from octoplan.digests import DigestKey
from octoplan.state.home import AlreadyWritten, Holder, Intent
from octoplan.state.journal import BatchState, CampaignState, Entry, Kind, replay, step

FOLDER: Final = ".octoplan"
KEY_FILE: Final = "digest.key"
FORMAT: Final = 1

_SCHEMA: Final = """
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, run TEXT NOT NULL, kind TEXT NOT NULL,
  campaign TEXT NOT NULL, batch TEXT, data TEXT NOT NULL) STRICT;
CREATE INDEX journal_batch ON journal (campaign, batch);
CREATE TABLE campaigns (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, salt BLOB NOT NULL) STRICT;
CREATE TABLE batches (
  id INTEGER PRIMARY KEY, campaign INTEGER NOT NULL REFERENCES campaigns, digest TEXT NOT NULL,
  UNIQUE (campaign, digest)) STRICT;
CREATE TABLE ledger (
  campaign INTEGER NOT NULL, recipient BLOB NOT NULL, batch INTEGER NOT NULL,
  PRIMARY KEY (campaign, recipient)) STRICT, WITHOUT ROWID;
"""

_FREEING: Final = frozenset({Kind.NOT_SENT, Kind.REFUSED, Kind.SETTLED_NOT_SENT})
_LOOKUP_CHUNK: Final = 500
_LEASE_TRIES: Final = 5
_LEASE_PAUSE_S: Final = 0.05


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


class LocalHome:
    """One environment's journal and ledger in `.octoplan/`, readable while somebody else applies."""

    def __init__(self, folder: Path, environment: str, key: DigestKey, clock: Clock) -> None:
        self._folder = folder / "environments" / environment
        self._environment = environment
        self._key = key
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._ids: dict[str, tuple[int, bytes]] = {}

    @property
    def key(self) -> DigestKey:
        """The project's digest key."""
        return self._key

    def campaigns(self) -> Mapping[str, CampaignState]:
        """Every campaign that was ever begun here, replayed from the journal."""
        return replay(self.entries())

    def entries(self, campaign: str | None = None) -> Iterator[Entry]:
        """The journal in time order; an environment that was never applied has none."""
        connection = self._open()
        if connection is None:
            return
        with _as_unavailable(self._folder):
            where, values = ("WHERE campaign = ?", [campaign]) if campaign is not None else ("", [])
            yield from _read_entries(connection, where, values)

    def written(self, campaign: str, phones: pa.StringArray) -> pa.StringArray:
        """For each number the digest of the batch that holds it, or null; see `StateReader.written`."""
        connection = self._open()
        identity = self._identity(campaign)
        if connection is None or identity is None:
            return pa.nulls(len(phones), pa.string())
        number, key = identity
        rows = [_recipient(key, phone) for phone in phones.to_pylist()]
        found: dict[bytes, str] = {}
        with _as_unavailable(self._folder):
            for start in range(0, len(rows), _LOOKUP_CHUNK):
                chunk = rows[start : start + _LOOKUP_CHUNK]
                marks = ",".join("?" * len(chunk))
                query = (
                    "SELECT l.recipient, b.digest FROM ledger l JOIN batches b ON b.id = l.batch "  # noqa: S608
                    f"WHERE l.campaign = ? AND l.recipient IN ({marks})"
                )
                found.update(connection.execute(query, (number, *chunk)).fetchall())
        return pa.array([found.get(row) for row in rows], pa.string())

    def holder(self) -> Holder | None:
        """Who holds the lease now; asking does not disturb the holder."""
        path = self._folder / "lease.lock"
        if not path.exists():
            return None
        with path.open("r", encoding="utf-8") as handle:
            if _try_lock(handle, fcntl.LOCK_SH):
                return None
            return _read_holder(handle)

    @contextlib.contextmanager
    def session(self, run: str) -> Iterator[LocalSession]:
        """
        Hold the lease for the length of the context.

        :raises StateUnavailable: if somebody else holds it, or the folder cannot be written.
        """
        with _as_unavailable(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lease = (self._folder / "lease.lock").open("a+", encoding="utf-8")
        with lease:
            if not self._take(lease):
                raise StateUnavailable(
                    f"another apply for `{self._environment}` is running: {_read_holder(lease) or 'not yet named'}",
                    hint="wait until it has ended; if its process is dead the lease is free by itself",
                )
            _write_holder(lease, run, self._clock.now())
            with _as_unavailable(self._folder):
                self._open(create=True)
            yield LocalSession(self, run)
            lease.truncate(0)

    def _take(self, lease: TextIO) -> bool:
        """Whoever asks for the holder has the lock for an instant, so one refusal is not an answer yet."""
        for _ in range(_LEASE_TRIES):
            if _try_lock(lease, fcntl.LOCK_EX):
                return True
            self._clock.sleep(_LEASE_PAUSE_S)
        return False

    def close(self) -> None:
        """Close the database; the home can be used again afterwards."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, *, create: bool = False) -> sqlite3.Connection | None:
        if self._connection is None and (create or (self._folder / "state.db").exists()):
            with _as_unavailable(self._folder):
                self._connection = _connect(self._folder / "state.db")
        return self._connection

    def _identity(self, campaign: str) -> tuple[int, bytes] | None:
        """The campaign's row and ledger key, or `None` if it has no ledger yet."""
        connection = self._open()
        if campaign not in self._ids and connection is not None:
            with _as_unavailable(self._folder):
                row = connection.execute("SELECT id, salt FROM campaigns WHERE name = ?", (campaign,)).fetchone()
            if row is not None:
                self._ids[campaign] = (row[0], self._key.derive("octoplan/ledger/v1", row[1]))
        return self._ids.get(campaign)


class LocalSession:
    """A `LocalHome` while its lease is held: everything of the reader, and the three writes of the protocol."""

    def __init__(self, home: LocalHome, run: str) -> None:
        self._home = home
        self.run = run
        self.key = home.key
        self.campaigns = home.campaigns
        self.entries = home.entries
        self.written = home.written
        self.holder = home.holder

    def open_campaign(self, campaign: str, content: Mapping[str, str]) -> None:
        """Give the campaign its ledger key, and write down its content where it is new."""
        known = self.campaigns().get(campaign)
        if known is not None and known.content == content:
            return
        if known is not None and known.is_begun:
            raise AlreadyWritten(f"campaign {campaign} was sent with another content")

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO campaigns (name, salt) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (campaign, secrets.token_bytes(16)),
            )
            self._append(connection, Kind.OPENED, campaign, None, {"content": dict(content)})

        self._transaction(write)

    def intend(self, intent: Intent, phones: pa.StringArray) -> None:
        """Ledger rows and the Intended entry in one durable transaction."""
        number, key = self._require_identity(intent.campaign)
        recipients = [_recipient(key, phone) for phone in phones.to_pylist()]
        if len(recipients) != intent.recipients:
            raise AlreadyWritten(
                f"batch {intent.digest} has {len(recipients)} numbers for {intent.recipients} recipients"
            )

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO batches (campaign, digest) VALUES (?, ?) ON CONFLICT DO NOTHING", (number, intent.digest)
            )
            batch = _batch_row(connection, number, intent.digest)
            try:
                connection.executemany(
                    "INSERT INTO ledger (campaign, recipient, batch) VALUES (?, ?, ?)",
                    [(number, recipient, batch) for recipient in recipients],
                )
            except sqlite3.IntegrityError:
                raise AlreadyWritten(f"a recipient of batch {intent.digest} is in the ledger already") from None
            data = {
                "request_id": intent.request_id,
                "attempt": intent.attempt,
                "recipients": intent.recipients,
                "segments": intent.segments,
                "cost": intent.cost,
                "send_at": intent.send_at,
            }
            self._append(connection, Kind.INTENDED, intent.campaign, intent.digest, data)

        self._transaction(write)

    def record(self, kind: Kind, campaign: str, digest: str, data: Mapping[str, Any]) -> None:
        """Write what became of a batch; a certain "not sent" frees its recipients in the same transaction."""
        number, _ = self._require_identity(campaign)

        def write(connection: sqlite3.Connection) -> None:
            self._append(connection, kind, campaign, digest, data)
            if kind in _FREEING:
                batch = _batch_row(connection, number, digest)
                connection.execute("DELETE FROM ledger WHERE campaign = ? AND batch = ?", (number, batch))

        self._transaction(write)

    def _require_identity(self, campaign: str) -> tuple[int, bytes]:
        identity = self._home._identity(campaign)  # noqa: SLF001 - a session is its home with the lease held
        if identity is None:
            raise AlreadyWritten(f"campaign {campaign} was not opened before its first batch")
        return identity

    def _append(
        self, connection: sqlite3.Connection, kind: Kind, campaign: str, batch: str | None, data: Mapping[str, Any]
    ) -> None:
        """Write an entry, but only if it is a step of the batch's state machine."""
        entry = Entry(kind, campaign, batch, self._home._clock.now(), self.run, data)  # noqa: SLF001
        if batch is not None:
            before: BatchState | None = None
            for earlier in _read_entries(connection, "WHERE campaign = ? AND batch = ?", [campaign, batch]):
                before = step(before, earlier)
            step(before, entry)
        connection.execute(
            "INSERT INTO journal (at, run, kind, campaign, batch, data) VALUES (?, ?, ?, ?, ?, ?)",
            (to_text(entry.at), self.run, kind, campaign, batch, json.dumps(data, sort_keys=True)),
        )

    def _transaction(self, write: Callable[[sqlite3.Connection], None]) -> None:
        folder = self._home._folder  # noqa: SLF001
        connection = self._home._open(create=True)  # noqa: SLF001
        if connection is None:
            raise StateUnavailable(f"the state home {folder} cannot be opened")
        with _as_unavailable(folder):
            connection.execute("BEGIN IMMEDIATE")
            try:
                write(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=limits.STATE_BUSY_TIMEOUT_S, isolation_level=None)
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
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == FORMAT:
        return
    if version != 0:
        raise StateUnavailable(
            f"the state in {path} has format {version}, this octoplan knows {FORMAT}",
            hint="use the version of octoplan that wrote it, or a newer one",
        )
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")


def _read_entries(connection: sqlite3.Connection, where: str, values: list[str]) -> Iterator[Entry]:
    query = f"SELECT kind, campaign, batch, at, run, data FROM journal {where} ORDER BY seq"  # noqa: S608 - our own text
    for kind, name, batch, at, run, data in connection.execute(query, values):
        yield Entry(Kind(kind), name, batch, from_text(at), run, json.loads(data))


def _batch_row(connection: sqlite3.Connection, campaign: int, digest: str) -> int:
    row = connection.execute("SELECT id FROM batches WHERE campaign = ? AND digest = ?", (campaign, digest)).fetchone()
    if row is None:
        raise AlreadyWritten(f"batch {digest} has an outcome but was never intended")
    return int(row[0])


def _recipient(key: bytes, phone: str) -> bytes:
    """The ledger's name of a number: keyed, so that nobody can test a guess without the key; 16 bytes."""
    return hashlib.blake2b(phone.encode("ascii"), key=key, digest_size=16).digest()


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


def _write_holder(handle: TextIO, run: str, since: datetime) -> None:
    handle.seek(0)
    handle.truncate(0)
    holder = {"run": run, "owner": getpass.getuser(), "host": socket.gethostname(), "pid": os.getpid()}
    handle.write(json.dumps(holder | {"since": to_text(since)}))
    handle.flush()


def _read_holder(handle: TextIO) -> Holder | None:
    handle.seek(0)
    try:
        data = json.loads(handle.read())
        return Holder(data["run"], data["owner"], data["host"], data["pid"], from_text(data["since"]))
    except (ValueError, KeyError):
        return None

"""
The `postgres` state home: a schema of its own in a PostgreSQL database, for teams and for CI.

Tables, shared by every project and environment that names the schema; `scope` is `<project>/<environment>`:

    version      one row for each migration that was applied
    lease        one row a scope: the fencing number, and who holds it
    journal      what happened, in time order
    campaigns    id of a campaign and the salt of its ledger key
    batches      id of a batch
    ledger       who is in which batch: keyed digests
    stop_notice  at most one row a scope

Invariants:
- Everything that a run writes is one transaction that first updates its scope's row of `lease`, if and only if that
  row still has the run's fencing number. The row stays locked until the transaction has ended, so the writers of a
  scope take turns and READ COMMITTED is enough: whoever waited for the row sees it as the one before left it.
- A new lease raises the fencing number in that same row. From then on the run before can write nothing.
- Durable means on the disk of the server, and of its synchronous standbys if it has any: `synchronous_commit` is on in
  each writing transaction, a COMMIT that warns is not believed, and a server with `fsync = off` gives out no lease.
- When the connection breaks before COMMIT is answered, the row is locked again before anything else: that waits until
  the old transaction has ended one way or the other. Only then is looked for what it wrote.
- The latch, an advisory lock of the holder's own connection, only tells whether the holder is alive. Safety never
  hangs on it.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, TypeVar
from uuid import UUID, uuid4

from octoplan import limits
from octoplan.clock import Clock
from octoplan.diagnostics import InvalidInput, StateUnavailable
from octoplan.state.journal import Entry, Kind
from octoplan.state.store import AlreadyWritten, Change, Holder, LeaseHeld, LeaseLost, LedgerRows, StopNotice
from octoplan.values.secret import Secret

try:
    import psycopg
    from psycopg import conninfo, sql
except ImportError:
    raise InvalidInput(
        "the `postgres` state home needs the package psycopg", hint="run `pip install 'octoplan[postgres]'`"
    ) from None

SCHEMA: Final = "octoplan"
SCHEMA_PATTERN: Final = r"(?!pg_)[a-z0-9_][a-z0-9_-]{0,62}"
"""`pg_…` is PostgreSQL's own, and it cuts off what is longer than 63."""

_STEPS: Final[tuple[LiteralString, ...]] = (
    """
    CREATE TABLE {s}.lease (
      scope text PRIMARY KEY, fence bigint NOT NULL, latch bigint, run text, owner text, host text, pid bigint,
      url text, since timestamptz, heartbeat timestamptz);
    CREATE TABLE {s}.journal (
      scope text NOT NULL, seq bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, run text NOT NULL,
      fence bigint NOT NULL, kind text NOT NULL, campaign text NOT NULL, batch text, data json NOT NULL,
      commit_id uuid NOT NULL, PRIMARY KEY (scope, seq));
    CREATE TABLE {s}.campaigns (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, scope text NOT NULL, name text NOT NULL, salt bytea,
      UNIQUE (scope, name));
    CREATE TABLE {s}.batches (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, campaign int NOT NULL REFERENCES {s}.campaigns,
      digest text NOT NULL, UNIQUE (campaign, digest));
    CREATE TABLE {s}.ledger (
      campaign int NOT NULL, recipient bytea NOT NULL CHECK (octet_length(recipient) = 16), batch int NOT NULL,
      PRIMARY KEY (campaign, recipient));
    CREATE INDEX ON {s}.ledger (batch);
    CREATE TABLE {s}.stop_notice (scope text PRIMARY KEY, reason text NOT NULL, owner text NOT NULL,
      at timestamptz NOT NULL);
    """,
)
"""Migrations in order. A step that was released is never edited; a change is a new step."""

_PLACE_PATTERNS: Final = {
    "host": r"[\w.:/,-]*",
    "hostaddr": r"[\w.:,]*",
    "port": r"[0-9,]*",
    "dbname": r"[\w.$-]*",
}
"""
A password with an unescaped `@`, `/` or `:` ends up in one of these parts of the address; they could then not be shown.
"""
_CONNECTION: Final[Mapping[str, str | int]] = {
    "client_encoding": "UTF8",
    # A standby may lack what was written a moment ago.
    "target_session_attrs": "read-write",
    "application_name": "octoplan",
    "connect_timeout": round(limits.STATE_CONNECT_TIMEOUT_S),
    "keepalives": 1,
    "keepalives_idle": round(limits.STATE_SILENCE_S / 2),
    "keepalives_interval": round(limits.STATE_SILENCE_S / 6),
    "keepalives_count": 3,
    "tcp_user_timeout": round(limits.STATE_SILENCE_S * 1000),
}
"""How a session is opened, and how our side notices a network that went silent; the server's is in `_SETTINGS`."""
_SETTINGS: Final = {
    "statement_timeout": f"{limits.STATE_STATEMENT_TIMEOUT_S:.0f}s",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": f"{limits.STATE_STATEMENT_TIMEOUT_S / 2:.0f}s",
    "idle_session_timeout": "0",
    "tcp_keepalives_idle": f"{limits.STATE_SILENCE_S / 2:.0f}",
    "tcp_keepalives_interval": f"{limits.STATE_SILENCE_S / 6:.0f}",
    "tcp_keepalives_count": "3",
    "synchronous_commit": "on",
}
"""
Of every session. A process that is paused inside a transaction would hold the lease's row: the server ends it before
those who wait for the row give up.
"""

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")


class PostgresStore:
    """One scope in one schema. Threads of one process may share it: they take turns on one connection."""

    def __init__(self, address: Secret, scope: str, clock: Clock, *, schema: str = SCHEMA) -> None:
        """
        `address` is a URL or a keyword string as libpq takes it; nothing is connected yet.

        :raises InvalidInput: if the address or the schema's name cannot be used.
        """
        if re.fullmatch(SCHEMA_PATTERN, schema) is None:
            raise InvalidInput(
                f"`{schema[:80]}` cannot be the name of octoplan's schema",
                hint="use up to 63 lower-case letters, digits, hyphens and underscores, not beginning with `pg_`",
            )
        self._address = address
        self._parts = _parts(address)
        self._scope = scope
        self._clock = clock
        self._schema = schema
        self._connection: Connection | None = None
        self._lease: Connection | None = None
        self._is_ready = False
        self._mutex = threading.RLock()

    @property
    def place(self) -> str:
        """Host, port, database and schema; no user and no password."""
        host = self._parts.get("host") or self._parts.get("hostaddr") or "its default address"
        port, database = self._parts.get("port") or 5432, self._parts.get("dbname") or "of the role's name"
        return f"PostgreSQL at {host}, port {port}, database {database}, schema {self._schema}"

    def read_entries(self, campaign: str | None = None) -> list[Entry]:
        """The journal in the order in which it was written; an environment that was never applied has none."""
        rows = self._read(
            "SELECT kind, campaign, batch, at, run, data FROM {s}.journal "
            "WHERE scope = %(scope)s AND (%(campaign)s::text IS NULL OR campaign = %(campaign)s) ORDER BY seq",
            {"campaign": campaign},
        )
        return [
            Entry(Kind(kind), name, batch, at.astimezone(UTC), run, data) for kind, name, batch, at, run, data in rows
        ]

    def read_salts(self) -> Mapping[str, bytes]:
        """The salt of every campaign that has a ledger."""
        return dict(self._read("SELECT name, salt FROM {s}.campaigns WHERE scope = %(scope)s AND salt IS NOT NULL", {}))

    def find(self, campaign: str, recipients: Sequence[bytes]) -> Mapping[bytes, str]:
        """Those of `recipients` that are in the ledger, and their batch: lookups by the primary key."""
        found: dict[bytes, str] = {}
        for start in range(0, len(recipients), limits.STATE_LOOKUP_ROWS):
            chunk = list(recipients[start : start + limits.STATE_LOOKUP_ROWS])
            rows = self._read(_FIND, {"campaign": campaign, "recipients": chunk})
            found.update(rows)
        return found

    def commit(self, changes: Sequence[Change], holder: Holder) -> None:
        """One transaction for all, durable when this returns; it is written once even if the connection breaks."""
        commit_id = uuid4()

        def write(connection: Connection, again: bool) -> None:
            with _transaction(connection):
                if again and self._was_written(connection, commit_id):
                    return
                self._require_fence(connection, holder)
                for change in changes:
                    self._write_change(connection, change)
                self._append(connection, [change.entry for change in changes], holder, commit_id)

        self._run(write, create=True)

    def acquire(self, holder: Holder) -> Holder:
        """
        Take the lease on a connection of its own, whose advisory lock shows that this process lives.

        A lease whose holder has no connection any more is taken over; its run can then write nothing.
        """
        self._run(_nothing, create=True)
        connection: Connection | None = None
        try:
            connection = self._connect()
            _require_durable(connection, self.place)
            held = self._take(connection, holder)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, psycopg.Error):
                raise self._unavailable(error) from None
            raise
        self._close_lease()
        self._lease = connection
        return held

    def release(self, holder: Holder) -> None:
        """Clear the lease and let the latch go; does nothing if the lease was lost."""
        # If the server cannot be reached the latch alone frees the lease, and the run's own error must not be hidden.
        with contextlib.suppress(StateUnavailable):
            self._run(lambda connection, _: self._clear(connection, holder.run, holder.fence), create=False, tries=1)
        self._close_lease()

    def holder(self) -> Holder | None:
        """Who holds the lease now; of a holder without a connection it is free."""
        rows = self._read(_FIND_HOLDER, {})
        return _holder(rows[0]) if rows else None

    def unlock(self, run: str) -> bool:
        """Raise the fencing number past the run's own: if it lives, it can write nothing more."""

        def take_away(connection: Connection, _: bool) -> bool:
            with _transaction(connection):
                return self._clear(connection, run, None)

        return bool(self._run(take_away, create=False))

    def stop_notice(self) -> StopNotice | None:
        """The notice, read afresh."""
        rows = self._read("SELECT reason, owner, at FROM {s}.stop_notice WHERE scope = %(scope)s", {})
        return StopNotice(rows[0][0], rows[0][1], rows[0][2].astimezone(UTC)) if rows else None

    def put_stop_notice(self, notice: StopNotice | None) -> None:
        """Write or delete the notice; the lease's row is not touched."""

        def put(connection: Connection, _: bool) -> None:
            with _transaction(connection):
                if notice is None:
                    self._execute(connection, "DELETE FROM {s}.stop_notice WHERE scope = %(scope)s", {})
                else:
                    values = {"reason": notice.reason, "owner": notice.owner, "at": notice.at}
                    self._execute(connection, _POST_NOTICE, values)

        self._run(put, create=True)

    def forget(self, entry: Entry, holder: Holder) -> None:
        """Delete salt and rows; when their remains leave the server's disk and its backups is the server's affair."""
        commit_id = uuid4()

        def delete(connection: Connection, again: bool) -> None:
            with _transaction(connection):
                if again and self._was_written(connection, commit_id):
                    return
                self._require_fence(connection, holder)
                timeout = f"{limits.STATE_FORGET_TIMEOUT_S:.0f}s"
                connection.execute("SELECT set_config('statement_timeout', %s, true)", (timeout,))
                self._execute(connection, _FORGET_ROWS, {"campaign": entry.campaign})
                self._execute(connection, _FORGET_SALT, {"campaign": entry.campaign})
                self._append(connection, [entry], holder, commit_id)

        self._run(delete, create=True)

    def close(self) -> None:
        """Close the connections; the store can be used again afterwards."""
        with self._mutex:
            self._drop()
            self._close_lease()

    # --- inside a transaction ----------------------------------------------------------------------------------------

    def _require_fence(self, connection: Connection, holder: Holder) -> None:
        """Lock the lease's row for the rest of the transaction. :raises LeaseLost: if it is another run's."""
        cursor = self._execute(
            connection,
            "UPDATE {s}.lease SET heartbeat = clock_timestamp() "
            "WHERE scope = %(scope)s AND fence = %(fence)s AND run = %(run)s",
            {"fence": holder.fence, "run": holder.run},
        )
        if cursor.rowcount == 0:
            raise LeaseLost(
                f"the lease of run {holder.run} was taken away; it writes and sends nothing more",
                hint="see `octoplan status` for who applies now",
            )

    def _was_written(self, connection: Connection, commit_id: UUID) -> bool:
        """Whether a commit whose answer was lost was carried out; waits until its transaction has ended."""
        self._execute(connection, "SELECT 1 FROM {s}.lease WHERE scope = %(scope)s FOR UPDATE", {})
        query: LiteralString = "SELECT 1 FROM {s}.journal WHERE scope = %(scope)s AND commit_id = %(id)s LIMIT 1"
        return self._execute(connection, query, {"id": commit_id}).fetchone() is not None

    def _write_change(self, connection: Connection, change: Change) -> None:
        if change.salt is not None:
            self._execute(
                connection,
                "INSERT INTO {s}.campaigns (scope, name, salt) VALUES (%(scope)s, %(campaign)s, %(salt)s) "
                "ON CONFLICT (scope, name) DO NOTHING",
                {"campaign": change.entry.campaign, "salt": change.salt},
            )
        if change.add is not None:
            self._add_rows(connection, change.add)
        if change.free:
            self._execute(connection, _FREE, {"campaign": change.entry.campaign, "batch": change.entry.batch})

    def _add_rows(self, connection: Connection, rows: LedgerRows) -> None:
        ids = self._execute(connection, _ADD_BATCH, {"campaign": rows.campaign, "batch": rows.batch}).fetchone()
        if ids is None:
            raise AlreadyWritten(f"campaign {rows.campaign} has no ledger, so nobody can be added to it")
        campaign, batch = ids
        try:
            with connection.cursor() as cursor, cursor.copy(self._sql(_COPY)) as copy:
                copy.set_types(["int4", "bytea", "int4"])
                for recipient in rows.recipients:
                    copy.write_row((campaign, recipient, batch))
        except psycopg.errors.UniqueViolation:
            raise AlreadyWritten(f"a recipient of batch {rows.batch} is in the ledger already") from None

    def _append(self, connection: Connection, entries: Sequence[Entry], holder: Holder, commit_id: UUID) -> None:
        rows = [
            {
                "scope": self._scope,
                "at": entry.at,
                "run": entry.run,
                "fence": holder.fence,
                "kind": entry.kind.value,
                "campaign": entry.campaign,
                "batch": entry.batch,
                "data": json.dumps(dict(entry.data), sort_keys=True),
                "commit_id": commit_id,
            }
            for entry in entries
        ]
        with connection.cursor() as cursor:
            cursor.executemany(self._sql(_APPEND), rows)

    def _take(self, connection: Connection, holder: Holder) -> Holder:
        """The row is locked throughout, so of several that want the lease one gets it."""
        with _transaction(connection):
            (row,) = self._execute(connection, _LOCK_LEASE, {}).fetchall()
            *current, latch = row
            before = None if current[0] is None else _holder(current)
            if current[0] is not None and not _is_free(connection, latch):
                hint = f"wait until it has ended; if it hangs: `octoplan state unlock {current[0]}`"
                raise LeaseHeld(_holder(current), hint=hint)
            latch = secrets.randbits(63)
            connection.execute("SELECT pg_advisory_lock(%s::bigint)", (latch,))
            return replace(self._write_holder(connection, holder, latch), took_over=before)

    def _write_holder(self, connection: Connection, holder: Holder, latch: int) -> Holder:
        values = {name: getattr(holder, name) for name in ("run", "owner", "host", "pid", "url", "since")}
        (row,) = self._execute(
            connection,
            "UPDATE {s}.lease SET fence = fence + 1, latch = %(latch)s, run = %(run)s, owner = %(owner)s, "
            "host = %(host)s, pid = %(pid)s, url = %(url)s, since = %(since)s, heartbeat = clock_timestamp() "
            "WHERE scope = %(scope)s RETURNING fence, heartbeat",
            {"latch": latch, **values},
        ).fetchall()
        return replace(holder, fence=row[0], heartbeat=row[1].astimezone(UTC))

    def _clear(self, connection: Connection, run: str, fence: int | None) -> bool:
        """Free the lease of `run`, with that fencing number or any; the number rises so that it is not used again."""
        cursor = self._execute(
            connection,
            "UPDATE {s}.lease SET fence = fence + 1, latch = NULL, run = NULL, owner = NULL, host = NULL, pid = NULL, "
            "url = NULL, since = NULL, heartbeat = NULL "
            "WHERE scope = %(scope)s AND run = %(run)s AND fence = coalesce(%(fence)s::bigint, fence)",
            {"run": run, "fence": fence},
        )
        return cursor.rowcount == 1

    # --- the connection ----------------------------------------------------------------------------------------------

    def _read(self, query: LiteralString, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        return self._run(lambda connection, _: self._execute(connection, query, values).fetchall(), create=False) or []

    def _run(
        self, work: Callable[[Connection, bool], T], *, create: bool, tries: int = limits.STATE_TRIES_MAX
    ) -> T | None:
        """
        Do `work` on the connection; `None` if the schema is not there yet and is not to be created.

        A connection that breaks is made anew, a few times, so that a restart of the server does not end a run. `work`
        is told whether it was begun before: what it did then may have been carried out.

        :raises StateUnavailable: if it cannot be done.
        """
        again = False
        with self._mutex:
            for tries_left in reversed(range(tries)):
                try:
                    return work(connection, again) if (connection := self._open(create=create)) else None
                except psycopg.Error as error:
                    is_lost = again if self._connection is None else self._connection.closed
                    self._drop()
                    if not is_lost or not tries_left:
                        raise self._unavailable(error) from None
                except Exception:
                    raise
                except BaseException:
                    # Cut short by a signal: the connection may be in the middle of a statement.
                    self._drop()
                    raise
                again = True
                self._clock.sleep(limits.STATE_RETRY_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _open(self, *, create: bool) -> Connection | None:
        if self._connection is None:
            self._connection = self._connect()
        if not self._is_ready:
            self._is_ready = self._migrate(self._connection, create=create)
        return self._connection if self._is_ready else None

    def _connect(self) -> Connection:
        connection = psycopg.connect(
            conninfo.make_conninfo(self._address.reveal(), **_CONNECTION),
            autocommit=True,
            # Prepared statements do not outlive a transaction behind some poolers.
            prepare_threshold=None,
        )
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        try:
            connection.execute(
                "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS given (name, value)",
                (list(_SETTINGS), list(_SETTINGS.values())),
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: Connection, *, create: bool) -> bool:
        """Bring the schema up to date; whether it is there. Two that do it at once take turns."""
        version = self._read_version(connection)
        if version == len(_STEPS) or (version == 0 and not create):
            return version > 0
        with _transaction(connection):
            key = f"octoplan migrations of {self._schema}"
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))
            done = self._read_version(connection)
            if done == 0:
                self._create_schema(connection)
            for number, step in enumerate(_STEPS[done:], done + 1):
                self._execute(connection, step, None)
                self._execute(connection, "INSERT INTO {s}.version (version) VALUES (%(n)s)", {"n": number})
        return True

    def _create_schema(self, connection: Connection) -> None:
        """A role that may not create schemas is served by an empty one that it owns."""
        if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,)).fetchall():
            self._execute(connection, "CREATE SCHEMA {s}", None)
        self._execute(
            connection, "CREATE TABLE {s}.version (version int PRIMARY KEY, at timestamptz DEFAULT now())", None
        )

    def _read_version(self, connection: Connection) -> int:
        """Zero where nothing is yet. :raises StateUnavailable: if it is newer than this program."""
        # The catalogue itself: `to_regclass` may answer from before the wait for whoever migrated.
        found = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'version'"
        if not connection.execute(found, (self._schema,)).fetchall():
            return 0
        ((version,),) = self._execute(connection, "SELECT coalesce(max(version), 0) FROM {s}.version", {}).fetchall()
        if version > len(_STEPS):
            raise StateUnavailable(
                f"the state in {self.place} has format {version}, this octoplan knows {len(_STEPS)}",
                hint="use the version of octoplan that wrote it, or a newer one",
            )
        return int(version)

    def _execute(
        self, connection: Connection, query: LiteralString, values: Mapping[str, object] | None
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        """With values one statement; with `None` possibly several."""
        return connection.execute(self._sql(query), None if values is None else {"scope": self._scope, **values})

    def _sql(self, query: LiteralString) -> sql.Composed:
        return sql.SQL(query).format(s=sql.Identifier(self._schema))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _close_lease(self) -> None:
        if self._lease is not None:
            self._lease.close()
            self._lease = None

    def _unavailable(self, error: psycopg.Error) -> StateUnavailable:
        """What the server or the network said, without any part of the address that is secret."""
        reason = error.diag.message_primary or (str(error).strip().splitlines() or [type(error).__name__])[0]
        for secret in (self._address.reveal(), self._parts.get("password"), self._parts.get("sslpassword")):
            reason = reason.replace(str(secret), "********") if secret else reason
        return StateUnavailable(
            f"the state home {self.place} cannot be used: {reason}",
            hint="check that the server can be reached and the role may use the schema; what was written stays, and "
            "nothing is sent without a durable record",
        )


_FIND_HOLDER: Final = """
    SELECT run, owner, host, pid, since, fence, heartbeat, url FROM {s}.lease
    WHERE scope = %(scope)s AND run IS NOT NULL AND EXISTS (
      SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) | objid::bigint = latch)
    """
_LOCK_LEASE: Final = """
    INSERT INTO {s}.lease AS lease (scope, fence) VALUES (%(scope)s, 0)
    ON CONFLICT (scope) DO UPDATE SET fence = lease.fence
    RETURNING run, owner, host, pid, since, lease.fence, heartbeat, url, latch
    """
_POST_NOTICE: Final = """
    INSERT INTO {s}.stop_notice (scope, reason, owner, at) VALUES (%(scope)s, %(reason)s, %(owner)s, %(at)s)
    ON CONFLICT (scope) DO UPDATE SET reason = excluded.reason, owner = excluded.owner, at = excluded.at
    """
_FIND: Final = (
    "SELECT l.recipient, b.digest FROM {s}.ledger l JOIN {s}.batches b ON b.id = l.batch "
    "WHERE l.campaign = (SELECT id FROM {s}.campaigns WHERE scope = %(scope)s AND name = %(campaign)s) "
    "AND l.recipient = ANY(%(recipients)s::bytea[])"
)
_ADD_BATCH: Final = (
    "INSERT INTO {s}.batches (campaign, digest) SELECT id, %(batch)s FROM {s}.campaigns "
    "WHERE scope = %(scope)s AND name = %(campaign)s AND salt IS NOT NULL "
    "ON CONFLICT (campaign, digest) DO UPDATE SET digest = excluded.digest RETURNING campaign, id"
)
_COPY: Final = "COPY {s}.ledger (campaign, recipient, batch) FROM STDIN (FORMAT BINARY)"
_FREE: Final = (
    "DELETE FROM {s}.ledger WHERE batch = (SELECT b.id FROM {s}.batches b JOIN {s}.campaigns c ON c.id = b.campaign "
    "WHERE c.scope = %(scope)s AND c.name = %(campaign)s AND b.digest = %(batch)s)"
)
_APPEND: Final = (
    "INSERT INTO {s}.journal (scope, at, run, fence, kind, campaign, batch, data, commit_id) VALUES (%(scope)s, "
    "%(at)s, %(run)s, %(fence)s, %(kind)s, %(campaign)s, %(batch)s, %(data)s::json, %(commit_id)s)"
)
_FORGET_ROWS: Final = (
    "DELETE FROM {s}.ledger WHERE campaign = "
    "(SELECT id FROM {s}.campaigns WHERE scope = %(scope)s AND name = %(campaign)s)"
)
_FORGET_SALT: Final = "UPDATE {s}.campaigns SET salt = NULL WHERE scope = %(scope)s AND name = %(campaign)s"


def _parts(address: Secret) -> Mapping[str, Any]:
    """The parts of an address. :raises InvalidInput: if it is none; its text, which holds a password, is not shown."""
    hint = "in a URL write the characters @ / : % of user and password as %40 %2F %3A %25"
    try:
        parts = conninfo.conninfo_to_dict(address.reveal())
    except psycopg.Error:
        raise InvalidInput("the address of the postgres state home cannot be read", hint=hint) from None
    for name, pattern in _PLACE_PATTERNS.items():
        if re.fullmatch(pattern, str(parts.get(name, ""))) is None:
            raise InvalidInput(f"the address of the postgres state home has no usable `{name}`", hint=hint)
    return parts


@contextlib.contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """
    Durable when it ends, also where the server's default is not.

    A COMMIT whose wait for a synchronous standby is cut short succeeds with a warning: it may then be lost with the
    server.

    :raises StateUnavailable: if the server warned.
    """
    warnings: list[str] = []

    def hear(said: psycopg.errors.Diagnostic) -> None:
        if said.severity_nonlocalized == "WARNING":
            warnings.append(said.message_primary or "")

    connection.add_notice_handler(hear)
    try:
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")
            yield
    finally:
        connection.remove_notice_handler(hear)
    if warnings:
        raise StateUnavailable(
            f"it is not sure that the last entries are durable, the database server warned: {warnings[-1]}",
            hint="check the server and its standbys; nothing is sent without a durable record",
        )


def _require_durable(connection: Connection, place: str) -> None:
    if connection.execute("SHOW fsync").fetchone() != ("on",):
        raise StateUnavailable(
            f"the server of {place} runs with fsync = off: a power cut would make it forget what was sent",
            hint="set `fsync = on` in the server's configuration, or use another state home",
        )


def _is_free(connection: Connection, latch: int) -> bool:
    """Whether nobody has the latch; had until the end of the transaction, so two that ask cannot disturb each other."""
    return connection.execute("SELECT pg_try_advisory_xact_lock(%s::bigint)", (latch,)).fetchone() == (True,)


def _holder(row: Sequence[Any]) -> Holder:
    run, owner, host, pid, since, fence, heartbeat, url = row
    return Holder(run, owner, host, pid, _utc(since), fence, _utc(heartbeat), url)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _nothing(connection: Connection, again: bool) -> None:
    """Work that only needs the schema to be there."""

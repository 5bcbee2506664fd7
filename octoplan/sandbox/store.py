"""
The sandbox's memory: what was accepted, what is left in the wallet, which request ids were seen.

Invariants:
- What was accepted and what it cost change together, in one transaction that is on disk before the answer is written:
  after `kill -9` the record and the client's knowledge differ by at most the answer that was lost.
- Amounts are exact decimals as text, times are ISO 8601 in UTC at one width, so that text order is time order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from octoplan.sandbox.billing import Message
from octoplan.sandbox.exact import plain

SCHEMA_VERSION: Final = 1
SCHEMA: Final = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE campaigns (
  ticket TEXT PRIMARY KEY, request_id TEXT, accepted_at TEXT NOT NULL, due_at TEXT NOT NULL,
  scheduled INTEGER NOT NULL, type TEXT NOT NULL, purpose TEXT NOT NULL, sender TEXT, contacts INTEGER NOT NULL,
  cost TEXT NOT NULL, cancelled_at TEXT
);
CREATE INDEX campaigns_by_request_id ON campaigns (request_id, accepted_at);
CREATE TABLE messages (
  id INTEGER PRIMARY KEY, ticket TEXT NOT NULL REFERENCES campaigns, number TEXT NOT NULL, text TEXT NOT NULL,
  parts INTEGER NOT NULL, cost TEXT NOT NULL, blacklisted INTEGER NOT NULL
);
CREATE INDEX messages_by_ticket ON messages (ticket);
CREATE INDEX messages_by_number ON messages (number);
CREATE TABLE blacklist (number TEXT PRIMARY KEY);
CREATE TABLE cancel_requests (made_at TEXT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
TABLES: Final = ("messages", "campaigns", "settings", "blacklist", "cancel_requests", "counters")
BALANCE_AT_FIRST: Final = "10000.00"
BUSY_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A campaign that was accepted and paid for. `due_at` is when it leaves, or left."""

    ticket: str
    request_id: str | None
    accepted_at: datetime
    due_at: datetime
    scheduled: bool
    type: str
    purpose: str
    sender: str | None
    contacts: int
    cost: Decimal
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One message of the inbox, with what it needs of its campaign. Holds personal data."""

    id: int
    number: str = field(repr=False)
    text: str = field(repr=False)
    ticket: str
    request_id: str | None
    type: str
    sender: str | None
    accepted_at: datetime
    due_at: datetime
    scheduled: bool
    cancelled_at: datetime | None
    parts: int
    cost: Decimal
    blacklisted: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages to read; `None` means all."""

    ticket: str | None = None
    request_id: str | None = None
    number: str | None = field(default=None, repr=False)


class Store:
    """One SQLite database, used by one thread. `path` may be `:memory:`."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._prepare()

    def _prepare(self) -> None:
        (version,) = self._one("PRAGMA user_version")
        if version not in (0, SCHEMA_VERSION):
            raise ValueError("the sandbox's state was written by another version")
        if version == 0:
            self._connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; durable when it ends."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def clear(self) -> None:
        """Forget everything, as on the first day."""
        with self.transaction():
            for table in TABLES:
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own table names

    # --- settings ----------------------------------------------------------------------------------------------------

    def balance(self) -> Decimal:
        """What is left in the wallet, in euros."""
        return Decimal(self._setting("balance", BALANCE_AT_FIRST))

    def set_balance(self, amount: Decimal) -> None:
        """Replace what is left, in euros."""
        self._set("balance", plain(amount))

    def clock_offset_us(self) -> int:
        """How far the sandbox's clock is ahead of the machine's, in microseconds."""
        return int(self._setting("clock_offset_us", "0"))

    def set_clock_offset_us(self, offset: int) -> None:
        """Move the sandbox's clock."""
        self._set("clock_offset_us", str(offset))

    def _setting(self, name: str, default: str) -> str:
        row = self._connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if row is None else str(row["value"])

    def _set(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    # --- campaigns ---------------------------------------------------------------------------------------------------

    def add_campaign(self, campaign: Accepted, messages: Iterable[Message]) -> None:
        """Write an accepted campaign and all its messages."""
        self._connection.execute(
            "INSERT INTO campaigns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                campaign.ticket,
                campaign.request_id,
                _to_text(campaign.accepted_at),
                _to_text(campaign.due_at),
                campaign.scheduled,
                campaign.type,
                campaign.purpose,
                campaign.sender,
                campaign.contacts,
                plain(campaign.cost),
            ),
        )
        self._connection.executemany(
            "INSERT INTO messages (ticket, number, text, parts, cost, blacklisted) VALUES (?, ?, ?, ?, ?, ?)",
            ((campaign.ticket, m.number, m.text, m.parts, plain(m.cost), m.blacklisted) for m in messages),
        )

    def has_request_id(self, request_id: str, since: datetime) -> bool:
        """Whether a campaign with that id was accepted after `since`."""
        found = self._connection.execute(
            "SELECT 1 FROM campaigns WHERE request_id = ? AND accepted_at > ?", (request_id, _to_text(since))
        )
        return found.fetchone() is not None

    def campaign(self, ticket: str) -> Accepted | None:
        """An accepted campaign by its ticket."""
        row = self._connection.execute("SELECT * FROM campaigns WHERE ticket = ?", (ticket,)).fetchone()
        return None if row is None else Accepted(**_values(row))

    def cancel_campaign(self, ticket: str, now: datetime) -> None:
        """Mark a campaign as cancelled."""
        self._connection.execute("UPDATE campaigns SET cancelled_at = ? WHERE ticket = ?", (_to_text(now), ticket))

    def add_cancel_request(self, now: datetime) -> None:
        """Count a request to cancel against the month."""
        self._connection.execute("INSERT INTO cancel_requests VALUES (?)", (_to_text(now),))

    def cancel_requests(self, month: datetime) -> int:
        """How many requests to cancel were made in the calendar month of `month`, in UTC."""
        (count,) = self._one(
            "SELECT COUNT(*) FROM cancel_requests WHERE substr(made_at, 1, 7) = ?", _to_text(month)[:7]
        )
        return int(count)

    # --- blacklist ---------------------------------------------------------------------------------------------------

    def add_to_blacklist(self, numbers: Iterable[str]) -> None:
        """Note numbers that opted out."""
        self._connection.executemany("INSERT OR IGNORE INTO blacklist VALUES (?)", ((number,) for number in numbers))

    def blacklisted(self, numbers: Iterable[str]) -> frozenset[str]:
        """Those of `numbers` that opted out."""
        find = "SELECT number FROM blacklist WHERE number = ?"
        return frozenset(row["number"] for number in numbers for row in self._connection.execute(find, (number,)))

    def blacklist_size(self) -> int:
        """How many numbers opted out."""
        (count,) = self._one("SELECT COUNT(*) FROM blacklist")
        return int(count)

    # --- the judge's questions ---------------------------------------------------------------------------------------

    def records(self, wanted: Filter, *, after: int, limit: int) -> list[Record]:
        """Messages with an id over `after`, in the order of acceptance."""
        rows = self._connection.execute(
            "SELECT m.id, m.number, m.text, m.parts, m.cost, m.blacklisted, c.ticket, c.request_id, c.type, c.sender,"
            " c.accepted_at, c.due_at, c.scheduled, c.cancelled_at FROM messages m JOIN campaigns c USING (ticket)"
            " WHERE m.id > :after AND (:ticket IS NULL OR c.ticket = :ticket)"
            " AND (:request_id IS NULL OR c.request_id = :request_id) AND (:number IS NULL OR m.number = :number)"
            " ORDER BY m.id LIMIT :limit",
            {
                "after": after,
                "limit": limit,
                "ticket": wanted.ticket,
                "request_id": wanted.request_id,
                "number": wanted.number,
            },
        )
        return [Record(**_values(row)) for row in rows]

    def message_counts(self) -> tuple[int, int]:
        """Messages and distinct numbers of all campaigns that were not cancelled."""
        messages, numbers = self._one(f"SELECT COUNT(*), COUNT(DISTINCT number) FROM {_STANDING}")  # noqa: S608
        return int(messages), int(numbers)

    def duplicates(self) -> int:
        """How many pairs of number and text were accepted more than once, cancelled campaigns not counted."""
        (count,) = self._one(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM {_STANDING} GROUP BY number, text HAVING COUNT(*) > 1)"  # noqa: S608
        )
        return int(count)

    def campaign_costs(self, *, cancelled: bool) -> list[Decimal]:
        """The cost of every campaign that was, or was not, cancelled."""
        rows = self._connection.execute("SELECT cost FROM campaigns WHERE (cancelled_at IS NOT NULL) = ?", (cancelled,))
        return [Decimal(row["cost"]) for row in rows]

    def count(self, name: str) -> None:
        """Add one to a counter."""
        self._connection.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1", (name,)
        )

    def counters(self) -> dict[str, int]:
        """All counters that are not zero."""
        return {row["name"]: row["count"] for row in self._connection.execute("SELECT * FROM counters ORDER BY name")}

    def _one(self, query: str, *values: str) -> sqlite3.Row:
        row: sqlite3.Row = self._connection.execute(query, values).fetchone()
        return row


_STANDING: Final = "messages JOIN campaigns USING (ticket) WHERE cancelled_at IS NULL"
_TIMES: Final = ("accepted_at", "due_at", "cancelled_at")
_FLAGS: Final = ("scheduled", "blacklisted")


def _to_text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _values(row: sqlite3.Row) -> dict[str, Any]:
    """A row's columns in the types of our dataclasses."""
    values: dict[str, Any] = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates its values
    for name in _TIMES:
        if values.get(name) is not None:
            values[name] = datetime.fromisoformat(row[name])
    for name in _FLAGS:
        if name in values:
            values[name] = bool(row[name])
    return {**values, "cost": Decimal(row["cost"])}

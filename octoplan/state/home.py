"""
A state home: the memory of one environment, over whatever store keeps it.

A plan is handed a `StateReader`, which cannot write. Apply is handed a `StateSession`, which exists only while the
lease is held.

Invariants:
- `intend` makes ledger rows and the Intended entry durable together before it returns; only then may a POST follow.
- Only steps of the batch's state machine (`journal.py`) are written, so a broken journal cannot come to be.
- Rows leave the ledger only together with an entry that says "certainly not sent".
- Another digest key than the one it was written with is refused: it would not recognise anybody.
- Requests made at the same time may share one durable write, but each waits for its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from octoplan.clock import Clock
from octoplan.diagnostics import StateUnavailable
from octoplan.digests import DigestKey
from octoplan.state.journal import FREEING, BrokenJournal, CampaignState, Entry, Journal, Kind, Phase
from octoplan.state.store import AlreadyWritten, Change, Holder, LeaseHeld, LedgerRows, StateStore, StopNotice

_LEASE_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch about to be sent: everything that recovery needs to know of it, and nothing personal."""

    campaign: str
    digest: str
    request_id: str
    attempt: int
    recipients: int
    segments: int
    cost: str | None
    send_at: str | None


class StateReader(Protocol):
    """What a plan may ask of a home."""

    @property
    def key(self) -> DigestKey:
        """The project's digest key."""
        ...

    def campaigns(self) -> Mapping[str, CampaignState]:
        """Every campaign that was ever begun here, replayed from the journal."""
        ...

    def entries(self, campaign: str | None = None) -> Iterator[Entry]:
        """The journal in time order, of one campaign or all."""
        ...

    def written(self, campaign: str, phones: pa.StringArray) -> pa.StringArray:
        """
        For each E.164 number the digest of the batch that holds it in the campaign's ledger, or null.

        Asked in pieces while recipients stream by; the answer is in the order of `phones`.
        """
        ...

    def holder(self) -> Holder | None:
        """Who holds the lease now, if anybody."""
        ...

    def stop_notice(self) -> StopNotice | None:
        """The notice that forbids sending, if there is one."""
        ...


class StateSession(StateReader, Protocol):
    """What apply may do while it holds the lease."""

    @property
    def run(self) -> str:
        """The run's name."""
        ...

    def open_campaign(
        self, campaign: str, content: Mapping[str, str], audience: Mapping[str, Any] | None = None
    ) -> None:
        """
        Write down the campaign's content before its first batch; the same content again changes nothing.

        `audience` are the counts of its rows, written down where they are not the same as last time.

        :raises AlreadyWritten: if the campaign was begun with another content.
        """
        ...

    def intend(self, intent: Intent, phones: pa.StringArray) -> None:
        """
        Ledger and Intended, durable when this returns.

        :raises AlreadyWritten: if a recipient is in the ledger already, or this is no step; nothing is written then.
        """
        ...

    def record(self, kind: Kind, campaign: str, digest: str, data: Mapping[str, Any]) -> None:
        """Write what became of a batch; kinds that say "certainly not sent" free its recipients in the same step."""
        ...

    def complete(self, campaign: str) -> None:
        """
        Write down that everybody whom the campaign resolves to now has it; a second time changes nothing.

        :raises AlreadyWritten: while an outcome in it is unknown.
        """
        ...


class Home:
    """The memory of one environment, readable while somebody else applies."""

    def __init__(self, store: StateStore, key: DigestKey, clock: Clock) -> None:
        self._store = store
        self._key = key
        self._clock = clock

    @property
    def key(self) -> DigestKey:
        """The project's digest key."""
        return self._key

    @property
    def place(self) -> str:
        """What and where the home is, for messages."""
        return self._store.place

    def campaigns(self) -> Mapping[str, CampaignState]:
        """Every campaign that was ever begun here, replayed from the journal."""
        return self._journal().campaigns()

    def entries(self, campaign: str | None = None) -> Iterator[Entry]:
        """The journal in time order; an environment that was never applied has none."""
        return iter(self._store.read_entries(campaign))

    def written(self, campaign: str, phones: pa.StringArray) -> pa.StringArray:
        """For each number the digest of the batch that holds it, or null; see `StateReader.written`."""
        return _written(self._store, self._key, self._store.read_salts().get(campaign), campaign, phones)

    def holder(self) -> Holder | None:
        """Who holds the lease now, if anybody."""
        return self._store.holder()

    def stop_notice(self) -> StopNotice | None:
        """The notice that forbids sending, if there is one."""
        return self._store.stop_notice()

    def put_stop_notice(self, notice: StopNotice | None) -> None:
        """Forbid sending, or allow it again."""
        self._store.put_stop_notice(notice)

    def unlock(self, run: str) -> bool:
        """Take the lease away from a run that is gone; `False` if it does not hold it."""
        return self._store.unlock(run)

    @contextlib.contextmanager
    def session(
        self, holder: Holder, *, timeout_s: float = 0.0, on_wait: Callable[[Holder], None] = lambda _: None
    ) -> Iterator[Session]:
        """
        Hold the lease for the length of the context, waiting for it at most `timeout_s`.

        `on_wait` is told once who has it, before the first pause.

        :raises LeaseHeld: if somebody else still holds it then.
        :raises StateUnavailable: if the store cannot be used.
        """
        held = self._acquire(holder, timeout_s, on_wait)
        try:
            yield Session(self._store, self._key, self._clock, held, self._journal())
        finally:
            self._store.release(held)

    def _acquire(self, holder: Holder, timeout_s: float, on_wait: Callable[[Holder], None]) -> Holder:
        waited = 0.0
        while True:
            try:
                return self._store.acquire(holder)
            except LeaseHeld as held:
                if waited >= timeout_s:
                    raise
                if not waited:
                    on_wait(held.holder)
            pause = min(_LEASE_PAUSE_S, timeout_s - waited)
            self._clock.sleep(pause)
            waited += pause

    def _journal(self) -> Journal:
        entries = list(self._store.read_entries())
        keys = {entry.data.get("key") for entry in entries if entry.kind is Kind.OPENED}
        if keys - {self._key.fingerprint}:
            raise StateUnavailable(
                f"{self._store.place} was written with digest key {', '.join(sorted(map(str, keys)))}, "
                f"here is {self._key.fingerprint}: it would not recognise who was written to",
                hint="use the key of the machine that sent: its `.octoplan/digest.key`, or OCTOPLAN_DIGEST_KEY",
            )
        try:
            return Journal(entries)
        except BrokenJournal as error:
            raise StateUnavailable(
                f"the journal in {self._store.place} contradicts itself: {error}",
                hint="somebody edited it, or two homes were mixed; restore it from a backup, nothing is sent meanwhile",
            ) from error

    def close(self) -> None:
        """Let go of files and connections; the home can be used again afterwards."""
        self._store.close()


@dataclass(slots=True)
class _Waiting:
    """A change on its way to the store, and what became of it."""

    change: Change
    done: bool = False
    error: BaseException | None = None


@dataclass(slots=True)
class _Queue:
    """Changes that wait for the one writer; whoever finds it free writes for all."""

    waiting: list[_Waiting] = field(default_factory=list)
    mutex: threading.Lock = field(default_factory=threading.Lock)
    writer: threading.Lock = field(default_factory=threading.Lock)

    def add(self, change: Change) -> _Waiting:
        waiting = _Waiting(change)
        with self.mutex:
            self.waiting.append(waiting)
        return waiting

    def take_all(self) -> list[_Waiting]:
        with self.mutex:
            taken, self.waiting = self.waiting, []
        return taken


class Session:
    """A home while its lease is held: everything of the reader, and the three writes of the protocol. Thread-safe."""

    def __init__(self, store: StateStore, key: DigestKey, clock: Clock, holder: Holder, journal: Journal) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._holder = holder
        self._journal = journal
        self._salts = dict(store.read_salts())
        self._queue = _Queue()

    @property
    def key(self) -> DigestKey:
        """The project's digest key."""
        return self._key

    @property
    def run(self) -> str:
        """The run's name."""
        return self._holder.run

    def campaigns(self) -> Mapping[str, CampaignState]:
        """Every campaign that was ever begun here, this run's entries included."""
        return self._journal.campaigns()

    def entries(self, campaign: str | None = None) -> Iterator[Entry]:
        """The journal in time order."""
        return iter(self._store.read_entries(campaign))

    def written(self, campaign: str, phones: pa.StringArray) -> pa.StringArray:
        """For each number the digest of the batch that holds it, or null; see `StateReader.written`."""
        return _written(self._store, self._key, self._salts.get(campaign), campaign, phones)

    def holder(self) -> Holder:
        """Who holds it: the run that this session belongs to."""
        return self._holder

    def stop_notice(self) -> StopNotice | None:
        """The notice that forbids sending, read afresh."""
        return self._store.stop_notice()

    def open_campaign(
        self, campaign: str, content: Mapping[str, str], audience: Mapping[str, Any] | None = None
    ) -> None:
        """Give the campaign its ledger key, and write down its content and the counts of its rows where new."""
        known = self.campaigns().get(campaign)
        is_known = known is not None and known.content == content
        if known is not None and is_known and audience in (None, known.audience):
            return
        if known is not None and known.is_begun and not is_known:
            raise AlreadyWritten(f"campaign {campaign} was sent with another content")
        salt = None if campaign in self._salts else secrets.token_bytes(16)
        data: dict[str, Any] = {"content": dict(content), "key": self._key.fingerprint}
        if audience is not None:
            data["audience"] = dict(audience)
        self._write(Change(self._entry(Kind.OPENED, campaign, None, data), salt=salt))
        if salt is not None:
            self._salts[campaign] = salt

    def intend(self, intent: Intent, phones: pa.StringArray) -> None:
        """Ledger rows and the Intended entry in one durable step."""
        if intent.campaign not in self._salts:
            raise AlreadyWritten(f"campaign {intent.campaign} was not opened before its first batch")
        key = _ledger_key(self._key, self._salts[intent.campaign])
        recipients = [_recipient(key, phone) for phone in phones.to_pylist()]
        if len(recipients) != intent.recipients:
            raise AlreadyWritten(f"batch {intent.digest} has {len(recipients)} numbers for {intent.recipients} people")
        mark = self._clock.mark()
        data = {
            "request_id": intent.request_id,
            "attempt": intent.attempt,
            "recipients": intent.recipients,
            "segments": intent.segments,
            "cost": intent.cost,
            "send_at": intent.send_at,
            "clock": mark.to_data() if mark else None,
            "by": f"{self._holder.owner} on {self._holder.host}",
        }
        rows = LedgerRows(intent.campaign, intent.digest, recipients)
        self._write(Change(self._entry(Kind.INTENDED, intent.campaign, intent.digest, data), add=rows))

    def record(self, kind: Kind, campaign: str, digest: str, data: Mapping[str, Any]) -> None:
        """Write what became of a batch; a certain "not sent" frees its recipients in the same step."""
        self._write(Change(self._entry(kind, campaign, digest, data), free=kind in FREEING))

    def complete(self, campaign: str) -> None:
        """Write down that everybody whom the campaign resolves to now has it."""
        known = self.campaigns().get(campaign)
        if known is not None and known.is_begun and not known.is_complete and not known.is_forgotten:
            self._write(Change(self._entry(Kind.COMPLETED, campaign, None, {})))

    def forget(self, campaign: str) -> None:
        """
        Delete who was in a campaign, for good: its ledger and the salt of its ledger key. Counts stay.

        The campaign is closed by it: without its ledger nobody could tell who has it already.

        :raises AlreadyWritten: if it is not known, or an outcome in it is unknown.
        """
        known = self.campaigns().get(campaign)
        if known is None or known.in_phase(Phase.OPEN):
            raise AlreadyWritten(f"campaign {campaign} is not known, or has an unknown outcome")
        entry = self._entry(Kind.FORGOTTEN, campaign, None, {})
        with self._queue.writer:
            self._store.forget(entry, self._holder)
            self._journal.add_all([entry])
        self._salts.pop(campaign, None)

    def _entry(self, kind: Kind, campaign: str, digest: str | None, data: Mapping[str, Any]) -> Entry:
        return Entry(kind, campaign, digest, self._clock.now(), self._holder.run, data)

    def _write(self, change: Change) -> None:
        """Durable when this returns; changes that arrive while the store writes go together in its next write."""
        waiting = self._queue.add(change)
        with self._queue.writer:
            if not waiting.done:
                self._write_all(self._queue.take_all())
        if waiting.error is not None:
            raise waiting.error

    def _write_all(self, group: list[_Waiting]) -> None:
        steps = [waiting for waiting in group if self._is_step(waiting)]
        try:
            if steps:
                self._store.commit([waiting.change for waiting in steps], self._holder)
                self._journal.add_all(waiting.change.entry for waiting in steps)
        except AlreadyWritten as error:
            if len(steps) == 1:
                steps[0].error = error
            else:
                # One of them is at fault: alone, each gets its own answer.
                for waiting in steps:
                    self._write_all([waiting])
        except BaseException as error:  # noqa: BLE001 - whatever it was, each writer must hear of it
            for waiting in steps:
                waiting.error = error
        for waiting in group:
            waiting.done = True

    def _is_step(self, waiting: _Waiting) -> bool:
        """Whether the journal allows the entry; two changes of one group never speak of the same batch."""
        try:
            self._journal.require_step(waiting.change.entry)
        except BrokenJournal as error:
            waiting.error = AlreadyWritten(str(error))
            return False
        return True


def _written(
    store: StateStore, key: DigestKey, salt: bytes | None, campaign: str, phones: pa.StringArray
) -> pa.StringArray:
    if salt is None:
        return pa.nulls(len(phones), pa.string())
    ledger_key = _ledger_key(key, salt)
    recipients = [_recipient(ledger_key, phone) for phone in phones.to_pylist()]
    found = store.find(campaign, recipients)
    return pa.array([found.get(recipient) for recipient in recipients], pa.string())


def _ledger_key(key: DigestKey, salt: bytes) -> bytes:
    """One key a campaign: without its salt nobody can tell any more who was in it."""
    return key.derive("octoplan/ledger/v1", salt)


def _recipient(key: bytes, phone: str) -> bytes:
    """The ledger's name of a number: keyed, so that nobody can test a guess without the key; 16 bytes."""
    return hashlib.blake2b(phone.encode("ascii"), key=key, digest_size=16).digest()

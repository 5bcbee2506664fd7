"""
A state home in memory that outlives the simulated processes: fast enough for many thousands of histories.

`Disk` is what survives a crash; each `MemoryStore` is one process's opening of it. It passes the same contract suite as
the stores that people use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from octoplan.state.journal import Entry
from octoplan.state.store import AlreadyWritten, Change, Holder, LeaseHeld, LeaseLost, StopNotice


@dataclass(slots=True)
class Disk:
    """Everything that is durable: only whole changes ever get here."""

    entries: list[Entry] = field(default_factory=list)
    salts: dict[str, bytes | None] = field(default_factory=dict)
    ledger: dict[tuple[str, bytes], str] = field(default_factory=dict)
    fence: int = 0
    holder: Holder | None = None
    notice: StopNotice | None = None


class MemoryStore:
    """One opening of a `Disk`. The lease is a note on the disk, as with homes that machines share."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    @property
    def place(self) -> str:
        return "memory"

    def read_entries(self, campaign: str | None = None) -> list[Entry]:
        return [entry for entry in self._disk.entries if campaign in (None, entry.campaign)]

    def read_salts(self) -> Mapping[str, bytes]:
        return {name: salt for name, salt in self._disk.salts.items() if salt is not None}

    def find(self, campaign: str, recipients: Sequence[bytes]) -> Mapping[bytes, str]:
        keys = ((recipient, self._disk.ledger.get((campaign, recipient))) for recipient in recipients)
        return {recipient: batch for recipient, batch in keys if batch is not None}

    def commit(self, changes: Sequence[Change], holder: Holder) -> None:
        self._require_lease(holder)
        ledger, salts = dict(self._disk.ledger), dict(self._disk.salts)
        for change in changes:
            _write(change, ledger, salts)
        # Nothing can go wrong from here on: all of it, or none.
        self._disk.ledger, self._disk.salts = ledger, salts
        self._disk.entries += [_as_read_back(change.entry) for change in changes]

    def _require_lease(self, holder: Holder) -> None:
        if self._disk.fence != holder.fence:
            raise LeaseLost(f"the lease of run {holder.run} was taken away")

    def acquire(self, holder: Holder) -> Holder:
        if self._disk.holder is not None:
            raise LeaseHeld(self._disk.holder, hint="unlock it if that run is gone")
        self._disk.fence += 1
        self._disk.holder = replace(holder, fence=self._disk.fence)
        return self._disk.holder

    def release(self, holder: Holder) -> None:
        if self._disk.holder is not None and self._disk.holder.run == holder.run:
            self._disk.holder = None

    def holder(self) -> Holder | None:
        return self._disk.holder

    def unlock(self, run: str) -> bool:
        if self._disk.holder is None or self._disk.holder.run != run:
            return False
        self._disk.holder = None
        self._disk.fence += 1
        return True

    def stop_notice(self) -> StopNotice | None:
        return self._disk.notice

    def put_stop_notice(self, notice: StopNotice | None) -> None:
        self._disk.notice = notice

    def forget(self, entry: Entry, holder: Holder) -> None:
        self._require_lease(holder)
        self._disk.ledger = {key: batch for key, batch in self._disk.ledger.items() if key[0] != entry.campaign}
        self._disk.salts[entry.campaign] = None
        self._disk.entries.append(_as_read_back(entry))

    def close(self) -> None:
        """Nothing is open."""


def _write(change: Change, ledger: dict[tuple[str, bytes], str], salts: dict[str, bytes | None]) -> None:
    campaign = change.entry.campaign
    if change.salt is not None:
        salts.setdefault(campaign, change.salt)
    if change.add is not None:
        for recipient in change.add.recipients:
            if (campaign, recipient) in ledger:
                raise AlreadyWritten(f"a recipient of batch {change.add.batch} is in the ledger already")
            ledger[campaign, recipient] = change.add.batch
    if change.free:
        for key in [key for key, batch in ledger.items() if key[0] == campaign and batch == change.entry.batch]:
            del ledger[key]


def _as_read_back(entry: Entry) -> Entry:
    """As it would come out of a file: plain JSON values, and nothing shared with who wrote it."""
    return replace(entry, data=json.loads(json.dumps(dict(entry.data))))

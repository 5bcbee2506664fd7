"""
What the ref of a `git` state home holds: a few files, made anew with each write, the same state in the same bytes.

    octoplan.json               the version of this format
    journal/000000.jsonl        one entry a line, in time order; after a number of lines the next file
    campaigns.json              campaign id -> salt of its ledger key in base64, null when it was forgotten
    ledger/<campaign>/<batch>   who is in a batch: keyed digests of 16 bytes, sorted, nothing between them
    lease.json                  the last fencing number; who holds the lease, if anybody; the token of its last write
    stop.json                   the notice that forbids sending, while there is one

One ledger file a batch: what a write adds to the repository is then as large as the batch, not as the whole ledger.

Invariants:
- A recipient is in the ledger of a campaign at most once; a second row is refused before anything is written.
- The ledger never grows past its bound.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from octoplan import limits
from octoplan.clock import from_text, to_text
from octoplan.diagnostics import StateUnavailable
from octoplan.state.journal import Entry, Kind
from octoplan.state.store import AlreadyWritten, Change, Holder, StopNotice

FORMAT: Final = 1

_FORMAT_FILE: Final = "octoplan.json"
_CAMPAIGNS: Final = "campaigns.json"
_LEASE: Final = "lease.json"
_STOP: Final = "stop.json"
_JOURNAL: Final = "journal/"
_LEDGER: Final = "ledger/"
_ROW_BYTES: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Lease:
    """
    The last lease that was given out: `fence` stays when it is given back.

    `write` names the holder's last write, so that after a lost answer it can be seen whether it arrived, even if
    somebody has put a stop notice beside it since.
    """

    fence: int = 0
    holder: Holder | None = None
    write: str | None = None


class Files:
    """The files of one state and what they mean. Change a `draft`, never the state that was read."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        """
        Files as read from the ref; without any, the state before the first write.

        :raises StateUnavailable: if they are in another format.
        """
        self._contents = dict(contents) or {_FORMAT_FILE: _render({"format": FORMAT})}
        self._rows: dict[str, Mapping[bytes, str]] = {}
        with _intact(_FORMAT_FILE):
            version = json.loads(self._contents[_FORMAT_FILE])["format"]
        if version != FORMAT:
            raise StateUnavailable(
                f"the state in git has format {version}, this octoplan knows {FORMAT}",
                hint="use the version of octoplan that wrote it, or a newer one",
            )

    @property
    def contents(self) -> Mapping[str, bytes]:
        """Path -> bytes of every file."""
        return self._contents

    def draft(self) -> Files:
        """A copy to change."""
        draft = Files(self._contents)
        draft._rows = dict(self._rows)
        return draft

    # --- journal and ledger ---

    def entries(self, campaign: str | None = None) -> list[Entry]:
        """The journal in the order in which it was written, of one campaign or all."""
        found: list[Entry] = []
        for path in self._under(_JOURNAL):
            with _intact(path):
                found += [_read_entry(line) for line in self._contents[path].splitlines()]
        return [entry for entry in found if campaign in (None, entry.campaign)]

    def salts(self) -> Mapping[str, bytes]:
        """The salt of every campaign that has a ledger and was not forgotten."""
        with _intact(_CAMPAIGNS):
            return {name: base64.b64decode(text) for name, text in self._campaigns().items() if text is not None}

    def rows(self, campaign: str) -> Mapping[bytes, str]:
        """A campaign's ledger: recipient -> digest of the batch."""
        if campaign not in self._rows:
            rows: dict[bytes, str] = {}
            for path in self._under(f"{_LEDGER}{campaign}/"):
                with _intact(path):
                    rows |= dict.fromkeys(_read_recipients(self._contents[path]), path.rpartition("/")[2])
            self._rows[campaign] = rows
        return self._rows[campaign]

    def apply(self, change: Change) -> None:
        """
        Take one step of the protocol.

        :raises AlreadyWritten: if a recipient is in the ledger already.
        :raises StateUnavailable: if the ledger would grow past its bound.
        """
        entry = change.entry
        if change.salt is not None:
            salt = base64.b64encode(change.salt).decode()
            self._put(_CAMPAIGNS, {entry.campaign: salt} | self._campaigns())
        if change.add is not None:
            self._add_rows(entry.campaign, change.add.batch, change.add.recipients)
        self._append(entry)
        if change.free:
            self._contents.pop(_batch_path(entry.campaign, str(entry.batch)), None)
            self._rows.pop(entry.campaign, None)

    def forget(self, entry: Entry) -> None:
        """Delete the campaign's salt and ledger, and append `entry`."""
        for path in self._under(f"{_LEDGER}{entry.campaign}/"):
            del self._contents[path]
        self._rows.pop(entry.campaign, None)
        self._put(_CAMPAIGNS, self._campaigns() | {entry.campaign: None})
        self._append(entry)

    def _campaigns(self) -> dict[str, str | None]:
        campaigns: dict[str, str | None] = self._read(_CAMPAIGNS) or {}
        return campaigns

    def _add_rows(self, campaign: str, batch: str, recipients: Sequence[bytes]) -> None:
        path, known = _batch_path(campaign, batch), self.rows(campaign)
        added = dict.fromkeys(sorted(recipients), batch)
        if path in self._contents or len(added) != len(recipients) or not known.keys().isdisjoint(added):
            raise AlreadyWritten(f"a recipient of batch {batch} is in the ledger already")
        self._require_room(len(added))
        self._contents[path] = b"".join(added)
        self._rows[campaign] = {**known, **added}

    def _require_room(self, more: int) -> None:
        rows = sum(len(self._contents[path]) for path in self._under(_LEDGER)) // _ROW_BYTES
        if rows + more > limits.GIT_LEDGER_ROWS_MAX:
            raise StateUnavailable(
                f"the ledger in git holds {rows} recipients; {more} more would pass its bound of "
                f"{limits.GIT_LEDGER_ROWS_MAX} for an environment",
                hint="keep the state of large audiences in the `postgres` home, or in the `local` home on durable "
                "storage; forgetting campaigns that are over (`octoplan state forget`) makes room",
            )

    def _append(self, entry: Entry) -> None:
        paths = self._under(_JOURNAL)
        path = paths[-1] if paths else _journal_path(0)
        lines = self._contents.get(path, b"")
        if lines.count(b"\n") >= limits.GIT_JOURNAL_LINES_PER_FILE:
            path, lines = _journal_path(len(paths)), b""
        self._contents[path] = lines + _render_entry(entry)

    def _under(self, folder: str) -> list[str]:
        return sorted(path for path in self._contents if path.startswith(folder))

    # --- lease and stop notice ---

    def lease(self) -> Lease:
        """The last lease that was given out."""
        data = self._read(_LEASE)
        if data is None:
            return Lease()
        with _intact(_LEASE):
            return Lease(int(data["fence"]), _read_holder(data["holder"], int(data["fence"])), data["write"])

    def put_lease(self, lease: Lease) -> None:
        """Write who holds the lease, or that nobody does."""
        holder = None if lease.holder is None else _holder_data(lease.holder)
        self._put(_LEASE, {"fence": lease.fence, "holder": holder, "write": lease.write})

    def stop_notice(self) -> StopNotice | None:
        """The notice that forbids sending, if there is one."""
        data = self._read(_STOP)
        if data is None:
            return None
        with _intact(_STOP):
            return StopNotice(data["reason"], data["owner"], from_text(data["at"]))

    def put_stop_notice(self, notice: StopNotice | None) -> None:
        """Post a notice, or take it away."""
        if notice is None:
            self._contents.pop(_STOP, None)
        else:
            self._put(_STOP, {"reason": notice.reason, "owner": notice.owner, "at": to_text(notice.at)})

    def _read(self, path: str) -> dict[str, Any] | None:
        if path not in self._contents:
            return None
        with _intact(path):
            data = json.loads(self._contents[path])
            if not isinstance(data, dict):
                raise TypeError("not an object")
            return data

    def _put(self, path: str, data: Mapping[str, Any]) -> None:
        self._contents[path] = _render(data)


def _batch_path(campaign: str, batch: str) -> str:
    for name in (campaign, batch):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a file in git")
    return f"{_LEDGER}{campaign}/{batch}"


def _journal_path(number: int) -> str:
    return f"{_JOURNAL}{number:06d}.jsonl"


def _render(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True).encode("ascii") + b"\n"


def _render_entry(entry: Entry) -> bytes:
    return _render(
        {
            "at": to_text(entry.at),
            "run": entry.run,
            "kind": entry.kind,
            "campaign": entry.campaign,
            "batch": entry.batch,
            "data": dict(entry.data),
        }
    )


def _read_entry(line: bytes) -> Entry:
    data = json.loads(line)
    at = from_text(data["at"])
    return Entry(Kind(data["kind"]), data["campaign"], data["batch"], at, data["run"], data["data"])


def _read_recipients(data: bytes) -> Iterator[bytes]:
    if len(data) % _ROW_BYTES:
        raise ValueError("cut off")
    return (data[start : start + _ROW_BYTES] for start in range(0, len(data), _ROW_BYTES))


def _holder_data(holder: Holder) -> dict[str, Any]:
    return {
        "run": holder.run,
        "owner": holder.owner,
        "host": holder.host,
        "pid": holder.pid,
        "since": to_text(holder.since),
        "heartbeat": None if holder.heartbeat is None else to_text(holder.heartbeat),
        "url": holder.url,
    }


def _read_holder(data: Mapping[str, Any] | None, fence: int) -> Holder | None:
    if data is None:
        return None
    since, heartbeat = from_text(data["since"]), _moment(data["heartbeat"])
    return Holder(data["run"], data["owner"], data["host"], data["pid"], since, fence, heartbeat, data["url"])


def _moment(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)


@contextlib.contextmanager
def _intact(path: str) -> Iterator[None]:
    """Turn what a file that was edited by hand can do into exit code 7."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise StateUnavailable(
            f"`{path}` of the state in git cannot be read ({type(error).__name__})",
            hint="somebody else wrote to the ref; push an earlier state of it again, nothing is sent meanwhile",
        ) from None

"""
The lock file `octoplan.<environment>.lock`: what was sent, committed to git, the replay of the journal.

    version: 1
    environment: production
    digest_key: k1_8a1f…
    entries:
    - {campaign: "spring-sale-2027", content: {audience: "s1_…", sender: "ACME", type: "sms_premium", …}}
    - {campaign: "spring-sale-2027", batch: "b1_…", state: "sent", recipients: 500, segments: 512, cost: "31.23", …}

Each line after `entries:` stands alone and the lines are sorted, without any total, serial number or hash of the whole,
so that two branches merge: git's union of both sides is the right answer. It names no person and holds no text.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from octoplan import limits
from octoplan.clock import to_text
from octoplan.diagnostics import InvalidInput, Place, Rule
from octoplan.state.journal import BatchState, CampaignState, Phase

VERSION: Final = 1
CONFLICT: Final = Rule("lock/conflict-markers", "The lock file has merge conflict markers")
UNREADABLE: Final = Rule("lock/unreadable", "The lock file cannot be read")

_MARKER = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)")
_STATES: Final = {Phase.OPEN: "unknown", Phase.SENT: "sent", Phase.CANCELLED: "cancelled"}
_RANK: Final = {"unknown": 0, "sent": 1, "cancelled": 2}
"""Where two lines speak of one batch, the more certain one counts."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file in memory. `lines` maps (campaign, batch digest or "") to the fields of its line."""

    environment: str
    digest_key: str | None = None
    lines: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def batches(self) -> Iterable[tuple[str, str]]:
        """Campaign and digest of every batch that was sent or may have been."""
        return [(campaign, batch) for campaign, batch in self.lines if batch]


def lock_path(root: Path, environment: str) -> Path:
    """Where the lock file of an environment is."""
    return root / f"octoplan.{environment}.lock"


def lock_of(environment: str, digest_key: str, campaigns: Iterable[CampaignState]) -> Lock:
    """The lock file that the journal's replay calls for: campaigns begun, batches sent and batches still unknown."""
    lines: dict[tuple[str, str], Mapping[str, Any]] = {}
    for state in campaigns:
        kept = [batch for batch in state.batches.values() if batch.phase is not Phase.FREE]
        if kept and state.content is not None:
            lines[state.campaign, ""] = {"campaign": state.campaign, "content": dict(state.content)}
        for batch in kept:
            lines[state.campaign, batch.digest] = _line(state.campaign, batch)
    return Lock(environment, digest_key, lines)


def _line(campaign: str, batch: BatchState) -> dict[str, Any]:
    fields = {
        "campaign": campaign,
        "batch": batch.digest,
        "state": _STATES[batch.phase],
        "recipients": batch.recipients,
        "segments": batch.segments,
        "cost": None if batch.cost is None else str(batch.cost),
        "ticket": batch.ticket,
        "request_id": batch.request_id,
        "send_at": batch.send_at,
        "at": to_text(batch.changed_at),
        "note": batch.note,
    }
    return {name: value for name, value in fields.items() if value is not None}


def render_lock(lock: Lock) -> str:
    """The text of a lock file; the same state gives the same bytes."""
    head = [
        "# Written by octoplan: what was sent. Commit it, never edit it. Each line stands alone.",
        f"version: {VERSION}",
        f"environment: {lock.environment}",
        *([f"digest_key: {lock.digest_key}"] if lock.digest_key else []),
        "entries:" if lock.lines else "entries: []",
    ]
    return "\n".join(head + [f"- {_flow(lock.lines[key])}" for key in sorted(lock.lines)]) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def read_lock(path: Path, environment: str) -> Lock:
    """
    The lock file at `path`; an empty `Lock` if there is none.

    :raises InvalidInput: for conflict markers (with every line that has one) and for anything else unreadable.
    """
    text = _read_text(path)
    if text is None:
        return Lock(environment)
    markers = [number for number, line in enumerate(text.splitlines(), 1) if _MARKER.match(line)]
    if markers:
        hint = "run `octoplan lock resolve`: it keeps the lines of both sides, which is always right here"
        findings = [
            CONFLICT.at(Place(path.name, line), "both sides of a merge are in the file", hint) for line in markers
        ]
        raise InvalidInput(f"{path.name} has an unresolved merge", findings=findings)
    return _parse(text, path.name, environment)


def resolve_lock(path: Path, environment: str) -> Lock:
    """
    Union both sides of a merge; the markers are dropped, of two lines for one batch the more certain is kept.

    :raises InvalidInput: if what remains without the markers cannot be read.
    """
    text = _read_text(path) or ""
    lines = [line for line in text.splitlines() if not _MARKER.match(line)]
    heads = dict.fromkeys(line for line in lines if not line.startswith("- "))
    entries = [line for line in lines if line.startswith("- ")]
    return _parse("\n".join([*heads, *entries]) + "\n", path.name, environment)


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the file whole or not at all, durable when this returns. :raises OSError: if the disk refuses."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as handle:
            handle.write(render_lock(lock))
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _read_text(path: Path) -> str | None:
    try:
        if path.stat().st_size > limits.LOCK_FILE_BYTES_MAX:
            raise _unreadable(path.name, None, f"it is larger than {limits.LOCK_FILE_BYTES_MAX} bytes")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path.name, None, str(error)) from None


def _parse(text: str, name: str, environment: str) -> Lock:
    try:
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a BaseLoader: scalars stay text, no tags
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _unreadable(name, mark and mark.line + 1, str(getattr(error, "problem", error))) from None
    if not isinstance(document, dict) or document.get("version") != str(VERSION):
        raise _unreadable(name, 1, f"it does not begin with `version: {VERSION}`")
    if document.get("environment") != environment:
        raise _unreadable(name, 1, f"it belongs to environment `{document.get('environment')}`, not `{environment}`")
    lines: dict[tuple[str, str], Mapping[str, Any]] = {}
    for number, entry in enumerate(document.get("entries") or [], 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("campaign"), str):
            raise _unreadable(name, None, f"entry {number} names no campaign")
        key = (entry["campaign"], entry.get("batch", ""))
        line = _typed(entry)
        lines[key] = max(lines.get(key, line), line, key=lambda each: _RANK.get(str(each.get("state")), -1))
    return Lock(environment, document.get("digest_key"), lines)


def _typed(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    counts = ("recipients", "segments")
    return {name: int(value) if name in counts and str(value).isdigit() else value for name, value in entry.items()}


def _unreadable(name: str, line: int | None, detail: str) -> InvalidInput:
    hint = "restore it from git; the state home can also rebuild it: `octoplan lock rebuild`"
    return InvalidInput(f"{name} cannot be read", findings=[UNREADABLE.at(Place(name, line), detail, hint)])


_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

"""
The protocol broken on purpose, one promise at a time: a proof that cannot tell these from the real one proves nothing.

Each mutation swaps functions of the product while a history is played; here patching is the point.

    python -m tests.simulation.mutations        the table: mutation, what the judge found, histories needed
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, Literal
from unittest.mock import patch

import httpx
import pyarrow as pa

from octoplan.apply import deliver
from octoplan.apply.deliver import Delivery, Ports, Status, _Attempt
from octoplan.digests import request_id
from octoplan.gateway import outcomes
from octoplan.gateway.body import encode_body
from octoplan.gateway.port import NotSent, Outcome, RefusalClass, Refused, Unknown
from octoplan.messages.batches import pack_batches
from octoplan.plan import build, outgoing
from octoplan.plan.outgoing import Outgoing
from octoplan.state import home
from octoplan.state.journal import FREEING, Kind
from octoplan.state.store import Change
from tests.simulation import memory_store
from tests.simulation.exhaustive import scripts
from tests.simulation.history import Verdict
from tests.simulation.memory_store import MemoryStore
from tests.simulation.random_histories import play

RANDOM_AT_FIRST: Final = 30
RANDOM_MAX: Final = 1_000

Patch = AbstractContextManager[Any]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One broken promise, and what must come of it. `patches` are made anew for each use."""

    name: str
    expected: Literal["duplicate", "loss", "broken"]
    patches: Callable[[], Sequence[Patch]]

    def catch(self) -> tuple[str, str, int] | None:
        """What the judge found, the history that showed it, and how many were needed; `None` if it got away."""
        with ExitStack() as stack:
            for each in self.patches():
                stack.enter_context(each)
            for needed, (name, verdict) in enumerate(_histories(), 1):
                if self.expected in _found(verdict):
                    return ", ".join(_found(verdict)), name, needed
        return None


def _histories() -> Iterator[tuple[str, Verdict]]:
    """Some random ones, the exhaustive ones in mixed order, then more random ones."""
    mixed = list(enumerate(scripts(pairs=True)))
    random.Random(36).shuffle(mixed)
    first = ((f"seed {seed}", play(seed)) for seed in range(1, RANDOM_AT_FIRST + 1))
    small = ((f"script {number}", script.play()) for number, script in mixed)
    more = ((f"seed {seed}", play(seed)) for seed in range(RANDOM_AT_FIRST + 1, RANDOM_MAX + 1))
    return chain(first, small, more)


def _found(verdict: Verdict) -> list[str]:
    found = {"duplicate": verdict.duplicates, "loss": verdict.losses, "broken": verdict.broken}
    return [name for name, each in found.items() if each]


# --- the mutants ------------------------------------------------------------------------------------------------------

_intend = home.Session.intend
_decide = _Attempt._decide
_deliver_attempt = deliver._deliver_attempt


class _Answered:
    """A gateway that has its first answer already."""

    def __init__(self, first: Outcome, then: Any) -> None:
        self._first: Outcome | None = first
        self._then = then

    def send(self, body: bytes) -> Outcome:
        first, self._first = self._first, None
        return self._then.send(body) if first is None else first


def _post_before_intended(batch: Outgoing, ports: Ports) -> Delivery:
    if batch.opened_at is not None:
        return _deliver_attempt(batch, ports)
    body = encode_body(batch.request, request_id=batch.request_id, simulation=False)
    gateway: Any = _Answered(ports.gateway.send(body), ports.gateway)
    return _deliver_attempt(batch, replace(ports, gateway=gateway))


def _nothing_subtracted(
    dispatch: outgoing.Dispatch, reader: Any, watch: Callable[[pa.RecordBatch], None], *, is_canary: bool
) -> Iterator[pa.RecordBatch]:
    for rows in dispatch.message.batches():
        watch(rows)
        yield rows


def _keeps_no_ledger(change: Change, ledger: dict[Any, str], salts: dict[str, Any]) -> None:
    if change.salt is not None:
        salts.setdefault(change.entry.campaign, change.salt)


def _unknown_is_a_refusal(self: _Attempt, outcome: Outcome) -> Delivery:
    if not isinstance(outcome, Unknown):
        return _decide(self, outcome)
    refused = Refused(0, outcome.reason, RefusalClass.RETRY, "", 0)
    self._record(Kind.REFUSED, {"code": 0})
    return self._ended(Status.REFUSED, refusal=refused)


def _refusal_is_always_definite(self: _Attempt, outcome: Outcome) -> Delivery:
    if not isinstance(outcome, Refused):
        return _decide(self, outcome)
    self._record(Kind.REFUSED, {"code": outcome.code})
    return self._ended(Status.REFUSED, refusal=outcome)


def _leaves_without_doubt(self: _Attempt, reason: str) -> Delivery:
    self._record(Kind.NOT_SENT, {"note": reason})
    return self._ended(Status.NOT_SENT, reason)


def _first_try_at_any_time(self: _Attempt) -> Delivery:
    if self._in_doubt:
        return self._unknown("too late")
    return self._decide(self._ports.gateway.send(self._body))


def _rebuilt_as_it_comes(dispatch: Any, batch: Any, rows: Any, key: Any) -> Outgoing | None:
    texts = dispatch.message.texts
    packed = list(pack_batches(rows, texts=texts, bucket_bits=[0] * len(texts), batch_size=500))
    if not packed:
        return None
    request = dispatch.request_for(packed[0])
    again = outgoing._outgoing(dispatch, packed[0], request, batch.digest, batch.attempt, key)
    return replace(again, opened_at=batch.opened_at, opened_mark=batch.opened_mark, cost=batch.planned_cost)


def _one_ledger(self: Any, campaign: str, recipients: Sequence[bytes]) -> Mapping[bytes, str]:
    everybody = {recipient: batch for (_, recipient), batch in self._disk.ledger.items()}
    return {recipient: everybody[recipient] for recipient in recipients if recipient in everybody}


def _id_without_campaign(key: Any, environment: str, campaign: str, digest: str, attempt: int) -> str:
    return request_id(key, environment, "", digest, attempt)


def _always(*_: object) -> bool:
    return True


def _nothing(*_: object, **__: object) -> None:
    """Does nothing."""


_HASTY_TABLE: Final = {**outcomes.ERRORS, httpx.ReadTimeout: NotSent("no answer in time")}

MUTATIONS: Final = (
    Mutation(
        "POST before Intended", "duplicate", lambda: [patch.object(deliver, "_deliver_attempt", _post_before_intended)]
    ),
    Mutation("ledger subtraction dropped", "loss", lambda: [patch.object(outgoing, "_unwritten", _nothing_subtracted)]),
    Mutation("no ledger at all", "duplicate", lambda: [patch.object(memory_store, "_write", _keeps_no_ledger)]),
    Mutation(
        "attempt raised after an unknown outcome",
        "duplicate",
        lambda: [patch.object(_Attempt, "_decide", _unknown_is_a_refusal)],
    ),
    Mutation(
        "ledger key without the campaign",
        "loss",
        lambda: [
            patch.object(home, "_ledger_key", lambda key, salt: key.derive("octoplan/ledger/v1", b"")),
            patch.object(MemoryStore, "find", _one_ledger),
        ],
    ),
    Mutation(
        "request id without the campaign",
        "loss",
        lambda: [patch.object(outgoing, "request_id", _id_without_campaign)],
    ),
    Mutation(
        "refusal after a lost answer taken as definite",
        "duplicate",
        lambda: [patch.object(_Attempt, "_decide", _refusal_is_always_definite)],
    ),
    Mutation(
        "429 after a lost answer taken as not sent",
        "duplicate",
        lambda: [patch.object(_Attempt, "_leave", _leaves_without_doubt)],
    ),
    Mutation(
        "window check dropped",
        "duplicate",
        lambda: [patch.object(deliver, "in_window", _always), patch.object(build, "in_window", _always)],
    ),
    Mutation(
        "window check dropped for the first try",
        "duplicate",
        lambda: [patch.object(_Attempt, "_expired", _first_try_at_any_time)],
    ),
    Mutation("time-out taken as not sent", "duplicate", lambda: [patch.object(outcomes, "ERRORS", _HASTY_TABLE)]),
    Mutation(
        "recipients freed on an unknown outcome",
        "duplicate",
        lambda: [patch.object(home, "FREEING", FREEING | {Kind.UNKNOWN})],
    ),
    Mutation(
        "digest of a rebuilt batch not checked",
        "broken",
        lambda: [patch.object(outgoing, "_rebuild", _rebuilt_as_it_comes)],
    ),
    Mutation("fence not checked", "broken", lambda: [patch.object(MemoryStore, "_require_lease", _nothing)]),
)


def main() -> int:
    """Print the table; 1 if a mutation got away."""
    got_away = 0
    sys.stdout.write("| mutation | found | by | histories |\n|---|---|---|---|\n")
    for mutation in MUTATIONS:
        caught = mutation.catch()
        got_away += caught is None
        row = " | ".join(map(str, caught)) if caught else "NOTHING | | all"
        sys.stdout.write(f"| {mutation.name} | {row} |\n")
        sys.stdout.flush()
    return 1 if got_away else 0


if __name__ == "__main__":
    sys.exit(main())

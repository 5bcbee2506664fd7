"""
The verdict on a history, from the sandbox's own record of what it accepted.

Duplicate: a campaign's letter reached a number more often than campaigns with that letter ever listed it.
Loss: a recipient who ended with less than that; or a request called sent of which the API knows nothing.
Broken: whatever else the protocol promises and did not keep.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pyarrow as pa

from octoplan.diagnostics import StateUnavailable
from octoplan.state.home import Home
from octoplan.state.journal import FREEING, Entry, Kind, Phase
from tests.simulation.campaigns import Sheet, phone
from tests.simulation.runner import Checkout
from tests.simulation.world import World

_NUMBERS: Final = pa.array([phone(index) for index in range(100)], pa.string())


class Judge:
    """Watches what becomes durable while a history is played, and counts at its end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._request_ids: dict[tuple[str, str], str] = {}
        self.found: dict[str, list[str]] = defaultdict(list)

    def witness(self, entry: Entry) -> None:
        """At the moment when an entry is durable it must be true."""
        if entry.batch is None:
            return
        key = (entry.campaign, entry.batch)
        if entry.kind is Kind.INTENDED:
            self._request_ids[key] = entry.data["request_id"]
        is_there = self._world.was_accepted(self._request_ids.get(key, ""))
        if entry.kind in FREEING and is_there:
            self.blame(f"{entry.campaign} {entry.batch} is called {entry.kind}, and the API has it")
        if entry.kind in (Kind.SENT, Kind.SETTLED_SENT) and not is_there:
            self.found["loss"].append(f"{entry.campaign} {entry.batch} is called {entry.kind}, the API has no such id")

    def blame(self, what: str) -> None:
        """A promise that was not kept."""
        self.found["broken"].append(what)

    def close_the_books(self, home: Home, checkout: Checkout, versions: Sequence[Sheet], *, is_done: bool) -> None:
        """Everybody got what they should, once; the journal, the ledger and the lock file say the same."""
        if not is_done:
            self.found["loss"].append("the campaigns cannot be brought to their end")
        self._count_messages(checkout, versions)
        self._check_wire()
        try:
            self._check_memory(home, checkout)
        except StateUnavailable as error:
            self.blame(error.message)

    def _count_messages(self, checkout: Checkout, versions: Sequence[Sheet]) -> None:
        got = Counter((text.split(" ", 1)[0], number) for _, number, text in self._world.accepted())
        allowed = _listed(_merged(versions))
        due = _listed({sheet.id: (sheet.letter, sheet.numbers - checkout.suppressed) for sheet in checkout.sheets})
        for (letter, number), times in sorted(got.items()):
            if times > allowed[letter, number]:
                self.found["duplicate"].append(f"{letter} {number}: {times} instead of {allowed[letter, number]}")
        for (letter, number), times in sorted(due.items()):
            if got[letter, number] < times:
                self.found["loss"].append(f"{letter} {number}: {got[letter, number]} instead of {times}")

    def _check_wire(self) -> None:
        """A request id belongs to one body for ever."""
        for request_id, bodies in self._world.posted.items():
            if len(bodies) > 1:
                self.blame(f"request id {request_id} was sent with {len(bodies)} different bodies")

    def _check_memory(self, home: Home, checkout: Checkout) -> None:
        """The ledger holds exactly the people of batches that were sent or may have been; the lock file names them."""
        accepted = Counter(request_id for request_id, _, _ in self._world.accepted())
        for name, state in home.campaigns().items():
            for batch in state.in_phase(Phase.SENT):
                got = accepted[batch.request_id]
                if got != batch.recipients:
                    self.found["loss"].append(f"{name} {batch.digest}: {got} messages for {batch.recipients} people")
            kept = {each.digest: each.recipients for each in state.batches.values() if each.phase is not Phase.FREE}
            written = Counter(home.written(name, _NUMBERS).to_pylist())
            del written[None]
            if dict(written) != kept:
                self.blame(f"the ledger of {name} is not what its journal says")
            if kept.keys() != {batch for campaign, batch in checkout.lock.batches() if campaign == name}:
                self.blame(f"the lock file does not say what the journal says of {name}")
        self._check_attempts(home.entries())

    def _check_attempts(self, entries: Iterable[Entry]) -> None:
        """A request id is given up only after a refusal heard by the run that first sent it, with no doubt between."""
        doubtful: dict[tuple[str, str | None], str] = {}
        for entry in entries:
            key = (entry.campaign, entry.batch)
            if entry.kind is Kind.INTENDED:
                doubtful[key] = entry.run
            elif entry.kind is Kind.UNKNOWN:
                doubtful[key] = "nobody"
            elif entry.kind in (Kind.REFUSED, Kind.NOT_SENT) and doubtful.get(key) != entry.run:
                self.blame(f"{entry.campaign} {entry.batch} is given up in spite of a doubt")


def _merged(versions: Sequence[Sheet]) -> Mapping[str, tuple[str, frozenset[str]]]:
    """Letter and numbers of each campaign, over all that its list ever was."""
    merged: dict[str, tuple[str, frozenset[str]]] = {}
    for sheet in versions:
        _, numbers = merged.get(sheet.id, ("", frozenset()))
        merged[sheet.id] = (sheet.letter, numbers | sheet.numbers)
    return merged


def _listed(lists: Mapping[str, tuple[str, frozenset[str]]]) -> Counter[tuple[str, str]]:
    """How many campaigns with a letter list a number."""
    return Counter((letter, number) for letter, numbers in lists.values() for number in numbers)

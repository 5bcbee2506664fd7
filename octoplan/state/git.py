"""
The `git` state home: one ref `refs/octoplan/<environment>` on a remote of the project's repository.

Each state is a commit without parents (`git_files.py` lists its files). A write makes the next state from the present
one and pushes it with the name of the state that it replaces: where two race, the server takes one and refuses the
other, which looks at the new state and tries again, or finds that its lease is gone.

Invariants:
- A write has arrived when the push says so, or when the ref is seen to hold it; nothing else counts.
- After a push that failed, nothing is assumed: the ref is asked. The write is in it if its token is; while the ref has
  not moved the very same commit is pushed again; if the ref cannot be asked, the answer is that it is not known.
- A holder goes on only from its own last write: a ref that somebody put back to an earlier state ends the run.
- While the lease is held nobody else writes the journal and the ledger, so the holder's memory is the truth; the one
  thing that others may change is the stop notice.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from octoplan import limits
from octoplan.clock import Clock, in_words
from octoplan.diagnostics import StateUnavailable
from octoplan.state.git_files import Files, Lease
from octoplan.state.git_remote import GitRemote
from octoplan.state.journal import Entry
from octoplan.state.store import Change, Holder, LeaseHeld, LeaseLost, StopNotice

REF_PREFIX: Final = "refs/octoplan/"

Step = Callable[[Files], bool]
"""Changes the draft of the next state; `False` if there is nothing to write, for one because it is there already."""


class GitStore:
    """
    One environment's ref. Threads of one process may share it.

    A reader sees one moment: that at which journal, holder or stop notice were last asked for.
    """

    def __init__(self, project: Path, environment: str, clock: Clock, *, remote: str = "origin") -> None:
        """`remote` is the name of a remote of the repository around `project`, or an address."""
        self._remote = GitRemote(project, remote, REF_PREFIX + environment)
        self._clock = clock
        self._mutex = threading.RLock()
        self._tip: str | None = None
        self._files: Files | None = None
        """`None` while it is not known what the ref holds."""
        self._held: Holder | None = None
        self._writes: set[str] = set()
        """Tokens of the holder's last write and of those after it that may still arrive."""

    @property
    def place(self) -> str:
        """The ref and its remote, without credentials."""
        return self._remote.place

    # --- reading ---

    def read_entries(self, campaign: str | None = None) -> list[Entry]:
        """The journal in the order in which it was written."""
        with self._mutex:
            return self._fresh(unless_held=True).entries(campaign)

    def read_salts(self) -> Mapping[str, bytes]:
        """The salt of every campaign that has a ledger, as of the last look at the ref."""
        with self._mutex:
            return self._known().salts()

    def find(self, campaign: str, recipients: Sequence[bytes]) -> Mapping[bytes, str]:
        """Those of `recipients` that are in the ledger, and their batch, as of the last look at the ref."""
        with self._mutex:
            rows = self._known().rows(campaign)
        return {recipient: rows[recipient] for recipient in recipients if recipient in rows}

    def holder(self) -> Holder | None:
        """Who holds the lease now; the heartbeat is the time of its last write."""
        with self._mutex:
            return self._fresh().lease().holder

    def stop_notice(self) -> StopNotice | None:
        """The notice, read afresh: one question to the remote, and a fetch only if the ref has moved."""
        with self._mutex:
            return self._fresh().stop_notice()

    # --- writing ---

    def commit(self, changes: Sequence[Change], holder: Holder) -> None:
        """One push for all, durable on the remote when this returns."""

        def write(files: Files) -> None:
            for change in changes:
                files.apply(change)

        self._update_as(holder, write)

    def forget(self, entry: Entry, holder: Holder) -> None:
        """Delete salt and ledger from the ref; when the server drops the earlier states is its own affair."""
        self._update_as(holder, lambda files: files.forget(entry))

    def acquire(self, holder: Holder) -> Holder:
        """Take the lease if nobody has it, with a higher fencing number than every lease before."""
        token = secrets.token_hex(8)
        fence = 0

        def take(files: Files) -> bool:
            nonlocal fence
            lease = files.lease()
            if lease.write == token:
                return False
            if lease.holder is not None:
                raise LeaseHeld(lease.holder, hint=self._hint(lease.holder))
            fence = lease.fence + 1
            files.put_lease(Lease(fence, replace(holder, fence=fence, heartbeat=self._clock.now()), token))
            return True

        with self._mutex:
            self._fresh()
            try:
                self._update(take)
            except LeaseHeld:
                raise
            except BaseException:
                # It may have been taken all the same.
                self.release(replace(holder, fence=fence))
                raise
            self._held, self._writes = replace(holder, fence=fence), {token}
            return self._held

    def release(self, holder: Holder) -> None:
        """
        Give the lease back; the fencing number stays.

        If the remote cannot be reached the lease stays with this run, which is over: everything that was sent is
        recorded, and who wants to apply next is told how to take the lease away.
        """

        def give_back(files: Files) -> bool:
            lease = files.lease()
            if not _is_held(lease, holder):
                return False
            files.put_lease(Lease(lease.fence))
            return True

        with self._mutex, contextlib.suppress(StateUnavailable):
            self._held, self._writes = None, set()
            self._update(give_back)

    def unlock(self, run: str) -> bool:
        """Take the lease away; the higher fencing number keeps the run from writing should it still live."""
        was_held = False

        def take_away(files: Files) -> bool:
            nonlocal was_held
            lease = files.lease()
            if lease.holder is None or lease.holder.run != run:
                return False
            was_held = True
            files.put_lease(Lease(lease.fence + 1))
            return True

        with self._mutex:
            self._fresh()
            self._update(take_away)
        return was_held

    def put_stop_notice(self, notice: StopNotice | None) -> None:
        """Post or take away the notice; the lease and what its holder writes stay as they are."""

        def post(files: Files) -> bool:
            if files.stop_notice() == notice:
                return False
            files.put_stop_notice(notice)
            return True

        with self._mutex:
            self._fresh()
            self._update(post)

    def close(self) -> None:
        """Forget what was read; the store can be used again afterwards."""
        with self._mutex:
            self._files = None

    # --- the ref ---

    def _known(self) -> Files:
        return self._files or self._look()

    def _fresh(self, *, unless_held: bool = False) -> Files:
        return self._known() if unless_held and self._held is not None else self._look()

    def _look(self) -> Files:
        """What the ref holds now."""
        for attempt in range(limits.GIT_TRIES_MAX):
            tip = self._remote.tip()
            if self._files is not None and tip == self._tip:
                return self._files
            is_again = attempt > 0 and tip == self._tip
            self._tip, self._files = tip, None
            try:
                self._files = Files(self._remote.read(tip) if tip is not None else {})
            except StateUnavailable:
                # Moved on between question and fetch, perhaps; if it has not, this is the answer.
                if is_again:
                    raise
            else:
                return self._files
        raise StateUnavailable(f"{self.place} moves faster than it can be read", hint="try again")

    def _update(self, step: Step) -> None:
        """Make the next state with `step` and push it, again and again while others are faster."""
        with self._mutex:
            at, failures = self._clock.now(), 0
            for _ in range(limits.GIT_TRIES_MAX):
                draft = self._known().draft()
                old = self._tip
                if not step(draft):
                    return
                new = self._remote.store(draft.contents, at)
                # Whatever ends the push early, the ref is looked at before anything else is done with it.
                self._files = None
                try:
                    self._remote.push(old, new)
                except StateUnavailable as failure:
                    if self._tip_after(failure) == old:
                        failures += 1
                        self._require_patience(failure, failures)
                else:
                    self._tip, self._files = new, draft
                    return
            raise StateUnavailable(f"{self.place} is moved by others all the time", hint="try again")

    def _tip_after(self, failure: StateUnavailable) -> str | None:
        try:
            return self._remote.tip()
        except StateUnavailable:
            raise StateUnavailable(
                f"it is not known whether the last write arrived: {failure.message}",
                hint=f"nothing more is sent; {failure.hint}",
            ) from failure

    def _require_patience(self, failure: StateUnavailable, failures: int) -> None:
        if failures == limits.GIT_FAILURES_MAX:
            raise failure
        self._clock.sleep(limits.GIT_PAUSE_S * failures)

    # --- the lease ---

    def _update_as(self, holder: Holder, write: Callable[[Files], None]) -> None:
        """A write that only the holder can make, and that is made once."""
        token, heartbeat = secrets.token_hex(8), self._clock.now()

        def step(files: Files) -> bool:
            lease = files.lease()
            if lease.write == token:
                return False
            self._require_lease(lease, holder)
            write(files)
            files.put_lease(Lease(lease.fence, replace(holder, heartbeat=heartbeat), token))
            self._writes.add(token)
            return True

        with self._mutex:
            self._update(step)
            self._writes = {token}

    def _require_lease(self, lease: Lease, holder: Holder) -> None:
        if not _is_held(lease, holder):
            raise LeaseLost(
                f"the lease of run {holder.run} was taken away; it writes and sends nothing more",
                hint="see `octoplan status` for who applies now",
            )
        if self._writes and lease.write not in self._writes:
            raise LeaseLost(
                f"{self.place} was put back to an earlier state while run {holder.run} was writing to it",
                hint="push the newest state again, or mend it with the lock file at hand; nothing more is sent",
            )

    def _hint(self, holder: Holder) -> str:
        seen = holder.heartbeat or holder.since
        return (
            f"it last wrote {in_words(self._clock.now() - seen)} ago; wait until it has ended, or, if you know that it "
            f"is dead, take its lease away: `octoplan state unlock {holder.run}`"
        )


def _is_held(lease: Lease, holder: Holder) -> bool:
    return lease.holder is not None and (lease.holder.run, lease.fence) == (holder.run, holder.fence)

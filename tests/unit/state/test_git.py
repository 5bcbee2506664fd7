"""What is special to the `git` home: a ref on a remote, replaced by pushes that can be refused or lost."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from octoplan import limits
from octoplan.diagnostics import StateUnavailable
from octoplan.digests import DigestKey
from octoplan.state.git import GitStore
from octoplan.state.git_objects import commit_files, render_pack
from octoplan.state.home import Home, Intent, Session
from octoplan.state.journal import Entry, Kind, Phase
from octoplan.state.store import Change, Holder, LeaseHeld, LeaseLost, LedgerRows, StopNotice
from tests.clocks import ManualClock
from tests.git_repositories import Repositories, git, make_repositories
from tests.git_server import GitServer

KEY = DigestKey(bytes(range(32)))
ALICE, BOB, CAROL = "+33612345601", "+33612345602", "+33612345603"
GIT = shutil.which("git") or "git"


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return make_repositories(tmp_path / "git")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def wrapped_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a shell script before the real git; it knows `$verb` (what git is to do) and `$real`."""

    def wrap(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        head = 'for verb in "$@"; do case "$verb" in push|fetch|ls-remote|cat-file) break;; esac; done\n'
        program = folder / "git"
        place = f"real={shlex.quote(GIT)}\nhere={shlex.quote(str(folder))}\n"
        program.write_text(f'#!/bin/sh\n{place}{head}{script}\nexec "$real" "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return folder

    return wrap


def holder(run: str = "r_1") -> Holder:
    return Holder(run, "dana", "build-7", 4711, datetime(2027, 3, 1, 9, tzinfo=UTC))


def entry(number: int, kind: Kind = Kind.OPENED, campaign: str = "sale") -> Entry:
    return Entry(kind, campaign, None, datetime(2027, 3, 1, 9, tzinfo=UTC), "r_1", {"content": {"number": str(number)}})


def numbers_of(store: GitStore) -> list[int]:
    return [int(each.data["content"]["number"]) for each in store.read_entries()]


def intend(session: Session, digest: str, *phones: str) -> None:
    session.intend(
        Intent("sale", digest, "id1", 1, len(phones), len(phones), None, None), pa.array(phones, pa.string())
    )


def contents(made: Repositories, tip: str | None = None) -> dict[str, str]:
    """Path -> text of every file of a state, as git itself reads it on the remote."""
    at = tip or made.tip()
    assert at is not None
    paths = git(made.remote, "ls-tree", "-r", "--name-only", at).splitlines()
    return {path: git(made.remote, "cat-file", "blob", f"{at}:{path}") for path in paths}


def put_files(made: Repositories, files: dict[str, bytes]) -> None:
    """Make the ref hold these files, as somebody with a plain git could."""
    name, objects = commit_files(files, datetime(2027, 3, 1, tzinfo=UTC), "by hand", "sha1")
    git(made.remote, "unpack-objects", "-q", data=render_pack(objects, "sha1"))
    git(made.remote, "update-ref", "refs/octoplan/production", name)


def install_hook(made: Repositories, script: str) -> None:
    hook = made.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def seen(clone: Path) -> dict[str, object]:
    """Everything of a clone that belongs to its user."""
    kept = ("index", "HEAD", "FETCH_HEAD", "ORIG_HEAD", "config", "shallow", "packed-refs")
    files = {name: (clone / ".git" / name).read_bytes() for name in kept if (clone / ".git" / name).exists()}
    return {
        **files,
        "status": git(clone, "status", "--porcelain", "--ignored", "--untracked-files=all"),
        "refs": git(clone, "for-each-ref"),
        "log": git(clone, "reflog"),
        "worktree": sorted(str(path) for path in clone.rglob("*") if ".git" not in path.parts),
    }


# --- what is written, and what is left alone ---


def test_nothing_of_a_clone_is_touched(repositories: Repositories, clock: ManualClock) -> None:
    """No working tree, index, branch, tracking ref, FETCH_HEAD, shallow boundary or setting; and no remote branch."""
    clones = (repositories.laptop, repositories.runner)
    (repositories.laptop / "draft.txt").write_text("not committed\n")
    before = [seen(clone) for clone in clones]
    branches = git(repositories.remote, "for-each-ref", "refs/heads", "refs/tags")
    for run, clone in enumerate((*clones, *clones)):
        store = GitStore(clone, "production", clock)
        with Home(store, KEY, clock).session(holder(f"r_{run}")) as session:
            session.open_campaign("sale", {"run": str(run)})
        store.put_stop_notice(StopNotice("wait", "sam", clock.now()))
        store.put_stop_notice(None)
    assert [seen(clone) for clone in clones] == before
    assert git(repositories.remote, "for-each-ref", "refs/heads", "refs/tags") == branches
    assert len(GitStore(clones[0], "production", clock).read_entries()) == 4


def test_a_state_is_one_commit_without_parents_and_sound_for_git(
    repositories: Repositories, clock: ManualClock
) -> None:
    """No history hangs on the ref, and git itself finds nothing wrong with any object that was written."""
    with Home(GitStore(repositories.laptop, "production", clock), KEY, clock).session(holder()) as session:
        session.open_campaign("sale", {})
        intend(session, "b1_x", ALICE, BOB)
        session.record(Kind.SENT, "sale", "b1_x", {})
    assert git(repositories.remote, "rev-list", "--count", "refs/octoplan/production") == "1"
    assert "octoplan <octoplan@localhost>" in git(repositories.remote, "cat-file", "-p", str(repositories.tip()))
    git(repositories.laptop, "fsck", "--strict", "--no-dangling")
    assert sorted(contents(repositories)) == [
        "campaigns.json",
        "journal/000000.jsonl",
        "lease.json",
        "ledger/sale/b1_x",
        "octoplan.json",
    ]


def test_no_number_and_no_key_is_in_the_ref(repositories: Repositories, clock: ManualClock) -> None:
    """Whoever reads the repository reads this home."""
    with Home(GitStore(repositories.laptop, "production", clock), KEY, clock).session(holder()) as session:
        session.open_campaign("sale", {})
        intend(session, "b1_x", ALICE, BOB)
        text = "".join(contents(repositories).values())
    for secret in (ALICE, ALICE[1:], ALICE[3:], BOB[3:], KEY.secret.hex(), KEY.to_text()):
        assert secret not in text


def test_what_is_forgotten_is_not_in_the_ref(repositories: Repositories, clock: ManualClock) -> None:
    """Neither the campaign's ledger nor its salt; that it was forgotten is."""
    with Home(GitStore(repositories.laptop, "production", clock), KEY, clock).session(holder()) as session:
        session.open_campaign("sale", {})
        intend(session, "b1_x", ALICE, BOB)
        session.record(Kind.SENT, "sale", "b1_x", {})
        session.forget("sale")
    files = contents(repositories)
    assert files["campaigns.json"] == '{"sale": null}'
    assert not [path for path in files if path.startswith("ledger/")]
    assert git(repositories.remote, "rev-list", "--count", "refs/octoplan/production") == "1"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_same_files_make_the_same_commit_and_git_agrees_on_its_name(tmp_path: Path, algorithm: str) -> None:
    """Names are git's own, in both of its formats, whatever the order of the files and the sizes of the objects."""
    folder = tmp_path / "store"
    git(tmp_path, "init", "-q", f"--object-format={algorithm}", str(folder))
    # Between `a.json` and `a0` comes the folder `a`, as if it were named `a/`.
    files = {"a.json": b"1", "a/b": b"", "a/c/d": b"x" * 5000, "a0": b"\0\n" * 8, "lease.json": b"{}"}
    at = datetime(2027, 3, 1, 9, tzinfo=UTC)
    name, objects = commit_files(files, at, "state", algorithm)
    assert (name, objects) == commit_files(dict(reversed(files.items())), at, "state", algorithm)
    for oid, (kind, data) in objects.items():
        assert git(folder, "hash-object", "-t", kind, "--stdin", data=data) == oid
    git(folder, "unpack-objects", "-q", data=render_pack(objects, algorithm))
    git(folder, "fsck", "--strict", "--no-dangling")
    assert git(folder, "ls-tree", "-r", "--name-only", name).splitlines() == sorted(files)


def test_a_sha256_repository_can_be_the_home(tmp_path: Path, clock: ManualClock) -> None:
    """The names of objects follow the repository's own format."""
    git(tmp_path, "init", "-q", "--bare", "--object-format=sha256", str(tmp_path / "remote.git"))
    git(tmp_path, "init", "-q", "--object-format=sha256", str(tmp_path / "clone"))
    store = GitStore(tmp_path / "clone", "production", clock, remote=str(tmp_path / "remote.git"))
    store.commit([Change(entry(1))], store.acquire(holder()))
    again = GitStore(tmp_path / "clone", "production", clock, remote=str(tmp_path / "remote.git"))
    assert numbers_of(again) == [1]


def test_the_journal_goes_on_in_the_next_file(
    repositories: Repositories, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write makes only the last file anew, and the order is kept across files."""
    monkeypatch.setattr(limits, "GIT_JOURNAL_LINES_PER_FILE", 2)
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    for number in range(5):
        store.commit([Change(entry(number))], held)
    assert numbers_of(GitStore(repositories.runner, "production", clock)) == [0, 1, 2, 3, 4]
    assert [path for path in contents(repositories) if path.startswith("journal/")] == [
        f"journal/{number:06d}.jsonl" for number in range(3)
    ]


def test_a_ledger_past_its_bound_is_refused_whole(
    repositories: Repositories, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, with the other homes named; up to the bound everything is taken."""
    monkeypatch.setattr(limits, "GIT_LEDGER_ROWS_MAX", 3)
    with Home(GitStore(repositories.laptop, "production", clock), KEY, clock).session(holder()) as session:
        session.open_campaign("sale", {})
        intend(session, "b1_x", ALICE, BOB)
        with pytest.raises(StateUnavailable, match="bound of 3") as caught:
            intend(session, "b1_y", CAROL, "+33612345604")
        assert caught.value.hint is not None
        assert "`postgres`" in caught.value.hint
        assert "`local`" in caught.value.hint
        assert set(session.campaigns()["sale"].batches) == {"b1_x"}
        intend(session, "b1_z", CAROL)
    assert set(Home(GitStore(repositories.runner, "production", clock), KEY, clock).campaigns()["sale"].batches) == {
        "b1_x",
        "b1_z",
    }


@pytest.mark.parametrize("clone", ["laptop", "runner"])
def test_a_push_sends_only_what_is_new(
    repositories: Repositories, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, clone: str
) -> None:
    """Not the whole ledger again: the server would have to keep it each time."""
    store = GitStore(getattr(repositories, clone), "production", clock)
    held = store.acquire(holder())
    rows = [LedgerRows("sale", f"b1_{batch}", [bytes([batch]) * 16]) for batch in range(30)]
    store.commit([Change(entry(0), add=each) for each in rows[:-1]], held)
    listed = git(repositories.remote, "ls-tree", "-r", str(repositories.tip()), "ledger/").splitlines()
    known = {line.split()[2] for line in listed}
    git(repositories.remote, "config", "receive.unpackLimit", "1")
    store.commit([Change(entry(1), add=rows[-1])], held)
    (index,) = (repositories.remote / "objects" / "pack").glob("*.idx")
    sent = {line.split()[1] for line in git(repositories.remote, "show-index", data=index.read_bytes()).splitlines()}
    assert git(repositories.remote, "rev-parse", f"{repositories.tip()}:ledger/sale/b1_29") in sent
    assert len(known) == 29
    assert not sent & known


def test_environments_are_apart(repositories: Repositories, clock: ManualClock) -> None:
    """Each has its own ref."""
    production = GitStore(repositories.laptop, "production", clock)
    production.commit([Change(entry(1))], production.acquire(holder()))
    staging = GitStore(repositories.laptop, "staging", clock)
    assert (staging.holder(), staging.read_entries()) == (None, [])
    assert repositories.tip("staging") is None


def test_a_branch_of_a_similar_name_is_neither_read_nor_written(repositories: Repositories, clock: ManualClock) -> None:
    """Git takes the end of a name for the name; then the push is refused rather than made to the branch."""
    branch = "refs/heads/refs/octoplan/production"
    git(repositories.remote, "update-ref", branch, "main")
    store = GitStore(repositories.laptop, "production", clock)
    assert store.read_entries() == []
    with pytest.raises(StateUnavailable):
        store.acquire(holder())
    assert git(repositories.remote, "rev-parse", branch) == git(repositories.remote, "rev-parse", "main")


# --- races ---


def test_of_two_that_race_for_the_lease_one_gets_it(repositories: Repositories, clock: ManualClock) -> None:
    """However close they are, and on different machines; the other is told who was faster."""
    fences = set()
    for race in range(4):
        clones = (repositories.laptop, repositories.runner)
        stores = [GitStore(clone, "production", clock) for clone in clones]
        outcomes = _at_once([partial(store.acquire, holder(f"r_{race}_{n}")) for n, store in enumerate(stores)])
        won = [outcome for outcome in outcomes if isinstance(outcome, Holder)]
        lost = [outcome for outcome in outcomes if isinstance(outcome, LeaseHeld)]
        assert (len(won), len(lost)) == (1, 1), outcomes
        assert lost[0].holder.run == won[0].run
        fences.add(won[0].fence)
        GitStore(repositories.laptop, "production", clock).release(won[0])
    assert len(fences) == 4


def test_two_that_write_at_once_lose_nothing(repositories: Repositories, clock: ManualClock) -> None:
    """The holder's entries, and the notices of somebody else: refused pushes are made again on top of the others'."""
    store = GitStore(repositories.laptop, "production", clock)
    other = GitStore(repositories.runner, "production", clock)
    held = store.acquire(holder())

    def write() -> None:
        for number in range(8):
            store.commit([Change(entry(number))], held)

    def post() -> None:
        for number in range(8):
            other.put_stop_notice(StopNotice(f"reason {number}", "sam", clock.now()))

    assert _at_once([write, post]) == [None, None]
    notice = GitStore(repositories.laptop, "production", clock).stop_notice()
    assert numbers_of(GitStore(repositories.laptop, "production", clock)) == list(range(8))
    assert notice is not None
    assert notice.reason == "reason 7"


def _at_once(tasks: list[Callable[[], object]]) -> list[object]:
    """What each returned or raised, all having started together."""
    outcomes: list[object] = [None] * len(tasks)
    barrier = threading.Barrier(len(tasks))

    def run(index: int) -> None:
        barrier.wait()
        try:
            outcomes[index] = tasks[index]()
        except StateUnavailable as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_an_intent_meets_what_was_written_meanwhile(repositories: Repositories, clock: ManualClock) -> None:
    """A holder whose lease was taken and given to another cannot write by trying again on top of the newer state."""
    store = GitStore(repositories.laptop, "production", clock)
    other = GitStore(repositories.runner, "production", clock)
    held = store.acquire(holder("r_1"))
    assert other.unlock("r_1")
    newer = other.acquire(holder("r_2"))
    other.commit([Change(entry(2))], newer)
    with pytest.raises(LeaseLost, match="taken away"):
        store.commit([Change(entry(1))], held)
    store.release(held)
    assert numbers_of(store) == [2]
    current = other.holder()
    assert current is not None
    assert current.run == "r_2"


def test_a_ref_that_is_put_back_ends_the_run(repositories: Repositories, clock: ManualClock) -> None:
    """On an older state of the same lease the run would forget its own writes, so it stops."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    store.commit([Change(entry(1))], held)
    earlier = repositories.tip()
    store.commit([Change(entry(2))], held)
    git(repositories.remote, "update-ref", "refs/octoplan/production", str(earlier))
    with pytest.raises(LeaseLost, match="earlier state"):
        store.commit([Change(entry(3))], held)
    assert repositories.tip() == earlier


# --- the lease ---


def test_a_lease_of_a_dead_run_is_reported_with_its_age_and_kept(
    repositories: Repositories, clock: ManualClock
) -> None:
    """It is never stolen; the message says since when nothing came, and names the command that takes it away."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder("r_dead"))
    clock.advance(600)
    store.commit([Change(entry(1))], held)
    clock.advance(2 * 86400 + 3 * 3600)
    other = GitStore(repositories.runner, "production", clock)
    with pytest.raises(LeaseHeld, match=r"r_dead of dana on build-7.*last seen 2027-03-01 09:10:00 UTC") as caught:
        other.acquire(holder("r_2"))
    assert caught.value.hint is not None
    assert "2 d 3 h ago" in caught.value.hint
    assert "`octoplan state unlock r_dead`" in caught.value.hint
    assert other.unlock("r_dead")
    assert other.acquire(holder("r_2")).fence > held.fence + 1


def test_a_lease_that_cannot_be_given_back_is_no_error(repositories: Repositories, clock: ManualClock) -> None:
    """Everything is recorded by then; the next run is told who has it."""
    home = Home(GitStore(repositories.laptop, "production", clock), KEY, clock)
    away = repositories.remote.with_name("away.git")
    with home.session(holder()):
        repositories.remote.rename(away)
    away.rename(repositories.remote)
    with pytest.raises(LeaseHeld):
        GitStore(repositories.laptop, "production", clock).acquire(holder("r_2"))


# --- pushes that fail, and answers that are lost ---

ONCE = 'if [ "$verb" = push ] && mkdir "$here/once" 2>/dev/null; then'


def armed(folder: Path) -> None:
    """Let the next push be the one that fails: until here the wrapper had nothing to do."""
    (folder / "once").rmdir()


def test_a_write_whose_answer_was_lost_is_there_once(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path]
) -> None:
    """The push went through, git says that it failed: the ref tells."""
    store = GitStore(repositories.laptop, "production", clock)
    folder = wrapped_git(f'{ONCE} "$real" "$@" >/dev/null 2>&1; exit 1; fi')
    (folder / "once").mkdir()
    held = store.acquire(holder())
    armed(folder)
    store.commit([Change(entry(1))], held)
    assert (folder / "once").exists()
    store.commit([Change(entry(2))], held)
    assert numbers_of(GitStore(repositories.runner, "production", clock)) == [1, 2]


def test_a_lease_whose_answer_was_lost_is_held(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path]
) -> None:
    """The run does not lock itself out."""
    wrapped_git(f'{ONCE} "$real" "$@" >/dev/null 2>&1; exit 1; fi')
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    store.commit([Change(entry(1))], held)
    assert numbers_of(store) == [1]


@pytest.mark.parametrize("lost", ["lease", "entry"])
def test_a_write_whose_answer_was_lost_is_known_beneath_what_came_after_it(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path], lost: str
) -> None:
    """The ref has moved on since, by a stop notice: the write is found by its token and not made twice."""
    post = (
        "from pathlib import Path; from octoplan.clock import SystemClock; from octoplan.state.git import GitStore; "
        "from octoplan.state.store import StopNotice; clock = SystemClock(); "
        f"GitStore(Path({str(repositories.runner)!r}), 'production', clock)"
        ".put_stop_notice(StopNotice('wait', 'sam', clock.now()))"
    )
    store = GitStore(repositories.laptop, "production", clock)
    python = f"{shlex.quote(sys.executable)} -c {shlex.quote(post)}"
    folder = wrapped_git(f'{ONCE} "$real" "$@" >/dev/null 2>&1; {python}; exit 1; fi')
    if lost == "entry":
        (folder / "once").mkdir()
    held = store.acquire(holder())
    if lost == "entry":
        armed(folder)
    store.commit([Change(entry(1))], held)
    assert store.stop_notice() is not None
    store.commit([Change(entry(2))], held)
    assert numbers_of(GitStore(repositories.runner, "production", clock)) == [1, 2]


def test_a_lease_that_may_have_been_taken_is_given_back(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path]
) -> None:
    """The run does not begin, so it must not lock out the next one."""
    folder = wrapped_git(
        'if [ "$verb" = push ] && mkdir "$here/once" 2>/dev/null; then "$real" "$@" >/dev/null 2>&1; exit 1; fi\n'
        'if [ "$verb" = ls-remote ] && [ -d "$here/once" ] && mkdir "$here/twice" 2>/dev/null; then exit 128; fi'
    )
    store = GitStore(repositories.laptop, "production", clock)
    with pytest.raises(StateUnavailable, match="not known"):
        store.acquire(holder())
    assert (folder / "twice").exists()
    assert GitStore(repositories.runner, "production", clock).acquire(holder("r_2")).fence == 2


def test_a_push_that_never_left_is_made_again(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path]
) -> None:
    """The ref still holds the old state, so the very same commit is pushed once more."""
    folder = wrapped_git(f'[ "$verb" = push ] && echo "$@" >> "$here/pushes"; {ONCE} exit 1; fi')
    store = GitStore(repositories.laptop, "production", clock)
    (folder / "once").mkdir()
    held = store.acquire(holder())
    armed(folder)
    clock.slept.clear()
    clock.advance(0.7)
    store.commit([Change(entry(1))], held)
    first, second = (folder / "pushes").read_text().splitlines()[-2:]
    assert first == second
    assert clock.slept == [limits.GIT_PAUSE_S]
    assert numbers_of(GitStore(repositories.runner, "production", clock)) == [1]


def test_a_push_that_always_fails_is_given_up(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path]
) -> None:
    """After a bounded number of tries; nothing was written, and the run can go on once it works again."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    folder = wrapped_git('if [ "$verb" = push ]; then echo . >> "$here/pushes"; echo no route >&2; exit 1; fi')
    with pytest.raises(StateUnavailable, match="no route"):
        store.commit([Change(entry(1))], held)
    assert len((folder / "pushes").read_text().splitlines()) == limits.GIT_FAILURES_MAX
    (folder / "git").unlink()
    assert numbers_of(store) == []
    store.commit([Change(entry(2))], held)
    assert numbers_of(GitStore(repositories.runner, "production", clock)) == [2]


@pytest.mark.parametrize("arrives", [True, False])
def test_where_the_ref_cannot_be_asked_nothing_is_assumed(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path], arrives: bool
) -> None:
    """The message says that it is not known; the next operation looks, and goes on from what it finds."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    push = '"$real" "$@" >/dev/null 2>&1;' if arrives else ""
    folder = wrapped_git(f'case "$verb" in push) {push} exit 1;; ls-remote) exit 128;; esac')
    with pytest.raises(StateUnavailable, match="not known whether the last write arrived"):
        store.commit([Change(entry(1))], held)
    (folder / "git").unlink()
    assert numbers_of(store) == ([1] if arrives else [])
    store.commit([Change(entry(2))], held)
    assert numbers_of(store) == ([1, 2] if arrives else [2])


@pytest.mark.parametrize("arrives", ["before the next push", "within it"])
def test_a_push_that_arrives_late_is_not_taken_for_the_next_one(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path], arrives: str
) -> None:
    """Given up, and only later does the first write arrive: both are there, none is lost."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    folder = wrapped_git(
        'if [ "$verb" = push ] && [ -f "$here/now" ]; then rm "$here/now"; sh "$here/late"; fi\n'
        'if [ "$verb" = push ] && ! [ -f "$here/through" ]; then echo "\'$real\' $* 2>&1" > "$here/late"; exit 1; fi'
    )
    before = repositories.tip()
    with pytest.raises(StateUnavailable):
        store.commit([Change(entry(1))], held)
    assert repositories.tip() == before
    (folder / "through").touch()
    if arrives == "within it":
        (folder / "now").touch()
    else:
        subprocess.run(["sh", str(folder / "late")], check=True, capture_output=True)
        assert numbers_of(store) == [1]
    store.commit([Change(entry(2))], held)
    assert not (folder / "now").exists()
    assert numbers_of(GitStore(repositories.runner, "production", clock)) == [1, 2]


def test_a_refusal_by_the_server_that_passes_is_survived(repositories: Repositories, clock: ManualClock) -> None:
    """A hook that says no once, as a server under load does."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    install_hook(repositories, 'if mkdir "$PWD/once" 2>/dev/null; then exit 1; fi')
    store.commit([Change(entry(1))], held)
    assert (repositories.remote / "once").exists()
    assert numbers_of(GitStore(repositories.runner, "production", clock)) == [1]


def test_a_protected_ref_is_named(repositories: Repositories, clock: ManualClock) -> None:
    """With the server's own words and what to allow; the sending has not begun."""
    install_hook(repositories, "echo 'GH013: only admins may write here' >&2; exit 1")
    store = GitStore(repositories.laptop, "production", clock)
    with pytest.raises(StateUnavailable, match=r"octoplan may not push there.*only admins") as caught:
        store.acquire(holder())
    assert caught.value.hint is not None
    assert "contents: write" in caught.value.hint
    assert repositories.tip() is None


def test_a_clone_that_is_cleaned_up_meanwhile_is_no_harm(repositories: Repositories, clock: ManualClock) -> None:
    """Nothing in the clone refers to the states, so git may drop them at any time; they are stored anew."""
    home = Home(GitStore(repositories.laptop, "production", clock), KEY, clock)
    with home.session(holder()) as session:
        session.open_campaign("sale", {})
        intend(session, "b1_x", ALICE, BOB)
        git(repositories.laptop, "gc", "--quiet", "--prune=now")
        session.record(Kind.SENT, "sale", "b1_x", {})
        assert session.written("sale", pa.array([BOB], pa.string())).to_pylist() == ["b1_x"]
    again = Home(GitStore(repositories.runner, "production", clock), KEY, clock)
    assert again.campaigns()["sale"].batches["b1_x"].phase is Phase.SENT
    assert again.written("sale", pa.array([BOB], pa.string())).to_pylist() == ["b1_x"]


def test_a_command_that_hangs_is_ended(
    repositories: Repositories,
    clock: ManualClock,
    wrapped_git: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With everything that it has started, so that nothing holds the lease for ever."""
    monkeypatch.setattr(limits, "GIT_COMMAND_TIME_MAX_S", 0.2)
    folder = wrapped_git('sleep 60 > "$here/alive" & sleep 60')
    os.mkfifo(folder / "alive")
    alive = os.open(folder / "alive", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(StateUnavailable, match="did not end in"):
            GitStore(repositories.laptop, "production", clock).holder()
        ended, _, _ = select.select([alive], [], [], 20)
        assert ended, "what the command had started still runs"
    finally:
        os.close(alive)


# --- other people's repositories and settings ---


def test_a_users_own_settings_do_not_interfere(
    repositories: Repositories, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing, hooks, pruning, tags, line endings, and a repository that a surrounding hook points to."""
    git(repositories.remote, "tag", "v1", "main")
    git(repositories.laptop, "tag", "mine", "HEAD")
    git(repositories.laptop, "update-ref", "refs/remotes/origin/gone", "HEAD")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction", "post-index-change"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    for setting in (
        f"core.hooksPath={hooks}",
        "commit.gpgSign=true",
        "tag.gpgSign=true",
        "push.gpgSign=true",
        "gpg.program=false",
        "core.autocrlf=true",
        "fetch.prune=true",
        "fetch.pruneTags=true",
        "push.followTags=true",
        "remote.origin.tagOpt=--tags",
        "remote.origin.prune=true",
        "remote.origin.pruneTags=true",
        "push.recurseSubmodules=only",
        "color.ui=always",
    ):
        git(repositories.laptop, "config", *setting.split("=", 1))
    before = seen(repositories.laptop)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere.index"))
    store = GitStore(repositories.laptop, "production", clock)
    store.commit([Change(entry(1))], store.acquire(holder()))
    assert numbers_of(GitStore(repositories.laptop, "production", clock)) == [1]
    assert seen(repositories.laptop) == before
    assert git(repositories.remote, "tag") == "v1"


def test_a_token_in_the_clones_settings_is_used(repositories: Repositories, clock: ManualClock, tmp_path: Path) -> None:
    """As a CI checkout leaves it: over HTTP, from a shallow clone, with an Authorization header in the local config."""
    with GitServer(repositories.remote, "Basic dG9rZW4=") as url:
        git(repositories.runner, "remote", "set-url", "origin", url)
        with pytest.raises(StateUnavailable, match="does not accept the credentials"):
            GitStore(repositories.runner, "production", clock).acquire(holder())
        git(repositories.runner, "config", f"http.{url}/.extraheader", "AUTHORIZATION: basic dG9rZW4=")
        store = GitStore(repositories.runner, "production", clock)
        with Home(store, KEY, clock).session(holder()) as session:
            session.open_campaign("sale", {})
            intend(session, "b1_x", ALICE, BOB)
        assert [each.kind for each in GitStore(repositories.runner, "production", clock).read_entries()] == [
            Kind.OPENED,
            Kind.INTENDED,
        ]


@pytest.mark.parametrize(
    ("remote", "says"),
    [
        ("upstream", "there is no such remote"),
        ("/nowhere/at/all.git", "there is no such remote"),
        ("https://dana:s3cret@127.0.0.1:1/x.git", "cannot be used"),
        ("ext::sh -c true", "not allowed"),
        ("--upload-pack=touch", "blocked"),
    ],
)
def test_a_remote_that_cannot_be_used_is_explained(
    repositories: Repositories, clock: ManualClock, remote: str, says: str
) -> None:
    """In one sentence with the next step, without the credentials that may be in an address, and nothing is run."""
    store = GitStore(repositories.laptop, "production", clock, remote=remote)
    with pytest.raises(StateUnavailable, match=says) as caught:
        store.read_entries()
    assert caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value.hint} {store.place}"


def test_what_git_says_is_shown_on_one_line_cut_and_without_credentials(
    repositories: Repositories, clock: ManualClock, wrapped_git: Callable[[str], Path]
) -> None:
    """It goes into logs, and a server can put anything into it."""
    wrapped_git(
        "printf \"fatal: unable to access 'https://dana:s3cret@host/x.git/'\\n\\033[31m%0500d\" 7 >&2; exit 128"
    )
    with pytest.raises(StateUnavailable) as caught:
        GitStore(repositories.laptop, "production", clock).read_entries()
    assert "unable to access 'https://…@host/x.git/'; " in caught.value.message
    assert "s3cret" not in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


def test_a_remote_starts_no_program_of_its_choice(
    repositories: Repositories, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remote can be named in a pull request; a transport that git does not bring along needs leave from outside."""
    helper = tmp_path / "bin" / "git-remote-other"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}{os.pathsep}{os.environ['PATH']}")
    store = GitStore(repositories.laptop, "production", clock, remote="other::x")
    with pytest.raises(StateUnavailable, match="'other' not allowed"):
        store.read_entries()
    assert not (tmp_path / "ran").exists()
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "other")
    with pytest.raises(StateUnavailable):
        store.read_entries()
    assert (tmp_path / "ran").exists()


def test_a_project_outside_of_git_is_explained(tmp_path: Path, clock: ManualClock) -> None:
    """The home needs the repository around the project."""
    with pytest.raises(StateUnavailable, match="in no git repository"):
        GitStore(tmp_path, "production", clock).read_entries()


def test_a_machine_without_room_for_temporary_files_is_explained(
    repositories: Repositories, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written then, and the reason is said."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(StateUnavailable, match="no temporary file"):
        store.commit([Change(entry(1))], held)
    monkeypatch.undo()
    assert numbers_of(store) == []


def test_a_machine_without_git_is_explained(
    repositories: Repositories, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of a traceback."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StateUnavailable, match="git command, which is not installed"):
        GitStore(repositories.laptop, "production", clock).read_entries()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"README.md": b"hello\n"}, "`octoplan.json`"),
        ({"octoplan.json": b'{"format": 99}'}, "format 99"),
        ({"octoplan.json": b'{"format": 1}', "campaigns.json": b"[]"}, "`campaigns.json`"),
        ({"octoplan.json": b'{"format": 1}', "ledger/sale/b1_x": b"x" * 17}, "`ledger/sale/b1_x`"),
        ({"octoplan.json": b'{"format": 1}', "lease.json": b'{"fence": 1}'}, "`lease.json`"),
    ],
)
def test_a_ref_that_somebody_else_wrote_is_not_guessed_at(
    repositories: Repositories, clock: ManualClock, files: dict[str, bytes], says: str
) -> None:
    """A newer format, damaged files, another thing altogether: refused, and the ref stays as it is."""
    put_files(repositories, files)
    before = repositories.tip()
    store = GitStore(repositories.laptop, "production", clock)
    with pytest.raises(StateUnavailable, match=says):
        _use(store)
    assert repositories.tip() == before


def _use(store: GitStore) -> None:
    store.read_salts()
    store.find("sale", [b"x" * 16])
    store.acquire(holder())


def test_a_deleted_ref_ends_the_run(repositories: Repositories, clock: ManualClock) -> None:
    """What the run had written is gone, so it writes nothing more."""
    store = GitStore(repositories.laptop, "production", clock)
    held = store.acquire(holder())
    store.commit([Change(entry(1))], held)
    git(repositories.remote, "update-ref", "-d", "refs/octoplan/production")
    with pytest.raises(LeaseLost):
        store.commit([Change(entry(2))], held)
    assert repositories.tip() is None

"""The lock file: the replay of the journal as mergeable text."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from octoplan.diagnostics import InvalidInput
from octoplan.state.journal import BatchState, CampaignState, Phase
from octoplan.state.lock import Lock, lock_of, lock_path, read_lock, render_lock, resolve_lock, write_lock

AT = datetime(2027, 3, 1, 9, tzinfo=UTC)


def batch(digest: str, phase: Phase = Phase.SENT, minutes: int = 0) -> BatchState:
    at = AT + timedelta(minutes=minutes)
    return BatchState(
        digest=digest,
        phase=phase,
        request_id="id" + digest,
        attempt=1,
        refusals=0,
        recipients=500,
        segments=512,
        planned_cost=Decimal("31.2320"),
        opened_at=at,
        opened_mark=None,
        changed_at=at,
        cost=Decimal("31.2320"),
        ticket="sms_" + digest,
    )


def campaign(name: str, *batches: BatchState) -> CampaignState:
    return CampaignState(name, {"type": "sms_premium", "sender": "ACME"}, AT, {each.digest: each for each in batches})


def lock(*campaigns: CampaignState) -> Lock:
    return lock_of("production", "k1_0123", campaigns)


def test_it_reads_back_what_it_wrote(tmp_path: Path) -> None:
    """Round trip, exact decimals included."""
    written = lock(campaign("sale", batch("b1_a"), batch("b1_b", Phase.OPEN)), campaign("no", batch("b1_c")))
    path = lock_path(tmp_path, "production")
    write_lock(path, written)
    assert read_lock(path, "production") == written
    assert 'cost: "31.2320"' in path.read_text()


def test_free_batches_are_not_in_it() -> None:
    """What was certainly not sent is no part of "what was sent"; a campaign with nothing else is absent."""
    assert lock(campaign("sale", batch("b1_a", Phase.FREE))).lines == {}


def test_same_state_same_bytes_whatever_the_order() -> None:
    """Sorted, so that two machines write the same file."""
    one = lock(campaign("sale", batch("b1_a"), batch("b1_b")), campaign("news", batch("b1_c")))
    two = lock(campaign("news", batch("b1_c")), campaign("sale", batch("b1_b"), batch("b1_a")))
    assert render_lock(one) == render_lock(two)


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("union", [True, False])
def test_two_branches_merge(tmp_path: Path, union: bool) -> None:
    """With git's union driver by itself, without it after `resolve_lock`: nothing that was sent is lost."""
    path = lock_path(tmp_path, "production")
    git(tmp_path, "init", "-q", "-b", "main")
    if union:
        (tmp_path / ".gitattributes").write_text("octoplan.*.lock merge=union\n")
    base = [campaign("middle", batch("b1_m"))]
    write_lock(path, lock(*base))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "base")
    git(tmp_path, "switch", "-qc", "other")
    write_lock(path, lock(*base, campaign("sale", batch("b1_a"))))
    git(tmp_path, "commit", "-qam", "other")
    git(tmp_path, "switch", "-q", "main")
    write_lock(path, lock(*base, campaign("tell", batch("b1_b"))))
    git(tmp_path, "commit", "-qam", "main")
    merged = git(tmp_path, "merge", "-q", "other")
    if union:
        assert merged.returncode == 0, merged.stdout
        result = read_lock(path, "production")
    else:
        assert merged.returncode == 1
        with pytest.raises(InvalidInput) as caught:
            read_lock(path, "production")
        assert {finding.code for finding in caught.value.findings} == {"lock/conflict-markers"}
        result = resolve_lock(path, "production")
    assert set(result.batches()) == {("middle", "b1_m"), ("sale", "b1_a"), ("tell", "b1_b")}


def test_of_two_lines_for_one_batch_the_certain_one_counts(tmp_path: Path) -> None:
    """One side settled what the other side still had as unknown."""
    path = lock_path(tmp_path, "production")
    sides = [render_lock(lock(campaign("sale", batch("b1_a", phase)))) for phase in (Phase.SENT, Phase.OPEN)]
    path.write_text(sides[0] + sides[1].splitlines()[-1] + "\n")
    assert read_lock(path, "production").lines["sale", "b1_a"]["state"] == "sent"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "version: 9\n",
        "version: 1\nenvironment: other\n",
        "{",
        "version: 1\nenvironment: production\nentries: [1]\n",
    ],
)
def test_anything_else_is_a_finding(tmp_path: Path, text: str) -> None:
    """A lock file that cannot be read is never taken for an empty one."""
    path = lock_path(tmp_path, "production")
    path.write_text(text)
    with pytest.raises(InvalidInput):
        read_lock(path, "production")


def test_a_missing_file_is_an_empty_lock(tmp_path: Path) -> None:
    """Nothing was sent yet."""
    assert read_lock(lock_path(tmp_path, "production"), "production").lines == {}

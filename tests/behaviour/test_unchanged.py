"""A list that did not change is not checked again for the eye, and always for apply."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import NUMBERS, PEOPLE, Project
from tests.sandbox_process import SandboxProcess

SAID = "from the cache"


@pytest.fixture
def entries(octoplan: Octoplan, tmp_path: Path) -> Path:
    """Where plans are kept."""
    octoplan.variables["OCTOPLAN_CACHE_DIR"] = str(tmp_path / "cache")
    return tmp_path / "cache" / "plans"


def timeless(plan: str) -> list[str]:
    """The lines of a plan but for its date and the hours, which are held against the clock each time."""
    return re.sub(r"(?m)^    (hours|next) .*\n(?: {14}.*\n)*", "", plan).splitlines()[1:]


def test_an_offline_plan_is_shown_again(octoplan: Octoplan, entries: Path) -> None:
    """The same plan but for what the time says, with word of where it comes from; `--no-cache` makes it anew."""
    first = octoplan("plan", "--offline")
    again = octoplan("plan", "--offline")
    assert SAID not in first.stderr
    assert "spring: unchanged since 20" in again.stderr
    assert timeless(again.stdout) == timeless(first.stdout)
    assert SAID not in octoplan("plan", "--offline", "--no-cache").stderr


def test_what_apply_or_a_program_takes_is_made_anew(project: Project, octoplan: Octoplan, entries: Path) -> None:
    """Neither a saved plan nor JSON nor apply reads the cache."""
    octoplan("plan", "--offline")
    assert SAID not in octoplan("plan", "--offline", "--out", "plan.json").stderr
    assert SAID not in octoplan("plan", "--offline", "--output", "json").stderr
    assert SAID not in octoplan("apply", "--auto-approve").stderr


def test_what_was_sent_needs_no_price(octoplan: Octoplan, sandbox: SandboxProcess, entries: Path) -> None:
    """With prices only a campaign of which nothing is left is kept; one that is to be sent is priced each time."""
    octoplan("plan")
    assert SAID not in octoplan("plan").stderr
    octoplan("apply", "--auto-approve")
    first = octoplan("plan")
    again = octoplan("plan")
    assert SAID not in first.stderr
    assert SAID in again.stderr
    assert again.stdout.splitlines()[1:] == first.stdout.splitlines()[1:]
    assert "Nothing to send." in again.stdout


def test_an_entry_holds_nothing_personal(octoplan: Octoplan, entries: Path) -> None:
    """No number, name or value of a recipient."""
    octoplan("plan", "--offline")
    (entry,) = entries.iterdir()
    kept = entry.read_bytes()
    for secret in [
        *(number[-9:] for number in NUMBERS),
        *(person[column] for person in PEOPLE for column in (0, 1, 3)),
    ]:
        assert secret.encode() not in kept


def test_an_entry_that_was_written_by_somebody_else_is_not_there(octoplan: Octoplan, entries: Path) -> None:
    """Without the project's key nobody can make one."""
    octoplan("plan", "--offline")
    (entry,) = entries.iterdir()
    forged = entry.read_bytes()[32:].replace(b'"recipients":5', b'"recipients":3')
    entry.write_bytes(hashlib.sha256(forged).digest() + forged)
    result = octoplan("plan", "--offline")
    assert SAID not in result.stderr
    assert "5 recipients" in result.stdout

"""
Same inputs, same bytes (G6): what a plan identifies depends on recipients, texts and settings, and on nothing else.

Compared is the whole JSON document but for the time at which it was made and priced (and what follows from that: the
sending hours of a campaign that leaves at once), the digest over that time, and the names of files and lines.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from octoplan.state.local import read_key
from tests.behaviour.command import Octoplan
from tests.behaviour.conftest import announce
from tests.behaviour.project import Project
from tests.sandbox_process import SandboxProcess

_NAMES: Final = ("Zoé", "Ådvik", "Łucja", "Ysmerine", "İpek", "Ελπίδα", "zoe", "ZOE", "Brannoc", "éric")
ROWS: Final = (
    # French mobiles of the textbook block, in two spellings; US numbers reserved for fiction; some twice, some wrong.
    *((_NAMES[row % 10], "K", f"06 12 34 {row // 100:02} {row % 100:02}", f"C{row}") for row in range(600)),
    *((_NAMES[row % 7], "K", f"+336123400{row:02}", f"D{row}") for row in range(40)),
    *((_NAMES[row % 3], "K", f"+1 202 555 01{row:02}", f"E{row}") for row in range(100)),
    *((_NAMES[row % 9], "K", f"12{row}", "F") for row in range(7)),
)
CAMPAIGN: Final[Mapping[str, Any]] = {
    "message": {"template": "{{ first_name }}, code {{ code }}. STOP au XXXXX"},
    "schedule": {"at": "2098-10-26T10:00", "not_after": "2098-10-26T18:00"},
    "batch_size": 70,
}


def write(project: Project) -> None:
    """The project that every variation says the same as."""
    project.contacts(ROWS)
    project.campaign("spring", **CAMPAIGN)


def planned(octoplan: Octoplan, **variables: str) -> dict[str, Any]:
    """The plan's document without what may differ."""
    # A plan that is saved asks for every price anew, whatever this machine was told before.
    saved = str(octoplan.folder.parent / "plan.json")
    document: dict[str, Any] = octoplan("plan", "--output", "json", "--out", saved, variables=variables).json()
    for name in ("created_at", "expires_at", "digest"):
        del document[name]
    for campaign in document["campaigns"]:
        del campaign["file"], campaign["audience"]["path"]
        for exclusion in campaign["audience"]["exclusions"]:
            del exclusion["lines"]
        for name in ("longest", "shortest"):
            del campaign["message"][name]["line"]
        for unit in campaign["cost"]["unit_prices"]:
            del unit["at"]
        if campaign["schedule"]["send_at"] is None:
            del campaign["hours"]
    for finding in document["findings"]:
        del finding["place"]
    return document


@pytest.fixture
def first(project: Project, octoplan: Octoplan) -> dict[str, Any]:
    """The plan that every variation is compared with: several requests, two countries, duplicates, wrong numbers."""
    write(project)
    document = planned(octoplan)
    (campaign,) = document["campaigns"]
    assert len(campaign["batches"]) == 10
    assert set(campaign["audience"]["countries"]) == {"FR", "US"}
    assert {line["reason"] for line in campaign["audience"]["exclusions"]} == {"duplicate", "invalid-number"}
    return document


def test_the_order_of_rows_and_the_names_of_files_do_not_matter(
    project: Project, octoplan: Octoplan, first: dict[str, Any]
) -> None:
    """Shuffled rows, another order of columns, renamed files, comments and blank lines: the same plan."""
    shuffled = [(code, phone, last, name) for name, last, phone, code in ROWS]
    random.Random(7).shuffle(shuffled)
    project.contacts(shuffled, path="data/renamed.csv", header=("code", "mobile", "last_name", "first_name"))
    recipients = {"path": "data/renamed.csv", "phone": "mobile"}
    path = project.campaign("spring", **CAMPAIGN, recipients=recipients)
    project.write("campaigns/sub/b.yaml", "# a comment\n\n" + path.read_text().replace("\n", "   # another\n\n"))
    path.unlink()
    assert planned(octoplan) == first


def test_the_machine_does_not_matter(octoplan: Octoplan, first: dict[str, Any]) -> None:
    """Locale, time zone, the seed of Python's hashes and its optimisation leave no trace in a plan."""
    assert planned(octoplan, LC_ALL="tr_TR.UTF-8", TZ="Pacific/Kiritimati", PYTHONHASHSEED="1") == first
    assert planned(octoplan, LC_ALL="C", PYTHONUTF8="0", TZ="America/St_Johns", PYTHONOPTIMIZE="1") == first


def test_a_second_machine_with_the_same_key_makes_the_same_plan(
    tmp_path: Path, project: Project, octoplan: Octoplan, sandbox: SandboxProcess, first: dict[str, Any]
) -> None:
    """A clone elsewhere, with the digest key in OCTOPLAN_DIGEST_KEY, comes to the same digests and request ids."""
    clone = Project(tmp_path / "another" / "machine")
    write(clone)
    announce(sandbox, clone)
    key = read_key(project.state)
    assert key is not None
    elsewhere = Octoplan(clone.root)
    assert planned(elsewhere, OCTOPLAN_DIGEST_KEY=key.to_text()) == first
    assert not (clone.state / "digest.key").exists()
    other = planned(elsewhere)
    assert other["totals"] == first["totals"]
    assert other["campaigns"][0]["batches"][0]["digest"] != first["campaigns"][0]["batches"][0]["digest"]


def test_what_is_left_after_a_stop_is_the_same_everywhere_too(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """After a part was sent the rest is packed in the same way, whatever the order of the rows."""
    project.contacts(ROWS)
    project.campaign("spring", batch_size=70)
    sandbox.faults({"kind": "pass", "times": 3}, {"kind": "wrong_cost"})
    octoplan("apply", "--auto-approve", code=9)
    rest = planned(octoplan)
    assert rest["totals"]["requests"] == 6
    project.contacts(reversed(ROWS))
    assert planned(octoplan, PYTHONHASHSEED="3") == rest
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == sandbox.summary()["distinct_recipients"] == 700

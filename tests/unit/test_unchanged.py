from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from octoplan import unchanged
from octoplan.campaign.project import load_campaigns
from octoplan.digests import DigestKey
from octoplan.pipeline import Setting, build_plan, prepare_campaigns
from octoplan.state.home import Home
from octoplan.state.local import local_home
from octoplan.unchanged import Found, Unchanged
from tests.clocks import HOLDER, ManualClock
from tests.unit.plan.projects import CAMPAIGN, KEY, numbers, setting_of, write_project
from tests.unit.plan.test_build import send

STOP_LIST: Final = "suppression: [{path: stop.csv}]\n"
TIMED: Final = CAMPAIGN + "schedule: {at: '2027-03-02T10:00', not_after: '2027-03-02T12:00', hand_over: 2h}\n"


@pytest.fixture(autouse=True)
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where plans are kept."""
    monkeypatch.setenv("OCTOPLAN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "plans"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def home(tmp_path: Path, clock: ManualClock) -> Iterator[Home]:
    opened = local_home(tmp_path / "state", "production", KEY, clock)
    yield opened
    opened.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten people, one of them on the stop list."""
    folder = tmp_path / "project"
    write_project(folder, numbers(10), extra=STOP_LIST)
    (folder / "stop.csv").write_text("phone\n" + numbers(1)[0] + "\n")
    return folder


def look(setting: Setting, home: Home, clock: ManualClock, *, is_offline: bool = True) -> Unchanged:
    campaigns, _ = load_campaigns(setting.project)
    return Unchanged(setting, home, clock, campaigns, is_offline)


def plan(memory: Unchanged, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Plan everything, and keep it."""
    with prepare_campaigns(memory.setting, memory.campaigns) as prepared:
        made = build_plan(
            memory.setting, prepared, memory.reader, None, balance=None, endpoint="none", clock=memory.clock
        )
        meanwhile()
        memory.remember(prepared, made.actions, made.created_at)


def known(root: Path, home: Home, clock: ManualClock, *, is_offline: bool = True) -> dict[str, Found]:
    """What a later command knows."""
    return look(setting_of(root, batch_size=3), home, clock, is_offline=is_offline).recall()


def keep(root: Path, home: Home, clock: ManualClock) -> None:
    plan(look(setting_of(root, batch_size=3), home, clock))


def test_what_is_kept_is_what_was_planned(root: Path, home: Home, clock: ManualClock) -> None:
    """The whole action comes back, equal in every field, with the moment of its plan."""
    memory = look(setting_of(root, batch_size=3), home, clock)
    with prepare_campaigns(memory.setting, memory.campaigns) as prepared:
        made = build_plan(memory.setting, prepared, home, None, balance=None, endpoint="none", clock=clock)
        memory.remember(prepared, made.actions, made.created_at)
    clock.advance(3600)
    found = known(root, home, clock)["sale"]
    assert (found.action,) == made.actions
    assert found.planned_at == made.created_at
    assert found.action.audience is not None
    assert found.action.audience.suppressed() == b"", "no digest of a number is kept"


def rewrite(name: str, before: str, after: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert before in text
        (root / name).write_text(text.replace(before, after))

    return change


CHANGES: Final[Mapping[str, Callable[[Path], object]]] = {
    "a name on the list": rewrite("contacts.csv", "Zoe", "Zoé"),
    "a row less": rewrite("contacts.csv", f"{numbers(10)[9]},Zoe\n", ""),
    "the stop list": rewrite("stop.csv", numbers(1)[0], numbers(2)[1]),
    "the text": rewrite("campaigns/sale.yaml", "Bonjour", "Bonsoir"),
    "a comment, which moves the places of findings": rewrite("campaigns/sale.yaml", "id: sale", "# new\nid: sale"),
    "the defaults": rewrite("octoplan.yaml", "ACME,", "ACMEB,"),
    "the file's name": lambda root: (root / "campaigns/sale.yaml").rename(root / "campaigns/other.yaml"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_is_planned_anew(
    change: Callable[[Path], object], root: Path, home: Home, clock: ManualClock
) -> None:
    """Whatever a plan is made of: one byte of it more or less, and nothing is known."""
    keep(root, home, clock)
    assert known(root, home, clock)
    change(root)
    assert not known(root, home, clock)


def test_other_settings_are_another_plan(root: Path, home: Home, clock: ManualClock) -> None:
    """The environment's settings, the account and the key."""
    keep(root, home, clock)
    assert not look(setting_of(root, batch_size=4), home, clock).recall()
    assert not look(setting_of(root, batch_size=3, account="a1_other"), home, clock).recall()
    base = setting_of(root, batch_size=3)
    other = Setting(base.project, base.environment, base.settings, None, DigestKey(bytes(32)))
    assert not look(other, home, clock).recall()


def test_other_code_is_another_plan(
    root: Path, home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade of octoplan or of a library can change every answer."""
    keep(root, home, clock)
    monkeypatch.setattr(unchanged, "_versions", lambda: ["other"])
    assert not known(root, home, clock)


def test_what_was_sent_since_is_planned_anew(root: Path, home: Home, clock: ManualClock) -> None:
    """The journal is part of what a plan is made of."""
    keep(root, home, clock)
    with home.session(HOLDER) as session:
        send(root, session, 1)
    assert not known(root, home, clock)
    keep(root, home, clock)
    assert known(root, home, clock)["sale"].action.sent_recipients == 3


def test_an_unknown_outcome_is_never_kept(root: Path, home: Home, clock: ManualClock) -> None:
    """How long it may be repeated depends on the clock."""
    with home.session(HOLDER) as session:
        send(root, session, 1, None)
    keep(root, home, clock)
    assert not known(root, home, clock)


def test_online_only_what_has_nothing_left_is_kept(root: Path, home: Home, clock: ManualClock) -> None:
    """Everything else has a price, which is asked each time."""
    with home.session(HOLDER) as session:
        send(root, session, 1)
    plan(look(setting_of(root, batch_size=3), home, clock, is_offline=False))
    assert not known(root, home, clock, is_offline=False)
    with home.session(HOLDER) as session:
        send(root, session, 9)
    plan(look(setting_of(root, batch_size=3), home, clock, is_offline=False))
    assert known(root, home, clock, is_offline=False)
    assert not known(root, home, clock), "an offline plan says that it asked nothing"


@pytest.mark.parametrize("moment", ["2027-03-02T08:00+01:00", "2027-03-02T10:00+01:00", "2027-03-02T12:00+01:00"])
def test_a_moment_that_passes_is_planned_anew(moment: str, tmp_path: Path, home: Home, clock: ManualClock) -> None:
    """Until then nothing changes; then it is handed over, or it is late, or too late."""
    root = tmp_path / "project"
    write_project(root, numbers(3), campaign=TIMED)
    # What is late is blocked, and never kept: before the last moment it is too.
    is_kept = moment < "2027-03-02T12"
    clock.at = datetime.fromisoformat(moment) - timedelta(minutes=30)
    keep(root, home, clock)
    found = known(root, home, clock)
    assert bool(found) is is_kept
    if is_kept:
        assert str(found["sale"].action.send_at.tzinfo) == "Europe/Paris"  # type: ignore[union-attr]
    clock.at = datetime.fromisoformat(moment)
    assert not known(root, home, clock)


def test_a_growing_audience_is_never_kept(tmp_path: Path, home: Home, clock: ManualClock) -> None:
    """When the next may be added depends on the clock."""
    root = tmp_path / "project"
    write_project(root, numbers(3), campaign=CAMPAIGN + "audience: growing\n")
    keep(root, home, clock)
    assert not known(root, home, clock)


def test_a_text_of_two_campaigns_is_planned_anew(root: Path, home: Home, clock: ManualClock) -> None:
    """Whether one is a copy of the other, only both together can show: neither is kept, nor shown from before."""
    keep(root, home, clock)
    assert known(root, home, clock)
    copy = (root / "campaigns/sale.yaml").read_text().replace("id: sale", "id: sale-copy")
    (root / "campaigns/copy.yaml").write_text(copy)
    assert not known(root, home, clock)
    keep(root, home, clock)
    assert not known(root, home, clock)


def test_what_is_blocked_is_planned_anew(tmp_path: Path, home: Home, clock: ManualClock) -> None:
    """What blocks a campaign may be another one, or a home without room."""
    root = tmp_path / "project"
    write_project(root, numbers(3), campaign=CAMPAIGN + "limits: {max_recipients: 2}\n")
    keep(root, home, clock)
    assert not known(root, home, clock)


@pytest.mark.parametrize("name", ["contacts.csv", "stop.csv"])
def test_a_list_that_changes_while_it_is_planned_is_not_kept(
    name: str, root: Path, home: Home, clock: ManualClock
) -> None:
    """Nobody knows which of both was read: neither the old nor the new list has an entry."""
    path = root / name
    before = path.read_text()
    memory = look(setting_of(root, batch_size=3), home, clock)
    plan(memory, meanwhile=lambda: path.write_text(before + numbers(20)[19] + ",Zoe\n"))
    assert not known(root, home, clock)
    path.write_text(before)
    assert not known(root, home, clock)


def test_a_query_is_never_kept(tmp_path: Path, home: Home, clock: ManualClock) -> None:
    """What it reads is not all in files that could be compared."""
    query = CAMPAIGN.replace(
        "  path: contacts.csv\n", "  source: sql\n  query: SELECT phone, name FROM c\n  tables: {c: contacts.csv}\n"
    )
    write_project(tmp_path / "project", numbers(3), campaign=query)
    keep(tmp_path / "project", home, clock)
    assert not known(tmp_path / "project", home, clock)


def test_an_entry_that_is_too_large_is_not_kept(
    root: Path, home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is bounded."""
    monkeypatch.setattr(unchanged, "UNCHANGED_ENTRY_BYTES_MAX", 100)
    keep(root, home, clock)
    assert not known(root, home, clock)


def test_entries_cannot_be_exchanged(root: Path, home: Home, clock: ManualClock, entries: Path) -> None:
    """An entry under the name of another one is none, though the project's key made both."""
    keep(root, home, clock)
    (first,) = entries.iterdir()
    CHANGES["the text"](root)
    keep(root, home, clock)
    (second,) = set(entries.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    assert not known(root, home, clock)


def test_a_file_that_cannot_be_read_is_left_to_the_plan(root: Path, home: Home, clock: ManualClock) -> None:
    """A list that is gone or is a pipe has no entry, blocks nothing, and is no error here."""
    keep(root, home, clock)
    (root / "stop.csv").unlink()
    assert not known(root, home, clock)
    os.mkfifo(root / "stop.csv")
    assert not known(root, home, clock)

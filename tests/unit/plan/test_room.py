"""Which state homes have a bound that a plan must know of."""

from __future__ import annotations

from pathlib import Path

from octoplan import limits
from octoplan.campaign.model import Environment, Sandbox, StateSettings
from octoplan.campaign.project import load_campaigns
from octoplan.cli.planning import ledger_rows_max
from octoplan.diagnostics import ExitCode
from octoplan.pipeline import build_plan, prepare_campaigns
from octoplan.state.local import local_home
from tests.clocks import ManualClock
from tests.unit.plan.projects import KEY, numbers, setting_of, write_project


def environment(home: str) -> Environment:
    state = StateSettings.model_validate({"home": home, "url": "env/URL" if home == "postgres" else None})
    credentials = {"login": "env/LOGIN", "key": "env/KEY"}
    written = {"endpoint": "https://api.octopush.com/v1/public", "credentials": credentials, "state": state}
    return Environment.model_validate(written)


def test_only_the_git_home_is_bounded() -> None:
    """The others are bounded by their disks."""
    bounds = [ledger_rows_max(each) for each in (Sandbox(), *map(environment, ("local", "postgres", "git")))]
    assert bounds == [None, None, None, limits.GIT_LEDGER_ROWS_MAX]


def test_a_plan_that_the_home_has_no_room_for_is_blocked(tmp_path: Path) -> None:
    """Before anything is sent, not when half of it is."""
    write_project(tmp_path, numbers(4))
    for room, code in ((4, ExitCode.DONE), (3, ExitCode.BLOCKED)):
        setting = setting_of(tmp_path, ledger_rows_max=room)
        campaigns, _ = load_campaigns(setting.project)
        home = local_home(tmp_path / "state", "production", KEY, ManualClock())
        with prepare_campaigns(setting, campaigns) as prepared:
            plan = build_plan(setting, prepared, home, None, balance=None, endpoint="", clock=ManualClock())
        assert plan.exit_code is code

"""
Sending hours, overrides and the list of rules through the real commands.

The clock is the machine's own, so these use times in `schedule.at`, and recipients who are never all awake.
"""

from __future__ import annotations

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate
from tests.behaviour.project import PEOPLE, Project
from tests.sandbox_process import SandboxProcess

NEVER_AWAKE = ("+12025550123", "+18085550123", "+16714720123")
"""New York, Honolulu and Guam; with the people of Paris there is no time that suits all."""
NIGHT = {"at": "2030-06-18T23:00", "timezone": "Europe/Paris"}
DAY = {"at": "2030-06-18T10:00", "timezone": "Europe/Paris"}
OVERRIDE = [{"rule": "window/fr-hours", "reason": "the night of the premiere"}]


def around_the_world(project: Project) -> None:
    people = [(f"Quorra{index}", "Vantrellec", phone, "QX7") for index, phone in enumerate(NEVER_AWAKE)]
    project.contacts([*PEOPLE, *people])


@pytest.fixture
def live(project: Project, gate: Gate) -> Gate:
    """The environment `live` with the rules on hours as they are without a setting."""
    project.environment(gate.endpoint, windows="enforce")
    return gate


def test_plan_and_apply_refuse_marketing_at_night(
    project: Project, octoplan: Octoplan, live: Gate, sandbox: SandboxProcess
) -> None:
    """Exit code 8 with the rule, the clock and the next permitted time; nothing is sent."""
    project.campaign("spring", schedule=NIGHT)
    planned = octoplan("plan", code=8)
    shown = " ".join(planned.stdout.split())
    assert "FR, 5 recipients: Tue 2030-06-18 23:00 in Europe/Paris" in shown
    assert "[window/fr-hours]" in shown
    assert "next Wed 2030-06-19 08:00 Europe/Paris (2030-06-19 06:00 UTC)" in shown
    octoplan("apply", "--auto-approve", code=8)
    assert sandbox.summary()["messages"] == 0


def test_an_approved_plan_is_held_against_the_hours_again(
    project: Project, octoplan: Octoplan, live: Gate, sandbox: SandboxProcess
) -> None:
    """A plan saved while the rules were off does not carry a night message past them."""
    project.campaign("spring", schedule=NIGHT)
    project.environment(live.endpoint, windows="off")
    octoplan("plan", "--out", "plan.json")
    project.environment(live.endpoint, windows="enforce")
    octoplan("apply", "plan.json", code=8)
    assert sandbox.summary()["messages"] == 0


def test_an_override_with_a_reason_sends_and_is_shown(
    project: Project, octoplan: Octoplan, live: Gate, sandbox: SandboxProcess
) -> None:
    """In the plan's text and in its JSON."""
    project.campaign("spring", schedule=NIGHT, overrides=OVERRIDE)
    shown = " ".join(octoplan("plan").stdout.split())
    assert "overrides window/fr-hours: the night of the premiere" in shown
    (campaign,) = octoplan("plan", "--output", "json").json()["campaigns"]
    assert campaign["overrides"] == [{"rule": "window/fr-hours", "reason": "the night of the premiere"}]
    assert [broken["rule"] for broken in campaign["hours"]["broken"]] == ["window/fr-evening"]
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 5


def test_by_day_it_is_sent(project: Project, octoplan: Octoplan, live: Gate, sandbox: SandboxProcess) -> None:
    """The hours of the time of sending count, not those of the hand-over."""
    project.campaign("spring", schedule=DAY)
    shown = " ".join(octoplan("plan").stdout.split())
    assert "next Tue 2030-06-18 10:00 Europe/Paris (2030-06-18 08:00 UTC), permitted for all recipients" in shown
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 5


def test_what_leaves_at_once_has_hours_as_well(
    project: Project, octoplan: Octoplan, live: Gate, sandbox: SandboxProcess
) -> None:
    """At whatever time this test runs somebody is asleep; no time suits everybody, and the plan says so."""
    around_the_world(project)
    planned = octoplan("plan", code=8)
    assert "no time suits all recipients" in " ".join(planned.stdout.split())
    octoplan("apply", "--auto-approve", code=8)
    assert sandbox.summary()["messages"] == 0


def test_the_sandbox_shows_the_hours_and_sends(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Nobody gets its messages, so whoever tries octoplan at night is not kept from it."""
    project.campaign("spring", schedule=NIGHT)
    assert "error, which does not block here" in " ".join(octoplan("plan").stdout.split())
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 5


def test_strict_takes_warnings_for_errors(project: Project, octoplan: Octoplan, live: Gate) -> None:
    """A Sunday is tolerated in France, and not by a team that says `strict`."""
    project.campaign("spring", schedule={"at": "2030-06-16T10:00"})
    assert "[window/fr-sunday]" in octoplan("plan").stdout
    project.environment(live.endpoint, windows="strict")
    octoplan("plan", code=8)


def test_wrong_overrides_are_found_by_validate_and_plan(project: Project, octoplan: Octoplan) -> None:
    """A rule that does not exist, and one that cannot be overridden, each at its place."""
    overrides = [{"rule": "window/fr-huors", "reason": "x"}, {"rule": "campaign/stop-form", "reason": "x"}]
    project.campaign("spring", overrides=overrides)
    for command in ("validate", "plan"):
        said = octoplan(command, code=3).output
        assert "campaign/unknown-rule" in said
        assert "did you mean `window/fr-hours`?" in said
        assert "campaign/no-override" in said


def test_rules_are_listed_and_explained(octoplan: Octoplan) -> None:
    """All of them, one of them, and as JSON; a misspelt one is guessed."""
    assert "window/us-hours  error" in octoplan("rules").stdout
    explained = " ".join(octoplan("rules", "window/fr-hours").stdout.split())
    assert "says daily 08:00-21:30 valid from 2026-03-01" in explained
    assert "confidence high" in explained
    (entry,) = octoplan("rules", "window/us-hours", "--output", "json").json()
    assert (entry["level"], entry["versions"][0]["checked"]) == ("error", "2026-11-23")
    assert len(octoplan("rules", "--output", "json").json()) > 100
    assert "did you mean `window/fr-hours`?" in octoplan("rules", "window/fr-hour", code=3).stderr

"""What a plan costs, and what stands in its way, through the real commands and a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import PEOPLE, Project
from tests.git_repositories import git
from tests.sandbox_process import SandboxProcess

MIXED = (
    *PEOPLE,
    ("Ulmerich", "Grasswinkel", "+49 1713920001", "é" * 30),
    ("Wystan", "Terebinth", "+1 212 555 0101", "ï" * 50),
)
"""Numbers of textbooks in France, and kept for fiction in Germany and the United States."""
PRICES = """
date: 2020-11-01
currency: EUR
prices:
  sms_premium: {FR: "0.061"}
"""
HOURS_OFF: dict[str, Any] = {"purpose": "alert", "message": {"template": "Bonjour {{ first_name }}, code {{ code }}"}}
"""A transactional message: when it is sent does not matter here."""


@pytest.fixture(autouse=True)
def transactional(project: Project) -> None:
    project.campaign("spring", **HOURS_OFF)


def second(project: Project) -> None:
    """Another campaign to the same people, with another text."""
    project.campaign("summer", **{**HOURS_OFF, "message": {"template": "Bonsoir {{ first_name }}"}})


def plan(octoplan: Octoplan, *flags: str, code: int = 0) -> tuple[Any, str]:
    """The plan as JSON, and as text on one line."""
    target = octoplan.folder / "plan-to-read.json"
    text = octoplan("plan", "--output", "text", "--output", f"json={target}", *flags, code=code).stdout
    return json.loads(target.read_text()), " ".join(text.split())


def codes(document: Any) -> list[str]:
    return [reason["code"] for each in document["campaigns"] for reason in each["reasons"]]


OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "plain": {},
    "low-cost": {"type": "sms_low_cost", "recipients": {"path": "data/french.csv", "phone": "mobile"}},
    "replies": {"with_replies": True},
    "optimised": {"auto_optimize_text": True},
    "blacklist": {"auto_remove_blacklisted_numbers": True},
    "many": {"with_replies": True, "auto_remove_blacklisted_numbers": True, "batch_size": 3},
}


def test_what_is_planned_is_billed(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """To the last digit: plan, report, and what the wallet lost; a plan costs nothing itself."""
    project.contacts(MIXED)
    project.contacts(PEOPLE, path="data/french.csv")
    (project.root / "campaigns" / "spring.yaml").unlink()
    for name, options in OPTIONS.items():
        message = {"template": f"{name}: {{{{ first_name }}}} {{{{ code }}}}"}
        project.campaign(name, **{**HOURS_OFF, "message": message, **options})
    before = sandbox.balance()
    planned, _ = plan(octoplan, "--out", "plan.json")
    assert sandbox.balance() == before
    report = octoplan("apply", "plan.json", "--output", "json").json()
    costs = {each["id"]: each["cost"]["total"] for each in planned["campaigns"]}
    assert costs == {each["id"]: each["billed"] for each in report["campaigns"]}
    assert costs.keys() == OPTIONS.keys()
    assert Decimal(planned["totals"]["cost"]) == before - sandbox.balance() > 0


def test_a_plan_of_all_requests_knows_who_has_opted_out_at_octopush(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """One recipient of each country says at most what it costs; every request as it will be sent says what."""
    project.contacts(MIXED)
    project.campaign("spring", **HOURS_OFF, auto_remove_blacklisted_numbers=True, batch_size=500)
    sandbox.blacklist("+33612345603", "+491713920001")
    strata = plan(octoplan)[0]["campaigns"][0]["cost"]
    whole = plan(octoplan, "--simulate", "all", "--out", "plan.json")[0]["campaigns"][0]["cost"]
    assert (strata["source"], whole["source"]) == ("simulation", "requests")
    assert (strata["least"], strata["total"]) == ("0", strata["most"])
    assert Decimal(whole["total"]) < Decimal(strata["total"])
    before = sandbox.balance()
    octoplan("apply", "plan.json")
    assert before - sandbox.balance() == Decimal(whole["total"])


def test_a_plan_names_the_source_and_the_date_of_every_figure(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """The second plan asks one question a campaign; one that is to be approved, and apply, ask all of them."""
    project.contacts(MIXED)
    first = plan(octoplan)[0]["campaigns"][0]["cost"]
    assert {unit["source"] for unit in first["unit_prices"]} == {"simulation"}
    strata = sandbox.stats()["simulated_sends"]
    assert strata == first["simulated"] == len(first["unit_prices"]) > 2
    document, text = plan(octoplan)
    again = document["campaigns"][0]["cost"]
    assert (again["total"], again["source"]) == (first["total"], "memory+simulation")
    assert {unit["at"] for unit in again["unit_prices"] if unit["source"] == "memory"} == {
        first["unit_prices"][0]["at"]
    }
    assert "the API's simulation for an earlier plan" in text
    assert sandbox.stats()["simulated_sends"] == strata + 1
    octoplan("plan", "--out", "plan.json")
    assert sandbox.stats()["simulated_sends"] == 2 * strata + 1
    octoplan("apply", "plan.json")
    assert sandbox.stats()["simulated_sends"] == 3 * strata + 1
    kept = (project.state / "prices.json").read_text()
    assert '"FR"' in kept
    assert [value for row in MIXED for value in row if value in kept] == [], "the memory of prices names nobody"


def test_an_offline_plan_takes_the_price_file(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """With the file's date, and a warning where it is old; a country that it lacks is unknown, and a limit blocks."""
    project.write("prices.yaml", PRICES)
    project.settings(environments={"sandbox": {"prices": "prices.yaml", "limits": {"max_cost": "10"}}})
    before = sandbox.stats()
    document, text = plan(octoplan, "--offline")
    cost = document["campaigns"][0]["cost"]
    assert (cost["total"], cost["source"]) == ("0.305", "file")
    assert cost["unit_prices"][0]["at"] == "2020-11-01T00:00:00.000000Z"
    assert "the environment's price file, of 2020-11-01" in text
    assert [found["code"] for found in document["findings"]] == ["prices/old"]
    project.contacts(MIXED)
    document, _ = plan(octoplan, "--simulate", "none", code=5)
    cost = document["campaigns"][0]["cost"]
    assert codes(document) == ["cost-unknown"]
    assert (cost["total"], cost["most"], cost["least"]) == (None, None, "0.305")
    assert sandbox.stats() == before


def test_what_cannot_be_priced_so_is_said(project: Project, octoplan: Octoplan) -> None:
    """Flags that contradict each other, and a price file that is not there."""
    assert "--simulate all" in octoplan("plan", "--offline", "--simulate", "all", code=3).stderr
    project.settings(environments={"sandbox": {"prices": "gone.yaml"}})
    assert "gone.yaml" in octoplan("plan", "--offline", code=3).stderr


def test_a_plan_says_what_is_sent_where_and_how_long_it_takes(project: Project, octoplan: Octoplan) -> None:
    """By country and length, over all campaigns, in the text and in the JSON."""
    project.contacts(MIXED)
    project.settings(environments={"sandbox": {"messages_per_second": "2"}})
    document, text = plan(octoplan)
    totals = document["totals"]
    assert [each["country"] for each in totals["by_country"]] == ["DE", "FR", "US"]
    assert sum(each["recipients"] for each in totals["by_country"]) == totals["recipients"] == len(MIXED)
    assert sum(each["segments"] for each in totals["by_parts"]) == totals["segments"]
    assert sum(Decimal(each["cost"]) for each in totals["by_parts"]) == Decimal(totals["cost"])
    assert totals["duration_s"] == "3.5"
    for line in ("By country: DE 1 for", "By length: 1 part", "Duration: at least 3 s", "Prices: 3 simulated requests"):
        assert line in text


def test_what_the_api_refuses_in_simulation_fails_the_plan(project: Project, octoplan: Octoplan) -> None:
    """Exit code 3, as for other mistakes in a campaign: nobody should take such a plan for a good one."""
    project.campaign("spring", **{**HOURS_OFF, "type": "sms_low_cost"})
    project.contacts([("Wystan", "Terebinth", "+1 212 555 0101", "A")])
    assert codes(plan(octoplan, code=3)[0]) == ["api-152"]


# --- budgets ----------------------------------------------------------------------------------------------------------


def budget(project: Project, **budgets: str) -> None:
    project.settings(environments={"sandbox": {"budgets": {"currency": "EUR", **budgets}}})


def test_a_month_s_budget_counts_what_was_billed(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Five messages of 0.061 twice: the second campaign passes a budget of 0.60, is shown in full, and is not sent."""
    budget(project, month="0.60")
    octoplan("apply", "--auto-approve")
    second(project)
    document, text = plan(octoplan, code=5)
    assert "0.305 was billed this month, this costs 0.305: 0.61; the month's budget is 0.60" in text
    assert "text Bonsoir {first_name}" in text
    assert document["budget"]["spent"] == "0.305"
    refused = octoplan("apply", "--auto-approve", code=5).stderr
    assert "the month's budget is 0.60" in " ".join(refused.split())
    assert sandbox.summary()["messages"] == len(PEOPLE)
    budget(project, month="0.61")
    octoplan("apply", "--auto-approve")
    assert sandbox.summary()["messages"] == 2 * len(PEOPLE)


def test_campaigns_of_one_plan_share_the_budget(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Each would fit alone: apply refuses both, and sends the one that is asked for."""
    second(project)
    budget(project, run="0.50")
    document, _ = plan(octoplan, code=5)
    assert [each["action"] for each in document["campaigns"]] == ["send", "blocked"]
    assert codes(document) == ["over-run-budget"]
    octoplan("apply", "--auto-approve", "--campaign", "summer")
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_an_adopted_cost_counts(project: Project, octoplan: Octoplan) -> None:
    """Once, however many requests it would have been."""
    budget(project, month="10")
    octoplan("adopt", "spring", "--reason", "sent by hand", "--cost", "cheap", code=3)
    octoplan("adopt", "spring", "--reason", "sent by hand", "--cost", "9.80")
    second(project)
    document, _ = plan(octoplan, code=5)
    assert codes(document) == ["over-month-budget"]
    assert Decimal(document["budget"]["spent"]) == Decimal("9.80")


def test_wallet_and_budget_are_asked_again_before_each_campaign(
    project: Project, octoplan: Octoplan, gate: Gate, sandbox: SandboxProcess
) -> None:
    """Somebody else empties the wallet while the first campaign is sent: the second is not begun."""
    second(project)
    project.environment(gate.endpoint, limits={"min_balance": "1"})
    gate.hold(Moment.ANSWER)
    process = octoplan.start("apply", "--auto-approve", "--output", "json")
    gate.await_held()
    sandbox.set_balance("1.20")
    gate.release()
    document = octoplan.finish(process, code=9).json()
    assert [each["recipients"]["sent"] for each in document["campaigns"]] == [len(PEOPLE), 0]
    assert "summer was not begun: the wallet holds" in document["halt"]["reason"]
    assert sandbox.summary()["messages"] == len(PEOPLE)


# --- limits of a protected branch -------------------------------------------------------------------------------------


def test_a_pull_request_cannot_raise_its_own_limit(project: Project, octoplan: Octoplan, tmp_path: Path) -> None:
    """Main allows 0.20; the branch that asks for 100 and takes `limits_from` out is blocked, and told by whom."""
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(project.root, "init", "-q")
    git(project.root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    project.settings(limits_from="origin/main", environments={"sandbox": {"limits": {"max_cost": "0.20"}}})
    git(project.root, "add", "octoplan.yaml", "campaigns")
    git(project.root, "commit", "-q", "-m", "limits")
    git(project.root, "push", "-q", "origin", "HEAD:main")
    project.settings(environments={"sandbox": {"limits": {"max_cost": "100"}}})
    document, text = plan(octoplan, code=5)
    assert codes(document) == ["over-max-cost"]
    assert document["limits_from"][0].startswith("origin/main (")
    assert "Limits: also those of origin/main" in text
    octoplan("apply", "--auto-approve", code=5)


def test_a_missing_branch_is_an_error_with_the_way_out(project: Project, octoplan: Octoplan) -> None:
    """Exit 3, and the command that fetches it; also where only the variable names it."""
    git(project.root, "init", "-q")
    said = octoplan("plan", variables={"OCTOPLAN_LIMITS_FROM": "origin/main"}, code=3).stderr
    assert "git fetch --depth=1 origin +main:refs/remotes/origin/main" in said

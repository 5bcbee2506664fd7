"""`report`: what was sent and billed over time, from what the runs wrote down."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from tests.behaviour.command import Octoplan
from tests.behaviour.project import PEOPLE, Project
from tests.behaviour.state import remember_unknown
from tests.behaviour.test_privacy import require_no_trace
from tests.sandbox_process import SandboxProcess

OTHER: Final = {"template": "{{ first_name }}, encore: {{ code }}. STOP au XXXXX"}


def rows(octoplan: Octoplan, *arguments: str) -> list[dict[str, str]]:
    """The rows of the CSV."""
    return list(csv.DictReader(io.StringIO(octoplan("report", "-o", "csv", *arguments).stdout)))


def month_of(hours_ago: int) -> str:
    """On the project's own calendar."""
    return f"{datetime.now(ZoneInfo('Europe/Paris')) - timedelta(hours=hours_ago):%Y-%m}"


def test_what_was_billed_is_what_the_api_billed(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """By campaign and by request: the sums are the sandbox's own, and the tickets are there; nobody's data is."""
    project.campaign("autumn", batch_size=5, message=OTHER)
    octoplan("apply", "--auto-approve")
    summary = sandbox.summary()
    campaigns, requests = rows(octoplan), rows(octoplan, "--by", "request")
    assert [row["campaign"] for row in campaigns] == ["autumn", "spring"]
    for found in (campaigns, requests):
        assert sum(Decimal(row["billed"]) for row in found) == Decimal(str(summary["cost"]))
    assert sum(int(row["sent_recipients"]) for row in campaigns) == summary["messages"]
    assert {row["ticket"] for row in requests} == {message["ticket"] for message in sandbox.accepted()}
    for kind in ("text", "json", "markdown", "html"):
        octoplan("report", "--by", "request", "-o", f"{kind}={kind}.out")
    require_no_trace(project, octoplan, "text.out", "json.out", "markdown.out", "html.out")


def test_rows_left_out_are_counted_by_reason(project: Project, octoplan: Octoplan) -> None:
    """As the apply found them, also after the list has changed."""
    project.contacts([*PEOPLE, PEOPLE[0], ("Wexel", "Aubriand", "", "QX7MAPLE")])
    octoplan("apply", "--auto-approve")
    project.contacts(PEOPLE)
    (row,) = octoplan("report", "-o", "json").json()["rows"]
    assert (row["left_out"], row["left_out_rows"]) == ({"duplicate": 1, "empty-number": 1}, 2)
    assert "left out  2 rows: 1 duplicate, 1 empty-number" in octoplan("report").stdout


def test_refused_people_are_not_among_those_sent(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Until a later apply sends to them: then they count once, as sent."""
    sandbox.faults({"kind": "pass"}, {"kind": "refuse", "status": 400, "code": 1340, "message": "Forbidden word."})
    octoplan("apply", "--auto-approve", code=9)
    (row,) = rows(octoplan)
    assert int(row["sent_recipients"]) + int(row["refused_recipients"]) == len(PEOPLE)
    assert (row["refused_requests"], row["difference"]) == ("1", "0")
    octoplan("apply", "--auto-approve")
    (row,) = rows(octoplan)
    assert (row["sent_recipients"], row["refused_recipients"]) == (str(len(PEOPLE)), "0")


def test_an_unknown_outcome_is_neither_sent_nor_0(project: Project, octoplan: Octoplan) -> None:
    """Its people and what it may have cost stand apart; the report itself is no failure."""
    remember_unknown(project, octoplan, hours_ago=21)
    (row,) = rows(octoplan)
    assert (row["sent_recipients"], row["unknown_recipients"], row["may_be_billed"]) == ("0", "5", "0.305")
    assert "unknown   5 recipients in 1 request: see `octoplan recover`" in octoplan("report").stdout


def test_what_was_recorded_without_a_cost_is_unknown(octoplan: Octoplan) -> None:
    """Somebody else's send, adopted: an empty field, not 0."""
    octoplan("adopt", "spring", "--reason", "sent by hand")
    (row,) = rows(octoplan)
    assert (row["billed"], row["planned"], row["requests_without_bill"]) == ("", "", "3")


def test_a_month_and_a_campaign_can_be_chosen(project: Project, octoplan: Octoplan) -> None:
    """A month without a request is empty; a word that is no month, or a campaign nobody began, is a mistake."""
    remember_unknown(project, octoplan, hours_ago=24 * 40)
    project.campaign("autumn", message=OTHER)
    octoplan("apply", "--auto-approve", "--campaign", "autumn")
    before = month_of(24 * 40)
    assert [row["campaign"] for row in rows(octoplan, "--month", before)] == ["spring"]
    assert [row["campaign"] for row in rows(octoplan, "--month", month_of(0))] == ["autumn"]
    assert [row["month"] for row in rows(octoplan, "--campaign", "spring")] == [before]
    assert "Nothing was sent in 1999-01." in octoplan("report", "--month", "1999-01").stdout
    assert "is no month such as 2027-03" in octoplan("report", "--month", "2027-13", code=3).stderr
    assert "campaigns begun here: autumn, spring" in octoplan("report", "--campaign", "winter", code=3).stderr


def test_a_report_is_whole_or_refused(project: Project, octoplan: Octoplan) -> None:
    """Where the lock file knows of requests that the state home here does not, no sum is given."""
    octoplan("apply", "--auto-approve")
    (project.state / "environments/sandbox").rename(project.root / "lost")
    assert "the report would not be whole" in octoplan("report", code=7).stderr


def test_outputs_go_together(project: Project, octoplan: Octoplan) -> None:
    """One to standard output, others to files."""
    octoplan("apply", "--auto-approve")
    shown = octoplan("report", "-o", "text", "-o", "csv=sent.csv", "-o", "json=sent.json").stdout
    assert "billed    0.305, as planned" in shown
    assert (project.root / "sent.csv").read_text().startswith("month,campaign,")
    assert json.loads((project.root / "sent.json").read_text())["total"]["billed"] == "0.305"

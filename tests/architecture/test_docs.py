"""What holds for every page and file of the repository."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from octoplan.apply.deliver import Delivery, Status
from octoplan.apply.execute import ApplyReport, CampaignReport, Halt
from octoplan.cli.schema import all_schemas
from octoplan.diagnostics import ExitCode
from octoplan.digests import DigestKey
from octoplan.plan.model import (
    Action,
    ActionKind,
    AudienceSummary,
    BrokenHours,
    BudgetUse,
    CharacterFrom,
    Cost,
    DearerMessages,
    Difference,
    ExclusionLine,
    Hours,
    MessageLength,
    MessageSummary,
    Overridden,
    Plan,
    PlannedBatch,
    PlannedWave,
    Reason,
    ReplacedCharacter,
    UnitPrice,
    ZoneCount,
)
from octoplan.plan.rules import MOVED
from octoplan.plan.saved import plan_document
from octoplan.plan.saved_model import PlanData
from octoplan.state.git_revision import Revision
from octoplan.state.history import Outcome, history_of
from octoplan.state.journal import Entry, Kind, Position, replay
from octoplan.state.lock import lock_of
from octoplan.views.history import By, History, render_history_json
from octoplan.views.report import render_report_json

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = (
    "octoplan",
    "tests",
    "docs",
    "campaigns",
    "data",
    "benchmarks",
    "examples",
    "schemas",
    "requirements",
    ".ci",
)
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
FENCE: Final = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
MACHINE: Final = re.compile(r"(?<![\w.])/(?:home|root|Users|work|mnt|var/folders)/\w")
MOMENT: Final = datetime(2027, 3, 1, tzinfo=UTC)


def text_files() -> Iterator[Path]:
    """Every file of the repository that is text, and not made by a tool."""
    for path in [*ROOT.iterdir(), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]:
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".csv", ".txt", ".db"):
            yield path


def headings(page: Path) -> set[str]:
    """The anchors of a page, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file or folder of the repository, and a heading that is there."""
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_the_page_of_commands_is_current() -> None:
    """Every command and option is on the page, in the words of its help."""
    render = runpy.run_path(str(ROOT / "docs/generate_commands.py"))["render_commands"]
    page = ROOT / "docs/reference/commands.md"
    assert page.read_text(encoding="utf-8") == render(), "run docs/generate_commands.py"


@pytest.mark.parametrize("name", ["fields.md", "rules.md"])
def test_the_pages_of_fields_and_rules_are_current(name: str) -> None:
    """Every field of a file and every rule is on its page, in the words of the models and of the catalogue."""
    pages = runpy.run_path(str(ROOT / "docs/generate_reference.py"))["PAGES"]
    page = ROOT / "docs/reference" / name
    assert page.read_text(encoding="utf-8") == pages[name](), "run `make reference`"


def test_every_variable_is_described() -> None:
    """Whatever `OCTOPLAN_…` the code speaks of is on the page of environment variables, and nothing else is."""
    name = re.compile(r"OCTOPLAN_[A-Z_]+")
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "octoplan").rglob("*.py"))
    page = (ROOT / "docs/reference/environment-variables.md").read_text(encoding="utf-8")
    assert set(name.findall(code)) == set(name.findall(page))


def test_every_test_file_that_a_guarantee_names_is_there() -> None:
    """The page of guarantees names tests and code that exist."""
    page = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|octoplan)/[\w/.]+)`", page))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """No path of somebody's own folders anywhere."""
    found = [str(path.relative_to(ROOT)) for path in text_files() if MACHINE.search(path.read_text("utf-8", "replace"))]
    assert found == []


# --- formats ---------------------------------------------------------------------------------------------------------


def names_in(value: Any) -> Iterable[str]:
    """The keys of nested objects, but for those that are data."""
    if isinstance(value, list):
        return [name for item in value for name in names_in(item)]
    if not isinstance(value, dict):
        return []
    data = {"content", "countries", "fields", "segments"}
    return [*value, *(name for key, item in value.items() if key not in data for name in names_in(item))]


def undescribed(page: str, names: Iterable[str]) -> list[str]:
    """The names that the page does not have in backquotes."""
    text = (ROOT / "docs/formats" / page).read_text(encoding="utf-8")
    return sorted(name for name in set(names) if f"`{name}`" not in text)


def whole_plan() -> dict[str, Any]:
    """A saved plan in which nothing is missing."""
    accent = CharacterFrom("ï", ("first_name",))
    broken = BrokenHours("window/fr-hours", "error", True, "FR", ("Europe/Paris",), 1, "Sun", "daily", "a page")
    action = Action(
        campaign="spring",
        identity="spring",
        file="campaigns/spring.yaml",
        description=None,
        kind=ActionKind.BLOCKED,
        reasons=(Reason("over-max-cost", "too dear"),),
        type="sms_premium",
        purpose="alert",
        sender=None,
        content={},
        audience=AudienceSummary("data/a.csv", 1, 1, 0, (ExclusionLine("duplicate", 1, (2,), "twice"),), {}),
        message=MessageSummary(
            "Hi",
            1,
            "merge",
            None,
            {},
            {1: 1},
            0,
            {},
            longest=MessageLength(2, 3, 1, "GSM-7", ()),
            dearer=(DearerMessages((accent,), Difference(1, 1, None), 3),),
            replaced=(ReplacedCharacter(accent, "i", 1),),
        ),
        batches=(PlannedBatch("b1_", "r", 1, 1, 1, None),),
        cost=Cost(None, "none", (UnitPrice("FR", 1, 1, None),)),
        send_at=None,
        send_at_local=None,
        not_after=None,
        zones=(ZoneCount("FR", ("Europe/Paris",), 1),),
        hours=Hours(MOMENT, MOMENT, (broken,), None, None, next_warns=False, closes_at=None),
        overrides=(Overridden("window/fr-sunday", "because"),),
        waves=(PlannedWave(MOMENT, "Mon", ("Europe/Paris",)),),
        position=Position(1, "r_1", MOMENT),
    )
    plan = Plan("p", "sandbox", "here", "k1_", None, MOMENT, MOMENT, (action,), None, None)
    budget = BudgetUse(None, None, None, MOMENT, None)
    whole = replace(plan, revision=Revision("1a2b", "main", 0), budget=budget, findings=(MOVED.at(None, "moved"),))
    return plan_document(whole, DigestKey(bytes(32)))


def test_every_field_of_a_saved_plan_is_described() -> None:
    """Who reads a plan with a program finds each field on its page."""
    document = whole_plan()
    names = [*names_in(document), *(kind.value for kind in ActionKind)]
    assert undescribed("saved-plan.md", names) == []


def test_every_field_of_a_saved_plan_is_in_its_schema() -> None:
    """The schema takes a plan, and there is nothing in the plan that it does not know."""
    document = json.loads(json.dumps(whole_plan()))
    jsonschema.validate(document, json.loads(all_schemas()["plan.schema.json"]))
    assert PlanData.model_validate_json(json.dumps(document)).model_dump(mode="json") == document


def test_every_field_of_a_comparison_is_described() -> None:
    """Who reads a comparison with a program finds each field on its page."""
    schema = json.loads(all_schemas()["comparison.schema.json"])
    assert undescribed("comparison.md", [*schema["properties"], *fields_of(schema)]) == []


def fields_of(schema: dict[str, Any]) -> Iterator[str]:
    for definition in schema["$defs"].values():
        yield from definition["properties"]


def test_every_field_of_a_report_is_described() -> None:
    """Who reads a report with a program finds each field and status on its page."""
    campaign = CampaignReport("spring", 1, 1, (Delivery("spring", "b1_", 1, 1, Status.SENT),))
    report = ApplyReport("r_1", (campaign,), Halt(ExitCode.PARTIAL, "because"))
    assert undescribed("report.md", names_in(json.loads(render_report_json(report)))) == []


def test_every_field_of_the_stream_is_described() -> None:
    """Who reads the lines of a run with a program finds each type, field and status on their page."""
    schema = json.loads((ROOT / "schemas/apply-stream.schema.json").read_text(encoding="utf-8"))
    definitions = schema["$defs"].values()
    names = {name for each in definitions for name in each.get("properties", {})}
    names |= {each["properties"]["type"]["const"] for each in definitions if "type" in each.get("properties", {})}
    assert undescribed("apply-stream.md", [*names, *(status.value for status in Status)]) == []


@pytest.mark.parametrize("by", ["campaign", "request"])
def test_every_field_of_a_report_over_time_is_described(by: By) -> None:
    """Whoever gets the file finds each column and outcome on its page."""
    intended = {"request_id": "r", "attempt": 1, "recipients": 1, "segments": 1, "cost": "1"}
    entry = Entry(Kind.INTENDED, "spring", "b1_", MOMENT, "r_1", intended)
    shown = History("p", "sandbox", "UTC", MOMENT, by, history_of([entry], UTC))
    names = [*names_in(json.loads(render_history_json(shown))), *(outcome.value for outcome in Outcome)]
    assert undescribed("history.md", names) == []


def test_every_field_of_a_lock_file_is_described() -> None:
    """Who reads a lock file with a program finds each field on its page."""
    intended = {"request_id": "r", "attempt": 1, "recipients": 1, "segments": 1, "cost": "1", "send_at": "2027"}
    sent = {"ticket": "t", "cost": "1", "note": "n"}
    entries = [
        Entry(Kind.OPENED, "spring", None, MOMENT, "r_1", {"content": {"type": "sms_premium"}}),
        Entry(Kind.INTENDED, "spring", "b1_", MOMENT, "r_1", intended),
        Entry(Kind.SENT, "spring", "b1_", MOMENT, "r_1", sent),
    ]
    lock = lock_of("sandbox", "k1_", replay(entries).values())
    assert undescribed("lock-file.md", [name for line in lock.lines.values() for name in line]) == []


def test_every_kind_of_journal_entry_is_described() -> None:
    """The journal's kinds are on the page of the state home."""
    assert undescribed("state-home.md", [kind.value for kind in Kind]) == []


def test_the_page_of_sending_hours_is_current() -> None:
    """Its tables are what the data files say."""
    render = runpy.run_path(str(ROOT / "docs/generate_hours.py"))["render_page"]
    page = (ROOT / "docs/guides/sending-hours.md").read_text(encoding="utf-8")
    assert page == render(page), "run docs/generate_hours.py"
    assert page.count("| `window/fr-hours` |") == 2

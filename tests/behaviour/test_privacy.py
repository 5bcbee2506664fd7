"""No personal data and no secret in anything that octoplan writes or says (G5); the preview alone shows texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import NUMBERS, PEOPLE, Project
from tests.git_repositories import git
from tests.sandbox_process import KEY, LOGIN, SandboxProcess

WRONG_KEY = "k4Jd93hQzz7TfVw2"
HOSTILE_NAME = "Vexilandre"


def spellings(number: str) -> Iterator[str]:
    """A French number as people, spreadsheets and APIs write it."""
    national = number.removeprefix("+33")
    yield national
    for separator in (" ", ".", "-"):
        pairs = [national[0], *(national[at : at + 2] for at in range(1, 9, 2))]
        yield separator.join(pairs[1:])


def secrets_of(people: tuple[tuple[str, ...], ...]) -> set[str]:
    """Everything that must not be found."""
    values = {value for first, last, _, code in people for value in (first, last, code)}
    return values | {form for number in NUMBERS for form in spellings(number)} | {KEY, WRONG_KEY, LOGIN, HOSTILE_NAME}


def written_by_octoplan(project: Project) -> Iterator[tuple[Path, bytes]]:
    """Every file in the project that the tests did not write."""
    ours = {"campaigns", "data", "octoplan.yaml", ".git"}
    for path in sorted(project.root.rglob("*")):
        inside = path.relative_to(project.root)
        if path.is_file() and inside.parts[0] not in ours and inside.parts[:2] != (".octoplan", "sandbox"):
            yield inside, path.read_bytes()


def require_no_trace(project: Project, octoplan: Octoplan, *expected: str) -> None:
    """Look for every secret in every output and file; `expected` names files that must be among those looked at."""
    files = list(written_by_octoplan(project))
    assert {*expected} <= {str(path) for path, _ in files}
    places = [(str(path), content) for path, content in files]
    places += [(f"output {number}", result.output.encode()) for number, result in enumerate(octoplan.results)]
    found = [
        (place, secret)
        for place, content in places
        for secret in secrets_of(PEOPLE)
        if secret.lower().encode() in content.lower()
    ]
    assert found == []


@pytest.fixture
def live(project: Project, sandbox: SandboxProcess) -> None:
    project.environment(sandbox.endpoint)


@pytest.mark.usefixtures("live")
def test_a_good_run_leaves_no_trace_of_anybody(project: Project, octoplan: Octoplan) -> None:
    """Plan, saved plan, apply, reports, journal, ledger and lock file: counts and keyed digests only."""
    octoplan("validate")
    git(project.root, "init", "-q")
    git(project.root, "add", "campaigns", "octoplan.yaml", "data")
    git(project.root, "commit", "-q", "-m", "one")
    octoplan("plan", "--offline", "--out", "before.json")
    project.contacts([*PEOPLE, ("Zorvane", "Vantrellec", "06 12 34 56 01", "QX7HEDRA"), (HOSTILE_NAME, "K", "12", "C")])
    condition = f"first_name <> '{HOSTILE_NAME}'"
    project.campaign("spring", recipients={"path": "data/contacts.csv", "phone": "mobile", "where": condition})
    octoplan("plan", "--out", "plan.json", "--output", "json=shown.json", "-o", "html=plan.html", "-o", "text")
    reports = "junit=junit.xml,sarif=log.sarif,codequality=quality.json,dotenv=plan.env"
    octoplan("plan", "-o", "markdown=plan.md", "--report", reports, "--ci", "github")
    octoplan("apply", "plan.json", "--output", "json=report.json", "--output", "text")
    octoplan("plan", "--compare", "before.json", "-o", "text", "-o", "json=compared.json")
    octoplan("diff", "HEAD", "-o", "text", "-o", "json=difference.json")
    for arguments in (
        ("plan",),
        ("status",),
        ("show", "spring"),
        ("recover",),
        ("doctor",),
        ("lock", "check"),
        ("excluded", "spring"),
    ):
        octoplan(*arguments)
    journal = ".octoplan/environments/live/state.db"
    plans = ("plan.json", "shown.json", "plan.html", "plan.md", "report.json")
    reports_in = ("junit.xml", "log.sarif", "quality.json", "plan.env")
    require_no_trace(project, octoplan, *plans, *reports_in, "octoplan.live.lock", journal)
    require_no_trace(project, octoplan, "before.json", "compared.json", "difference.json")


def test_a_run_that_goes_wrong_leaves_no_trace_either(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """The API's own words may quote a number; refusals, doubts and conflicts are recorded without it."""
    project.environment(sandbox.endpoint, on_unknown="stop")
    words = "The number +33612345601 (06 12 34 56 02) of the account sandbox@octoplan.invalid is wrong."
    refusal = {"kind": "refuse", "status": 400, "code": 117, "message": words}
    sandbox.faults(refusal, {"kind": "reset_after"})
    octoplan("apply", "--auto-approve", "--output", "json=report.json", code=10)
    pages = ("-o", "html=plan.html", "-o", "markdown=plan.md")
    octoplan("plan", "--out", "plan.json", *pages, "--ci", "github", code=10)
    octoplan("status", code=10)
    octoplan("show", "spring")
    octoplan("recover", "b1_", "--mark-sent")
    octoplan("plan", code=4, variables={"MAPLE_KEY": WRONG_KEY})
    project.contacts(PEOPLE[1:])
    octoplan("plan", code=5)
    require_no_trace(project, octoplan, "plan.json", "plan.html", "plan.md", "report.json", "octoplan.live.lock")


@pytest.mark.parametrize(
    ("template", "row"),
    [
        ("{{ first_name }}. STOP au XXXXX", (HOSTILE_NAME + " {param1}", "K", "06 12 34 56 06", "C")),
        ("{{ first_name }}. STOP au XXXXX", (HOSTILE_NAME + "\x07", "K", "06 12 34 56 06", "C")),
        ("{{ last_name }}. STOP au XXXXX", (HOSTILE_NAME, "", "06 12 34 56 06", "C")),
        ("{{ nickname }}. STOP au XXXXX", (HOSTILE_NAME, "K", "06 12 34 56 06", "C")),
        ("{{ first_name }}" + "x" * 1300 + " STOP au XXXXX", (HOSTILE_NAME, "K", "06 12 34 56 06", "C")),
    ],
    ids=["placeholder", "control character", "empty value", "no such column", "too long"],
)
def test_values_that_cannot_be_used_are_named_by_line_only(
    project: Project, octoplan: Octoplan, template: str, row: tuple[str, ...]
) -> None:
    """A finding about a contact names column and line; the value itself is nobody's business."""
    project.campaign("spring", message={"template": template})
    project.contacts([*PEOPLE, row])
    octoplan("plan", code=3)
    require_no_trace(project, octoplan)


def test_a_key_typed_into_the_settings_is_not_repeated(project: Project, octoplan: Octoplan) -> None:
    """Somebody who writes the key itself where its name belongs is told so without seeing it again."""
    project.settings(
        default_environment="live",
        environments={
            "live": {
                "endpoint": "https://api.octopush.com/v1/public",
                "credentials": {"login": "env/MAPLE_LOGIN", "key": WRONG_KEY},
                "allow_numbers": ["06 12 34 56 01"],
            }
        },
    )
    octoplan("plan", code=3)
    octoplan("validate", code=3)
    require_no_trace(project, octoplan)


def test_the_preview_masks_numbers_until_it_is_told(octoplan: Octoplan) -> None:
    """The one command that shows what people will read hides whom it goes to, unless `--reveal`."""
    masked = octoplan("preview", "spring", "--count", "5").stdout
    assert all(first in masked for first, *_ in PEOPLE)
    assert not [form for number in NUMBERS for form in spellings(number) if form in masked]
    revealed = octoplan("preview", "spring", "--count", "5", "--reveal").stdout
    assert all(number in revealed for number in NUMBERS)

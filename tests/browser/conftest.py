"""Pages of a project whose every text is hostile, and the browser that opens them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from octoplan.plan.model import ActionKind
from octoplan.views.plan_html import render_plan_page
from tests.behaviour.command import Octoplan
from tests.behaviour.project import PEOPLE, Project
from tests.chromium import find_chromium
from tests.sandbox_process import KEY, LOGIN, SandboxProcess
from tests.unit.views.plans import action_of, plan_of

HURT: Final = "<script>window.hurt=1</script>"
HOSTILE: Final = f'</style></title>{HURT}"><img src=x onerror="window.hurt=1"><svg onload=window.hurt=1>'
COLUMN: Final = "\"'><img src=x onerror=hurt=1>"
CAMPAIGNS: Final = 200
Scheme: TypeAlias = Literal["light", "dark"]
_OBSERVER: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => window.violations.push(event.violatedDirective));
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """The files, and what `plan` said as text of the same."""

    folder: Path
    text: str

    def path(self, name: str) -> Path:
        """The file of `plan`, `preview`, `report`, `kinds` (one campaign of each kind of action) or `many`."""
        return self.folder / f"{name}.html"


@dataclass(slots=True)
class Opened:
    """A page in the browser, with every request that it made and every word of complaint."""

    page: Page
    requests: list[str]
    complaints: list[str]

    @property
    def violations(self) -> list[str]:
        """What the page's own policy stopped."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Made by the real command, against a sandbox; those of many campaigns from a plan made by hand."""
    root = tmp_path_factory.mktemp("pages")
    with SandboxProcess.start(root / "served") as sandbox:
        project = Project(root / "maple")
        project.environment(sandbox.endpoint)
        rows = [*PEOPLE, (f"{HURT}ë€", "Grandvault", "06 12 34 56 06", "QX7MEDLAR")]
        project.contacts(rows, header=(COLUMN, "last_name", "mobile", "code"))
        project.campaign(
            "spring",
            description=HOSTILE,
            message={"template": "{{ first_name }} {{ code }} " + HOSTILE + ". STOP au XXXXX"},
            recipients={"path": "data/contacts.csv", "phone": "mobile", "columns": {"first_name": COLUMN}},
            limits={"max_cost": "0.01"},
        )
        project.campaign(
            "autumn",
            recipients={"path": "data/contacts.csv", "phone": "mobile"},
            message={"template": "Hi {{ code }} ☀. STOP au XXXXX"},
        )
        octoplan = Octoplan(project.root, {"MAPLE_LOGIN": LOGIN, "MAPLE_KEY": KEY})
        planned = octoplan("plan", "-o", "text", "-o", f"html={root / 'plan.html'}", code=5)
        octoplan("preview", "spring", "--html", str(root / "preview.html"))
        octoplan("apply", "--auto-approve", "--campaign", "autumn")
        octoplan("report", "--by", "request", "-o", f"html={root / 'report.html'}")
    kinds = plan_of(*(action_of(kind, f"of-{kind}") for kind in ActionKind))
    many = plan_of(*(action_of(campaign=f"campaign-{number}") for number in range(CAMPAIGNS)))
    for name, plan in (("kinds", kinds), ("many", many)):
        (root / f"{name}.html").write_text(render_plan_page(plan), encoding="utf-8")
    return Pages(root, planned.stdout)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own; without one these tests are skipped, but never in CI."""
    path = find_chromium()
    if path is None:
        missing = "no Chromium or Chrome is installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run as root, which is what containers are.
        running = playwright.chromium.launch(executable_path=path, chromium_sandbox=os.geteuid() != 0)
        yield running
        running.close()


@pytest.fixture
def opened(request: pytest.FixtureRequest, browser: Browser, pages: Pages) -> Iterator[Opened]:
    """The page, colours and width that a test names, from its file, with all that folds unfolded."""
    name, scheme, width = request.param
    with watched(browser, pages.path(name).as_uri(), scheme, width) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        yield found


@contextmanager
def watched(browser: Browser, address: str, scheme: Scheme, width: int) -> Iterator[Opened]:
    """A page in these colours and of this width, with all that it asks for and complains about."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.add_init_script(_OBSERVER)
    found = Opened(context.new_page(), [], [])
    context.on("request", lambda made: found.requests.append(made.url))
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.goto(address)
    yield found
    context.close()

"""A project's folder: what is found, what is refused, and what the settings of three levels add up to."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from octoplan.campaign.check import check_times
from octoplan.campaign.model import Environment, Limits, Sandbox
from octoplan.campaign.project import (
    Project,
    effective_limits,
    find_project_root,
    load_campaign,
    load_campaigns,
    load_project,
)
from octoplan.campaign.resolve import Campaign
from octoplan.diagnostics import InvalidInput
from octoplan.views.problems import render_findings
from tests.unit.campaign.conftest import CAMPAIGN, PROJECT


def _project(root: Path) -> Project:
    project, found = load_project(root)
    assert found == []
    assert project is not None
    return project


def _campaign(root: Path, *, more: str = "", text: str = CAMPAIGN) -> Campaign:
    (root / "campaigns" / "welcome.yaml").write_text(text + more, encoding="utf-8")
    (campaign,), found = load_campaigns(_project(root))
    assert found == []
    return campaign


def test_root_is_found_upward(root: Path) -> None:
    """Any folder inside a project leads to the nearest `octoplan.yaml` above; elsewhere the way out is named."""
    assert find_project_root(root / "campaigns") == root.resolve()
    with pytest.raises(InvalidInput, match=r"octoplan\.yaml") as caught:
        find_project_root(root.parent)
    assert caught.value.hint is not None
    assert "octoplan init" in caught.value.hint


def test_defaults_fill_in_what_a_campaign_leaves_out(root: Path) -> None:
    """Region, sender and time zone come from the project where the campaign is silent; contacts are absolute."""
    campaign = _campaign(root, more='schedule: {at: "2027-03-20T10:00"}\n')
    assert (campaign.region, campaign.sender) == ("FR", "ACME")
    assert campaign.send_at == datetime(2027, 3, 20, 9, 0, tzinfo=UTC)
    assert campaign.send_at is not None
    assert campaign.send_at.isoformat() == "2027-03-20T10:00:00+01:00"
    assert [file.path for file in campaign.contacts.files] == [root.resolve() / "data" / "contacts.csv"]


def test_offset_may_differ_from_the_projects_zone(root: Path) -> None:
    """A time with an offset is that instant, whatever zone the project has by default; it is shown in that zone."""
    send_at = _campaign(root, more='schedule: {at: "2027-03-20T02:00-07:00"}\n').send_at
    assert send_at is not None
    assert send_at.isoformat() == "2027-03-20T10:00:00+01:00"


def test_low_cost_has_no_sender(root: Path) -> None:
    """The project's sender is not sent with low cost messages."""
    assert _campaign(root, text=CAMPAIGN.replace("premium", "low_cost")).sender is None


def test_places_reach_into_the_template(root: Path) -> None:
    """A later stage can point at a field, and at a character of the template."""
    campaign = _campaign(root)
    assert str(campaign.place("recipients", "path")) == "campaigns/welcome.yaml:5:20"
    assert str(campaign.place_in_template(1, 9)) == "campaigns/welcome.yaml:4:30"


def test_campaigns_are_found_sorted_and_hidden_ones_are_not(root: Path) -> None:
    """Files come in the order of their paths; hidden folders, linked folders and other names are left alone."""
    for name in ("b/z.yaml", "a.yaml", ".hidden/c.yaml", "notes.txt", "other.yml"):
        path = root / "campaigns" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(CAMPAIGN.replace("welcome", path.stem + "-id"), encoding="utf-8")
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "x.yaml").write_text(CAMPAIGN, encoding="utf-8")
    (root / "campaigns" / "linked").symlink_to(outside)
    campaigns, found = load_campaigns(_project(root))
    assert found == []
    assert [campaign.file for campaign in campaigns] == [
        "campaigns/a.yaml",
        "campaigns/b/z.yaml",
        "campaigns/welcome.yaml",
    ]


def test_campaign_link_that_leaves_the_project_is_refused(root: Path) -> None:
    """A campaign file that is a link out of the project is a finding, and is not read."""
    (root.parent / "x.yaml").write_text("secret", encoding="utf-8")
    (root / "campaigns" / "x.yaml").symlink_to(root.parent / "x.yaml")
    _, (finding,) = load_campaigns(_project(root))
    assert finding.code == "source/path-outside"
    assert "secret" not in render_findings([finding], colour=False)


def test_contacts_link_that_leaves_the_project_is_refused(root: Path) -> None:
    """A contacts file that is a link out of the project is a finding at the field that names it."""
    (root / "data").symlink_to("/etc")
    campaigns, (finding,) = load_campaigns(_project(root))
    assert campaigns == []
    assert (finding.code, str(finding.place)) == ("source/path-outside", "campaigns/welcome.yaml:5:20")


def test_chosen_files_and_folders(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named files and folders limit what is loaded, whichever way they are written; a missing one is a finding."""
    (root / "campaigns" / "a").mkdir()
    (root / "campaigns" / "a" / "b.yaml").write_text(CAMPAIGN.replace("welcome", "bb"), encoding="utf-8")
    project = _project(root)
    monkeypatch.chdir(root / "campaigns")
    for path in (Path("a"), Path("a/b.yaml"), root / "campaigns" / "a", Path("../campaigns/a/b.yaml")):
        assert [campaign.id for campaign in load_campaigns(project, [path])[0]] == ["bb"]
    assert len(load_campaigns(project, [Path(), Path("a")])[0]) == 2
    assert [finding.code for finding in load_campaigns(project, [Path("c.yaml")])[1]] == ["source/no-file"]
    assert [finding.code for finding in load_campaigns(project, [Path("/etc/passwd")])[1]] == ["source/path-outside"]


def test_two_campaigns_with_one_id_are_refused(root: Path) -> None:
    """The finding is at the later file and names the place in the first."""
    (root / "campaigns" / "z.yaml").write_text(CAMPAIGN, encoding="utf-8")
    _, (finding,) = load_campaigns(_project(root))
    assert (finding.code, str(finding.place)) == ("campaign/duplicate-id", "campaigns/z.yaml:1:5")
    assert "campaigns/welcome.yaml:1:5" in finding.detail


def test_no_campaigns_is_a_warning(root: Path) -> None:
    """A project without campaigns is told so."""
    (root / "campaigns" / "welcome.yaml").unlink()
    _, (finding,) = load_campaigns(_project(root))
    assert (finding.code, finding.severity) == ("project/no-campaigns", "warning")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("campaigns/**/*.yaml", ["campaigns/a.yaml", "campaigns/b/c.yaml", "campaigns/b/d/e.yaml"]),
        ("campaigns/*.yaml", ["campaigns/a.yaml"]),
        ("**/c.yaml", ["campaigns/b/c.yaml"]),
        ("campaigns/**", ["campaigns/a.yaml", "campaigns/b/c.yaml", "campaigns/b/d/e.yaml"]),
        ("campaigns/b/*/?.yaml", ["campaigns/b/d/e.yaml"]),
    ],
)
def test_patterns(root: Path, pattern: str, matches: list[str]) -> None:
    """`*` stays within a name, `**` stands for any number of folders, none included."""
    (root / "campaigns" / "welcome.yaml").unlink()
    (root / "octoplan.yaml").write_text(PROJECT + f'campaigns: ["{pattern}"]\n', encoding="utf-8")
    for number, name in enumerate(["campaigns/a.yaml", "campaigns/b/c.yaml", "campaigns/b/d/e.yaml"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(CAMPAIGN.replace("welcome", f"id-{number}"), encoding="utf-8")
    campaigns, _ = load_campaigns(_project(root))
    assert [campaign.file for campaign in campaigns] == matches


def test_environments(root: Path) -> None:
    """`sandbox` is built in and the default; others are declared; an unknown one is refused with the nearest name."""
    more = """environments:
  sandbox: {batch_size: 10}
  production:
    endpoint: https://api.octopush.com/v1/public
    credentials: {login: env/LOGIN, key: env/KEY}
"""
    (root / "octoplan.yaml").write_text(PROJECT + more, encoding="utf-8")
    project = _project(root)
    assert project.environment() == Sandbox(batch_size=10)
    production = project.environment("production")
    assert isinstance(production, Environment)
    assert production.credentials.key == "env/KEY"
    assert project.environment_names == ("sandbox", "production")
    with pytest.raises(InvalidInput) as caught:
        project.environment("prodution")
    assert caught.value.hint == "did you mean `production`?"


def test_secret_in_the_project_file_is_never_shown(root: Path) -> None:
    """A key written where a reference belongs is refused without being repeated, wherever it was put."""
    more = """environments:
  production:
    endpoint: https://user:hunter2@api.octopush.com
    credentials:
      login: hunter2
      key: {value: hunter2}
      secret: hunter2
    proxy: http://user:hunter2@proxy
    api_key: hunter2
    allow_numbers: ["06 hunter2"]
"""
    (root / "octoplan.yaml").write_text(PROJECT + more, encoding="utf-8")
    _, found = load_project(root)
    assert len(found) == 7
    assert "hunter2" not in render_findings(found, colour=False)
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "line", ["key: 'hunter2", "key: @hunter2", "key: *hunter2", "key: !hunter2 x", "key: hunter2: x"]
)
def test_secret_in_broken_yaml_is_never_shown(root: Path, line: str) -> None:
    """A syntax error beside a secret does not quote it."""
    more = f"environments:\n  production:\n    credentials:\n      {line}\n"
    (root / "octoplan.yaml").write_text(PROJECT + more, encoding="utf-8")
    _, found = load_project(root)
    assert found
    assert "hunter2" not in repr(found)


def test_project_and_campaign_are_reported_together(root: Path) -> None:
    """A mistake in one section of the project does not hide those in campaigns, unless it would mislead."""
    (root / "octoplan.yaml").write_text(PROJECT + "limits: {max_cost: much}\n", encoding="utf-8")
    (root / "campaigns" / "welcome.yaml").write_text(CAMPAIGN + "frob: 1\n", encoding="utf-8")
    project, found = load_project(root)
    assert project is not None
    assert [finding.code for finding in found + load_campaigns(project)[1]] == [
        "campaign/bad-value",
        "campaign/unknown-field",
    ]
    (root / "octoplan.yaml").write_text("project: acme\ndefaults: {timezone: Mars}\n", encoding="utf-8")
    assert load_project(root)[0] is None


def test_suppression_lists_are_resolved(root: Path) -> None:
    """Lists have absolute paths inside the project and the project's region; one outside is a finding."""
    more = "suppression:\n  - path: data/stop.csv\n  - {path: data/other.txt, region: BE}\n"
    (root / "octoplan.yaml").write_text(PROJECT + more, encoding="utf-8")
    first, second = _project(root).suppression
    assert [file.path for file in first.files.files] == [root.resolve() / "data" / "stop.csv"]
    assert (first.region, second.region, second.number) == ("FR", "BE", 1)
    (root / "data").symlink_to("/etc")
    _, found = load_project(root)
    assert [str(finding.place) for finding in found] == ["octoplan.yaml:4:11", "octoplan.yaml:5:12"]


def test_strictest_limit_counts(root: Path) -> None:
    """Of project, environment and campaign the smallest maximum counts, and the largest minimum."""
    limits = "limits: {max_cost: 50, min_balance: 5, max_segments: 3, min_growth_pause: 2h}\n"
    (root / "octoplan.yaml").write_text(PROJECT + limits, encoding="utf-8")
    campaign = _campaign(root, more="limits: {max_cost: 70, max_recipients: 9, min_balance: 1, min_growth_pause: 1d}\n")
    environment = Sandbox(limits=Limits(max_cost=Decimal(60), max_segments=2, min_balance=Decimal("7.5")))
    assert effective_limits(_project(root).model, environment, campaign.model) == Limits(
        max_cost=Decimal(50),
        max_recipients=9,
        max_segments=2,
        max_unit_price=None,
        min_balance=Decimal("7.5"),
        min_growth_pause=timedelta(days=1),
    )


def test_times_that_have_passed(root: Path) -> None:
    """At `at` and after it is too late to schedule, at `not_after` and after to send; before, nothing is said."""
    campaign = _campaign(root, more='schedule: {at: "2027-03-20T10:00", not_after: "2027-03-20T12:00"}\n')
    at = datetime(2027, 3, 20, 9, 0, tzinfo=UTC)
    cases = [(at - timedelta(seconds=1), []), (at, ["campaign/time-passed"])]
    cases.append((at + timedelta(hours=2), ["campaign/time-passed", "campaign/too-late"]))
    for now, codes in cases:
        assert [finding.code for finding in check_times(campaign, campaign.send_at, now)] == codes


def test_times_do_not_depend_on_the_machine(root: Path) -> None:
    """The same campaign is the same instant under any TZ and locale of the process."""
    _campaign(root, more='schedule: {at: "2027-07-20T10:00"}\n')
    code = (
        "import sys; from pathlib import Path; from octoplan.campaign.project import *;"
        "p, _ = load_project(Path(sys.argv[1])); print(load_campaigns(p)[0][0].send_at.isoformat())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, str(root)], env={"TZ": zone, "LC_ALL": "C"}, capture_output=True, check=True
        ).stdout
        for zone in ("UTC", "Asia/Tokyo")
    }
    assert seen == {b"2027-07-20T10:00:00+02:00\n"}


def test_import_is_light() -> None:
    """Reading campaigns needs neither the engine nor the network library."""
    code = "import sys, octoplan.campaign.project; print({'duckdb', 'pyarrow', 'httpx', 'jinja2'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert shown == "set()\n"


def test_findings_of_one_file_are_bounded(root: Path) -> None:
    """Thousands of mistakes in one file end in a list that can be read, and a word that there are more."""
    more = "".join(f"f{number}: 1\n" for number in range(5_000))
    (root / "campaigns" / "welcome.yaml").write_text(CAMPAIGN + more, encoding="utf-8")
    campaign, found = load_campaign(_project(root), "campaigns/welcome.yaml")
    assert campaign is None
    assert len(found) == 201
    assert found[-1].code == "source/too-many-findings"

"""Limits of a protected branch, from real repositories."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from octoplan.campaign.model import Budgets
from octoplan.campaign.project import effective_budgets, effective_limits, load_campaigns, load_project
from octoplan.campaign.protected import ProtectedLimits, read_protected_limits
from octoplan.diagnostics import InvalidInput
from tests.git_repositories import Repositories, git, make_repositories

PROJECT = """
project: acme
defaults: {region: FR, sender: ACME, timezone: Europe/Paris}
"""
PROTECTED = """
limits_from: origin/main
limits: {max_recipients: 1000}
environments:
  sandbox:
    limits: {max_cost: 100}
    budgets: {month: 500}
"""
CAMPAIGN = """
id: sale
type: sms_premium
purpose: alert
message: {template: "Bonjour"}
recipients: {path: contacts.csv, phone: phone}
"""


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    """A remote whose main branch limits what it has, and clones of it."""
    made = make_repositories(tmp_path)
    publish(made, PROJECT + PROTECTED, CAMPAIGN + "limits: {max_cost: 50}\n")
    git(made.runner, "fetch", "-q", "--depth=1", "origin", "+main:refs/remotes/origin/main")
    git(made.runner, "reset", "-q", "--hard", "origin/main")
    return made


def publish(made: Repositories, project: str, campaign: str, folder: str = ".") -> None:
    write(made.laptop / folder, project, campaign)
    git(made.laptop, "add", ".")
    git(made.laptop, "commit", "-q", "-m", "limits")
    git(made.laptop, "push", "-q", "origin", "HEAD:main")


def write(root: Path, project: str, campaign: str, name: str = "sale") -> None:
    """The files of a project, as somebody edits them."""
    (root / "campaigns").mkdir(parents=True, exist_ok=True)
    (root / "octoplan.yaml").write_text(project)
    (root / "campaigns" / f"{name}.yaml").write_text(campaign)


def read(root: Path, environment: str = "sandbox", also: str | None = None) -> ProtectedLimits:
    project, findings = load_project(root)
    assert project is not None, findings
    return read_protected_limits(project, environment, also)


def max_cost(root: Path) -> Decimal | None:
    """What the campaign may cost in the sandbox, all told."""
    project, _ = load_project(root)
    assert project is not None
    (campaign,), _ = load_campaigns(project)
    protected = read_protected_limits(project, "sandbox")
    own = effective_limits(
        project.model, project.environment("sandbox"), campaign.model, *protected.limits_for(campaign)
    )
    return own.max_cost


def month(root: Path) -> Decimal | None:
    project, _ = load_project(root)
    assert project is not None
    return effective_budgets(project.environment("sandbox").budgets, *read(root).budgets).month


def test_a_pull_request_cannot_raise_a_limit(repositories: Repositories) -> None:
    """Neither the campaign's nor the environment's; the branch and its commit are named."""
    root = repositories.laptop
    write(root, (PROJECT + PROTECTED).replace("500", "9000"), CAMPAIGN + "limits: {max_cost: 90}\n")
    assert (max_cost(root), month(root)) == (Decimal(50), Decimal(500))
    assert read(root).sources == (f"origin/main ({git(root, 'rev-parse', 'origin/main')[:12]})",)


def test_a_pull_request_can_lower_a_limit(repositories: Repositories) -> None:
    """The stricter of both holds."""
    root = repositories.laptop
    write(root, (PROJECT + PROTECTED).replace("500", "200"), CAMPAIGN + "limits: {max_cost: 20}\n")
    assert (max_cost(root), month(root)) == (Decimal(20), Decimal(200))


@pytest.mark.parametrize(
    "project",
    [
        PROJECT,
        PROJECT + "limits_from: origin/evil\n",
        PROJECT + "environments: {sandbox: {limits_from: origin/evil}}\n",
    ],
)
def test_an_edit_of_limits_from_does_not_help(repositories: Repositories, project: str) -> None:
    """Main says that its limits are protected, so leaving the line out, or another branch in it, changes nothing."""
    root = repositories.laptop
    git(root, "push", "-q", "origin", "HEAD~1:refs/heads/evil")
    write(root, project, CAMPAIGN)
    assert (max_cost(root), month(root)) == (Decimal(50), Decimal(500))


def test_a_renamed_file_or_id_keeps_its_limits(repositories: Repositories) -> None:
    """A campaign is found by its id, its old id or its file."""
    root = repositories.laptop
    write(root, PROJECT + PROTECTED, CAMPAIGN.replace("sale", "autumn"))
    assert max_cost(root) == Decimal(50)
    (root / "campaigns" / "sale.yaml").unlink()
    write(root, PROJECT + PROTECTED, CAMPAIGN, "other")
    assert max_cost(root) == Decimal(50)
    write(root, PROJECT + PROTECTED, CAMPAIGN.replace("sale", "winter") + "moved: {from: sale}\n", "other")
    assert max_cost(root) == Decimal(50)
    write(root, PROJECT + PROTECTED, CAMPAIGN.replace("sale", "winter"), "other")
    assert max_cost(root) == Decimal(100)


def test_a_tag_or_a_local_branch_of_that_name_is_not_taken_for_it(repositories: Repositories) -> None:
    """Git itself would prefer the tag; whoever may open a pull request may be able to push one."""
    root = repositories.laptop
    git(root, "tag", "origin/main", "HEAD~1")
    git(root, "branch", "origin/main", "HEAD~1")
    write(root, PROJECT + PROTECTED, CAMPAIGN)
    assert max_cost(root) == Decimal(50)


def test_replaced_objects_do_not_count(repositories: Repositories) -> None:
    """`git replace` makes a clone show another commit in the place of the real one."""
    root = repositories.laptop
    git(root, "replace", "origin/main", "HEAD~1")
    write(root, PROJECT + PROTECTED, CAMPAIGN)
    assert max_cost(root) == Decimal(50)


def test_a_branch_that_the_clone_lacks_says_how_to_fetch_it(repositories: Repositories) -> None:
    """A CI checkout is shallow and has one branch; the command in the hint mends it."""
    root = repositories.runner
    write(root, PROJECT + "limits_from: origin/release\n", CAMPAIGN)
    git(repositories.laptop, "push", "-q", "origin", "HEAD:refs/heads/release")
    with pytest.raises(InvalidInput, match="origin/release") as caught:
        read(root)
    assert caught.value.hint is not None
    command = caught.value.hint.split("`")[1]
    assert command == "git fetch --depth=1 origin +release:refs/remotes/origin/release"
    git(root, *command.split()[1:])
    assert "origin/release" in read(root).sources[0]


def test_a_variable_names_a_branch_that_no_file_can_take_back(repositories: Repositories) -> None:
    """For a main branch that says nothing of itself."""
    root = repositories.laptop
    publish(repositories, PROJECT + "limits: {max_recipients: 7}\n", CAMPAIGN)
    assert read(root).limits == ()
    assert [each.max_recipients for each in read(root, also="origin/main").limits] == [7, None]


def test_a_project_in_a_folder_of_its_repository(repositories: Repositories) -> None:
    """Paths start at the project's folder, there as here; a branch without that folder sets no limit."""
    root = repositories.laptop / "sms"
    write(root, PROJECT + PROTECTED, CAMPAIGN)
    assert max_cost(root) == Decimal(100)
    publish(repositories, PROJECT + PROTECTED, CAMPAIGN + "limits: {max_cost: 30}\n", "sms")
    write(root, PROJECT + PROTECTED, CAMPAIGN)
    assert max_cost(root) == Decimal(30)


def test_limits_that_cannot_be_read_are_an_error(repositories: Repositories) -> None:
    """Never "no limit"; the place names branch and file."""
    root = repositories.laptop
    publish(repositories, PROJECT + PROTECTED.replace("max_cost: 100", "max_cost: lots"), CAMPAIGN)
    write(root, PROJECT + PROTECTED, CAMPAIGN)
    with pytest.raises(InvalidInput, match=r"origin/main:octoplan\.yaml") as caught:
        read(root)
    assert str(caught.value.findings[0].place).startswith("origin/main:octoplan.yaml:")


def test_other_mistakes_of_the_branch_do_not_matter_here(repositories: Repositories) -> None:
    """Else a pull request that mends them could not be planned."""
    root = repositories.laptop
    broken = CAMPAIGN.replace("type: sms_premium", "type: telegram") + "limits: {max_cost: 50}\n"
    publish(repositories, PROJECT + PROTECTED + "surprise: 1\n", broken)
    write(root, PROJECT + PROTECTED, CAMPAIGN)
    assert max_cost(root) == Decimal(50)


def test_a_branch_may_name_the_next_but_not_for_ever(repositories: Repositories) -> None:
    """Each is read once; a long way is an error."""
    root = repositories.laptop
    for index in range(12):
        publish(repositories, f"{PROJECT}limits_from: origin/b{index + 1}\n", CAMPAIGN)
        git(root, "push", "-q", "origin", f"HEAD:refs/heads/b{index}")
    publish(repositories, PROJECT, CAMPAIGN)
    with pytest.raises(InvalidInput, match="more than 8"):
        read(root, also="origin/b0")


def test_without_a_repository_there_is_nothing_to_read(tmp_path: Path) -> None:
    """Unless a file asks for it: then it is an error, and not an empty answer."""
    write(tmp_path, PROJECT, CAMPAIGN)
    assert read(tmp_path) == ProtectedLimits()
    write(tmp_path, PROJECT + PROTECTED, CAMPAIGN)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["main", "-p/x", "origin/..", "origin/a..b", "origin/a:b", "origin/a b", "a/b^{tree}"])
def test_a_name_that_git_could_take_for_something_else_is_refused(tmp_path: Path, name: str) -> None:
    """Options, ranges, paths and operators are no branches."""
    write(tmp_path, f"{PROJECT}limits_from: '{name}'\n", CAMPAIGN)
    _, findings = load_project(tmp_path)
    assert [found.code for found in findings] == ["campaign/bad-value"]


def test_the_strictest_budget_counts() -> None:
    """Of each kind on its own."""
    found = effective_budgets(
        Budgets(month=Decimal(5)), Budgets(month=Decimal(3), run=Decimal(9), currency="EUR"), Budgets(run=Decimal(8))
    )
    assert found == Budgets(month=Decimal(3), run=Decimal(8), currency="EUR")


def test_a_pull_request_cannot_loosen_a_policy(repositories: Repositories) -> None:
    """The policies of the protected branch, of project and environment, hold whatever the files here say."""
    rules = "policy: {require: [owner]}\n"
    protected = PROTECTED.replace("    limits: {max_cost", "    policy: {senders: [ACME]}\n    limits: {max_cost")
    publish(repositories, PROJECT + protected + rules, CAMPAIGN)
    git(repositories.runner, "fetch", "-q", "--depth=1", "origin", "+main:refs/remotes/origin/main")
    write(repositories.runner, PROJECT, CAMPAIGN)
    found = read(repositories.runner).policies
    assert [(policy.require, policy.senders) for policy in found] == [(("owner",), None), ((), ("ACME",))]

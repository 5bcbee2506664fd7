"""What is different: from another plan, and between two git revisions."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from octoplan.cli.schema import all_schemas
from tests.behaviour.command import Octoplan
from tests.behaviour.project import KEY, LOGIN, PEOPLE, Project
from tests.git_repositories import git
from tests.sandbox_process import SandboxProcess

TEXT = "Bonsoir {{ first_name }} {{ last_name }}, code {{ code }}. STOP au XXXXX"


def commit(project: Project, message: str = "one") -> str:
    if not (project.root / ".git").exists():
        git(project.root, "init", "-q")
        project.write(".gitignore", "/*.json\n.octoplan/\n")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-q", "-m", message)
    return git(project.root, "rev-parse", "HEAD")


def require_valid(document: dict[str, Any], name: str = "comparison") -> None:
    jsonschema.validate(document, json.loads(all_schemas()[f"{name}.schema.json"]))


def change_spring(project: Project) -> None:
    project.campaign("spring", message={"template": TEXT}, limits={"max_cost": "5"}, sender="OAK")


def test_a_plan_is_compared_with_that_of_the_base_branch(project: Project, octoplan: Octoplan) -> None:
    """Words, settings, recipients and cost of each campaign; the words are those of the commit that the plan names."""
    commit(project)
    octoplan("plan", "--out", "base.json")
    change_spring(project)
    project.contacts(PEOPLE[:3])
    project.campaign("autumn", message={"template": "Bonsoir. STOP au XXXXX"})
    result = octoplan("plan", "--compare", "base.json")
    assert "[-Bonjour-]{+Bonsoir+} {{ first_name }}" in result.stdout
    assert "sender: MAPLE → OAK" in result.stdout
    assert "limits.max_cost: not set → 5" in result.stdout
    assert "5 → 3 recipients (-2, -40.0 %)" in result.stdout
    document = octoplan("plan", "--compare", "base.json", "-o", "json").json()["comparison"]
    require_valid(document)
    added, changed = document["campaigns"]
    assert (added["kind"], added["campaign"], changed["kind"]) == ("added", "autumn", "changed")
    assert changed["cost"] == {"before": "0.305", "after": "0.183", "difference": "-0.122"}
    assert document["to_send"] == {"before": 5, "after": 6, "difference": 1, "percent": 20.0}


def test_a_plan_with_a_comparison_is_still_a_plan(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """What stands beside the plan in its JSON is no part of what is approved."""
    octoplan("plan", "--out", "base.json")
    octoplan("plan", "--compare", "base.json", "-o", "json=plan.json")
    octoplan("plan", "--compare", "plan.json")
    octoplan("apply", "plan.json")
    assert sandbox.summary()["messages"] == len(PEOPLE)


@pytest.mark.parametrize("dirty", [True, False], ids=["dirty", "another clone"])
def test_without_the_files_of_a_plan_its_words_are_unknown(
    project: Project, octoplan: Octoplan, *, dirty: bool
) -> None:
    """Files that are not those of the plan are never taken for them: the text is told to have changed, no more."""
    if dirty:
        commit(project)
        project.campaign("spring", message={"template": TEXT.replace("Bonsoir", "Salut")})
    octoplan("plan", "--out", "base.json")
    change_spring(project)
    result = octoplan("plan", "--compare", "base.json")
    assert "text      message: changed" in result.stdout
    assert "words are not at hand" in result.stdout


def test_a_plan_is_compared_with_a_revision(project: Project, octoplan: Octoplan) -> None:
    """
    Any revision will do, planned with today's prices. What has errors is not compared, and the plan is shown all the
    same: it may be what mends them. What git does not know ends with 3.
    """
    commit(project)
    change_spring(project)
    shown = octoplan("plan", "--compare", "HEAD").stdout
    assert "[-Bonjour-]{+Bonsoir+} {{ first_name }}" in shown
    assert "cost 0.305" in shown
    broken = (project.root / "campaigns/spring.yaml").read_text()
    project.write("campaigns/spring.yaml", "id: [")
    commit(project, "broken")
    project.write("campaigns/spring.yaml", broken)
    result = octoplan("plan", "--compare", "HEAD")
    assert "Not compared: `HEAD` cannot be planned" in result.stderr
    assert "5 messages to send" in result.stdout
    octoplan("plan", "--compare", "nowhere", code=3)


def test_a_part_is_compared_with_the_same_part(project: Project, octoplan: Octoplan) -> None:
    """`plan --campaign` holds only these against the other plan."""
    project.campaign("autumn", message={"template": "Bonsoir. STOP au XXXXX"})
    octoplan("plan", "--out", "base.json")
    shown = octoplan("plan", "--campaign", "spring", "--compare", "base.json").stdout
    assert "Nothing is different." in shown
    assert "autumn" not in shown


def test_an_edited_plan_is_not_compared_with(project: Project, octoplan: Octoplan) -> None:
    """Its digest is checked where the key is ours; where it is not, that is said. What is no plan ends with 3."""
    octoplan("plan", "--offline", "--out", "base.json")
    text = (project.root / "base.json").read_text()
    project.write("edited.json", text.replace('"rows": 5', '"rows": 4'))
    assert "was changed after it was made" in octoplan("plan", "--offline", "--compare", "edited.json", code=6).stderr
    document = json.loads(text)
    document["digest_key"] = "k1_" + "0" * 12
    project.write("foreign.json", json.dumps(document))
    shown = octoplan("plan", "--offline", "--compare", "foreign.json").stdout
    assert "made with another digest key" in shown
    for wrong in ({"campaigns": [{"id": "spring"}]}, {"created_at": "soon"}, {"campaigns": 3}):
        project.write("wrong.json", json.dumps(document | wrong))
        assert "is not a plan" in octoplan("plan", "--offline", "--compare", "wrong.json", code=3).stderr


# --- revisions --------------------------------------------------------------------------------------------------------


def test_two_revisions_are_planned_and_compared(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Text, list and settings as they were then, with nothing asked of the API and no key for it."""
    project.settings(
        environments={
            "live": {"endpoint": "http://127.0.0.1:9", "credentials": {"login": f"env/{LOGIN}", "key": f"env/{KEY}"}}
        }
    )
    first = commit(project)
    change_spring(project)
    project.contacts([*PEOPLE[:4]])
    commit(project, "two")
    octoplan.variables.clear()
    shown = octoplan("diff", "HEAD~1", "HEAD", "--env", "live").stdout
    assert "[-Bonjour-]{+Bonsoir+}" in shown
    assert "5 → 4 recipients (-1, -20.0 %)" in shown
    assert "cost unknown" in shown
    document = octoplan("diff", "HEAD~1..HEAD", "--env", "live", "-o", "json").json()
    require_valid(document)
    assert document["before"]["commit"] == first
    assert (document["before"]["name"], document["after"]["name"]) == ("HEAD~1", "HEAD")
    assert sandbox.stats()["simulated_sends"] == 0
    assert not (project.root / ".octoplan/environments/live/state.db").exists()


def test_the_second_revision_is_the_working_tree(project: Project, octoplan: Octoplan) -> None:
    """What is not committed counts; and what earlier plans were told is the cost."""
    commit(project)
    octoplan("plan")
    assert "Nothing is different." in octoplan("diff", "HEAD").stdout
    project.contacts(PEOPLE[:4])
    shown = octoplan("diff", "HEAD").stdout
    assert "working tree: sandbox" in shown
    assert "main at " in shown
    assert "with 1 changed file" in shown
    assert "0.305 → 0.244 (-0.061)" in shown


def test_a_list_that_git_does_not_have_is_todays_on_both_sides(project: Project, octoplan: Octoplan) -> None:
    """A revision can be planned although lists of people do not belong into git; that is said."""
    project.write(".gitignore", "data/\n.octoplan/\n")
    git(project.root, "init", "-q")
    commit(project)
    change_spring(project)
    shown = octoplan("diff", "HEAD").stdout
    assert "Note: data/contacts.csv: not in HEAD" in shown
    assert "audience" not in shown


def test_a_revision_without_a_project_has_no_campaigns(project: Project, octoplan: Octoplan) -> None:
    """The first commit of a project can be compared with what was before it."""
    git(project.root, "init", "-q")
    git(project.root, "commit", "-q", "--allow-empty", "-m", "zero")
    commit(project)
    assert "+ added     spring" in octoplan("diff", "HEAD~1").stdout
    assert "- removed   spring" in octoplan("diff", "HEAD", "HEAD~1").stdout


def test_what_cannot_be_compared_says_why(project: Project, octoplan: Octoplan) -> None:
    """Outside of git, an unknown revision or campaign, a broken one: exit 3, and what to do."""
    assert "needs a clone of the project's repository" in octoplan("diff", "HEAD", code=3).stderr
    project.campaign("spring", type="letter")
    commit(project)
    project.campaign("spring")
    broken = octoplan("diff", "HEAD", code=3).stderr
    assert "`HEAD` cannot be planned" in broken
    assert "campaigns/spring.yaml:2" in broken
    assert "fetch-depth: 0" in octoplan("diff", "nowhere", code=3).stderr
    commit(project, "two")
    assert "neither revision has a campaign winter" in octoplan("diff", "HEAD", "--campaign", "winter", code=3).stderr
    assert "one or two revisions" in octoplan("diff", "a", "b", "c", code=3).stderr


def test_what_was_sent_is_not_sent_again_by_either_side(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Both are planned with what is remembered now: an edit of a sent campaign shows as the conflict it is."""
    commit(project)
    octoplan("apply", "--auto-approve")
    change_spring(project)
    shown = octoplan("diff", "HEAD", "--campaign", "spring").stdout
    assert "action    sent → conflict" in shown
    assert sandbox.stats()["real_sends"] == 3

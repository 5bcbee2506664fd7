"""`octoplan doctor`: each check can be bad, says how to mend it, and decides the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from octoplan.campaign.scaffold import init_files
from octoplan.campaign.schema import schema_texts, write_schemas
from octoplan.cli.doctor import compare_clocks
from octoplan.diagnostics import InvalidInput
from tests.behaviour.command import Octoplan
from tests.behaviour.project import KEY, Project
from tests.git_repositories import git
from tests.sandbox_process import SandboxProcess

NAMES: Final = (
    "project",
    "digest key",
    "credentials",
    "account",
    "api",
    "clock",
    "sandbox",
    "state home",
    "lock file",
    "git",
    "editor",
)


@pytest.fixture
def healthy(project: Project, octoplan: Octoplan) -> Octoplan:
    """A project with schemas, in a repository, planned once."""
    write_schemas(project.root / "schemas", schema_texts())
    for name, schema in (("octoplan.yaml", "schemas/project"), ("campaigns/spring.yaml", "../schemas/campaign")):
        path = project.root / name
        path.write_text(f"# yaml-language-server: $schema={schema}.schema.json\n{path.read_text()}")
    for name in (".gitattributes", ".gitignore"):
        project.write(name, init_files()[name])
    git(project.root, "init", "-q")
    octoplan("plan", "--offline")
    return octoplan


def checks(octoplan: Octoplan, code: int = 0, **variables: str) -> dict[str, dict[str, Any]]:
    found = octoplan("doctor", "-o", "json", code=code, variables=variables).json()["checks"]
    return {each["name"]: each for each in found}


def test_a_healthy_project_passes_every_check(healthy: Octoplan) -> None:
    """Eleven checks, all fine, exit code 0; the text has the same as the JSON."""
    found = checks(healthy)
    assert tuple(found) == NAMES
    assert {each["status"] for each in found.values()} == {"ok"}, found
    assert healthy("doctor").stdout.count("\nok ") == len(NAMES) - 1


def _open_key(project: Project) -> None:
    (project.state / "digest.key").chmod(0o644)


def _commit_key(project: Project) -> None:
    (project.root / ".gitignore").unlink()
    (project.state / ".gitignore").unlink()


def _drop_attributes(project: Project) -> None:
    (project.root / ".gitattributes").unlink()


def _age_schema(project: Project) -> None:
    project.write("schemas/campaign.schema.json", "{}")


def _drop_line(project: Project) -> None:
    project.campaign("spring")


def _lead_nowhere(project: Project) -> None:
    path = project.root / "campaigns/spring.yaml"
    path.write_text(path.read_text().replace("../schemas", "schemas"))


@pytest.mark.parametrize(
    ("spoil", "name", "status", "code", "hint"),
    [
        (_open_key, "digest key", "bad", 7, "chmod 600"),
        (_commit_key, "digest key", "bad", 7, "add `.octoplan/` to .gitignore"),
        (_drop_attributes, "git", "advice", 0, "merge=union"),
        (_age_schema, "editor", "advice", 0, "octoplan schema --write schemas"),
        (_drop_line, "editor", "advice", 0, "put that line first"),
        (_lead_nowhere, "editor", "advice", 0, "put that line first"),
    ],
)
def test_what_is_wrong_is_named_and_how_to_mend_it(
    spoil: Callable[[Project], None], name: str, status: str, code: int, hint: str, project: Project, healthy: Octoplan
) -> None:
    """Only the check that is about it changes; what apply does not need leaves the exit code alone."""
    spoil(project)
    found = checks(healthy, code)
    assert [each["name"] for each in found.values() if each["status"] != "ok"] == [name]
    assert found[name]["status"] == status
    assert hint in found[name]["hint"]


def test_missing_credentials_are_named(project: Project, healthy: Octoplan, sandbox: SandboxProcess) -> None:
    """Each variable that is not set, and the code of authentication; checks that need none still pass."""
    project.environment(sandbox.endpoint)
    found = checks(healthy, 4, **{KEY: ""})
    assert found["credentials"]["says"] == f"not set: {KEY}"
    assert found["api"]["status"] == "bad"
    assert found["clock"]["status"] == "ok"


def test_vscode_settings_do_as_well(project: Project, healthy: Octoplan) -> None:
    """Instead of a line in each file the editor's own settings can name the schema."""
    project.campaign("spring")
    settings = {"yaml.schemas": {"./schemas/campaign.schema.json": "campaigns/*.yaml"}}
    project.write(".vscode/settings.json", f"// for everybody\n{json.dumps(settings)}")
    assert checks(healthy)["editor"]["status"] == "ok"


def test_a_project_that_cannot_be_opened_is_a_check_too(project: Project, healthy: Octoplan) -> None:
    """What stands in the way is the first line, with the exit code that every other command would have."""
    project.write("octoplan.yaml", "project: [")
    found = checks(healthy, 3)
    assert (found["project"]["status"], found["others"]["status"]) == ("bad", "advice")
    assert "octoplan validate" in found["project"]["hint"]


def test_a_clock_that_is_wrong_is_bad() -> None:
    """More than a minute off: sending hours, expiry and repeats go by the clock."""
    theirs = datetime(2027, 3, 1, tzinfo=UTC)
    for seconds in (-60, 0, 60):
        assert compare_clocks(theirs + timedelta(seconds=seconds), theirs) == "agrees with the API's"
    for seconds, way in ((-61, "behind"), (3_600, "ahead of")):
        with pytest.raises(InvalidInput, match=way):
            compare_clocks(theirs + timedelta(seconds=seconds), theirs)

"""`octoplan fmt` through the real command: which files, what it writes, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import Project

UGLY = b"type: sms_premium\nid:   'autumn'\n"
FINE = 'id: "autumn"\ntype: sms_premium\n'


@pytest.fixture
def command(project: Project) -> Octoplan:
    """The command in a project whose own files are formatted; nothing answers requests."""
    run = Octoplan(project.root)
    run("fmt")
    return run


def test_check_and_diff_write_nothing(project: Project, command: Octoplan) -> None:
    """`--check` names what would change and ends with 3, `--diff` shows it and ends with 0; files stay as they are."""
    path = project.write("campaigns/autumn.yaml", UGLY)
    assert "would format campaigns/autumn.yaml" in command("fmt", "--check", code=3).stdout
    shown = command("fmt", "--diff").stdout
    assert "-id:   'autumn'" in shown
    assert '+id: "autumn"' in shown
    command("fmt", "--check", "--diff", code=3)
    assert path.read_bytes() == UGLY
    assert "1 formatted" in command("fmt").stderr
    assert path.read_text() == FINE
    assert "nothing to format" in command("fmt", "--check").stderr


def test_only_the_paths_that_are_given(project: Project, command: Octoplan) -> None:
    """A file or a folder limits it; a campaign with a wrong field can still be formatted."""
    autumn = project.write("campaigns/autumn.yaml", UGLY)
    winter = project.write("campaigns/winter.yaml", UGLY)
    command("fmt", str(autumn))
    assert autumn.read_text() == FINE
    assert winter.read_bytes() == UGLY
    command("fmt", str(winter.parent))
    assert winter.read_text() == FINE


def test_tests_and_a_broken_project_file_are_formatted_too(project: Project, command: Octoplan) -> None:
    """Tests have their own order of fields; `octoplan.yaml` is formatted also while its fields are wrong."""
    test = project.write("tests/spring.yaml", b"tests: []\ncampaign: spring\n")
    settings = project.write("octoplan.yaml", b"campaigns: 1\nproject: maple\n")
    command("fmt")
    assert test.read_text() == "campaign: spring\ntests: []\n"
    assert settings.read_text() == "project: maple\ncampaigns: 1\n"


def test_a_file_that_cannot_be_read_is_left_alone(project: Project, command: Octoplan) -> None:
    """The finding names place and reason, the file keeps its bytes, others are formatted, and the code is 3."""
    broken = project.write("campaigns/broken.yaml", b"id: 'a\n")
    other = project.write("campaigns/autumn.yaml", UGLY)
    result = command("fmt", code=3)
    assert "campaigns/broken.yaml:1:5" in result.stderr
    assert "1 cannot be read" in result.stderr
    assert broken.read_bytes() == b"id: 'a\n"
    assert other.read_text() == FINE


def test_line_ends_marks_and_permissions(project: Project, command: Octoplan) -> None:
    """A byte-order mark and foreign line ends go, the permissions of the file stay, and no draft is left behind."""
    path = project.write("campaigns/autumn.yaml", b"\xef\xbb\xbf" + FINE.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    assert "would format" in command("fmt", "--check", code=3).stdout
    command("fmt")
    assert path.read_text() == FINE
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in path.parent.iterdir()) == ["autumn.yaml", "spring.yaml"]


def test_nothing_outside_the_project_is_written(project: Project, command: Octoplan, tmp_path: Path) -> None:
    """A path or a link that leaves the project is refused, and what is there stays as it is."""
    outside = tmp_path / "outside.yaml"
    outside.write_bytes(UGLY)
    (project.root / "campaigns/link.yaml").symlink_to(outside)
    assert "source/path-outside" in command("fmt", code=3).stderr
    assert "source/path-outside" in command("fmt", os.fspath(outside), code=3).stderr
    assert outside.read_bytes() == UGLY

"""The hooks that projects get from `.pre-commit-hooks.yaml`, run by the real pre-commit in a repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from octoplan.campaign.scaffold import write_init
from tests.git_repositories import git

ROOT: Final = Path(__file__).parents[2]
BIN: Final = Path(sys.executable).parent


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project under git whose `.pre-commit-config.yaml` names our hooks, at a revision of a repository of theirs."""
    hooks = _repository(tmp_path / "hooks")
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    project = _repository(tmp_path / "project")
    write_init(project)
    # The command of this checkout, instead of one that pre-commit would install first.
    ids = "".join(f"  - {{id: {name}, language: system}}\n" for name in ("octoplan-fmt", "octoplan-validate"))
    config = f"repos:\n- repo: {hooks}\n  rev: {_commit(hooks)}\n  hooks:\n{ids}"
    (project / ".pre-commit-config.yaml").write_text(config)
    _commit(project)
    return project


def _repository(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


def _commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "--no-verify", "-m", "all")
    return git(folder, "rev-parse", "HEAD").strip()


def pre_commit(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(repository.parent),
        "PRE_COMMIT_HOME": str(repository.parent / "cache"),
    }
    words = [str(BIN / "pre-commit"), "run", "--color=never", *arguments]
    return subprocess.run(words, cwd=repository, env=environment, capture_output=True, text=True, check=False)


def test_a_fresh_project_passes_its_hooks(repository: Path) -> None:
    """What `octoplan init` writes is formatted and valid, and both hooks look at it."""
    result = pre_commit(repository, "--all-files")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Passed") == 2


def test_a_commit_is_formatted_and_checked(repository: Path) -> None:
    """A staged campaign in another style stops the commit once, formatted; a wrong value stops it until mended."""
    campaign = repository / "campaigns/welcome.yaml"
    good = campaign.read_text()
    campaign.write_text(good.replace("id: welcome ", "id:    'welcome' "))
    git(repository, "add", ".")
    first = pre_commit(repository)
    assert first.returncode == 1
    assert "files were modified by this hook" in first.stdout
    assert 'id: "welcome"' in campaign.read_text()
    git(repository, "add", ".")
    assert pre_commit(repository).returncode == 0
    campaign.write_text(good.replace("sms_premium  ", "sms_premum   "))
    git(repository, "add", ".")
    wrong = pre_commit(repository)
    assert wrong.returncode == 1
    assert "did you mean `sms_premium`?" in wrong.stdout

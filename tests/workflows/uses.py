"""The place where a job runs, and what the examples use of others' actions, on a folder instead of GitHub's servers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.git_repositories import git

OURS: Final = "your-organisation/octoplan"
REPOSITORY: Final = "maple/shop"
_NOT_ALLOWED: Final = "file:///not/allowed"
_PYTHON: Final = f"""\
#!/bin/sh
# The Python of a fresh job. What pip would install of octoplan is the command of this checkout.
case "$*" in
  "-m pip install "*"/requirements/run.txt") ;;
  "-m pip install "*) ln -sf "{Path(sys.executable).parent}/octoplan" "$(dirname "$0")/octoplan" ;;
  *) echo "not expected: $*" >&2; exit 1 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folders of one job, and what it may do with the repository."""

    folder: Path
    remote: Path
    sha: str
    contents: str | None
    """The permission: `read`, `write` or none."""
    artifacts: Path | None = None

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""
        return self.folder / "workspace"

    @property
    def temp(self) -> Path:
        """`$RUNNER_TEMP`."""
        return self.folder / "temp"


def empty_place(folder: Path, remote: Path, sha: str, contents: str | None, artifacts: Path | None = None) -> Workplace:
    """The folders as a job finds them."""
    for part in ("workspace", "temp", "home", "tools"):
        (folder / part).mkdir(parents=True)
    (folder / "path").touch()
    return Workplace(folder, remote, sha, contents, artifacts)


def inherited(place: Workplace) -> dict[str, str]:
    """What a job gets of this machine: its programs, and what steps have put before them."""
    added = (place.folder / "path").read_text().splitlines()
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    path = os.pathsep.join([*reversed(added), "/usr/local/bin", "/usr/bin", "/bin"])
    return kept | {"PATH": path, "HOME": str(place.folder / "home"), "LC_ALL": "C.UTF-8"}


def checkout(place: Workplace, given: Mapping[str, str]) -> str:
    """One commit of the remote, detached; afterwards git can do there what the job may."""
    assert place.contents in ("read", "write")
    url = place.remote.as_uri()
    git(place.workspace, "init", "-q")
    git(place.workspace, "remote", "add", "origin", url)
    git(place.workspace, "fetch", "-q", f"--depth={given.get('fetch-depth', '1')}", "origin", place.sha)
    git(place.workspace, "checkout", "-q", "--detach", place.sha)
    if place.contents == "read":
        git(place.workspace, "config", "remote.origin.pushurl", _NOT_ALLOWED)
    if given.get("persist-credentials") == "false":
        git(place.workspace, "config", "remote.origin.url", _NOT_ALLOWED)
    return ""


def setup_python(place: Workplace, given: Mapping[str, str]) -> str:
    """A Python without octoplan, first in the path."""
    assert given["python-version"]
    python = place.folder / "tools/python"
    python.write_text(_PYTHON, encoding="utf-8")
    python.chmod(0o755)
    (place.folder / "path").write_text(f"{python.parent}\n")
    return ""


def _upload(place: Workplace, given: Mapping[str, str]) -> str:
    """Files of the workspace, kept under a name that is used once unless it says `overwrite`."""
    assert place.artifacts is not None
    kept = place.artifacts / given["name"]
    if given.get("overwrite") == "true":
        shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    found = [place.workspace / name for name in given["path"].split() if (place.workspace / name).exists()]
    assert found or given["if-no-files-found"] == "warn"
    for file in found:
        shutil.copy(file, kept)
    return f"uploaded {', '.join(file.name for file in found)} as {given['name']}\n"


def _download(place: Workplace, given: Mapping[str, str]) -> str:
    """The files of one artifact, into the workspace."""
    assert place.artifacts is not None
    shutil.copytree(place.artifacts / given["name"], place.workspace, dirs_exist_ok=True)
    return ""


USES: Final[Mapping[str, Callable[[Workplace, Mapping[str, str]], str]]] = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
}

"""Real git for tests: a bare repository as the remote, and clones of it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SETTINGS = ("-c", "user.name=Dana", "-c", "user.email=dana@example.invalid", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str, data: bytes = b"") -> str:
    """Run git in `folder`, whatever hook or repository the tests themselves run in."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(folder), *_SETTINGS, *arguments],
        input=data,
        capture_output=True,
        check=True,
        env=environment,
    )
    return done.stdout.decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True)
class Repositories:
    """A bare remote and two clones of it: one as a laptop has it, one with a single commit, as CI has it."""

    remote: Path
    laptop: Path
    runner: Path

    def tip(self, environment: str = "production") -> str | None:
        """What the environment's ref holds on the remote."""
        lines = git(self.remote, "for-each-ref", "--format=%(objectname)", f"refs/octoplan/{environment}")
        return lines or None


def make_repositories(folder: Path) -> Repositories:
    """A remote with two commits on `main`, and its clones."""
    made = Repositories(folder / "remote.git", folder / "laptop", folder / "runner")
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "--bare", str(made.remote))
    git(folder, "clone", "-q", str(made.remote), str(made.laptop))
    (made.laptop / "octoplan.yaml").write_text("version: 1\n")
    git(made.laptop, "add", ".")
    git(made.laptop, "commit", "-q", "-m", "first")
    git(made.laptop, "commit", "-q", "--allow-empty", "-m", "second")
    git(made.laptop, "push", "-q", "origin", "HEAD:main")
    git(folder, "clone", "-q", "--depth=1", made.remote.as_uri(), str(made.runner))
    return made

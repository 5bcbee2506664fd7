"""Of which revision of the project's repository the working tree is, asked through the `git` command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from octoplan.diagnostics import InvalidInput
from octoplan.state.git_ref import GitMissing, ask_git
from octoplan.state.git_remote import shorten_words

_REVISION: Final = "the revision of a plan"
_STATUS: Final = (
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=all",
    "--ignore-submodules=all",
    "--no-renames",
    "--",
    ".",
)
_FIELDS_BEFORE_PATH: Final = {"1": 8, "u": 10, "?": 1}
"""Git's manual page of `git status`, "Porcelain Format Version 2": changed, unmerged and untracked files."""


@dataclass(frozen=True, slots=True)
class Revision:
    """
    Of which commit the working tree is: its full name, and the branch that is checked out, `None` for none.

    `dirty` is how many of the files asked about differ from the commit, or are not in it.
    """

    commit: str
    branch: str | None
    dirty: int


def read_revision(root: Path, is_ours: Callable[[str], bool]) -> Revision | None:
    """
    The revision of the working tree; `None` outside of git, without git, and before the first commit.

    `is_ours` tells, by its path from the project's folder, whether a file counts.

    :raises InvalidInput: if there is a repository that git does not read, as it is somebody else's for one.
    """
    try:
        code, output, words = ask_git(root, "rev-parse", "--show-prefix", needed_by=_REVISION)
    except GitMissing:
        return None
    if code != 0 and "not a git repository" in words:
        return None
    prefix = output.decode("utf-8", "replace").removesuffix("\n")
    if code == 0:
        code, output, words = ask_git(root, *_STATUS, needed_by=_REVISION)
    if code != 0:
        raise InvalidInput(shorten_words(words))
    heads, paths = _read_status(output)
    if heads.get("branch.oid", "(initial)") == "(initial)":
        return None
    branch = heads.get("branch.head")
    inside = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    return Revision(heads["branch.oid"], None if branch == "(detached)" else branch, sum(map(is_ours, inside)))


def _read_status(output: bytes) -> tuple[Mapping[str, str], list[str]]:
    """The header lines of `git status`, and the paths, from the repository's folder, of what differs."""
    heads: dict[str, str] = {}
    paths: list[str] = []
    for line in output.decode("utf-8", "replace").split("\0"):
        kind, _, rest = line.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            heads[name] = value
        elif kind in _FIELDS_BEFORE_PATH:
            paths.append(line.split(" ", _FIELDS_BEFORE_PATH[kind])[-1])
    return heads, paths

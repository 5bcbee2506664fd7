"""
Files as another branch or revision has them, read through the `git` command.

Git runs inside the project's repository and only looks: it writes nothing and fetches nothing, so what it finds is what
the last `git fetch` brought.

Invariants:
- No working tree, index or ref is touched, no hook runs, and no object is fetched from a partial clone's remote.
- To `open_ref` a name means the branch of a remote, or is written in full. A tag or local branch of the same name,
  which whoever opens a pull request may be able to make, is never taken for it. `open_revision` takes what git takes:
  it is for whoever types it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from octoplan import limits
from octoplan.diagnostics import InvalidInput
from octoplan.state.git_remote import SAFE_SETTINGS, run_git, shorten_words

_QUIET: Final = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
"""Replaced objects would let a ref of the clone change what a commit holds."""
_REMOTES: Final = "refs/remotes/"
_FULL: Final = "refs/"
_LIMITS: Final = "`limits_from`"


@dataclass(frozen=True, slots=True)
class GitFile:
    """A regular file of a commit: `name` is its path from the project's folder, `size` in bytes."""

    name: str
    oid: str
    size: int


@dataclass(frozen=True, slots=True)
class GitFolder:
    """
    The project's folder as a commit has it. `ref` is the name that was asked for, `commit` the commit's full name.

    `needed_by` is who asked, for messages.
    """

    ref: str
    commit: str
    _root: Path = field(repr=False)
    _prefix: str = field(repr=False)
    needed_by: str = _LIMITS

    def list_files(self) -> Mapping[str, GitFile]:
        """
        Every regular file, by its path from the project's folder; none if the commit has no such folder.

        :raises InvalidInput: if git cannot tell, or there are too many.
        """
        tree = f"{self.commit}:{self._prefix}"
        if self._git("rev-parse", "--verify", "--quiet", "--end-of-options", tree)[0] != 0:
            return {}
        code, output, words = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", tree)
        if code != 0:
            raise self._unreadable(words)
        lines = output.split(b"\0")[:-1]
        if len(lines) > limits.PROJECT_ENTRIES_MAX:
            raise InvalidInput(f"`{self.ref}` has more than {limits.PROJECT_ENTRIES_MAX} files")
        return dict(entry for line in lines if (entry := _read_entry(line)) is not None)

    def read(self, files: Sequence[GitFile], *, bytes_max: int = limits.CAMPAIGN_FILE_BYTES_MAX) -> list[bytes]:
        """
        The contents of files that `list_files` names, in order.

        :raises InvalidInput: if one is larger than `bytes_max`, or git cannot tell.
        """
        large = next((file.name for file in files if file.size > bytes_max), None)
        if large is not None:
            raise InvalidInput(f"{large} of `{self.ref}` is larger than {bytes_max} bytes")
        asked = "".join(f"{file.oid}\n" for file in files).encode("ascii")
        code, output, words = self._git("cat-file", "--batch", data=asked)
        if code != 0:
            raise self._unreadable(words)
        return list(self._contents(output, files))

    def _contents(self, output: bytes, files: Sequence[GitFile]) -> Iterator[bytes]:
        """Each file after a line `<name> blob <size>`, with a line feed at its end."""
        start = 0
        for file in files:
            end = output.find(b"\n", start)
            if output[start:end].split()[1:] != [b"blob", str(file.size).encode()]:
                raise self._unreadable(f"{file.name} is missing in the clone")
            yield output[end + 1 : end + 1 + file.size]
            start = end + 1 + file.size + 1

    def _git(self, *arguments: str, data: bytes = b"") -> tuple[int, bytes, str]:
        return ask_git(self._root, *arguments, data=data, needed_by=self.needed_by)

    def _unreadable(self, words: str) -> InvalidInput:
        return _unreadable(self.ref, words, self.needed_by)


def _read_entry(line: bytes) -> tuple[str, GitFile] | None:
    """One line of `ls-tree -l`; `None` for links and submodules."""
    head, _, path = line.partition(b"\t")
    mode, _, oid, size = head.decode("ascii").split()
    name = path.decode("utf-8", "replace")
    return (name, GitFile(name, oid, int(size))) if mode.startswith("100") else None


def is_repository(root: Path) -> bool:
    """Whether git is there and takes the folder for a part of a repository."""
    try:
        code, _, _ = ask_git(root, "rev-parse", "--git-dir")
    except InvalidInput:
        return False
    return code == 0


def is_ignored(root: Path, name: str) -> bool:
    """
    Whether git leaves the path `name` of the folder out of commits: it is ignored, and not tracked already.

    :raises InvalidInput: if git cannot be run.
    """
    _, output, _ = ask_git(root, "ls-files", "--cached", "--others", "--exclude-standard", "--", name)
    return not output


def merge_driver(root: Path, name: str) -> str:
    """
    What `.gitattributes` says about merging the path `name` of the folder, such as `union`; `unspecified` for nothing.

    :raises InvalidInput: if git cannot be run.
    """
    _, output, _ = ask_git(root, "check-attr", "merge", "--", name)
    return output.decode("utf-8", "replace").strip().rpartition(": ")[2]


def open_ref(root: Path, ref: str) -> GitFolder | None:
    """
    The project's folder as the branch `ref` of a remote has it; `None` if the clone knows no such branch.

    :raises InvalidInput: if git cannot be run, or the folder is in no repository.
    """
    return _open(root, ref, ref if ref.startswith(_FULL) else _REMOTES + ref, _LIMITS)


def open_revision(root: Path, revision: str, needed_by: str) -> GitFolder | None:
    """
    The project's folder at a revision in any form that git knows: a branch, a tag, a commit, `HEAD~1`.

    `None` if the clone has no such commit.

    :raises InvalidInput: if git cannot be run, or the folder is in no repository.
    """
    return _open(root, revision, revision, needed_by)


def _open(root: Path, ref: str, name: str, needed_by: str) -> GitFolder | None:
    code, output, words = ask_git(root, "rev-parse", "--show-prefix", needed_by=needed_by)
    if code != 0:
        raise _unreadable(ref, words, needed_by)
    prefix = output.decode("utf-8", "replace").removesuffix("\n")
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    code, output, _ = ask_git(root, *asked, needed_by=needed_by)
    return GitFolder(ref, output.decode("ascii").strip(), root, prefix, needed_by) if code == 0 else None


class GitMissing(InvalidInput):
    """The git command is not installed."""


def ask_git(root: Path, *arguments: str, data: bytes = b"", needed_by: str = _LIMITS) -> tuple[int, bytes, str]:
    """
    Exit code, output and words of a git command that only looks.

    :raises GitMissing: without git.
    :raises InvalidInput: if it cannot be run, or does not end.
    """
    settings = [part for setting in SAFE_SETTINGS for part in ("-c", setting)]
    try:
        return run_git(["git", "-C", str(root), "--literal-pathspecs", *settings, *arguments], data, _QUIET)
    except FileNotFoundError:
        raise GitMissing(f"{needed_by} needs the git command, which is not installed") from None
    except subprocess.TimeoutExpired:
        raise InvalidInput(f"git {arguments[0]} did not end in {limits.GIT_COMMAND_TIME_MAX_S:.0f} s") from None
    except OSError as error:
        raise InvalidInput(f"git cannot be run: {error.strerror}") from None


def _unreadable(ref: str, words: str, needed_by: str = _LIMITS) -> InvalidInput:
    return InvalidInput(
        f"`{ref}` cannot be read for {needed_by}: {shorten_words(words)}",
        hint=f"{needed_by} needs a clone of the project's repository",
    )

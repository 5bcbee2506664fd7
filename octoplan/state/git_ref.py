"""
Files as another branch has them, read through the `git` command.

Git runs inside the project's repository and only looks: it writes nothing and fetches nothing, so what it finds is what
the last `git fetch` brought.

Invariants:
- No working tree, index or ref is touched, no hook runs, and no object is fetched from a partial clone's remote.
- A name means the branch of a remote, or is written in full. A tag or local branch of the same name, which whoever
  opens a pull request may be able to make, is never taken for it.
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
    """

    ref: str
    commit: str
    _root: Path = field(repr=False)
    _prefix: str = field(repr=False)

    def list_files(self) -> Mapping[str, GitFile]:
        """
        Every regular file, by its path from the project's folder; none if the commit has no such folder.

        :raises InvalidInput: if git cannot tell, or there are too many.
        """
        tree = f"{self.commit}:{self._prefix}"
        if _git(self._root, "rev-parse", "--verify", "--quiet", "--end-of-options", tree)[0] != 0:
            return {}
        code, output, words = _git(self._root, "ls-tree", "-r", "-z", "-l", "--full-tree", tree)
        if code != 0:
            raise _unreadable(self.ref, words)
        lines = output.split(b"\0")[:-1]
        if len(lines) > limits.PROJECT_ENTRIES_MAX:
            raise InvalidInput(f"`{self.ref}` has more than {limits.PROJECT_ENTRIES_MAX} files")
        return dict(entry for line in lines if (entry := _read_entry(line)) is not None)

    def read(self, files: Sequence[GitFile]) -> list[bytes]:
        """
        The contents of files that `list_files` names, in order.

        :raises InvalidInput: if one is over the bound of a campaign file, or git cannot tell.
        """
        large = next((file.name for file in files if file.size > limits.CAMPAIGN_FILE_BYTES_MAX), None)
        if large is not None:
            raise InvalidInput(f"{large} of `{self.ref}` is larger than {limits.CAMPAIGN_FILE_BYTES_MAX} bytes")
        asked = "".join(f"{file.oid}\n" for file in files).encode("ascii")
        code, output, words = _git(self._root, "cat-file", "--batch", data=asked)
        if code != 0:
            raise _unreadable(self.ref, words)
        return list(_contents(output, files, self.ref))


def _read_entry(line: bytes) -> tuple[str, GitFile] | None:
    """One line of `ls-tree -l`; `None` for links and submodules."""
    head, _, path = line.partition(b"\t")
    mode, _, oid, size = head.decode("ascii").split()
    name = path.decode("utf-8", "replace")
    return (name, GitFile(name, oid, int(size))) if mode.startswith("100") else None


def _contents(output: bytes, files: Sequence[GitFile], ref: str) -> Iterator[bytes]:
    """Each file after a line `<name> blob <size>`, with a line feed at its end."""
    start = 0
    for file in files:
        end = output.find(b"\n", start)
        if output[start:end].split()[1:] != [b"blob", str(file.size).encode()]:
            raise _unreadable(ref, f"{file.name} is missing in the clone")
        yield output[end + 1 : end + 1 + file.size]
        start = end + 1 + file.size + 1


def is_repository(root: Path) -> bool:
    """Whether git is there and takes the folder for a part of a repository."""
    try:
        code, _, _ = _git(root, "rev-parse", "--git-dir")
    except InvalidInput:
        return False
    return code == 0


def is_ignored(root: Path, name: str) -> bool:
    """
    Whether git leaves the path `name` of the folder out of commits: it is ignored, and not tracked already.

    :raises InvalidInput: if git cannot be run.
    """
    _, output, _ = _git(root, "ls-files", "--cached", "--others", "--exclude-standard", "--", name)
    return not output


def merge_driver(root: Path, name: str) -> str:
    """
    What `.gitattributes` says about merging the path `name` of the folder, such as `union`; `unspecified` for nothing.

    :raises InvalidInput: if git cannot be run.
    """
    _, output, _ = _git(root, "check-attr", "merge", "--", name)
    return output.decode("utf-8", "replace").strip().rpartition(": ")[2]


def open_ref(root: Path, ref: str) -> GitFolder | None:
    """
    The project's folder as the branch `ref` of a remote has it; `None` if the clone knows no such branch.

    :raises InvalidInput: if git cannot be run, or the folder is in no repository.
    """
    name = ref if ref.startswith(_FULL) else _REMOTES + ref
    code, output, words = _git(root, "rev-parse", "--show-prefix")
    if code != 0:
        raise _unreadable(ref, words)
    prefix = output.decode("utf-8", "replace").removesuffix("\n")
    code, output, _ = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return GitFolder(ref, output.decode("ascii").strip(), root, prefix) if code == 0 else None


def _git(root: Path, *arguments: str, data: bytes = b"") -> tuple[int, bytes, str]:
    settings = [part for setting in SAFE_SETTINGS for part in ("-c", setting)]
    try:
        return run_git(["git", "-C", str(root), "--literal-pathspecs", *settings, *arguments], data, _QUIET)
    except FileNotFoundError:
        raise InvalidInput("this needs the git command, which is not installed") from None
    except subprocess.TimeoutExpired:
        raise InvalidInput(f"git {arguments[0]} did not end in {limits.GIT_COMMAND_TIME_MAX_S:.0f} s") from None
    except OSError as error:
        raise InvalidInput(f"git cannot be run: {error.strerror}") from None


def _unreadable(ref: str, words: str) -> InvalidInput:
    return InvalidInput(
        f"the limits of `{ref}` cannot be read: {shorten_words(words)}",
        hint="`limits_from` needs a clone of the project's repository",
    )

"""
One ref on a git remote, read and replaced through the `git` command.

Git runs inside the project's repository, because that is where the remote's address and its credentials are configured
(a CI checkout keeps its token there). Objects land in that repository's object store; nothing else of it changes.

Invariants:
- No working tree, index, branch, remote-tracking ref or FETCH_HEAD is touched, and no hook of the repository runs.
- A push names the state that it replaces; the server refuses it if the ref has moved since.
- Whatever git says is shown without credentials, and cut.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from octoplan import limits
from octoplan.diagnostics import StateUnavailable
from octoplan.state.git_objects import commit_files, render_pack

_SETTINGS: Final = ("core.hooksPath=/dev/null", "gc.auto=0", "maintenance.auto=false")
_FETCH: Final = (
    "fetch",
    "--quiet",
    "--no-write-fetch-head",
    "--refmap=",
    "--no-tags",
    "--no-prune",
    "--no-filter",
    "--no-recurse-submodules",
    "--no-write-commit-graph",
)
_PUSH: Final = (
    "push",
    "--porcelain",
    "--no-verify",
    "--no-signed",
    "--no-follow-tags",
    "--no-recurse-submodules",
)
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
}
_ALLOWED_PROTOCOLS: Final = "file:git:http:https:ssh"
"""The remote can be named in a pull request, so no other helper is started unless GIT_ALLOW_PROTOCOL names it."""
_DROPPED: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_QUARANTINE_PATH",
)
"""What git hands to its hooks: it would turn our commands to another repository than the project's."""

_PERMISSION: Final = (
    "octoplan may not push there",
    "give it the right to write: in GitHub Actions `permissions: {contents: write}`, and no rule that protects "
    "refs/octoplan/*",
)
_LOGIN: Final = (
    "the remote does not accept the credentials",
    "octoplan pushes with what git is set up with in this repository and is never asked for a password; try "
    "`git ls-remote` in the project's folder",
)
_MEANINGS: Final[tuple[tuple[str, tuple[str, str]], ...]] = (
    (
        r"(?i)not a git repository \(or any|must be run in a work tree",
        (
            "the project is in no git repository",
            "the `git` home keeps its state on a remote of the project's repository",
        ),
    ),
    (
        r"dubious ownership",
        (
            "git does not trust the project's folder",
            "run as its owner, or say `git config --global --add safe.directory`",
        ),
    ),
    (
        r"(?i)hook declined|protected|rule violation|prohibited|denied to|not allowed to push|write access|unable to write",
        _PERMISSION,
    ),
    (
        r"(?i)authentication failed|could not read (username|password)|permission denied \(|returned error: 40[13]",
        _LOGIN,
    ),
    (
        r"(?i)does not appear to be a git repository|no such remote|repository .*not found|does not exist",
        ("there is no such remote", "see `git remote -v`; the environment's `state` section names the remote"),
    ),
)
"""What git's words mean: pattern -> sentence and hint; the first that matches counts."""
_UNREACHABLE: Final = ("the remote cannot be used", "nothing is sent while the state cannot be read and written")

_CREDENTIALS: Final = re.compile(r"(\w+://)[^/\s@']*@")


class GitRemote:
    """A ref on a remote: `remote` is the name of one of the repository's remotes, or an address."""

    def __init__(self, project: Path, remote: str, ref: str) -> None:
        self._project = project
        self._remote = remote
        self._ref = ref
        self._algorithm: str | None = None
        self._stored: set[str] = set()

    @property
    def place(self) -> str:
        """Ref and remote, without credentials."""
        return f"{self._ref} on {_mask(self._remote)}"

    def tip(self) -> str | None:
        """
        The object name of the present state, asked afresh; `None` while there is no such ref.

        :raises StateUnavailable: if the remote cannot be asked.
        """
        for line in self._git("ls-remote", "--", self._remote, self._ref).decode().splitlines():
            oid, _, ref = line.partition("\t")
            if ref == self._ref:
                return oid
        return None

    def read(self, tip: str) -> Mapping[str, bytes]:
        """
        Fetch the state `tip` and return its files.

        :raises StateUnavailable: if it cannot be fetched, for one because the ref has moved on.
        """
        self._git(*_FETCH, "--", self._remote, tip)
        names = dict(self._listed(tip))
        contents = self._blobs(list(names.values()))
        return {path: contents[oid] for path, oid in names.items()}

    def _listed(self, tip: str) -> Iterator[tuple[str, str]]:
        """Path and object name of every file, after their sizes were found to be sound."""
        total = 0
        for line in self._git("ls-tree", "-r", "-z", "-l", tip).split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            _mode, kind, oid, size = head.decode().split()
            if kind == "blob":
                total += int(size)
                yield path.decode("utf-8", "replace"), oid
        if total > limits.GIT_STATE_BYTES_MAX:
            raise StateUnavailable(f"{self.place} holds {total} bytes, more than octoplan would ever write there")

    def _blobs(self, names: list[str]) -> Mapping[str, bytes]:
        output = self._git("cat-file", "--batch", data="".join(f"{name}\n" for name in names).encode())
        found: dict[str, bytes] = {}
        start = 0
        for name in names:
            end = output.index(b"\n", start)
            size = int(output[start:end].split()[2])
            found[name] = output[end + 1 : end + 1 + size]
            start = end + 1 + size + 1
        return found

    def store(self, files: Mapping[str, bytes], at: datetime) -> str:
        """
        Put a state into the object store and return its name; the same files and time have the same name.

        It has no parents: nothing leads from a later state to people who were forgotten.

        :raises StateUnavailable: if the repository cannot be written.
        """
        name, objects = commit_files(files, at, f"State of octoplan in {self._ref}", self._object_format())
        missing = {oid: each for oid, each in objects.items() if oid not in self._stored}
        self._git("unpack-objects", "-q", data=render_pack(missing, self._object_format()))
        self._stored = set(objects)
        return name

    def push(self, old: str | None, new: str) -> None:
        """
        Make `new` the present state in place of `old` (`None`: of no state).

        :raises StateUnavailable: if that was refused, or may have failed; only `tip` tells which.
        """
        try:
            lease = f"--force-with-lease={self._ref}:{old or ''}"
            self._git(*_PUSH, lease, "--", self._remote, f"{new}:{self._ref}")
        except StateUnavailable:
            # One possible cause is that somebody has cleaned up the object store; the next try stores everything anew.
            self._stored.clear()
            raise

    def _object_format(self) -> str:
        if self._algorithm is None:
            self._algorithm = self._git("rev-parse", "--show-object-format").decode().strip()
        return self._algorithm

    def _git(self, *arguments: str, data: bytes = b"") -> bytes:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        command = ["git", "-C", str(self._project), *settings, *arguments]
        try:
            code, output, words = _run(command, data)
        except FileNotFoundError:
            hint = "install git, or keep the state in another home"
            raise StateUnavailable("the `git` home needs the git command, which is not installed", hint=hint) from None
        except subprocess.TimeoutExpired:
            raise self._unavailable(
                f"git {arguments[0]} did not end in {limits.GIT_COMMAND_TIME_MAX_S:.0f} s"
            ) from None
        except OSError as error:
            raise self._unavailable(f"git cannot be run: {error.strerror}") from None
        if code != 0:
            rejected = [line for line in output.decode("utf-8", "replace").splitlines() if line.startswith("!")]
            raise self._unavailable("\n".join([*rejected, words]))
        return output

    def _unavailable(self, words: str) -> StateUnavailable:
        meaning, hint = next((found for pattern, found in _MEANINGS if re.search(pattern, words)), _UNREACHABLE)
        return StateUnavailable(f"{self.place}: {meaning} ({_shorten(words)})", hint=hint)


def _run(command: list[str], data: bytes) -> tuple[int, bytes, str]:
    """
    Exit code, stdout and stderr.

    In a session of its own: Ctrl-C must not end a push half-way, and nothing can ask on the terminal.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    with subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"GIT_ALLOW_PROTOCOL": _ALLOWED_PROTOCOLS, **inherited, **_ENVIRONMENT},
        start_new_session=True,
    ) as process:
        try:
            output, words = process.communicate(data, timeout=limits.GIT_COMMAND_TIME_MAX_S)
        except BaseException:
            # Git's own children hold the pipes too.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output, words.decode("utf-8", "replace")


def _mask(text: str) -> str:
    return _CREDENTIALS.sub(r"\1…@", text)


def _shorten(words: str) -> str:
    """Git's words on one line, without credentials or control characters."""
    lines = [" ".join(line.split()) for line in _mask(words).splitlines()]
    shown = "; ".join(line for line in lines if line)
    printable = "".join(character for character in shown if character.isprintable())
    most = limits.GIT_ERROR_CHARACTERS_MAX
    return printable if len(printable) <= most else printable[:most] + "…"

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
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from octoplan import limits
from octoplan.diagnostics import StateUnavailable
from octoplan.state.git_objects import commit_files, render_pack

SAFE_SETTINGS: Final = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "maintenance.auto=false")
_FETCH: Final = (
    "fetch",
    "--quiet",
    "--no-write-fetch-head",
    "--no-tags",
    "--no-filter",
    "--no-recurse-submodules",
)
_PUSH: Final = (
    "push",
    "--porcelain",
    "--no-signed",
    "--no-recurse-submodules",
)
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
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


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What git's words mean: the words as a pattern, a sentence for people, and the next step."""

    words: str
    sentence: str
    hint: str


_MEANINGS: Final = (
    _Meaning(
        r"(?i)not a git repository \(or any",
        "the project is in no git repository",
        "the `git` home keeps its state on a remote of the project's repository",
    ),
    _Meaning(
        r"dubious ownership",
        "git does not trust the project's folder",
        "run as the folder's owner, or name it with `git config --global --add safe.directory`",
    ),
    _Meaning(
        r"(?i)hook declined|protected|rule violation|prohibited|denied to|not allowed to push|write access",
        "octoplan may not push there",
        "it needs the right to write: in GitHub Actions `permissions: {contents: write}`, and no rule on refs/octoplan",
    ),
    _Meaning(
        r"(?i)authentication failed|could not read (username|password)|permission denied \(|returned error: 40[13]",
        "the remote does not accept the credentials",
        "git is never allowed to ask for a password here; see whether `git ls-remote` works without a question",
    ),
    _Meaning(
        r"(?i)does not appear to be a git repository|no such remote|repository .*not found|does not exist",
        "there is no such remote",
        "see `git remote -v`; the environment's `state` section names the remote",
    ),
    _Meaning(r"", "the remote cannot be used", "nothing is sent while the state cannot be read and written"),
)
"""The first that matches counts; the last always does."""

_CREDENTIALS: Final = re.compile(r"(\w+://)[^/\s@']*@")


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of the project's repository: what names its objects, and whether it lacks a part of the history."""

    algorithm: str
    is_shallow: bool


class GitRemote:
    """A ref on a remote: `remote` is the name of one of the repository's remotes, or an address."""

    def __init__(self, project: Path, remote: str, ref: str) -> None:
        self._project = project
        self._remote = remote
        self._ref = ref
        self._known_facts: _Facts | None = None
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
        # Outside of a repository git would blame the remote.
        self._facts()
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
            words = output[start:end].split()
            if len(words) != 3:
                raise self._unavailable("a part of the state is missing in the project's object store")
            size = int(words[2])
            found[name] = output[end + 1 : end + 1 + size]
            start = end + 1 + size + 1
        return found

    def store(self, files: Mapping[str, bytes], at: datetime) -> str:
        """
        Put a state into the object store and return its name; the same files and time have the same name.

        It has no parents: nothing leads from a later state to people who were forgotten.

        :raises StateUnavailable: if the repository cannot be written.
        """
        name, objects = commit_files(files, at, f"State of octoplan in {self._ref}", self._facts().algorithm)
        missing = {oid: each for oid, each in objects.items() if oid not in self._stored}
        self._git("unpack-objects", "-q", data=render_pack(missing, self._facts().algorithm))
        self._stored = set(objects)
        return name

    def push(self, old: str | None, new: str) -> None:
        """
        Make `new` the present state in place of `old` (`None`: of no state).

        :raises StateUnavailable: if that was refused, or may have failed; only `tip` tells which.
        """
        lease = f"--force-with-lease={self._ref}:{old or ''}"
        try:
            with self._sparing(old) as environment:
                self._git(*_PUSH, lease, "--", self._remote, f"{new}:{self._ref}", environment=environment)
        except OSError as error:
            raise self._unavailable(f"no temporary file can be made: {error.strerror}") from None
        except StateUnavailable:
            # One possible cause is that somebody has cleaned up the object store; the next try stores everything anew.
            self._stored.clear()
            raise

    @contextlib.contextmanager
    def _sparing(self, old: str | None) -> Iterator[Mapping[str, str]]:
        """
        An environment in which git sends only what `old` does not hold, instead of the whole state each time.

        Git looks for what a commit without parents has in common with others only in shallow clones; naming `old` as
        their boundary, which it is, as it has no parents either, makes it look. It sends more without this, no less.
        """
        if old is None or self._facts().is_shallow:
            yield {}
            return
        with tempfile.NamedTemporaryFile("w", prefix="octoplan-", encoding="ascii") as boundary:
            boundary.write(f"{old}\n")
            boundary.flush()
            yield {"GIT_SHALLOW_FILE": boundary.name}

    def _facts(self) -> _Facts:
        if self._known_facts is None:
            words = self._git("rev-parse", "--show-object-format", "--is-shallow-repository").decode().split()
            self._known_facts = _Facts(words[0], is_shallow=words[1] == "true")
        return self._known_facts

    def _git(self, *arguments: str, data: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        settings = [part for setting in SAFE_SETTINGS for part in ("-c", setting)]
        command = ["git", "-C", str(self._project), *settings, *arguments]
        try:
            code, output, words = run_git(command, data, environment or {})
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
        meaning = next(each for each in _MEANINGS if re.search(each.words, words))
        return StateUnavailable(f"{self.place}: {meaning.sentence} ({shorten_words(words)})", hint=meaning.hint)


def run_git(command: list[str], data: bytes, environment: Mapping[str, str]) -> tuple[int, bytes, str]:
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
        env={"GIT_ALLOW_PROTOCOL": _ALLOWED_PROTOCOLS, **inherited, **_ENVIRONMENT, **environment},
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


def shorten_words(words: str) -> str:
    """Git's words on one line, without credentials or control characters."""
    lines = [" ".join(line.split()) for line in _mask(words).splitlines()]
    shown = "; ".join(line for line in lines if line)
    printable = "".join(character for character in shown if character.isprintable())
    most = limits.GIT_ERROR_CHARACTERS_MAX
    return printable if len(printable) <= most else printable[:most] + "…"

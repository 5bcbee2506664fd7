"""
The files of a project as a git revision has them, in a folder of their own, to be planned there.

Only what a plan reads is taken: settings, campaigns, the texts they include, and the lists they name. A list that the
revision does not hold (it is ignored by git, a symbolic link, or kept by Git LFS) is borrowed from the working tree.

Invariants (the revision can be a stranger's pull request):
- Only regular files are written, under names that are paths inside a project, and each into a file that is new.
- What is read is bounded, a file at a time and all together.
- No working tree, index or ref is touched, and no filter or hook of the repository runs.
- Nothing outside the project's folder is borrowed, and nothing hidden in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from octoplan.campaign.document import parse_document
from octoplan.campaign.model import DEFAULT_CAMPAIGNS
from octoplan.campaign.project import PROJECT_FILE, matches_any
from octoplan.campaign.source import check_relative, decode_source, find_inside
from octoplan.diagnostics import InvalidInput
from octoplan.limits import (
    CAMPAIGN_FILE_BYTES_MAX,
    CAMPAIGN_FILES_MAX,
    INCLUDES_FOLDER,
    REVISION_BYTES_MAX,
    REVISION_FILE_BYTES_MAX,
    REVISION_PATTERNS_MAX,
)
from octoplan.state.git_ref import GitFile, GitFolder, open_revision

_LFS: Final = b"version https://git-lfs.github.com/spec/"
"""How a pointer begins that Git LFS keeps in place of a file; its specification bounds it to 1024 bytes."""
_LFS_BYTES_MAX: Final = 1024
_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Checkout:
    """`root` is the folder, `commit` the full name; `borrowed` are the lists of the working tree, by path."""

    root: Path
    commit: str
    borrowed: tuple[str, ...]

    @property
    def has_project(self) -> bool:
        """Whether there was a project at that revision."""
        return (self.root / PROJECT_FILE).is_file()


class UnusableRevision(InvalidInput):
    """A revision that is there, but whose files have errors or are too large."""


@contextlib.contextmanager
def open_checkout(root: Path, revision: str, needed_by: str, *, lists: bool = True) -> Iterator[Checkout]:
    """
    Write what a plan of the project in `root` needs, as of `revision`, into a private folder; it is removed at the end.

    With `lists` off there is nobody to plan for: settings, campaigns and texts only.

    :raises InvalidInput: if the clone has no such revision.
    :raises UnusableRevision: if its files are too large, or cannot be written.
    """
    folder = open_revision(root, revision, needed_by)
    if folder is None:
        raise InvalidInput(
            f"git knows no revision `{revision}` here",
            hint="fetch it: a CI checkout has only the commit it was started for (`fetch-depth: 0` brings all)",
        )
    with tempfile.TemporaryDirectory(prefix="octoplan-") as name:
        try:
            checkout = _fill(Path(name).resolve(), root, folder, lists=lists)
        except _Unwritable as error:
            raise UnusableRevision(f"the files of `{revision}` cannot be written: {error}") from None
        except InvalidInput as error:
            raise UnusableRevision(error.message, hint=error.hint, findings=error.findings) from None
        yield checkout


class _Unwritable(Exception):
    """A file of the checkout cannot be made."""


def _fill(target: Path, root: Path, folder: GitFolder, *, lists: bool) -> Checkout:
    files = {name: file for name, file in folder.list_files().items() if check_relative(name) is None}
    data = _write_texts(target, folder, files)
    named = {name for name in _list_names(data) if lists and check_relative(name) is None}
    patterns = sorted(name for name in named if not _GLOB.isdisjoint(name))
    if len(patterns) > REVISION_PATTERNS_MAX:
        raise InvalidInput(f"the campaigns of `{folder.ref}` name more than {REVISION_PATTERNS_MAX} patterns of lists")
    found = [file for name, file in files.items() if name in named or matches_any(name, patterns)]
    kept = {file.name for file in _write_lists(target, folder, found)}
    answered = kept | {pattern for pattern in patterns if any(matches_any(name, (pattern,)) for name in kept)}
    return Checkout(target, folder.commit, tuple(_borrow(target, root, sorted(named - answered))))


# --- settings, campaigns and texts ------------------------------------------------------------------------------------


def _write_texts(target: Path, folder: GitFolder, files: Mapping[str, GitFile]) -> list[Any]:
    """Everything that people write; answers what the settings and campaigns say, as far as they can be read."""
    settings = [file for name, file in files.items() if name == PROJECT_FILE]
    read = dict(_read_small(folder, settings))
    project = _parse(read)
    patterns = project[0].get("campaigns") if project else None
    is_list = isinstance(patterns, list) and all(isinstance(each, str) for each in patterns)
    wanted = patterns if is_list and patterns is not None else DEFAULT_CAMPAIGNS
    campaigns = [file for name, file in files.items() if matches_any(name, wanted)]
    if len(campaigns) > CAMPAIGN_FILES_MAX:
        raise InvalidInput(f"`{folder.ref}` has more than {CAMPAIGN_FILES_MAX} campaigns")
    found = dict(_read_small(folder, campaigns))
    texts = [file for name, file in files.items() if name.startswith(f"{INCLUDES_FOLDER}/")]
    for name, content in {**dict(_read_small(folder, texts)), **found, **read}.items():
        _write(target, name, content)
    return [*project, *_parse(found)]


def _read_small(folder: GitFolder, files: Sequence[GitFile]) -> Iterator[tuple[str, bytes]]:
    """Files up to the bound of a campaign file, a few at a time; a larger one stays away, as none could use it."""
    small = [file for file in files if file.size <= CAMPAIGN_FILE_BYTES_MAX]
    _require_room(folder, small)
    for start in range(0, len(small), 64):
        piece = small[start : start + 64]
        yield from zip([file.name for file in piece], folder.read(piece), strict=True)


def _parse(contents: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Plain data; whatever is wrong with a file is found again when it is planned."""
    sources = (decode_source(name, data)[0] for name, data in contents.items())
    documents = (parse_document(source)[0] for source in sources if source is not None)
    return [document.data for document in documents if document is not None]


# --- lists ------------------------------------------------------------------------------------------------------------


def _list_names(value: Any) -> Iterator[str]:
    """Every path or pattern of a file that settings or campaigns name: contacts, suppressions, tables, prices."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("path", "prices") and isinstance(each, str):
                yield each
            elif key == "tables" and isinstance(each, dict):
                yield from (name for name in each.values() if isinstance(name, str))
            else:
                yield from _list_names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _list_names(each)


def _write_lists(target: Path, folder: GitFolder, files: Sequence[GitFile]) -> Iterator[GitFile]:
    """The lists that are really there, one after another."""
    _require_room(folder, files)
    for file in files:
        (content,) = folder.read([file], bytes_max=REVISION_FILE_BYTES_MAX)
        if file.size > _LFS_BYTES_MAX or not content.startswith(_LFS):
            _write(target, file.name, content)
            yield file


def _require_room(folder: GitFolder, files: Iterable[GitFile]) -> None:
    if sum(file.size for file in files) > REVISION_BYTES_MAX:
        raise InvalidInput(f"the files of `{folder.ref}` that a plan needs have more than {REVISION_BYTES_MAX} bytes")


def _borrow(target: Path, root: Path, names: Iterable[str]) -> Iterator[str]:
    """Lists of the working tree, as links where the file system can."""
    for name in names:
        try:
            found = find_inside(root, name)
        except ValueError:
            continue  # a plan refuses it with its place
        for inside, path in found:
            if path.is_file() and not (target / inside).exists():
                _link(path, target / inside)
                yield inside


# --- into the folder --------------------------------------------------------------------------------------------------


def _write(target: Path, name: str, content: bytes) -> None:
    try:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(content)
    except OSError as error:
        raise _Unwritable(f"{name}: {error.strerror}") from None


def _link(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, target)
    except OSError as error:
        raise _Unwritable(f"{target.name}: {error.strerror}") from None

"""The files of a revision in a folder of their own, whatever a stranger has put into it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from octoplan import limits
from octoplan.campaign import checkout
from octoplan.campaign.checkout import UnusableRevision, open_checkout
from octoplan.diagnostics import InvalidInput
from tests.git_repositories import git

PROJECT = "project: maple\nsuppression: [{path: data/stop.csv}]\n"
CAMPAIGN = "id: spring\nrecipients: {path: data/*.csv}\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose project is in a folder of it."""
    folder = tmp_path / "repository/sms"
    write(folder, "octoplan.yaml", PROJECT)
    write(folder, "campaigns/spring.yaml", CAMPAIGN)
    git(folder.parent, "init", "-q")
    return folder


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def commit(root: Path) -> None:
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-q", "-m", "one")


def files(root: Path, revision: str = "HEAD") -> dict[str, str]:
    """What the checkout of a revision holds, without the borrowed lists."""
    with open_checkout(root, revision, "a test") as found:
        paths = [path for path in found.root.rglob("*") if path.is_file()]
        contents = {path.relative_to(found.root).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        assert not any(path.is_symlink() for path in found.root.rglob("*"))
        return {name: text for name, text in contents.items() if name not in found.borrowed}


def borrowed(root: Path) -> tuple[str, ...]:
    with open_checkout(root, "HEAD", "a test") as found:
        assert all((found.root / name).read_text() == (root / name).read_text() for name in found.borrowed)
        return found.borrowed


def test_only_what_a_plan_reads_is_taken(root: Path) -> None:
    """Settings, campaigns, included texts and the lists they name, as of the revision; and the folder is gone after."""
    write(root, "messages/footer.txt", "Bye")
    write(root, "data/a.csv", "old")
    write(root, "data/stop.csv", "nobody")
    write(root, "data/other.parquet", "not named")
    write(root, "README.md", "not read")
    write(root.parent, "outside.csv", "not of the project")
    commit(root)
    write(root, "data/a.csv", "new")
    assert files(root) == {
        "octoplan.yaml": PROJECT,
        "campaigns/spring.yaml": CAMPAIGN,
        "messages/footer.txt": "Bye",
        "data/a.csv": "old",
        "data/stop.csv": "nobody",
    }
    with open_checkout(root, "HEAD", "a test") as found:
        assert found.root.stat().st_mode & 0o077 == 0
    assert not found.root.exists()


def test_a_list_outside_of_git_is_borrowed(root: Path) -> None:
    """A path or pattern for which the revision has no file is answered by the working tree, and said so."""
    write(root, ".gitignore", "data/\n")
    commit(root)
    write(root, "data/a.csv", "today's")
    write(root, "data/stop.csv", "today's")
    assert borrowed(root) == ("data/a.csv", "data/stop.csv")


def test_a_pattern_that_the_revision_answers_borrows_nothing(root: Path) -> None:
    """A list that was added since is none of the revision's."""
    write(root, "data/a.csv", "old")
    write(root, "data/stop.csv", "old")
    commit(root)
    write(root, "data/later.csv", "new")
    assert borrowed(root) == ()


def test_links_submodules_and_pointers_are_no_files(root: Path) -> None:
    """None of them is followed, filtered or written; where the working tree has a file, that is taken."""
    write(root, "data/a.csv", POINTER)
    (root / "data/b.csv").symlink_to("/etc/passwd")
    (root / "octoplan.yaml").rename(root / "kept.yaml")
    (root / "octoplan.yaml").symlink_to("kept.yaml")
    commit(root)
    oid = git(root.parent, "rev-parse", "HEAD")
    git(root.parent, "update-index", "--add", "--cacheinfo", f"160000,{oid},sms/data/sub.csv")
    git(root.parent, "commit", "-q", "-m", "two")
    assert set(files(root)) == {"campaigns/spring.yaml"}
    (root / "octoplan.yaml").unlink()
    (root / "kept.yaml").rename(root / "octoplan.yaml")
    commit(root)
    write(root, "data/a.csv", "the real list")
    assert borrowed(root) == ()  # one of the files that the pattern stands for leads outside
    (root / "data/b.csv").unlink()
    assert set(files(root)) == {"campaigns/spring.yaml", "octoplan.yaml"}
    assert borrowed(root) == ("data/a.csv",)


def test_names_that_lead_elsewhere_are_never_written(root: Path) -> None:
    """A tree made by hand may hold `..` and hidden folders; nothing is written for them."""
    settings = "project: maple\ncampaigns: ['**/*.yaml']\n"
    blobs = [make(root, "blob", text.encode()) for text in ("id: evil\n", settings)]
    evil, octoplan = (b"100644 %s\0%s" % pair for pair in zip((b"evil.yaml", b"octoplan.yaml"), blobs, strict=True))
    inner = make(root, "tree", evil)
    folders = b"".join(b"40000 %s\0%s" % (name, inner) for name in (b"..", b".git", b".octoplan"))
    outer = make(root, "tree", folders + octoplan)
    top = make(root, "tree", b"40000 sms\0" + outer)
    revision = git(root.parent, "commit-tree", top.hex(), "-m", "evil")
    assert files(root, revision) == {"octoplan.yaml": settings}
    assert not (Path(tempfile.gettempdir()) / "evil.yaml").exists()


def make(root: Path, kind: str, data: bytes) -> bytes:
    """An object as it is, without git's checks; its name."""
    return bytes.fromhex(git(root.parent, "hash-object", "-w", "-t", kind, "--literally", "--stdin", data=data))


def test_files_are_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list, all files together, and the number of patterns have a bound each; a campaign too large is left out."""
    write(root, "data/a.csv", "x" * 1000)
    write(root, "campaigns/large.yaml", "#" * (limits.CAMPAIGN_FILE_BYTES_MAX + 1))
    commit(root)
    assert "campaigns/large.yaml" not in files(root)
    for bound, words in (
        ("REVISION_FILE_BYTES_MAX", "is larger than"),
        ("REVISION_BYTES_MAX", "have more than"),
        ("REVISION_PATTERNS_MAX", "patterns of lists"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(checkout, bound, 0 if "PATTERNS" in bound else 500)
            with pytest.raises(UnusableRevision, match=words):
                files(root)


def test_what_is_no_revision_is_refused(root: Path) -> None:
    """An unknown name, an option in disguise, a folder outside of git: each is said in words."""
    commit(root)
    for name in ("nowhere", "--all", "HEAD:sms"):
        with pytest.raises(InvalidInput, match="git knows no revision"):
            files(root, name)
    with pytest.raises(InvalidInput, match="cannot be read for a test"):
        files(root.parent.parent)

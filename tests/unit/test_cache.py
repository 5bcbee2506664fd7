from __future__ import annotations

import os
from pathlib import Path

import pytest

from octoplan.cache import cache_folder, keep_newest, read_entry, write_entry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCTOPLAN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_written_is_read(folder: Path) -> None:
    """An entry comes back as it was, also after it was replaced; nothing else is left in the folder."""
    assert read_entry("a/b") is None
    write_entry("a/b", b"first")
    write_entry("a/b", b"second")
    assert read_entry("a/b") == b"second"
    assert [path.name for path in (folder / "a").iterdir()] == ["b"]


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 40])
def test_damaged_entry_is_not_there(folder: Path, damage: bytes) -> None:
    """Whatever somebody or a full disk made of an entry, it is not taken for one."""
    write_entry("entry", b"content")
    kept = (folder / "entry").read_bytes()
    (folder / "entry").write_bytes(damage or kept[:-1])
    assert read_entry("entry") is None


def test_folder_that_cannot_be_used(folder: Path) -> None:
    """A cache that cannot be written is no error: the entry is just not kept."""
    folder.write_text("a file where the folder should be")
    write_entry("entry", b"content")
    assert read_entry("entry") is None


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own variable wins over the one for all programs, which must be absolute as its standard says."""
    monkeypatch.delenv("OCTOPLAN_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert cache_folder() == Path("/var/cache/me/octoplan")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache" / "octoplan"
    monkeypatch.setenv("OCTOPLAN_CACHE_DIR", "/elsewhere")
    assert cache_folder() == Path("/elsewhere")


def test_only_the_newest_are_kept(folder: Path) -> None:
    """Of a folder's entries those written last; a folder that is not there has none."""
    keep_newest("a", 2)
    for number in range(4):
        write_entry(f"a/{number}", b"content")
        os.utime(folder / "a" / str(number), ns=(0, 1_000_000_000 - number))
    write_entry("b/other", b"content")
    keep_newest("a", 2)
    assert sorted(path.name for path in (folder / "a").iterdir()) == ["0", "1"]
    assert read_entry("b/other") == b"content"

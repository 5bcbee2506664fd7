from __future__ import annotations

from pathlib import Path

import pytest

from octoplan.campaign.source import find_inside
from octoplan.limits import SOURCE_FILES_MAX


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("data/b.csv", "data/a.csv", "data/c.txt", "data/.hidden.csv", "more/x/1.csv", "more/y/1.csv"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("data/*.csv", ["data/a.csv", "data/b.csv"]),
        ("data/?.csv", ["data/a.csv", "data/b.csv"]),
        ("data/[b-z].*", ["data/b.csv", "data/c.txt"]),
        ("more/*/1.csv", ["more/x/1.csv", "more/y/1.csv"]),
        ("data/*.json", []),
        ("nothing/*.csv", []),
        ("data/a.csv", ["data/a.csv"]),
        ("data/gone.csv", ["data/gone.csv"]),
    ],
)
def test_pattern_stands_for_files(root: Path, pattern: str, names: list[str]) -> None:
    """Sorted by name, nothing hidden; a path without a pattern is itself, there or not."""
    found = find_inside(root, pattern)
    assert [name for name, _ in found] == names
    assert [path for _, path in found] == [root / name for name in names]


def test_file_that_is_called_like_a_pattern(root: Path) -> None:
    """A name is a pattern only where no file has it."""
    (root / "data" / "list[1].csv").write_text("x", encoding="utf-8")
    assert [name for name, _ in find_inside(root, "data/list[1].csv")] == ["data/list[1].csv"]


def test_pattern_never_leaves_the_project(root: Path) -> None:
    """Nor does a link that a pattern finds, to a file or as a folder on the way."""
    (root.parent / "secret.csv").write_text("x", encoding="utf-8")
    (root / "data" / "z.csv").symlink_to("../../secret.csv")
    (root / "out").symlink_to(root.parent)
    for pattern in ("data/*.csv", "out/*.csv", "o*/secret.csv"):
        with pytest.raises(ValueError, match="symbolic link"):
            find_inside(root, pattern)


def test_pattern_stands_for_a_bounded_number(root: Path) -> None:
    """More files than are read is an error, not the first ones."""
    for number in range(SOURCE_FILES_MAX + 1):
        (root / "more" / f"{number}.csv").touch()
    with pytest.raises(ValueError, match="more than"):
        find_inside(root, "more/*.csv")

"""Files are read safely, or not at all, with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from octoplan.campaign.source import SourceFile, decode_source, read_source, resolve_inside
from octoplan.limits import CAMPAIGN_FILE_BYTES_MAX


@pytest.mark.parametrize("relative", ["a.csv", "data/a b.csv", "./data/é.csv", "data//a.csv", "a..b/c.csv"])
def test_path_inside_is_resolved(tmp_path: Path, relative: str) -> None:
    """A plain relative path gives an absolute one inside the project, whether it exists or not."""
    path = resolve_inside(tmp_path, relative)
    assert path.is_absolute()
    assert path.is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize(
    "relative",
    [
        "",
        " ",
        "/etc/passwd",
        "../a.csv",
        "data/../../a.csv",
        "data/..",
        "C:/a.csv",
        "C:a.csv",
        "\\\\host\\a.csv",
        "data\\..\\a.csv",
        "a\x00.csv",
        "a\n.csv",
        "a\u202e.csv",
        ".octoplan/key",
        "data/.git/config",
        "x" * 600,
    ],
)
def test_path_that_leaves_is_refused(tmp_path: Path, relative: str) -> None:
    """Absolute, upward, hidden, foreign, unprintable or endless paths are refused with a reason."""
    with pytest.raises(ValueError, match=r"it is|it holds"):
        resolve_inside(tmp_path, relative)


def test_links_are_followed_only_inside(tmp_path: Path) -> None:
    """A symbolic link may lead to another place in the project, never out of it, nor to anything hidden in it."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    (root / ".git").mkdir()
    (tmp_path / "secret.csv").write_text("secret")
    (root / "out").symlink_to(tmp_path)
    (root / "inside").symlink_to(root / "data")
    (root / "hidden").symlink_to(root / ".git")
    (root / "loop").symlink_to(root / "loop")
    assert resolve_inside(root, "inside/a.csv") == root.resolve() / "data" / "a.csv"
    for name in ("out/secret.csv", "hidden/config", "loop/a.csv"):
        with pytest.raises(ValueError, match=r"symbolic link|loop of links"):
            resolve_inside(root, name)


def _codes(data: bytes) -> list[str]:
    return [str(finding.code) + f":{finding.place}" for finding in decode_source("c.yaml", data)[1]]


def test_utf8_is_read_with_line_ends_made_equal() -> None:
    """Text is UTF-8; CRLF and CR become line feeds, so that line numbers are an editor's."""
    source, found = decode_source("c.yaml", "a: é\r\nb: 1\rc: 2\n".encode())
    assert found == []
    assert source is not None
    assert source.text == "a: é\nb: 1\nc: 2\n"


def test_byte_order_mark_is_skipped_with_a_warning() -> None:
    """A UTF-8 byte-order mark is no error, and no part of the first key."""
    source, found = decode_source("c.yaml", b"\xef\xbb\xbfid: a\n")
    assert source is not None
    assert source.text == "id: a\n"
    assert [(finding.code, finding.severity) for finding in found] == [("source/byte-order-mark", "warning")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(encoding: str) -> None:
    """A file in UTF-16 is refused by name, with or without its mark."""
    assert _codes("id: a\n".encode(encoding)) == ["source/not-utf8:c.yaml:1:1"]


def test_windows_1252_is_refused_at_the_byte() -> None:
    """The first byte that is not UTF-8 is named by line and column, and the likely encoding with it."""
    source, (finding,) = decode_source("c.yaml", "id: a\r\ndescription: été\r\n".encode("cp1252"))
    assert source is None
    assert str(finding.place) == "c.yaml:2:14"
    assert "byte 20 " in finding.detail.lower()
    assert "0xE9" in finding.detail
    assert "Windows-1252" in finding.detail


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff"])
def test_what_a_reviewer_cannot_see_is_refused(character: str) -> None:
    """Control characters and those that turn the direction of text are errors at their place."""
    assert _codes(f"id: a\nsender: A{character}B\n".encode()) == ["source/hidden-character:c.yaml:2:10"]


def test_file_over_the_bound_is_not_read(tmp_path: Path) -> None:
    """A file that is larger than its bound is refused; one of exactly the bound is read."""
    (tmp_path / "a.yaml").write_bytes(b"#" * (CAMPAIGN_FILE_BYTES_MAX + 1))
    (tmp_path / "b.yaml").write_bytes(b"#" * CAMPAIGN_FILE_BYTES_MAX)
    assert read_source(tmp_path, "a.yaml")[1][0].code == "source/too-large"
    assert read_source(tmp_path, "b.yaml")[1] == []


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are findings; a pipe would hold the program for ever."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "folder", "pipe"):
        assert [finding.code for finding in read_source(tmp_path, name)[1]] == ["source/no-file"]
    assert [finding.code for finding in read_source(tmp_path, "../a")[1]] == ["source/path-outside"]


SECRETS = """\
project: acme
environments:
  production:
    endpoint: https://user:word@sms.example.org
    credentials:
      login: someone
      key:
        hunter2
    proxy: x
    allow_numbers:
    - "+33612340001"
    batch_size: 5
"""


def test_lines_with_secrets_are_never_quoted() -> None:
    """A line that names credentials, keys or allowed numbers has no snippet, nor has what is indented under it."""
    source = SourceFile.of("octoplan.yaml", SECRETS)
    quoted = [number for number in range(1, 13) if source.place(number, 1).snippet is not None]
    assert quoted == [1, 2, 3, 9, 12]


def test_place_is_kept_inside_its_line() -> None:
    """An underline never reaches past the end of the line, and a line that is not there is the file as a whole."""
    source = SourceFile.of("c.yaml", "ab\n")
    assert source.place(1, 2, 50).width == 1
    assert source.place(9, 1).line is None

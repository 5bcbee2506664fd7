from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoplan.audience.estimate import estimate_rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_text_is_judged_by_its_lines(tmp_path: Path, encoding: str) -> None:
    """Short lines first, long ones later: within a tenth of the truth, whatever the encoding."""
    path = tmp_path / "list.csv"
    path.write_text("".join(f"{row},{'x' * (40 if row > 5_000 else 1)}\n" for row in range(100_000)), encoding)
    guess = estimate_rows([path])
    assert guess is not None
    assert 90_000 <= guess <= 110_000


def test_parquet_says_it(tmp_path: Path) -> None:
    """And several files are added up."""
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"phone": ["+12025550100"] * 1_234}), path)
    assert estimate_rows([path]) == 1_200
    assert estimate_rows([path, path]) == 2_500


def test_where_one_file_does_not_tell_nobody_knows(tmp_path: Path) -> None:
    """A file without lines, a damaged one, one that is gone, or no file at all: no guess, and no error."""
    sound, blank, damaged = tmp_path / "sound.csv", tmp_path / "blank.csv", tmp_path / "damaged.parquet"
    sound.write_text("phone\n+12025550100\n")
    blank.touch()
    damaged.write_bytes(b"PAR1 and then nothing\n")
    for paths in ([sound, blank], [sound, damaged], [sound, tmp_path / "gone"], []):
        assert estimate_rows(paths) is None

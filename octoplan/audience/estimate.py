"""How many records files have, without reading them: for the time left that progress shows, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from octoplan.limits import ESTIMATE_SAMPLE_BYTES

_PARQUET: Final = b"PAR1"


def estimate_rows(paths: Sequence[Path]) -> int | None:
    """The number of records in all of them to two digits; `None` where one does not show it."""
    counts = [_rows(path) for path in paths]
    known = [count for count in counts if count is not None]
    return _rounded(sum(known)) if known and len(known) == len(counts) else None


def _rows(path: Path) -> int | None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(len(_PARQUET)) == _PARQUET:
                return int(pq.read_metadata(path).num_rows)
            # From the middle: the first lines of a list are often shorter than the others, since numbers are small.
            file.seek(max(0, (size - ESTIMATE_SAMPLE_BYTES) // 2))
            sample = file.read(ESTIMATE_SAMPLE_BYTES)
    except (OSError, pa.ArrowException):
        return None
    lines = sample.count(b"\n")
    return size * lines // len(sample) if lines else None


def _rounded(count: int) -> int:
    return int(float(f"{count:.1e}"))

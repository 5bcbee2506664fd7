"""
How large the memory of a large campaign is, and how fast it answers.

    python -m benchmarks.ledger [--rows N] [--batch N] [--folder FOLDER]

Fills a new `local` home the way an apply does, one intended and one sent entry a batch, each durable; then weighs its
folder, opens it as the next command would, and asks it who of 50,000 people was written to. The last line is JSON.
Ten million recipients take about six minutes and 300 MB of disk.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from octoplan.clock import SystemClock
from octoplan.digests import DigestKey, batch_digest, request_id
from octoplan.state.home import Home, Intent, Session
from octoplan.state.journal import Kind
from octoplan.state.local import local_home
from octoplan.state.store import Holder

ENVIRONMENT = "production"
CAMPAIGN = "spring"
ASKED = 50_000
LIMIT_BYTES_AT_TEN_MILLION = 1_000_000_000
SHOWN_EVERY = 1_000
"""Batches."""


def phones(start: int, count: int) -> pa.StringArray:
    """Numbers that no country has, as no country code begins with 0."""
    return pa.array([f"+0{number:011}" for number in range(start, start + count)], pa.string())


def fill(session: Session, rows: int, batch: int) -> Iterator[float]:
    """Write `rows` recipients; yields the milliseconds that each batch took."""
    session.open_campaign(CAMPAIGN, {"type": "sms_premium"})
    for start in range(0, rows, batch):
        people = phones(start, min(batch, rows - start))
        digest = batch_digest(session.key, str(start).encode())
        name = request_id(session.key, ENVIRONMENT, CAMPAIGN, digest, 1)
        intent = Intent(CAMPAIGN, digest, name, 1, len(people), len(people), "30.5", None)
        began = time.perf_counter()
        session.intend(intent, people)
        session.record(Kind.SENT, CAMPAIGN, digest, {"ticket": f"sms_{start:022}", "contacts": len(people)})
        yield (time.perf_counter() - began) * 1000


@contextmanager
def timed(figures: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    figures[name] = round(time.perf_counter() - began, 2)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(folder: Path, rows: int, batch: int) -> dict[str, float]:
    key, clock, figures = DigestKey.generate(), SystemClock(), dict[str, float]()
    holder = Holder("r_1", "dana", "here", 1, datetime.now(UTC))
    with closing(local_home(folder, ENVIRONMENT, key, clock)) as home:
        with timed(figures, "fill_s"), home.session(holder) as session:
            spent = list(shown(fill(session, rows, batch)))
        figures["batch_ms_first"] = round(statistics.median(spent[:SHOWN_EVERY]), 2)
        figures["batch_ms_last"] = round(statistics.median(spent[-SHOWN_EVERY:]), 2)
        figures["bytes_while_open"] = size(folder)
    figures["bytes"] = size(folder)
    figures["bytes_per_recipient"] = round(figures["bytes"] / rows, 1)
    with closing(local_home(folder, ENVIRONMENT, key, clock)) as home:
        with timed(figures, "open_s"):
            assert home.campaigns()[CAMPAIGN].sent_recipients == rows
        ask(home, rows, figures)
    return figures


def ask(home: Home, rows: int, figures: dict[str, float]) -> None:
    """Half of those who are asked about were written to, spread over all batches."""
    half = ASKED // 2
    step = max(rows // half, 1)
    known = [f"+0{number:011}" for number in range(0, min(half * step, rows), step)]
    asked = pa.array([*known, *phones(rows, half).to_pylist()], pa.string())
    for name in ("lookup_s_first", "lookup_s_again"):
        with timed(figures, name):
            found = home.written(CAMPAIGN, asked)
        assert len(found) - found.null_count == len(known)


def shown(spent: Iterator[float]) -> Iterator[float]:
    """Passes the figures on, and shows how it goes."""
    for number, each in enumerate(spent, 1):
        if number % SHOWN_EVERY == 0:
            print(f"{number:7,} batches; the last took {each:.1f} ms", flush=True)
        yield each


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None, help="where the home is made (default: a temporary one)")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        figures = measure(Path(folder) / ".octoplan", wanted.rows, wanted.batch)
    print(f"{wanted.rows:,} recipients in requests of {wanted.batch}: {figures['bytes'] / 1e6:,.0f} MB")
    print(json.dumps({"rows": wanted.rows, "batch": wanted.batch, "sqlite": sqlite3.sqlite_version, **figures}))
    return int(figures["bytes"] > LIMIT_BYTES_AT_TEN_MILLION * max(wanted.rows / 10_000_000, 0.1))


if __name__ == "__main__":
    raise SystemExit(main())

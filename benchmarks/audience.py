"""
How long a plan takes from a CSV file to the digests of its batches, beside two others on the same file: the bare scan
by the same engine, which is the floor, and the script that people write today.

    python benchmarks/audience.py [--rows N …] [--repeat N] [--data FOLDER]

Each measurement is a process of its own, start-up included; figures are medians. The script is run up to one million
rows and multiplied beyond: its list of suppressed numbers is read once, its pass over the rows grows with them. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIZES = (100_000, 1_000_000, 10_000_000)
BASELINE_ROWS_MAX = 1_000_000
ONE_CORE_ROWS_MAX = 1_000_000
REPEATED_ROWS_MAX = 1_000_000
"""Beyond this, once has to do."""
REPEAT = 3
BUSY_LOAD = 1.5
"""How many processes wanted to run in the last minute, before the benchmark begins."""
MB = 1024 if sys.platform != "darwin" else 1024**2
"""What `ru_maxrss` counts in, to a megabyte."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds on the clock, seconds of all processors, peak memory, and what its last line said."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    said: Any


@dataclass(frozen=True, slots=True)
class Measured:
    """One size. `baseline` are its seconds for it, run or multiplied; `None` if it was run at no size."""

    rows: int
    scan: Run
    plan: Run
    floor: Run
    baseline: float | None
    is_baseline_run: bool

    @property
    def cpu_above_floor(self) -> float:
        return self.plan.cpu_seconds - self.floor.cpu_seconds

    def figures(self) -> dict[str, float | None]:
        baseline, seconds = self.baseline, self.plan.seconds
        return {
            "rows": self.rows,
            "seconds": round(seconds, 2),
            "cpu_seconds": round(self.plan.cpu_seconds, 2),
            "cpu_above_floor_seconds": round(self.cpu_above_floor, 2),
            "scan_seconds": round(self.scan.seconds, 2),
            "scan_ratio": round(seconds / self.scan.seconds, 1),
            "baseline_seconds": None if baseline is None else round(baseline, 1),
            "speedup": None if baseline is None else round(baseline / seconds, 1),
            "peak_mb": round(self.plan.peak_mb),
        }


def run(script: str, *arguments: object) -> Run:
    """Run a script of this folder to its end; a child of a small process, so that its peak memory is its own."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{script} failed with {process.returncode}")
    said = json.loads(lines[-1]) if lines else None
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / MB, said)


def median(runs: Sequence[Run]) -> Run:
    """Medians of the figures; what was said must be the same each time, but for times."""
    figures = [[each.seconds for each in runs], [each.cpu_seconds for each in runs], [each.peak_mb for each in runs]]
    seconds, cpu_seconds, peak_mb = map(statistics.median, figures)
    middle = min(runs, key=lambda each: abs(each.seconds - seconds))
    return Run(seconds, cpu_seconds, peak_mb, middle.said)


def measure(rows: int, project: Path, repeat: int, baseline: Run | None) -> Measured:
    contacts = project / "contacts.csv"
    times = repeat if rows <= REPEATED_ROWS_MAX else 1
    scans, plans, floors = [], [], []
    for _ in range(times):  # in turn, so that a machine that changes speed changes all
        scans.append(run("bare_scan.py", contacts))
        plans.append(run("plan_once.py", project))
        floors.append(run("plan_once.py", "--imports-only"))
    if len({each.said["digest"] for each in plans}) != 1:
        raise SystemExit("the same file gave different batches")
    seconds = None
    if baseline is not None:
        read, passed = baseline.said["list_seconds"], baseline.said["pass_seconds"]
        start = baseline.seconds - read - passed
        seconds = start + read + passed * rows / baseline.said["rows"]
    is_run = baseline is not None and baseline.said["rows"] == rows
    return Measured(rows, median(scans), median(plans), median(floors), seconds, is_run)


def require_same_people(plan: Run, baseline: Run) -> None:
    """Both must leave as many recipients, or one of them does less work than the other."""
    ours, theirs = plan.said, baseline.said
    same = [ours[name] == theirs[name] for name in ("rows", "recipients", "segments")]
    same += [ours["excluded"].get(kind, 0) == theirs[kind] for kind in ("duplicate", "suppressed")]
    print(f"  recipients: {ours['recipients']:,}, as many as the script's {theirs['recipients']:,}")
    if not all(same):
        raise SystemExit(f"octoplan and the script disagree: {ours}, {theirs}")


def show(measured: Measured, baseline: Run | None) -> None:
    scan, plan = measured.scan, measured.plan
    print(f"  bare scan   {scan.seconds:8.2f} s   {scan.cpu_seconds:8.2f} s CPU   {scan.peak_mb:6.0f} MB")
    print(f"  octoplan    {plan.seconds:8.2f} s   {plan.cpu_seconds:8.2f} s CPU   {plan.peak_mb:6.0f} MB", end="")
    print(f"   {plan.seconds / scan.seconds:.1f} x the scan, {measured.cpu_above_floor:.2f} s CPU above bare imports")
    if measured.baseline is not None:
        how = "run" if measured.is_baseline_run else "from 1 million rows"
        more = "" if baseline is None else f"   {baseline.cpu_seconds:8.2f} s CPU   {baseline.peak_mb:6.0f} MB"
        times = f"{measured.baseline / plan.seconds:.1f} x octoplan ({how})"
        print(f"  the script  {measured.baseline:8.2f} s{more}   {times}")
    print(f"  {'stage':<12}{'seconds':>9}{'CPU':>9}{'rows':>13}{'us a row':>10}")
    for name, (seconds, cpu_seconds, rows) in plan.said["stages"].items():
        each = f"{seconds / rows * 1e6:10.2f}" if rows else ""
        print(f"  {name:<12}{seconds:9.2f}{cpu_seconds:9.2f}{rows:13,}{each}")


def compare_cores(project: Path, many: Run) -> None:
    one = run("plan_once.py", project, "--cores", 1)
    if one.said["digest"] != many.said["digest"]:
        raise SystemExit("one core gave other batches than all cores")
    print(f"  one core    {one.seconds:8.2f} s, the same digests as with all {os.cpu_count()}")


def label(rows: int) -> str:
    return f"{rows // 1_000_000}m" if rows % 1_000_000 == 0 else f"{rows // 1000}k"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeat", type=int, default=REPEAT, help=f"up to {REPEATED_ROWS_MAX:,} rows; beyond: once")
    parser.add_argument("--data", type=Path, help="where the files are made, and stay; default: a temporary folder")
    chosen = parser.parse_args()
    warn_if_busy()
    with tempfile.TemporaryDirectory(prefix="octoplan-benchmark-") as temporary:
        folder = (chosen.data or Path(temporary)).absolute()
        found = list(measure_all(sorted(chosen.rows), folder, chosen.repeat))
    if len(found) > 1:
        each = ", ".join(f"{it.plan.seconds / it.rows * 1e6:.2f} us at {label(it.rows)}" for it in found)
        print(f"seconds a row, start-up included: {each}")
        first, last = found[0], found[-1]
        slope = (last.plan.seconds - first.plan.seconds) / (last.rows - first.rows) * 1e6
        print(f"each further row from {label(first.rows)} to {label(last.rows)}: {slope:.2f} us")
    print(json.dumps({label(each.rows): each.figures() for each in found}))


def warn_if_busy() -> None:
    """Two threads lose more to others than one: on a busy machine only seconds of CPU can be compared."""
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        print(f"the machine is busy (load {load:.1f}): seconds on the clock mean little", flush=True)


def measure_all(sizes: Sequence[int], folder: Path, repeat: int) -> list[Measured]:
    baseline, found = None, []
    for rows in sizes:
        project = folder / label(rows)
        if not (project / "contacts.csv").exists():
            run("data.py", rows, project)
        is_run = rows <= BASELINE_ROWS_MAX
        if is_run:
            baseline = run("baseline.py", project / "contacts.csv", project / "stop-list.csv")
        measured = measure(rows, project, repeat, baseline)
        print(f"{rows:,} rows, {(project / 'contacts.csv').stat().st_size / 1e6:,.0f} MB")
        show(measured, baseline if is_run else None)
        if is_run and baseline is not None:
            require_same_people(measured.plan, baseline)
        if rows <= ONE_CORE_ROWS_MAX:
            compare_cores(project, measured.plan)
        print(flush=True)
        found.append(measured)
    return found


if __name__ == "__main__":
    main()

"""The benchmark compares like with like, or it says nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_script_and_octoplan_write_to_as_many_people(tmp_path: Path) -> None:
    """On the same file both leave as many recipients, duplicates and suppressed; one core changes nothing."""
    command = [sys.executable, str(BENCHMARKS / "audience.py"), "--rows", "2000", "--repeat", "1"]
    run = subprocess.run([*command, "--data", str(tmp_path)], capture_output=True, text=True, check=True)
    figures = json.loads(run.stdout.splitlines()[-1])["2k"]
    assert figures["rows"] == 2000
    assert {"seconds", "baseline_seconds", "speedup", "scan_ratio", "peak_mb"} <= figures.keys()
    assert "as many as the script's" in run.stdout
    assert "the same digests" in run.stdout

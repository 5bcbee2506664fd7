"""
How long `octoplan --help` takes above the bare interpreter, and which imports cost the most.

    python benchmarks/startup.py [RUNS]

Commands are timed in turn with the bare interpreter, so that a machine that changes speed changes both. The figure is
the median of the differences in CPU time (user and system); the last line is JSON.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys

COMMANDS = {"help": ["--help"], "version": ["--version"], "plan_help": ["plan", "--help"]}
LIMIT_MS = 150
"""What `octoplan --help` may cost above the bare interpreter."""
IMPORTS_SHOWN = 8


def cpu_ms(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000


def extra_ms(arguments: list[str], runs: int) -> float:
    bare, command = ["-c", "pass"], ["-m", "octoplan", *arguments]
    for each in (bare, command):
        cpu_ms(each)
    return statistics.median(cpu_ms(command) - cpu_ms(bare) for _ in range(runs))


def slowest_imports() -> list[tuple[int, str]]:
    """Microseconds and name of the modules with the largest own import time, from `python -X importtime`."""
    command = [sys.executable, "-X", "importtime", "-m", "octoplan", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    rows = [
        line.removeprefix("import time:").split("|") for line in said.splitlines() if line.startswith("import time:")
    ]
    found = [(int(own), name.strip()) for own, _, name in rows if own.strip().isdigit()]
    return sorted(found, reverse=True)[:IMPORTS_SHOWN]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    figures = {name: round(extra_ms(arguments, runs), 1) for name, arguments in COMMANDS.items()}
    for name, figure in figures.items():
        print(f"octoplan {' '.join(COMMANDS[name]):<14} {figure:6.1f} ms of CPU above the bare interpreter")
    print("\nlargest imports of `octoplan --help` (own time):")
    for own, name in slowest_imports():
        print(f"  {own / 1000:6.1f} ms  {name}")
    print(
        json.dumps({"runs": runs, "limit_ms": LIMIT_MS, **{f"{name}_ms": figure for name, figure in figures.items()}})
    )


if __name__ == "__main__":
    main()

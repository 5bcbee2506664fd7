"""
One plan of a project, offline and with nothing sent before, by the functions that `octoplan plan` calls; then the
process ends, so that its time and memory are those of one command.

    python benchmarks/plan_once.py PROJECT [--cores N]
    python benchmarks/plan_once.py --imports-only

The last line is JSON: counts, a digest over the digests of all batches, and seconds by stage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path


def plan(root: Path) -> dict[str, object]:
    from octoplan.campaign.project import load_campaigns, load_project
    from octoplan.clock import SystemClock
    from octoplan.digests import DigestKey
    from octoplan.meter import Meter
    from octoplan.pipeline import Setting, build_plan, prepare_campaigns
    from octoplan.state.local import FOLDER, local_home

    project, findings = load_project(root)
    if project is None:
        raise SystemExit(str(findings))
    campaigns, _ = load_campaigns(project)
    # One key for all runs, so that their digests can be compared.
    meter, clock, key = Meter(), SystemClock(), DigestKey(bytes(32))
    home = local_home(root / FOLDER, "sandbox", key, clock)
    setting = Setting(project, "sandbox", project.environment("sandbox"), None, key, meter=meter)
    with prepare_campaigns(setting, campaigns) as prepared:
        made = build_plan(setting, prepared, home, None, balance=None, endpoint="none", clock=clock)
        rows = sum(each.audience.rows for each in prepared)
        excluded = {each.reason: each.count for each in prepared[0].audience.exclusions}
    digests = [batch.digest for action in made.actions for batch in action.batches]
    return {
        "rows": rows,
        "recipients": made.recipients,
        "segments": made.segments,
        "batches": len(digests),
        "excluded": excluded,
        "digest": hashlib.sha256("".join(digests).encode()).hexdigest(),
        "stages": {name: [took.seconds, took.cpu_seconds, took.rows] for name, took in meter.stages.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("project", nargs="?", type=Path)
    parser.add_argument("--cores", type=int, help="how many this process may use (Linux); default: all")
    parser.add_argument("--imports-only", action="store_true", help="load the libraries and end: the floor")
    chosen = parser.parse_args()
    if chosen.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.cores])
    if chosen.imports_only:
        import octoplan.pipeline
        import octoplan.state.local  # noqa: F401
    else:
        print(json.dumps(plan(chosen.project)))


if __name__ == "__main__":
    main()

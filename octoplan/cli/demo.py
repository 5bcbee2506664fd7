"""`octoplan demo`: the whole way once, with the real commands, against the sandbox."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import httpx

from octoplan.campaign.model import SANDBOX
from octoplan.cli.sandboxed import running_sandbox, sandbox_folder
from octoplan.cli.terminal import colour_on, width
from octoplan.cli.wiring import open_project
from octoplan.diagnostics import OctoplanError
from octoplan.state.local import FOLDER
from octoplan.state.lock import lock_path
from octoplan.views.text import count, labelled, paint

_SUMMARY_TIMEOUT_S: Final = 10.0
_BLOCKED: Final = Path("campaigns/examples-blocked/over-budget.yaml")


@dataclass(frozen=True, slots=True)
class Step:
    """One command, why it is run, and the exit code it must have."""

    arguments: tuple[str, ...]
    why: str
    exit_code: int = 0


STEPS: Final = (
    Step(("validate",), "Check the campaign files. Every finding would come at once, with file, line and a hint."),
    Step(
        ("plan",), "Resolve the audience, compose the texts, count the parts, ask the API's simulation for the price."
    ),
    Step(("apply", "--auto-approve"), "Send it: batches of at most 500, each recorded before and after its request."),
    Step(("plan",), "Plan again. What was sent is remembered, so there is nothing left to send."),
)
BLOCKED_STEP: Final = Step(
    ("plan", str(_BLOCKED)), "A campaign over its own budget: shown in full, and blocked with exit code 5.", 5
)


@click.command(short_help="See the whole way once.")
@click.option("--fresh", is_flag=True, help="First forget what the sandbox of this project has accepted.")
@click.pass_context
def command(context: click.Context, fresh: bool) -> None:
    """
    Run validate, plan, apply and plan again on this project's campaigns against the sandbox, and say what happened.

    Sends nothing to anybody and needs no account. Safe to run twice: the second time nothing is left to send.
    """
    project, _ = open_project(context)
    root = project.root
    if fresh:
        _forget(root)
    steps = [*STEPS, *([BLOCKED_STEP] if (root / _BLOCKED).is_file() else [])]
    with running_sandbox(root) as url:
        before = _summary(url)
        for number, step in enumerate(steps, 1):
            _run(root, step, number, len(steps))
        after = _summary(url)
    _conclude(root, before, after)


def _forget(root: Path) -> None:
    """The sandbox's environment only: no other environment's memory is touched."""
    shutil.rmtree(sandbox_folder(root), ignore_errors=True)
    shutil.rmtree(root / FOLDER / "environments" / SANDBOX, ignore_errors=True)
    lock_path(root, SANDBOX).unlink(missing_ok=True)


def _run(root: Path, step: Step, number: int, total: int) -> None:
    colour = colour_on(sys.stdout)
    click.echo()
    click.echo(paint(f"━━ {number} of {total} ", "strong", colour=colour) + "━" * max(0, width() - 12))
    for line in labelled("", step.why, width=width(), colour=colour, indent=0, label_width=0):
        click.echo(line)
    environment = () if step.arguments[0] == "validate" else ("--env", SANDBOX)
    arguments = (*step.arguments, *environment)
    click.echo(paint(f"$ octoplan {' '.join(arguments)}", "strong", colour=colour))
    click.echo()
    sys.stdout.flush()
    command = [sys.executable, "-m", "octoplan", "-C", str(root), *arguments]
    ended = subprocess.run(command, cwd=root, check=False)  # noqa: S603 - our own interpreter and module
    if ended.returncode != step.exit_code:
        raise OctoplanError(
            f"`octoplan {' '.join(step.arguments)}` ended with {ended.returncode}, expected {step.exit_code}"
        )


def _summary(url: str) -> dict[str, Any]:
    """What the sandbox itself counted: it keeps every accepted message by recipient."""
    try:
        answer = httpx.get(f"{url}/_sandbox/accepted/summary", timeout=_SUMMARY_TIMEOUT_S, trust_env=False)
        summary: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise OctoplanError(f"the sandbox does not answer: {error}") from None
    return summary


def _conclude(root: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    colour = colour_on(sys.stdout)
    new = after["messages"] - before["messages"]
    click.echo()
    click.echo(paint("━━ What happened ", "strong", colour=colour) + "━" * max(0, width() - 16))
    accepted = f"{count(after['messages'], 'message')} to {count(after['distinct_recipients'], 'person', 'people')}"
    lines = [
        (
            "accepted",
            f"the sandbox accepted {accepted} in {count(after['requests'], 'request')}, {new:,} of them in this run",
        ),
        ("twice", f"{after['duplicates']} got the same message twice"),
        ("billed", f"{after['cost']}, exactly what the plan showed"),
    ]
    if new == 0:
        lines.append(
            (
                "again",
                "everything was sent by an earlier run, so nothing was sent now; `octoplan demo --fresh` starts over",
            )
        )
    lines += [
        ("look at", f"{lock_path(root, SANDBOX).name}  what was sent, one line a request: in real life you commit it"),
        (
            "",
            "campaigns/  the files that were planned; edit one and plan again: that is a conflict, it was sent",
        ),
        ("", "octoplan preview spring-sale-2027  the messages as a phone shows them"),
        ("", "octoplan status, octoplan show ID  what is known of a campaign"),
        ("", "docs/tutorial.md  ten minutes from an empty folder to a first campaign of your own"),
    ]
    for label, text in lines:
        for line in labelled(label, text, width=width(), colour=colour, indent=0):
            click.echo(line)

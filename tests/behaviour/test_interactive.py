"""Approval by a person at a terminal: the number of messages has to be typed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from pathlib import Path

import pytest

from tests.behaviour.command import ENDS_WITHIN_S, Octoplan
from tests.behaviour.project import PEOPLE
from tests.sandbox_process import SandboxProcess

PROMPT = "Type the number of messages to send them to sandbox:"


def apply_at_terminal(octoplan: Octoplan, answer: str) -> tuple[int, str]:
    """Run apply on a pseudo-terminal, type `answer` at the prompt; the exit code and what the terminal showed."""
    ours, theirs = pty.openpty()
    words = octoplan.words("apply")
    with subprocess.Popen(
        words, cwd=octoplan.folder, env=octoplan.environment(), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = read_until(ours, PROMPT)
        os.write(ours, answer.encode() + b"\n")
        shown += read_until(ours, None)
        os.close(ours)
        return process.wait(ENDS_WITHIN_S), shown


def read_until(terminal: int, wanted: str | None) -> str:
    """What is shown up to `wanted`, or up to the end of the process."""
    shown = ""
    while wanted is None or wanted not in shown:
        ready, _, _ = select.select([terminal], [], [], ENDS_WITHIN_S)
        assert ready, f"the terminal shows nothing more: {shown}"
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # how Linux says that nobody is at the other end any more
            break
    return shown


@pytest.mark.parametrize("answer", ["yes", "", "4"])
def test_any_other_answer_sends_nothing(octoplan: Octoplan, sandbox: SandboxProcess, answer: str) -> None:
    """Only the right number approves; everything else ends with 1."""
    code, shown = apply_at_terminal(octoplan, answer)
    assert code == 1
    assert "not approved; nothing was sent" in shown
    assert sandbox.stats()["real_sends"] == 0


def test_the_right_number_sends(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The plan is shown before the question; typing its number of messages sends it."""
    code, shown = apply_at_terminal(octoplan, str(len(PEOPLE)))
    assert code == 0
    assert "A sent message cannot be taken back." in shown
    assert "+ send" in shown.partition(PROMPT)[0]
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_no_variable_approves(octoplan: Octoplan, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Approval never comes from the environment."""
    variables = dict.fromkeys(("OCTOPLAN_AUTO_APPROVE", "OCTOPLAN_APPLY_AUTO_APPROVE", "AUTO_APPROVE"), "1")
    octoplan("apply", code=3, variables=variables)
    assert sandbox.stats()["real_sends"] == 0

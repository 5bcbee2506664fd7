"""`docs/sandbox.md` says what the sandbox does."""

from __future__ import annotations

from pathlib import Path

import pytest

from octoplan.sandbox.exact import plain
from octoplan.sandbox.faults import OPTIONS
from octoplan.sandbox.rules import RULES, Rule
from octoplan.sandbox.tables import COUNTRIES
from tests.sandbox_process import SandboxProcess

PAGE = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.status}-{rule.code}")
def test_every_code_is_explained(rule: Rule) -> None:
    """Each code that can be answered has its line, with its status; 131 belongs to cancelling and is in the prose."""
    assert f"\n| {rule.code} | {rule.status} |" in PAGE or (rule.code == 131 and "131 for a ticket" in PAGE)


def test_prices_are_current() -> None:
    """The table of prices is the one that is billed."""
    rows = [
        f"| {one.code} | +{one.calling} | {plain(one.premium)} | {plain(one.low_cost) if one.low_cost else 'none'} |"
        for one in COUNTRIES
    ]
    assert "\n".join(rows) in PAGE


def test_every_fault_is_explained() -> None:
    """Each kind of fault has its line."""
    assert [kind for kind in OPTIONS if f"\n| `{kind}` |" not in PAGE] == []


def test_every_route_is_explained(sandbox: SandboxProcess) -> None:
    """Each question of the page has an answer."""
    for path in ("/health", "/accepted", "/accepted/summary", "/receipts", "/stats", "/clock", "/faults"):
        assert f"`GET {path}`" in PAGE
        sandbox.control(path)

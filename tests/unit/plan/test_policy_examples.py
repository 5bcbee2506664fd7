"""The example policies in Rego, evaluated on real plan documents by rego-cpp (OPA itself is not needed)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from regopy import Input, Interpreter

EXAMPLES: Final = Path(__file__).parents[3] / "examples/policy"


def plan(**changes: Any) -> dict[str, Any]:
    """As much of a plan document as the examples look at, as docs/formats/saved-plan.md has it."""
    campaign = {
        "id": "spring",
        "file": "campaigns/spring.yaml",
        "action": "send",
        "owner": "marketing",
        "purpose": "wholesale",
        "overrides": [],
        "audience": {"rows": 100, "exclusions": [{"reason": "invalid-number", "count": 50}]},
    }
    totals = {"recipients": 50, "cost": "1000.00"}
    return {"totals": totals | changes.pop("totals", {}), "campaigns": [campaign | changes]}


def said(document: dict[str, Any], rule: str) -> list[str]:
    """What the messages of `deny` or `warn` begin with, from all examples together, as conftest asks them."""
    interpreter = Interpreter()
    for path in sorted(EXAMPLES.glob("*.rego")):
        assert interpreter.add_module(path.name, path.read_text()) is not False
    interpreter.set_input(Input(document))
    (messages,) = json.loads(str(interpreter.query(f"data.main.{rule}")))["expressions"]
    return sorted(messages)


def test_a_plan_that_keeps_to_them_passes() -> None:
    """Owned by marketing, up to the cost, and half of the list usable: nothing is said."""
    assert said(plan(), "deny") == []
    assert said(plan(), "warn") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"owner": None}, "spring (campaigns/spring.yaml): say who answers for it"),
        ({"owner": "crm"}, "not by crm"),
        ({"totals": {"cost": "1000.01"}}, "the plan costs 1000.01"),
        ({"totals": {"cost": None}}, "the plan costs null"),
        ({"overrides": [{"rule": "window/fr-sunday", "reason": "x"}]}, "sending hours are not overridden here"),
    ],
)
def test_each_example_denies(changes: dict[str, Any], words: str) -> None:
    """What an example forbids is denied, once, in words that name the campaign or the sum."""
    (message,) = said(plan(**changes), "deny")
    assert words in message


def test_what_is_not_sent_needs_no_owner() -> None:
    """A campaign that was sent already is not held up."""
    assert said(plan(owner=None, action="sent"), "deny") == []
    assert said(plan(owner="crm", purpose="alert"), "deny") == []


def test_a_list_that_is_mostly_unusable_is_warned_of() -> None:
    """More than half of the rows without a usable number: a warning, no denial."""
    audience = {
        "rows": 100,
        "exclusions": [{"reason": "invalid-number", "count": 51}, {"reason": "duplicate", "count": 9}],
    }
    (message,) = said(plan(audience=audience), "warn")
    assert "51 of 100 rows" in message

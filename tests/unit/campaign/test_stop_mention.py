"""The STOP mention of marketing messages, in every form that people write."""

from __future__ import annotations

import json

import pytest

from octoplan.campaign.document import parse_document
from octoplan.campaign.model import CampaignModel
from octoplan.campaign.source import SourceFile
from octoplan.campaign.stop_mention import check_stop_mention
from octoplan.diagnostics import Finding


def _check(template: str, *, purpose: str = "wholesale", kind: str = "sms_premium") -> list[Finding]:
    text = (
        f"id: case\ntype: {kind}\npurpose: {purpose}\nmessage:\n  template: {json.dumps(template)}\n"
        "recipients: {path: a.csv, phone: mobile}\n"
    )
    document, found = parse_document(SourceFile.of("c.yaml", text))
    assert document is not None
    assert found == []
    return check_stop_mention(CampaignModel.model_validate(document.data), document)


def _codes(template: str, *, purpose: str = "wholesale", kind: str = "sms_premium") -> list[str]:
    return [finding.code.removeprefix("campaign/") for finding in _check(template, purpose=purpose, kind=kind)]


@pytest.mark.parametrize(
    "template",
    [
        "x STOP au XXXXX",
        "x STOP at XXXXX",
        "x STOP au 36111",
        "x STOP at 30101.",
        "x\nSTOP au XXXXX\n",
        "{{ x }}STOP au XXXXX",
        "{% if a %}x{% endif %} STOP au XXXXX",
        "{% set a = 'x' %}{{ a }} STOP au XXXXX",
        "{% if a %}STOP au XXXXX{% endif %} STOP au XXXXX",
    ],
)
def test_accepted_forms(template: str) -> None:
    """The forms that Octopush names pass without a word."""
    assert _codes(template) == []


@pytest.mark.parametrize(
    "template",
    [
        "x stop au XXXXX",
        "x Stop au XXXXX",
        "x STOP AU XXXXX",
        "x STOP au xxxxx",
        "x STOP au XXXX",
        "x STOP au XXXXXX",
        "x STOP\u00a0au XXXXX",
        "x STOP au\u202fXXXXX",
        "x STOP  au XXXXX",
        "x STOP au 3611",
        "x STOP au 361111",
        "x STOP au 26111",
        "x STOP à XXXXX",
        "x STOP 36111",
        "x STOP: au XXXXX",
    ],
)
def test_nearly_right_forms_are_errors_with_the_right_one(template: str) -> None:
    """Wrong case, wrong spaces, four or six characters, another word: one error, with what to write."""
    (finding,) = _check(template)
    assert finding.code == "campaign/stop-form"
    assert finding.hint is not None
    assert finding.hint.startswith("write `STOP a")


def test_form_error_keeps_a_short_code() -> None:
    """A short code that was written stays in the proposal."""
    (finding,) = _check("x stop at 36111")
    assert finding.hint == "write `STOP at 36111`"


@pytest.mark.parametrize(
    "template", ["x", "x {{ stop }}", "x {{ 'STOP au XXXXX' }}", "x {# STOP au XXXXX #}", "x non-STOP"]
)
def test_missing_mention(template: str) -> None:
    """A mention that is not there, or only in data or comments, is missing."""
    assert _codes(template) == ["stop-missing"]


@pytest.mark.parametrize(
    "block", ["{% if a %}%s{% endif %}", "{%- for a in b -%}%s{% endfor %}", "{% if a %}{% else %}%s{% endif %}"]
)
def test_conditional_mention(block: str) -> None:
    """A mention that some recipients would not get is an error."""
    assert _codes("x " + block.replace("%s", "STOP au XXXXX")) == ["stop-conditional"]


def test_low_cost_has_a_form_of_its_own() -> None:
    """`no PUB=STOP` is enough for low cost messages, and only for those."""
    assert _codes("x no PUB=STOP", kind="sms_low_cost") == []
    assert _codes("x no PUB=STOP") == ["stop-missing"]
    assert _codes("x", kind="sms_low_cost") == ["stop-missing"]


def test_transactional_messages_need_none() -> None:
    """A mention in a transactional message is a warning; a word that looks like one is nothing."""
    assert _codes("x", purpose="alert") == []
    assert _codes("Arret : stop 1200", purpose="alert") == []
    assert _codes("x STOP au XXXXX", purpose="alert") == ["stop-in-alert"]


@pytest.mark.parametrize("purpose", ["wholesale", "alert"])
def test_placeholder_elsewhere(purpose: str) -> None:
    """`XXXXX` outside a mention is an error whatever the purpose, since it may be replaced there too."""
    found = _codes("code XXXXX, XXXXXXX. STOP au XXXXX", purpose=purpose)
    assert [code for code in found if code != "stop-in-alert"] == ["stray-placeholder"] * 2

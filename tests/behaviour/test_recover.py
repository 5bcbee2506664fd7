"""What a person does about an unknown outcome, and what that sets free."""

from __future__ import annotations

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import NUMBERS, PEOPLE, Project
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def stopping(project: Project) -> None:
    """The first doubt ends a run."""
    project.settings(environments={"sandbox": {"on_unknown": "stop"}})
    project.campaign("spring", batch_size=len(PEOPLE))


def leave_unknown(octoplan: Octoplan, sandbox: SandboxProcess, *, processed: bool) -> str:
    """One request whose answer is lost; returns its digest, as `recover` prints it."""
    sandbox.faults({"kind": "reset_after" if processed else "reset_before"})
    octoplan("apply", "--auto-approve", code=10)
    listed = octoplan("recover", code=10).stdout
    assert "5 recipients" in listed
    digest = next(word for word in listed.split() if word.startswith("b1_"))
    assert len(digest) == len("b1_") + 40
    return digest


@pytest.mark.usefixtures("stopping")
def test_marked_as_sent_it_is_never_sent_again(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """`--mark-sent` keeps the ticket and ends the doubt; the beginning of a digest names the batch."""
    digest = leave_unknown(octoplan, sandbox, processed=True)
    octoplan("recover", digest[:12], "--mark-sent", "--ticket", "sms_seen_in_account", code=0)
    assert "= sent" in octoplan("apply", "--auto-approve", code=0).stdout
    assert sandbox.summary()["messages"] == len(PEOPLE)
    assert "ticket sms_seen_in_account" in octoplan("show", "spring").stdout


@pytest.mark.usefixtures("stopping")
def test_marked_as_not_sent_it_is_sent_under_a_new_id(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """`--mark-not-sent` frees the recipients: the next apply is attempt 2 with another request id, and says why."""
    digest = leave_unknown(octoplan, sandbox, processed=False)
    (first,) = octoplan("plan", "--output", "json", code=10).json()["campaigns"][0]["batches"]
    octoplan("recover", digest, "--mark-not-sent", "--reason", "not among the account's campaigns", code=0)
    (second,) = octoplan("plan", "--output", "json", code=0).json()["campaigns"][0]["batches"]
    assert (first["digest"], first["attempt"]) == (digest, 1)
    assert (second["digest"], second["attempt"]) == (digest, 2)
    assert first["request_id"] != second["request_id"]
    octoplan("apply", "--auto-approve", code=0)
    assert {message["request_id"] for message in sandbox.accepted()} == {second["request_id"]}
    assert sorted(message["number"] for message in sandbox.accepted()) == list(NUMBERS)
    assert "note=not among the account's campaigns" in octoplan("show", "spring").stdout


@pytest.mark.usefixtures("stopping")
def test_recover_refuses_what_it_cannot_be_sure_of(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Contradicting flags, no digest, no reason, a digest of nothing, or of two: 3, and nothing changes."""
    digest = leave_unknown(octoplan, sandbox, processed=False)
    project.campaign("autumn", batch_size=len(PEOPLE), message={"template": "{{ first_name }}. STOP au XXXXX"})
    sandbox.faults({"kind": "reset_before"})
    octoplan("apply", "--auto-approve", "--campaign", "autumn", code=10)
    for arguments in (
        (digest, "--mark-sent", "--mark-not-sent", "--reason", "why"),
        ("", "--mark-sent"),
        (digest, "--mark-not-sent", "--reason", " "),
        (digest, "--ticket", "sms_1"),
        ("b1_no", "--mark-sent"),
        ("b1_", "--mark-not-sent", "--reason", "why"),
    ):
        octoplan("recover", *arguments, code=3)
    left = octoplan("recover", digest, "--mark-sent", code=10).stdout
    assert "1 request of unknown outcome" in left
    assert "autumn" in left
    octoplan("recover", digest, "--mark-not-sent", "--reason", "too late", code=3)
    assert sandbox.stats()["real_sends"] == 0


@pytest.mark.usefixtures("stopping")
def test_the_same_request_of_two_campaigns_can_be_settled(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Two campaigns with the same text to the same people have one digest; each can still be settled by itself."""
    digest = leave_unknown(octoplan, sandbox, processed=False)
    project.campaign("autumn", batch_size=len(PEOPLE), follow_up_of="spring")
    sandbox.faults({"kind": "reset_before"})
    octoplan("apply", "--auto-approve", "--campaign", "autumn", code=10)
    assert "--campaign" in octoplan("recover", digest, "--mark-sent", code=3).stderr
    octoplan("recover", digest, "--campaign", "autumn", "--mark-sent", code=10)
    octoplan("recover", digest, "--mark-sent", code=0)

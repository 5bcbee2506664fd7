"""Every exit code of docs/reference/exit-codes.md, provoked through the real command."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from octoplan.clock import to_text
from octoplan.plan.saved import _digest, render_document
from octoplan.state.local import read_key
from tests.behaviour.command import Octoplan
from tests.behaviour.gate import Gate, Moment
from tests.behaviour.project import PEOPLE, Project
from tests.behaviour.state import remember_unknown
from tests.sandbox_process import SandboxProcess

# --- 0, 1, 2 ----------------------------------------------------------------------------------------------------------


def test_a_plan_is_done_with_0_and_says_2_only_when_asked(octoplan: Octoplan) -> None:
    """`plan` ends with 0 also when there is something to send; `--detailed-exitcode` makes it 2, until it is sent."""
    octoplan("plan", code=0)
    octoplan("plan", "--detailed-exitcode", code=2)
    octoplan("apply", "--auto-approve", code=0)
    octoplan("plan", "--detailed-exitcode", code=0)


def test_an_api_that_cannot_be_reached_is_1(project: Project, octoplan: Octoplan) -> None:
    """Where nothing listens nothing was sent, and no other code fits: 1."""
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    project.environment(f"http://127.0.0.1:{port}/v1/public")
    result = octoplan("plan", code=1)
    assert "Nothing was sent" in result.stderr


# --- 3 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--nope"), "--nope"),
        (("plam",), "Did you mean `plan`?"),
        (("plan", "--output", "yaml"), "is none of: text, json"),
        (("plan", "--output", "text", "--output", "json"), "only one output can go to standard output"),
        (("plan", "--campaign", "summer"), "ids of this project: spring"),
        (("apply",), "nobody can be asked here"),
    ],
)
def test_wrong_usage_is_3(octoplan: Octoplan, arguments: tuple[str, ...], said: str) -> None:
    """A flag, name or file that cannot be used ends with 3, never with click's own 2, and says what was meant."""
    assert said in octoplan(*arguments, code=3).stderr


def test_an_invalid_campaign_is_3(project: Project, octoplan: Octoplan) -> None:
    """A campaign file with an error stops validate and apply alike, with its place."""
    project.campaign("spring", sende="MAPLE")
    for arguments in (("validate",), ("apply", "--auto-approve")):
        result = octoplan(*arguments, code=3)
        assert "[campaign/unknown-field]" in result.output
        assert "campaigns/spring.yaml:10:1" in result.output


def test_a_campaign_that_the_api_refuses_for_its_content_is_3(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Every request refused for its content and nothing sent: 3, as for a campaign that is wrong in itself."""
    sandbox.faults({"kind": "refuse", "status": 400, "code": 1340, "message": "Forbidden word.", "times": 3})
    octoplan("apply", "--auto-approve", code=3)
    assert sandbox.summary()["messages"] == 0


# --- 4 ----------------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_4(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Credentials that the API refuses end plan and apply with 4."""
    project.environment(sandbox.endpoint)
    for arguments in (("plan",), ("apply", "--auto-approve")):
        assert "refused the credentials" in octoplan(*arguments, code=4, variables={"MAPLE_KEY": "wrong"}).output


def test_a_missing_credential_is_4_and_named(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A variable that is not set ends with 4 and is named."""
    project.environment(sandbox.endpoint)
    assert "MAPLE_KEY is not set" in octoplan("plan", code=4, variables={"MAPLE_KEY": ""}).stderr


def test_another_account_than_declared_is_4(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """An environment can name its account by fingerprint; the right one plans, the login of another ends with 4."""
    project.environment(sandbox.endpoint)
    account = octoplan("plan", "--output", "json").json()["account"]
    project.environment(sandbox.endpoint, account=account)
    octoplan("plan", code=0)
    wrong = octoplan("apply", "--auto-approve", code=4, variables={"MAPLE_LOGIN": "other@octoplan.invalid"})
    assert f"declares {account}" in wrong.stderr
    assert sandbox.summary()["messages"] == 0


# --- 5 ----------------------------------------------------------------------------------------------------------------


def test_a_limit_blocks_with_5(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Each limit of a campaign blocks that campaign, with its figures; one blocked campaign stops apply with 5."""
    long_text = {"template": "{{ first_name }}" + " je" * 60 + " STOP au XXXXX"}

    def text(word: str) -> dict[str, str]:
        return {"template": f"Bonjour {{{{ first_name }}}}, {word}. STOP au XXXXX"}

    project.campaign("spring", limits={"max_cost": "0.30"})
    project.campaign("crowd", message=text("crowd"), limits={"max_recipients": 4})
    project.campaign("parts", limits={"max_segments": 1}, message=long_text)
    project.campaign("dear", message=text("dear"), limits={"max_unit_price": "0.06"})
    project.campaign("poor", message=text("poor"), limits={"min_balance": "9999.70"})
    project.campaign(
        "sound", message=text("sound"), limits={"max_cost": "0.305", "max_recipients": 5, "max_unit_price": "0.061"}
    )
    said = " ".join(octoplan("apply", "--auto-approve", code=5).stderr.split())
    for campaign, reason in (
        ("spring", "it costs 0.305, the limit is 0.30"),
        ("crowd", "5 recipients, the limit is 4"),
        ("parts", "get 2 parts, the limit is 1"),
        ("dear", "costs 0.061, the limit is 0.06"),
        ("poor", "9,999.70 must remain"),
    ):
        assert reason in said.partition(f"! blocked {campaign}")[2].partition("! blocked")[0]
    assert "+ send sound" in said
    assert sandbox.stats()["real_sends"] == 0


def test_the_strictest_limit_counts(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Project and environment can only narrow what a campaign allows."""
    project.campaign("spring", limits={"max_cost": "9.00"})
    project.settings(limits={"max_cost": "0.30"}, environments={"sandbox": {"limits": {"max_cost": "8.00"}}})
    assert "the limit is 0.30" in octoplan("plan", code=5).stdout
    project.settings(limits={"max_cost": "8.00"}, environments={"sandbox": {"limits": {"max_cost": "0.29"}}})
    assert "the limit is 0.29" in octoplan("apply", "--auto-approve", code=5).stderr
    assert sandbox.stats()["real_sends"] == 0


def test_a_wallet_that_does_not_pay_is_5(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """What the wallet cannot pay is blocked before anything is sent."""
    sandbox.set_balance("0.30")
    blocked = octoplan("apply", "--auto-approve", code=5)
    assert "the wallet holds 0.30, this costs 0.305" in blocked.stderr
    assert sandbox.stats()["real_sends"] == 0


def test_funds_that_end_during_apply_are_5_when_nothing_was_sent(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The API's own "not enough credit" on the first request ends with 5, and asks for no second one."""
    sandbox.faults({"kind": "refuse", "status": 400, "code": 104, "message": "There is not enough credit."})
    octoplan("apply", "--auto-approve", code=5)
    assert sandbox.summary()["messages"] == 0


def test_a_sent_campaign_that_was_edited_is_5(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """What was sent cannot be changed: an edited text or list is a conflict, named, and nothing more is sent."""
    octoplan("apply", "--auto-approve")
    project.campaign("spring", message={"template": "{{ first_name }}, encore. STOP au XXXXX"})
    assert "x conflict" in octoplan("apply", "--auto-approve", code=5).stderr
    project.campaign("spring")
    project.contacts([*PEOPLE, ("Wexel", "Aubriand", "06 12 34 56 06", "QX7MAPLE")])
    assert "the list of numbers is not the one it was sent to" in octoplan("plan", code=5).stdout
    assert sandbox.summary()["messages"] == len(PEOPLE)


# --- 6 ----------------------------------------------------------------------------------------------------------------


def resign(project: Project, path: Path, **changes: Any) -> None:
    """A saved plan with other fields, signed as octoplan itself would: only the key's holder can do that."""
    document = json.loads(path.read_text()) | changes
    del document["digest"]
    key = read_key(project.state)
    assert key is not None
    path.write_text(render_document(document | {"digest": _digest(document, key)}))


def edit_by_hand(project: Project, path: Path) -> None:
    path.write_text(path.read_text().replace('"recipients": 5', '"recipients": 4'))


def let_expire(project: Project, path: Path) -> None:
    resign(project, path, expires_at=to_text(datetime.now(UTC) - timedelta(seconds=1)))


def plan_for_another_environment(project: Project, path: Path) -> None:
    resign(project, path, environment="live")


def change_the_text(project: Project, path: Path) -> None:
    project.campaign("spring", message={"template": "{{ first_name }}, autre texte. STOP au XXXXX"})


def add_a_contact(project: Project, path: Path) -> None:
    project.contacts([*PEOPLE, ("Wexel", "Aubriand", "06 12 34 56 06", "QX7MAPLE")])


def change_a_name(project: Project, path: Path) -> None:
    project.contacts([("Zorvana", *PEOPLE[0][1:]), *PEOPLE[1:]])


STALE: list[tuple[Callable[[Project, Path], None], str]] = [
    (edit_by_hand, "was changed after it was made"),
    (let_expire, "expired at"),
    (plan_for_another_environment, "is for environment `live`, this is `sandbox`"),
    (change_the_text, "spring: changed since: message"),
    (add_a_contact, "spring: changed since: audience"),
    (change_a_name, "1 request(s) differ from the plan"),
]


def test_a_plan_that_no_longer_fits_is_6(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """
    Apply refuses a saved plan and names what moved.

    The file was edited, has expired or is for elsewhere; the text, the list, a value or the price is another one; or
    the key is, with which digests mean nothing.
    """
    path = project.root / "plan.json"
    octoplan("plan", "--out", "plan.json")
    reviewed = path.read_text()
    for move, said in STALE:
        move(project, path)
        assert said in octoplan("apply", "plan.json", code=6).stderr
        path.write_text(reviewed)
        project.campaign("spring")
        project.contacts(PEOPLE)
    sandbox.faults({"kind": "wrong_cost", "on": "simulated"})
    assert "the price of 3 request(s) has changed" in octoplan("apply", "plan.json", code=6).stderr
    elsewhere = octoplan("apply", "plan.json", code=6, variables={"OCTOPLAN_DIGEST_KEY": "ab" * 32})
    assert "made with another digest key" in elsewhere.stderr
    assert sandbox.stats()["real_sends"] == 0
    octoplan("apply", "plan.json", code=0)


def test_a_plan_whose_campaign_file_is_gone_is_6(project: Project, octoplan: Octoplan) -> None:
    """A campaign of the plan without a file any more is something that moved."""
    octoplan("plan", "--out", "plan.json")
    (project.root / "campaigns/spring.yaml").unlink()
    assert "its file is gone" in octoplan("apply", "plan.json", code=6).stderr


# --- 7 ----------------------------------------------------------------------------------------------------------------


def test_a_state_home_that_cannot_be_read_is_7(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A damaged journal stops every command that needs it with 7: what was sent is not known, so nothing is sent."""
    octoplan("apply", "--auto-approve")
    for kept in (project.state / "environments/sandbox").glob("state.db*"):
        kept.write_bytes(b"no database" * 1000)
    for arguments in (("apply", "--auto-approve"), ("status",)):
        assert "cannot be used" in octoplan(*arguments, code=7).stderr
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_a_state_home_behind_the_lock_file_is_7(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A fresh clone with the lock file but without the journal must not write to the same people again."""
    octoplan("apply", "--auto-approve")
    (project.state / "environments/sandbox").rename(project.root / "lost")
    for arguments in (("apply", "--auto-approve"), ("lock", "rebuild"), ("doctor",)):
        assert "records 3 request(s) that the state home here does not know" in octoplan(*arguments, code=7).output
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_a_lost_digest_key_is_7(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Without its key the ledger recognises nobody; once something was sent no new key is made."""
    octoplan("apply", "--auto-approve")
    (project.state / "digest.key").unlink()
    assert "digest key" in octoplan("apply", "--auto-approve", code=7).stderr
    assert not (project.state / "digest.key").exists()
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_ci_with_a_state_home_that_dies_with_the_runner_is_7(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """In CI the local home is refused for a real account unless it is declared durable."""
    project.environment(sandbox.endpoint)
    refused = octoplan("apply", "--auto-approve", code=7, variables={"CI": "true"})
    assert "would die with the runner" in refused.stderr
    assert sandbox.stats()["real_sends"] == 0
    project.environment(sandbox.endpoint, state={"durable": True})
    octoplan("apply", "--auto-approve", code=0, variables={"CI": "true"})


# --- 8 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["at", "not_after"])
def test_a_time_that_has_passed_is_8(project: Project, octoplan: Octoplan, sandbox: SandboxProcess, field: str) -> None:
    """A late run refuses; a passed time never turns into "send now"."""
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    project.campaign("spring", schedule={field: an_hour_ago.strftime("%Y-%m-%dT%H:%MZ")})
    octoplan("apply", "--auto-approve", code=8)
    assert sandbox.stats()["real_sends"] == 0


# --- 9 ----------------------------------------------------------------------------------------------------------------


def test_one_refused_request_among_others_is_9(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A request refused for its content does not stop the others; the end is partial, and both are counted."""
    sandbox.faults({"kind": "pass"}, {"kind": "refuse", "status": 400, "code": 1340, "message": "Forbidden word."})
    report = octoplan("apply", "--auto-approve", "--output", "json", code=9).json()
    assert sandbox.summary()["requests"] == 2
    assert json.dumps(report).count("Forbidden word.") >= 1
    octoplan("apply", "--auto-approve", code=0)
    assert sandbox.summary()["messages"] == sandbox.summary()["distinct_recipients"] == len(PEOPLE)


def test_an_answer_with_another_cost_is_9_and_stops(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """What was billed differs from the plan: it is recorded as sent, nothing more goes out, and a person is told."""
    sandbox.faults({"kind": "wrong_cost"})
    result = octoplan("apply", "--auto-approve", code=9)
    assert "instead of" in result.output
    assert sandbox.summary()["requests"] == 1
    octoplan("apply", "--auto-approve", code=0)
    assert sandbox.summary()["messages"] == sandbox.summary()["distinct_recipients"] == len(PEOPLE)


# --- 10 ---------------------------------------------------------------------------------------------------------------


def test_an_unknown_outcome_is_10_until_somebody_settles_it(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """With `on_unknown: stop` a lost answer ends the run, and every command that meets it says 10."""
    project.settings(environments={"sandbox": {"on_unknown": "stop"}})
    sandbox.faults({"kind": "reset_after"})
    octoplan("apply", "--auto-approve", code=10)
    assert sandbox.stats()["real_sends"] == 1
    for arguments in (("apply", "--auto-approve"), ("status",), ("recover",)):
        octoplan(*arguments, code=10)
    assert sandbox.stats()["real_sends"] == 1


def test_an_unknown_outcome_past_the_lifetime_of_its_id_is_10(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """After 20 hours the API may have forgotten the request id, so the same request is not repeated."""
    remember_unknown(project, octoplan, hours_ago=21)
    assert "too long ago to be repeated safely" in octoplan("apply", "--auto-approve", code=10).stderr
    assert "too old to be repeated" in octoplan("recover", code=10).stdout
    assert sandbox.stats()["real_sends"] == 0


def test_an_unknown_outcome_within_that_lifetime_is_repeated(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Until then apply repeats the same body under the same request id."""
    request_id = remember_unknown(project, octoplan, hours_ago=19)
    octoplan("apply", "--auto-approve", code=0)
    assert {message["request_id"] for message in sandbox.accepted()} == {request_id}
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_an_unknown_request_whose_rows_have_changed_is_10(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """A request that cannot be made again as it was is not repeated in another form."""
    remember_unknown(project, octoplan, hours_ago=1)
    project.contacts([("Zorvana", *PEOPLE[0][1:]), *PEOPLE[1:]])
    stopped = octoplan("apply", "--auto-approve", code=10)
    assert "rows have changed since" in " ".join(stopped.stderr.split())
    assert sandbox.stats()["real_sends"] == 0


# --- 11 ---------------------------------------------------------------------------------------------------------------


def test_a_report_that_cannot_be_written_is_11(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Everything is sent and recorded; only the report's disk is full. Applying again sends nothing."""
    octoplan("apply", "--auto-approve", "--output", "json=/dev/full", code=11)
    assert sandbox.summary()["messages"] == len(PEOPLE)
    assert "Nothing to send." in octoplan("apply", "--auto-approve", code=0).stdout
    assert sandbox.summary()["messages"] == len(PEOPLE)


def test_a_plan_that_cannot_be_saved_is_1(octoplan: Octoplan) -> None:
    """Without a send before it, a full disk is an ordinary failure."""
    octoplan("plan", "--out", "/dev/full", code=1)


# --- 130, 143 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_apply_between_two_requests(
    octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate, sent: signal.Signals, code: int
) -> None:
    """The request under way is finished and recorded, the rest is not begun; the next apply goes on from there."""
    gate.hold(Moment.ANSWER)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    running.send_signal(sent)
    gate.release()
    octoplan.finish(running, code)
    assert sandbox.summary()["requests"] == 1
    state = octoplan("status", "--output", "json").json()["campaigns"][0]
    assert (state["sent"]["requests"], state["unknown"]["requests"]) == (1, 0)
    octoplan("apply", "--auto-approve", code=0)
    assert sandbox.summary()["messages"] == sandbox.summary()["distinct_recipients"] == len(PEOPLE)


def test_ctrl_c_while_planning_is_130(octoplan: Octoplan, sandbox: SandboxProcess, gate: Gate) -> None:
    """Before the first send there is nothing to finish."""
    gate.hold(Moment.PRICE)
    running = octoplan.start("apply", "--auto-approve")
    gate.await_held()
    running.send_signal(signal.SIGINT)
    octoplan.finish(running, 130)
    assert sandbox.stats()["real_sends"] == 0

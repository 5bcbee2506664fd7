"""`octoplan doctor`: is everything there that apply needs, and how to mend what is not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

import click

from octoplan.campaign.editor import SCHEMAS, check_editor
from octoplan.campaign.model import Environment
from octoplan.cli.outputs import Output, emit, output_option, require_one_stdout
from octoplan.cli.planning import Selection, require_home_knows_lock, select_campaigns
from octoplan.cli.terminal import colour_on
from octoplan.cli.wiring import (
    KEY_VARIABLE,
    Workspace,
    account_of,
    environment_option,
    open_gateway,
    open_workspace,
    read_api_clock,
    require_durable_home,
)
from octoplan.clock import in_words
from octoplan.diagnostics import AuthenticationFailed, ExitCode, InvalidInput, OctoplanError, StateUnavailable
from octoplan.gateway.octopush import PriceGateway
from octoplan.limits import CLOCK_DIFFERENCE_MAX_S
from octoplan.state.git_ref import is_ignored, is_repository, merge_driver
from octoplan.state.local import FOLDER, KEY_FILE
from octoplan.values.amount import render_amount
from octoplan.views.text import paint


class _Advice(Exception):
    """Apply would work, but this should be mended."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: `ok`, `advice` (apply would work all the same) or `bad`, and how to mend it."""

    name: str
    status: Literal["ok", "advice", "bad"]
    says: str
    hint: str | None = None
    exit_code: int = ExitCode.DONE


_SIGNS: Final = {"ok": ("ok ", "good"), "advice": ("see", "~"), "bad": ("BAD", "bad")}


@click.command(short_help="Check that apply could work.")
@environment_option
@output_option
@click.pass_context
def command(context: click.Context, environment: str | None, outputs: tuple[Output, ...]) -> int:
    """
    Check project, digest key, credentials, account, API, clock, state home, lock file and editor, and say how to mend
    what is wrong. Sends nothing.

    Exits with the code of the first check that is bad; `see` marks what apply does not need.
    """
    chosen = require_one_stdout(outputs)
    done: list[Checked] = []
    try:
        with open_workspace(context, environment) as workspace:
            done += [_run(name, check) for name, check in _checks(workspace)]
    except OctoplanError as error:
        if done:
            raise
        done.append(_bad(_FIRST.get(type(error), "project"), error))
        done.append(Checked("others", "advice", "not looked at while the project cannot be opened"))
    emit(chosen, {"text": lambda: _render(done, colour=colour_on(sys.stdout)), "json": lambda: _render_json(done)})
    return next((each.exit_code for each in done if each.status == "bad"), ExitCode.DONE)


_FIRST: Final[dict[type[OctoplanError], str]] = {StateUnavailable: "state home", AuthenticationFailed: "credentials"}
"""What it is about when a project cannot even be opened."""


def _checks(workspace: Workspace) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "project", lambda: _look_at_project(workspace)
    yield "digest key", lambda: _look_at_key(workspace)
    yield "credentials", lambda: _look_at_credentials(workspace)
    yield "account", lambda: account_of(workspace) or "none needed for the sandbox, or no login set"
    yield "api", lambda: _ask_balance(workspace)
    yield "clock", lambda: _look_at_clock(workspace)
    yield "sandbox", lambda: _look_at_sandbox(workspace)
    yield "state home", lambda: _look_at_home(workspace)
    yield "lock file", lambda: _look_at_lock(workspace)
    yield "git", lambda: _look_at_git(workspace)
    yield "editor", lambda: _look_at_editor(workspace)


def _run(name: str, check: Callable[[], str]) -> Checked:
    try:
        return Checked(name, "ok", check())
    except _Advice as advice:
        return Checked(name, "advice", advice.message, advice.hint)
    except OctoplanError as error:
        return _bad(name, error)


def _bad(name: str, error: OctoplanError) -> Checked:
    hint = error.hint or ("`octoplan validate` shows all of it" if error.findings else None)
    return Checked(name, "bad", error.message, hint, error.exit_code)


def _render(done: Sequence[Checked], *, colour: bool) -> str:
    lines = []
    for each in done:
        sign, style = _SIGNS[each.status]
        lines.append(f"{paint(sign, style, colour=colour)} {each.name:<11} {each.says}")
        lines += [f"                {each.hint}"] if each.hint else []
    return "\n".join(lines) + "\n"


def _render_json(done: Sequence[Checked]) -> str:
    return json.dumps({"version": 1, "checks": [asdict(each) for each in done]}, indent=2, ensure_ascii=False) + "\n"


# --- the checks -------------------------------------------------------------------------------------------------------


def _look_at_project(workspace: Workspace) -> str:
    campaigns, _ = select_campaigns(workspace.project, Selection())
    return f"{workspace.project.root}: {len(campaigns)} campaign(s)"


def _look_at_key(workspace: Workspace) -> str:
    fingerprint = workspace.home.key.fingerprint
    if os.environ.get(KEY_VARIABLE):
        return f"{fingerprint}, from {KEY_VARIABLE}"
    path = workspace.project.root / FOLDER / KEY_FILE
    if path.stat().st_mode & 0o077:
        raise StateUnavailable(f"{path} can be read by others on this machine", hint=f"chmod 600 {path}")
    if is_repository(workspace.project.root) and not is_ignored(workspace.project.root, f"{FOLDER}/{KEY_FILE}"):
        raise StateUnavailable(
            f"git does not ignore {FOLDER}/{KEY_FILE}: with the key anybody can tell who was written to",
            hint=f"add `{FOLDER}/` to .gitignore; if the key was committed: `git rm --cached -r {FOLDER}`",
        )
    return f"{fingerprint}, in {FOLDER}/{KEY_FILE}"


def _look_at_credentials(workspace: Workspace) -> str:
    settings = workspace.settings
    if not isinstance(settings, Environment):
        return "none needed for the sandbox"
    wanted = [settings.credentials.login, settings.credentials.key]
    names = [reference.removeprefix("env/") for reference in wanted]
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise AuthenticationFailed(f"not set: {', '.join(missing)}", hint="set them in this shell, or as a CI secret")
    return f"{' and '.join(names)} are set"


def _ask_balance(workspace: Workspace) -> str:
    with open_gateway(workspace, PriceGateway) as gateway:
        balance = gateway.balance()
    return f"answers; the wallet holds {render_amount(balance.amount)} {balance.unit}"


def _look_at_clock(workspace: Workspace) -> str:
    theirs = read_api_clock(workspace)
    if theirs is None:
        raise _Advice("the API does not say what time it is", "compare this machine's clock by hand: `date -u`")
    return compare_clocks(workspace.clock.now(), theirs)


def compare_clocks(ours: datetime, theirs: datetime) -> str:
    """
    That two clocks agree.

    :raises InvalidInput: if they do not.
    """
    difference = ours - theirs
    if abs(difference.total_seconds()) > CLOCK_DIFFERENCE_MAX_S:
        way = "ahead of" if difference.total_seconds() > 0 else "behind"
        raise InvalidInput(
            f"this machine's clock is {in_words(abs(difference))} {way} the API's",
            hint="set it, best by NTP: sending hours, expiry and repeated requests go by it",
        )
    return "agrees with the API's"


def _look_at_sandbox(workspace: Workspace) -> str:
    from octoplan.cli.sandboxed import find_sandbox, sandbox_folder

    url = find_sandbox(sandbox_folder(workspace.project.root))
    return "starts when it is needed" if url is None else f"runs at {url}"


def _look_at_home(workspace: Workspace) -> str:
    require_durable_home(workspace)
    begun = len(workspace.home.campaigns())
    holder = workspace.home.holder()
    return f"{begun} campaign(s) begun; lease {'held by ' + str(holder) if holder else 'free'}"


def _look_at_lock(workspace: Workspace) -> str:
    require_home_knows_lock(workspace, workspace.home)
    return f"{workspace.lock_path.name}: {len(list(workspace.lock.batches()))} request(s), all known to the state home"


def _look_at_git(workspace: Workspace) -> str:
    root = workspace.project.root
    if not is_repository(root):
        raise _Advice("the project is in no git repository", "`git init`: campaigns and lock file belong under review")
    if merge_driver(root, workspace.lock_path.name) != "union":
        raise _Advice(
            "two branches that both sent would conflict in the lock file",
            "echo 'octoplan.*.lock merge=union' >> .gitattributes",
        )
    return "lock files of two branches merge by themselves"


def _look_at_editor(workspace: Workspace) -> str:
    wrong = list(check_editor(workspace.project))
    if wrong:
        hint = f"`octoplan schema --write {SCHEMAS}` in the project's folder; and put that line first in the file"
        raise _Advice("; ".join(wrong), hint)
    return "schemas are current, and every file names its own"

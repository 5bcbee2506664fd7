"""`octoplan comment`: the one comment on a pull or merge request that shows the plan."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from octoplan import limits
from octoplan.campaign.project import find_project_root
from octoplan.cli.ci import COMMENT_BYTES_MAX, ci_option, detect_ci, folder_in_repository
from octoplan.cli.wiring import environment_option, run_url
from octoplan.diagnostics import InvalidInput
from octoplan.forge.comments import CommentImpossible, Done, Marker, Thread, put_comment
from octoplan.forge.forges import GITHUB_API, GITLAB_API, github_thread, gitlab_thread
from octoplan.values.secret import Secret
from octoplan.views.comment_text import is_failure, render_comment

_REPOSITORY: Final = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)
_PULL_REF: Final = re.compile(r"refs/pull/([0-9]{1,10})/")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_WORDS: Final[dict[Done, str]] = {
    "created": "Commented on {name}.",
    "updated": "The comment on {name} is up to date.",
    "left": "A later run has written the comment on {name}; it stays.",
}


class NoRequest(InvalidInput):
    """A run that is about no pull or merge request."""


@dataclass(frozen=True, slots=True)
class Request:
    """A pull or merge request: how it is called, how its comments are found, and which commit and run it is about."""

    name: str
    open_thread: Callable[[], Thread]
    commit: str
    run: int


@click.command(short_help="Put the plan on the pull request.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@environment_option
@click.option("--exit-code", type=click.IntRange(0, 255), help="What the plan ended with; a failure is told in red.")
@click.option("--number", type=click.IntRange(1), help="The request (default: the one that this run is about).")
@click.option("--if-possible", is_flag=True, help="Exit 0 with a word if there is no request, token or permission.")
@ci_option
@click.pass_context
def command(
    context: click.Context,
    file: Path | None,
    environment: str | None,
    exit_code: int | None,
    number: int | None,
    if_possible: bool,
    ci: str | None,
) -> int:
    """
    Post or update the one comment on a pull request (GitHub) or merge request (GitLab).

    FILE is what `octoplan plan -o markdown=FILE` wrote; give `comment` the same `--env`. There is one comment for each
    project folder and environment. Tokens come from GITHUB_TOKEN, GITLAB_TOKEN or CI_JOB_TOKEN.
    """
    page = _read_page(file, exit_code)
    forge = detect_ci(ci)
    try:
        request = _request(forge, number)
        marker = Marker(str(folder_in_repository(_root(context))), environment or "default", request.run)
        body = render_comment(
            page, exit_code, commit=request.commit, run_url=run_url() or "", bytes_max=COMMENT_BYTES_MAX[forge]
        )
        done = put_comment(request.open_thread, marker, body)
    except (CommentImpossible, NoRequest) as error:
        if not if_possible:
            raise
        click.echo(f"No comment: {error.message}.", err=True)
        return 0
    click.echo(_WORDS[done].format(name=request.name))
    return 0


def _root(context: click.Context) -> Path:
    """The project's folder. A project that cannot be read is told of in a comment too, so nothing in it is needed."""
    given = context.find_root().obj
    try:
        return Path(given) if given else find_project_root(Path.cwd())
    except InvalidInput:
        return Path.cwd()


def _read_page(file: Path | None, exit_code: int | None) -> str | None:
    """
    The page; `None` where a plan that failed has left none.

    :raises InvalidInput: if there is neither a page nor a failure to tell of.
    """
    if file is not None:
        try:
            with file.open("rb") as stream:
                return stream.read(limits.GITLAB_NOTE_BYTES_MAX + 1).decode("utf-8", "replace")
        except OSError as error:
            if not is_failure(exit_code):
                raise InvalidInput(f"{file} cannot be read: {error.strerror}") from None
    if not is_failure(exit_code):
        raise InvalidInput(
            "there is nothing to say", hint="give FILE of `octoplan plan -o markdown=FILE`, or `--exit-code`"
        )
    return None


def _request(forge: str, number: int | None) -> Request:
    if forge == "none":
        raise InvalidInput("no CI system was recognised", hint="say which with `--ci github` or `--ci gitlab`")
    return _on_github(number) if forge == "github" else _on_gitlab(number)


def _on_github(number: int | None) -> Request:
    event = _event()
    pull = event.get("pull_request") or event.get("issue") or {}
    in_ref = _PULL_REF.match(os.environ.get("GITHUB_REF", ""))
    number = number or _whole(pull.get("number")) or (int(in_ref[1]) if in_ref else None)
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if not _REPOSITORY.fullmatch(repository):
        raise NoRequest("GITHUB_REPOSITORY does not name a repository")
    if number is None:
        raise NoRequest("this run is about no pull request", hint="say which with `--number`")
    token = _token("GITHUB_TOKEN")
    base = os.environ.get("GITHUB_API_URL") or GITHUB_API
    return Request(
        f"pull request {number}",
        partial(github_thread, base, token, repository, number),
        _commit((pull.get("head") or {}).get("sha"), os.environ.get("GITHUB_SHA")),
        _whole(os.environ.get("GITHUB_RUN_ID")) or 0,
    )


def _on_gitlab(number: int | None) -> Request:
    number = number or _whole(os.environ.get("CI_MERGE_REQUEST_IID"))
    # The pipeline of a fork has the fork's project; the merge request is in the other one.
    project = os.environ.get("CI_MERGE_REQUEST_PROJECT_ID") or os.environ.get("CI_PROJECT_ID")
    if not project:
        raise NoRequest("CI_PROJECT_ID does not name a project")
    if number is None:
        raise NoRequest("this pipeline is about no merge request", hint="say which with `--number`")
    is_job_token = not os.environ.get("GITLAB_TOKEN")
    token = _token("CI_JOB_TOKEN" if is_job_token else "GITLAB_TOKEN")
    base = os.environ.get("CI_API_V4_URL") or GITLAB_API
    return Request(
        f"merge request {number}",
        partial(gitlab_thread, base, token, project, number, is_job_token=is_job_token),
        _commit(os.environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"), os.environ.get("CI_COMMIT_SHA")),
        _whole(os.environ.get("CI_PIPELINE_ID")) or 0,
    )


def _token(variable: str) -> Secret:
    value = os.environ.get(variable)
    if not value:
        hint = "a request from a fork has none: use `--if-possible` there"
        raise CommentImpossible(f"the environment variable {variable} is not set", hint=hint)
    return Secret(value)


def _event() -> dict[str, Any]:
    """What started this run on GitHub; empty where nothing can be read."""
    try:
        with Path(os.environ.get("GITHUB_EVENT_PATH", "")).open("rb") as stream:
            event = json.loads(stream.read(limits.FORGE_EVENT_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _whole(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _commit(*candidates: object) -> str:
    return next((text for text in map(str, candidates) if _COMMIT.fullmatch(text)), "")

"""Where GitHub and GitLab keep the comments of a request, and how they know who wrote one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from octoplan.forge.comments import CommentImpossible, Thread
from octoplan.forge.rest import Api
from octoplan.values.secret import Secret

GITHUB_API: Final = "https://api.github.com"
GITLAB_API: Final = "https://gitlab.com/api/v4"
_GITHUB_PAGE: Final = 100
_GITLAB_PAGE: Final = 20
"""A note may have a million characters."""


def github_thread(base: str, token: Secret, repository: str, number: int) -> Thread:
    """
    The comments of pull request `number` in `owner/name`.

    A token of a workflow cannot ask who it is; then a bot wrote what is ours.

    :raises Again: if GitHub does not answer.
    """
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    api = Api("GitHub", base, "Authorization", Secret(f"Bearer {token.reveal()}"), headers)
    me = _me(api, "/user", "login")

    def is_ours(item: Mapping[str, Any]) -> bool:
        user = item.get("user") or {}
        return bool(user.get("type") == "Bot" if me is None else user.get("login") == me)

    issues = f"/repos/{quote(repository)}/issues"
    return Thread(api, f"{issues}/{number}/comments", f"{issues}/comments", "PATCH", _GITHUB_PAGE, is_ours)


def gitlab_thread(base: str, token: Secret, project: str, number: int, *, is_job_token: bool) -> Thread:
    """
    The notes of merge request `number` in a project (its id, or its path).

    :raises Again: if GitLab does not answer.
    :raises CommentImpossible: if it does not say whose the token is.
    """
    api = Api("GitLab", base, "JOB-TOKEN" if is_job_token else "PRIVATE-TOKEN", token)
    me = _me(api, "/job", "user", "id") if is_job_token else _me(api, "/user", "id")
    if me is None:
        raise CommentImpossible(
            "GitLab does not say whose token this is, so an earlier comment could not be found again",
            hint="put a project access token with the scope `api` into GITLAB_TOKEN",
        )

    def is_ours(item: Mapping[str, Any]) -> bool:
        return bool((item.get("author") or {}).get("id") == me)

    notes = f"/projects/{quote(project, safe='')}/merge_requests/{number}/notes"
    return Thread(api, notes, notes, "PUT", _GITLAB_PAGE, is_ours)


def _me(api: Api, path: str, *names: str) -> Any:
    """Who the token speaks for; `None` if it may not know."""
    answer = api.ask("GET", path)
    found = answer.document if answer.is_good else None
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found

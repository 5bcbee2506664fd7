"""
The one comment of a project and environment on a pull or merge request.

Invariants:
- Never more than one stays: who creates one looks again, and of several the oldest is kept, by whichever run sees them.
- Only what the token's own account wrote is touched; a marker that somebody else wrote is theirs.
- A run never overwrites what a later run wrote.
- A comment whose creation was not answered is looked for before it is created again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

import tenacity

from octoplan.diagnostics import AuthenticationFailed, InvalidInput, OctoplanError
from octoplan.forge.rest import Again, Answer, Api
from octoplan.limits import BACKOFF_FIRST_S, BACKOFF_MAX_S, FORGE_PAGES_MAX, FORGE_TRIES_MAX

_MARKER: Final = re.compile(
    r"<!-- octoplan comment folder=(?P<folder>\S+) environment=(?P<environment>\S+) run=(?P<run>[0-9]{1,18}) -->"
)
_CANNOT: Final = {401: "refuses the token", 403: "does not let the token comment", 404: "shows no such request"}
_GONE: Final = 404
_BACKOFF: Final = tenacity.wait_exponential_jitter(multiplier=BACKOFF_FIRST_S, max=BACKOFF_MAX_S)

Done = Literal["created", "updated", "left"]
"""What became of the comment; `left` where a later run has written it."""


class CommentImpossible(AuthenticationFailed):
    """The token may not comment there."""


@dataclass(frozen=True, slots=True)
class Marker:
    """
    The hidden first line of a comment: whose it is, and which run wrote it.

    `folder` is the project's in the repository, `run` a number that grows from run to run.
    """

    folder: str
    environment: str
    run: int

    def __str__(self) -> str:
        """As it stands in the comment; no value can end it."""
        folder, environment = (quote(text, safe="").replace("-", "%2D") for text in (self.folder, self.environment))
        return f"<!-- octoplan comment folder={folder} environment={environment} run={self.run} -->"

    @property
    def key(self) -> tuple[str, str]:
        """What two comments have in common of which one is too many."""
        return self.folder, self.environment


def read_marker(body: str) -> Marker | None:
    """The marker at the very beginning of a comment."""
    found = _MARKER.match(body)
    return Marker(unquote(found["folder"]), unquote(found["environment"]), int(found["run"])) if found else None


@dataclass(frozen=True, slots=True)
class Comment:
    """One of our comments."""

    id: int
    body: str
    run: int


@dataclass(frozen=True, slots=True)
class Thread:
    """
    The comments of one pull or merge request.

    `comments` is the path of all of them, `comment` that of one but for `/` and its id. `is_ours` tells whether the
    token's account wrote a comment that the API gives.
    """

    api: Api
    comments: str
    comment: str
    update_method: str
    page_size: int
    is_ours: Callable[[Mapping[str, Any]], bool]

    def ours(self, marker: Marker) -> list[Comment]:
        """Our comments with the same key, the oldest first."""
        found = [comment for item in self._items() if (comment := self._comment(item, marker))]
        return sorted(found, key=lambda comment: comment.id)

    def create(self, body: str) -> None:
        """Write a new one; `Again` leaves open whether it is there."""
        self._require_good(self.api.ask("POST", self.comments, body=body))

    def update(self, comment: Comment, body: str) -> None:
        """Replace the words of one."""
        answer = self.api.ask(self.update_method, f"{self.comment}/{comment.id}", body=body)
        if answer.status == _GONE:
            raise Again(f"{self.api.name} has no comment {comment.id} any more")
        self._require_good(answer)

    def remove(self, comment: Comment) -> bool:
        """Delete one; false if that is not allowed."""
        answer = self.api.ask("DELETE", f"{self.comment}/{comment.id}")
        return answer.is_good or answer.status == _GONE

    def _items(self) -> Iterator[Mapping[str, Any]]:
        for page in range(1, FORGE_PAGES_MAX + 1):
            answer = self.api.ask("GET", self.comments, params={"per_page": self.page_size, "page": page})
            self._require_good(answer)
            items = answer.document if isinstance(answer.document, list) else []
            yield from (item for item in items if isinstance(item, dict))
            if len(items) < self.page_size:
                return
        raise OctoplanError("there are more comments than octoplan looks through")

    def _comment(self, item: Mapping[str, Any], marker: Marker) -> Comment | None:
        body, number = item.get("body"), item.get("id")
        found = read_marker(body) if isinstance(body, str) else None
        if found is None or found.key != marker.key or not isinstance(number, int) or not self.is_ours(item):
            return None
        return Comment(number, str(body), found.run)

    def _require_good(self, answer: Answer) -> None:
        """
        :raises CommentImpossible: if the token is not allowed to.
        :raises InvalidInput: if the words are refused, for example for their length.
        """
        if answer.is_good:
            return
        said = f"{self.api.name} answers {answer.status}" + (f", “{answer.words}”" if answer.words else "")
        why = _CANNOT.get(answer.status)
        if why is not None:
            hint = "give the job a token that may write comments on the request; see docs/guides/ci.md"
            raise CommentImpossible(f"{self.api.name} {why}: {said}", hint=hint)
        raise InvalidInput(f"the comment was not taken: {said}")


def put_comment(open_thread: Callable[[], Thread], marker: Marker, body: str) -> Done:
    """
    Make `body` the one comment with the marker's key; the marker is put before it.

    `open_thread` asks the forge who the token speaks for, so it is tried again like everything else.

    :raises CommentImpossible: if the token may not.
    :raises OctoplanError: if the forge refuses it, or does not answer in several tries.
    """
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Again),
        stop=tenacity.stop_after_attempt(FORGE_TRIES_MAX),
        wait=_pause,
        reraise=True,
    )
    done: list[Done] = []
    try:
        return tries(_settle, open_thread, marker, f"{marker}\n{body}", done)
    except Again as error:
        raise OctoplanError(f"{error.why}, {FORGE_TRIES_MAX} times", hint="run the job again later") from None


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, Again) else None
    return _BACKOFF(state) if asked is None else asked


def _settle(open_thread: Callable[[], Thread], marker: Marker, body: str, done: list[Done]) -> Done:
    """One look at what is there, and what it takes to leave one; again from the start if the forge breaks off."""
    thread = open_thread()
    found = thread.ours(marker)
    if not found and not done:
        thread.create(body)
        done.append("created")
        found = thread.ours(marker)  # another run may have had the same idea
    if not found:
        return "created"
    kept, *others = found
    is_last = max(comment.run for comment in found) <= marker.run
    if is_last and kept.body.strip() != body.strip():
        thread.update(kept, body)
    for comment in others:
        if comment.run <= marker.run and not thread.remove(comment):
            thread.update(comment, "Superseded: the comment of octoplan above is the current one.")
    return (done[0] if done else "updated") if is_last else "left"

"""One comment on a request, whatever happens around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from octoplan import limits
from octoplan.diagnostics import InvalidInput, OctoplanError
from octoplan.forge.comments import CommentImpossible, Marker, Thread, put_comment, read_marker
from octoplan.forge.forges import github_thread, gitlab_thread
from octoplan.forge.rest import Api
from octoplan.values.secret import Secret
from tests.forge_server import JOB_TOKEN, TOKEN, Fault, Forge, serving

AT_ONCE = {"Retry-After": "0"}
Open = Callable[[], Thread]


def marker(run: int = 5, environment: str = "live", folder: str = ".") -> Marker:
    return Marker(folder, environment, run)


@pytest.fixture(scope="module")
def running() -> Iterator[Forge]:
    with serving() as forge:
        yield forge


@pytest.fixture
def forge(running: Forge) -> Forge:
    running.reset()
    return running


@pytest.fixture(params=["github", "gitlab", "gitlab job"])
def thread(request: pytest.FixtureRequest, forge: Forge) -> Open:
    """Both forges, and GitLab with either token."""
    if request.param == "github":
        return lambda: github_thread(forge.url, Secret(TOKEN), "maple/shop", 7)
    token = JOB_TOKEN if request.param == "gitlab job" else TOKEN
    return lambda: gitlab_thread(forge.url, Secret(token), "maple/shop", 7, is_job_token=token == JOB_TOKEN)


@pytest.fixture
def github(forge: Forge) -> Open:
    return lambda: github_thread(forge.url, Secret(TOKEN), "maple/shop", 7)


def test_the_first_run_creates_and_the_next_ones_update(forge: Forge, thread: Open) -> None:
    """One comment, with the words of the last run; a run that says the same writes nothing."""
    assert put_comment(thread, marker(1), "one") == "created"
    assert put_comment(thread, marker(2), "two") == "updated"
    assert forge.bodies == [f"{marker(2)}\ntwo"]
    before = len(forge.requests)
    assert put_comment(thread, marker(2), "two") == "updated"
    assert {line.split()[0] for line in forge.requests[before:]} == {"GET"}


def test_each_folder_and_environment_has_its_own(forge: Forge, thread: Open) -> None:
    """Comments of other environments and projects stay as they are."""
    for each in (marker(), marker(environment="test"), marker(folder="shop")):
        assert put_comment(thread, each, "words") == "created"
    assert len(forge.comments) == 3


def test_an_old_comment_is_found_on_a_later_page(forge: Forge, thread: Open) -> None:
    """However long the talk was: the comment is looked for on every page."""
    for number in range(130):
        forge.write(f"word {number}", "somebody")
    forge.write(f"{marker(1)}\nold")
    forge.write("the last word", "somebody")
    assert put_comment(thread, marker(2), "new") == "updated"
    assert [body for body in forge.bodies if "octoplan" in body] == [f"{marker(2)}\nnew"]


def test_a_comment_of_somebody_else_is_not_ours(forge: Forge, thread: Open) -> None:
    """A marker that somebody else wrote, even one of a run far ahead, neither stops us nor is touched."""
    theirs = f"{marker(10**17)}\nmine!"
    forge.write(theirs, "somebody")
    assert put_comment(thread, marker(2), "words") == "created"
    assert forge.bodies == [theirs, f"{marker(2)}\nwords"]


def test_a_workflow_token_that_may_not_ask_who_it_is(forge: Forge, github: Open) -> None:
    """Then what bots wrote is ours, and what people wrote is not."""
    forge.knows_user = False
    forge.write(f"{marker(9)}\nmine!", "somebody")
    put_comment(github, marker(1), "one")
    assert put_comment(github, marker(2), "two") == "updated"
    assert forge.bodies[1:] == [f"{marker(2)}\ntwo"]


def test_gitlab_must_say_whose_the_token_is(forge: Forge) -> None:
    """Otherwise no comment could be found again, and each run would write one more."""
    forge.knows_user = False
    with pytest.raises(CommentImpossible, match="whose token"):
        put_comment(lambda: gitlab_thread(forge.url, Secret(TOKEN), "1", 7, is_job_token=False), marker(), "words")
    assert forge.comments == {}


def test_of_several_the_oldest_stays(forge: Forge, thread: Open) -> None:
    """Duplicates of earlier runs are deleted."""
    for run in (1, 2, 3):
        forge.write(f"{marker(run)}\nold")
    put_comment(thread, marker(4), "new")
    assert forge.comments[1]["body"] == f"{marker(4)}\nnew"
    assert len(forge.comments) == 1


def test_what_cannot_be_deleted_says_that_it_is_superseded(forge: Forge, thread: Open) -> None:
    """It loses its marker too, so the next run does not look at it again."""
    forge.may_delete = False
    for run in (1, 2):
        forge.write(f"{marker(run)}\nold")
    put_comment(thread, marker(4), "new")
    put_comment(thread, marker(5), "newer")
    assert forge.bodies[0] == f"{marker(5)}\nnewer"
    assert forge.bodies[1].startswith("Superseded")
    assert read_marker(forge.bodies[1]) is None


def test_a_later_run_has_the_last_word(forge: Forge, thread: Open) -> None:
    """A job of an older commit that comes late leaves the comment alone, and removes its own if it wrote one."""
    forge.write(f"{marker(9)}\nnew")
    assert put_comment(thread, marker(4), "old") == "left"
    assert forge.bodies == [f"{marker(9)}\nnew"]


def test_who_creates_looks_again(forge: Forge, github: Open) -> None:
    """An older run that had the same idea at the same moment loses its comment at once."""
    forge.in_between.append(f"{marker(4)}\nother")
    assert put_comment(github, marker(5), "ours") == "created"
    assert forge.bodies == [f"{marker(5)}\nours"]


def test_of_two_that_create_at_once_the_later_run_has_the_last_word(forge: Forge, github: Open) -> None:
    """We leave its comment to it; when it looks again, the oldest comment gets its words and the other goes."""
    forge.in_between.append(f"{marker(9)}\nother")
    assert put_comment(github, marker(5), "ours") == "left"
    assert f"{marker(9)}\nother" in forge.bodies
    put_comment(github, marker(9), "other")
    assert forge.bodies == [f"{marker(9)}\nother"]


def test_many_runs_at_the_same_time_leave_one(forge: Forge, github: Open) -> None:
    """Whatever the order in which a real server sees eight runs, one comment is left."""
    start = threading.Barrier(8)

    def run(number: int) -> None:
        thread = github()
        start.wait()
        put_comment(lambda: thread, marker(number), f"run {number}")

    runs = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert len(forge.comments) == 1


def test_a_comment_whose_creation_was_not_answered_is_not_created_again(forge: Forge, thread: Open) -> None:
    """The forge took it and failed to say so: it is found, not written twice."""
    forge.faults.append(Fault("POST", 502, AT_ONCE, is_late=True))
    put_comment(thread, marker(), "words")
    assert forge.bodies == [f"{marker()}\nwords"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", 429, AT_ONCE),
        Fault("POST", 403, AT_ONCE),
        Fault("POST", 403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}),
        Fault("GET", 503, AT_ONCE),
    ],
)
def test_a_busy_forge_is_asked_again(forge: Forge, thread: Open, fault: Fault) -> None:
    """Rate limits and outages pass; the time that the forge asks for is waited."""
    forge.faults.append(fault)
    assert put_comment(thread, marker(), "words") == "created"


def test_a_forge_that_stays_down_ends_the_command(forge: Forge, thread: Open) -> None:
    """After some tries it is said that nobody answered."""
    forge.faults += [Fault("GET", 500, AT_ONCE)] * limits.FORGE_TRIES_MAX
    with pytest.raises(OctoplanError, match="answers 500, 5 times"):
        put_comment(thread, marker(), "words")


def test_a_long_wait_is_not_waited(forge: Forge, thread: Open) -> None:
    """A job is not held for an hour to write a comment."""
    forge.faults.append(Fault("POST", 429, {"Retry-After": "3600"}))
    with pytest.raises(OctoplanError, match="3600 s"):
        put_comment(thread, marker(), "words")


def test_a_token_that_may_not_write(forge: Forge, thread: Open) -> None:
    """403 without a rate limit is a matter of permission, told with the forge's words and without the token."""
    forge.may_write = False
    with pytest.raises(CommentImpossible, match="not accessible") as caught:
        put_comment(thread, marker(), "words")
    assert TOKEN not in str(caught.value)


def test_a_wrong_token_and_a_request_that_is_not_there(forge: Forge) -> None:
    """401 and 404 are told apart."""
    with pytest.raises(CommentImpossible, match="refuses the token"):
        put_comment(lambda: github_thread(forge.url, Secret("ghs_wrong"), "maple/shop", 7), marker(), "words")
    with pytest.raises(CommentImpossible, match="no such request"):
        put_comment(lambda: github_thread(forge.url, Secret(TOKEN), "maple/shop", 8), marker(), "words")


def test_words_that_are_refused(forge: Forge, thread: Open) -> None:
    """422 is told in the forge's words; it is not tried again."""
    with pytest.raises(InvalidInput, match="too long"):
        put_comment(thread, marker(), "x" * 70_000)
    assert sum(line.startswith("POST") for line in forge.requests) == 1


@pytest.mark.parametrize("base", ["http://api.github.com", "http://localhost.example", "ftp://127.0.0.1", "::"])
def test_a_token_goes_over_https_only(base: str) -> None:
    """Besides to this machine; nothing is asked of any other address."""
    with pytest.raises(InvalidInput):
        Api("GitHub", base, "Authorization", Secret(TOKEN))


@pytest.mark.parametrize("token", ["ghs\nx: y", "ghs ", "ghsé"])
def test_a_token_that_no_header_can_carry(token: str) -> None:
    """A line break in a variable is told without showing it."""
    with pytest.raises(InvalidInput) as caught:
        Api("GitHub", "https://api.github.com", "Authorization", Secret(token))
    assert token not in str(caught.value)


@pytest.mark.parametrize("text", ["a --> b", "<!--", "a b", "é", "--", "x\n-->", ""])
def test_a_marker_holds_any_name(text: str) -> None:
    """No folder or environment ends the hidden line, and each is read back."""
    written = str(Marker("." + text, "e" + text, 7))
    assert written.count("--") == 2
    assert "\n" not in written
    assert read_marker(written + "\nwords") == Marker("." + text, "e" + text, 7)

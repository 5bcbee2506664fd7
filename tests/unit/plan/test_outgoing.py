"""Which batches are still to be sent: everybody once, and what is unknown as it was or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from octoplan.plan.outgoing import Outgoing, fresh_batches, reopened_batches
from octoplan.state.home import Intent, Session
from octoplan.state.journal import Kind
from octoplan.state.local import local_home
from tests.clocks import HOLDER, ManualClock
from tests.unit.plan.projects import KEY, numbers, prepare, write_project


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    home = local_home(tmp_path / "state", "production", KEY, ManualClock())
    with home.session(HOLDER) as held:
        yield held
    home.close()


def fresh(root: Path, session: Session, batch_size: int = 3) -> list[Outgoing]:
    prepared = prepare(root, batch_size=batch_size)
    with prepared.audience:
        return list(fresh_batches(prepared.dispatch, session.campaigns().get("sale"), session))


def reopened(root: Path, session: Session, batch_size: int = 3) -> list[Outgoing]:
    prepared = prepare(root, batch_size=batch_size)
    with prepared.audience:
        return list(reopened_batches(prepared.dispatch, session.campaigns()["sale"], session))


def intend(session: Session, batch: Outgoing) -> None:
    session.open_campaign("sale", {})
    intent = Intent("sale", batch.digest, batch.request_id, batch.attempt, batch.recipients, batch.segments, None, None)
    session.intend(intent, batch.phones)


def phones_of(batches: list[Outgoing]) -> list[str]:
    return [phone for batch in batches for phone in batch.phones.to_pylist()]


def test_everybody_is_in_exactly_one_batch(tmp_path: Path, session: Session) -> None:
    """No recipient is left out and none is in two; no batch is over the size."""
    write_project(tmp_path, numbers(10))
    batches = fresh(tmp_path, session)
    assert sorted(phones_of(batches)) == numbers(10)
    assert [batch.recipients for batch in batches] == [3, 3, 3, 1]


@pytest.mark.parametrize("sent", [[0], [1], [3], [0, 2], [0, 1, 2, 3]])
def test_what_is_left_after_some_batches_is_the_other_batches(
    tmp_path: Path, session: Session, sent: list[int]
) -> None:
    """Whichever batches are done, the rest comes out with the same digests and request ids: a resume is the plan."""
    write_project(tmp_path, numbers(10))
    before = fresh(tmp_path, session)
    for index in sent:
        intend(session, before[index])
        session.record(Kind.SENT, "sale", before[index].digest, {})
    rest = [batch.request_id for index, batch in enumerate(before) if index not in sent]
    assert [batch.request_id for batch in fresh(tmp_path, session)] == rest


def test_an_unknown_batch_comes_back_with_the_same_bytes(tmp_path: Path, session: Session) -> None:
    """Same body, same request id; and its people are in no other batch."""
    write_project(tmp_path, numbers(10))
    before = fresh(tmp_path, session)
    intend(session, before[1])
    (again,) = reopened(tmp_path, session)
    assert (again.request, again.request_id, again.digest) == (
        before[1].request,
        before[1].request_id,
        before[1].digest,
    )
    assert again.opened_at is not None
    assert not set(phones_of([again])) & set(phones_of(fresh(tmp_path, session)))


def test_an_unknown_batch_is_repeated_as_it_was_even_if_the_batch_size_changed(
    tmp_path: Path, session: Session
) -> None:
    """Who was in it is remembered; how the rest is cut does not matter."""
    write_project(tmp_path, numbers(10))
    before = fresh(tmp_path, session)
    intend(session, before[1])
    (again,) = reopened(tmp_path, session, batch_size=2)
    assert again.request == before[1].request


def test_an_unknown_batch_whose_rows_changed_cannot_be_repeated(tmp_path: Path, session: Session) -> None:
    """Another value, or a missing row: other bytes, so it is left to a person; its people get nothing meanwhile."""
    write_project(tmp_path, numbers(10))
    before = fresh(tmp_path, session)
    intend(session, before[1])
    write_project(tmp_path, numbers(10), name="Zoé")
    assert reopened(tmp_path, session) == []
    write_project(tmp_path, [phone for phone in numbers(10) if phone != phones_of([before[1]])[0]])
    assert reopened(tmp_path, session) == []
    assert not set(phones_of([before[1]])) & set(phones_of(fresh(tmp_path, session)))


def test_after_a_refusal_the_same_content_carries_the_next_attempt(tmp_path: Path, session: Session) -> None:
    """The digest stays, the request id changes."""
    write_project(tmp_path, numbers(3))
    (before,) = fresh(tmp_path, session)
    intend(session, before)
    session.record(Kind.REFUSED, "sale", before.digest, {})
    (again,) = fresh(tmp_path, session)
    assert (again.digest, again.attempt) == (before.digest, 2)
    assert again.request_id != before.request_id

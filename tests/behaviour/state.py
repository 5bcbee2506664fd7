"""A state home as an earlier run left it, made with the home itself and a clock in the past."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from octoplan.state.home import Intent, Session
from octoplan.state.local import local_home, read_key
from octoplan.state.store import Holder
from tests.behaviour.command import Octoplan
from tests.behaviour.project import NUMBERS, Project
from tests.clocks import HOLDER, ManualClock


@contextmanager
def held_lease(project: Project, environment: str = "sandbox", holder: Holder = HOLDER) -> Iterator[Session]:
    """The lease of an environment with a local home, held by this process; its digest key was made before."""
    key = read_key(project.state)
    assert key is not None
    home = local_home(project.state, environment, key, ManualClock(datetime.now(UTC)))
    try:
        with home.session(holder) as session:
            yield session
    finally:
        home.close()


def remember_unknown(project: Project, octoplan: Octoplan, *, hours_ago: float) -> str:
    """
    Leave the campaign `spring`, all in one request, as a run that died after Intended; returns the request id.

    The only way to such a past: the command takes the time from the machine.
    """
    project.campaign("spring", batch_size=len(NUMBERS))
    planned = octoplan("plan", "--output", "json").json()["campaigns"][0]
    (batch,) = planned["batches"]
    key = read_key(project.state)
    assert key is not None
    home = local_home(project.state, "sandbox", key, ManualClock(datetime.now(UTC) - timedelta(hours=hours_ago)))
    with home.session(HOLDER) as session:
        session.open_campaign("spring", planned["content"])
        intent = Intent(
            campaign="spring",
            digest=batch["digest"],
            request_id=batch["request_id"],
            attempt=batch["attempt"],
            recipients=batch["recipients"],
            segments=batch["segments"],
            cost=batch["cost"],
            send_at=None,
        )
        session.intend(intent, pa.array(NUMBERS, pa.string()))
    home.close()
    request_id: str = batch["request_id"]
    return request_id

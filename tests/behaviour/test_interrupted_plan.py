"""Ctrl-C and SIGTERM while a plan is being made: nothing of it stays behind, for it would be people's rows."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import Project
from tests.unit.audience.web_server import Server

ROWS: Final = 300_000
BRANCHES: Final = {"template": "Bonjour{% if code > 'M' %} " + "et encore merci " * 24 + "{% endif %}. STOP au XXXXX"}
"""Too long for merge fields, so recipients are sorted by which of two texts they get."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A list of numbers that cannot be planned in the blink of an eye."""
    project = Project(tmp_path_factory.mktemp("large") / "maple")
    project.contacts(
        (f"N{n % 977}", f"L{n % 313}", f"06{12_340_000 + n}", f"{'AZ'[n % 2]}{n % 89}") for n in range(ROWS)
    )
    return project


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files of the command."""
    return tmp_path


@pytest.fixture
def octoplan(project: Project, temporary: Path) -> Iterator[Octoplan]:
    command = Octoplan(project.root, {"TMPDIR": str(temporary)})
    yield command
    command.close()


def await_folders(process: subprocess.Popen[str], temporary: Path, count: int) -> None:
    """Until the command has made so many private folders, at once or one after the other; or has ended."""
    seen: set[str] = set()
    while len(seen) < count:
        seen |= {path.name for path in temporary.glob("octoplan-*")}
        # After the last one too: a folder is not yet its owner's in the instant in which it is made.
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert process.wait(0.02) is None, "the command ended too early to be disturbed"


@pytest.mark.parametrize(
    ("number", "code", "message", "folders"),
    [
        (signal.SIGINT, 130, {}, 2),
        (signal.SIGTERM, 143, {}, 2),
        (signal.SIGINT, 130, BRANCHES, 3),
        (signal.SIGTERM, 143, BRANCHES, 3),
    ],
    ids=["Ctrl-C while reading", "SIGTERM while reading", "Ctrl-C while sorting", "SIGTERM while sorting"],
)
def test_a_signal_leaves_no_temporary_files(
    octoplan: Octoplan,
    project: Project,
    temporary: Path,
    number: signal.Signals,
    code: int,
    message: dict[str, str],
    folders: int,
) -> None:
    """The command ends at once with the signal's exit code, and its private folders are gone."""
    project.campaign("spring", batch_size=500, **({"message": message} if message else {}))
    running = octoplan.start("plan", "--no-cache", "--env", "sandbox", "--offline")
    await_folders(running, temporary, folders)
    running.send_signal(number)
    assert not octoplan.finish(running, code).stdout
    assert list(temporary.glob("octoplan-*")) == []


def test_a_plan_leaves_no_temporary_files(octoplan: Octoplan, project: Project, temporary: Path) -> None:
    """Nor does a plan that comes to its end."""
    project.campaign("spring", batch_size=500)
    octoplan("plan", "--no-cache", "--env", "sandbox", "--offline")
    assert list(temporary.glob("octoplan-*")) == []


def test_a_signal_ends_a_fetch(octoplan: Octoplan, project: Project, temporary: Path) -> None:
    """A store that hands out a byte now and then holds nobody up, and what it gave so far is gone."""
    server = Server()
    server.says(headers="Content-Length: 99999999\r\n")
    server.drips = True
    try:
        endpoint = server.address("").removesuffix("/lists/")
        store = {"prefix": "s3://acme-lists/", "region": "x", "endpoint": endpoint}
        project.settings(environments={"sandbox": {"stores": [store]}})
        project.campaign("spring", recipients={"path": "s3://acme-lists/a.csv", "phone": "mobile"})
        keys = {"AWS_ACCESS_KEY_ID": "walnut", "AWS_SECRET_ACCESS_KEY": "walnut"}
        running = octoplan.start("plan", "--env", "sandbox", "--offline", variables=keys)
        await_folders(running, temporary, 1)
        running.send_signal(signal.SIGINT)
        assert "walnut" not in octoplan.finish(running, 130).output
        assert list(temporary.glob("octoplan-*")) == []
    finally:
        server.close()
        project.settings()

"""What all tests share."""

from __future__ import annotations

from tests.behaviour.command import end_warm


def pytest_sessionfinish() -> None:
    """The process that commands are started from ends with the tests."""
    end_warm()

"""A secret shows itself on request only."""

from __future__ import annotations

from octoplan.values.secret import Secret


def test_a_secret_shows_stars() -> None:
    """No usual way to turn a value into text, alone or inside others, gives the secret away."""
    secret = Secret("hunter2")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {secret!s:>10}"
    assert "hunter2" not in shown
    assert shown.count("********") == 5


def test_a_secret_is_revealed_on_request() -> None:
    """The text itself is unchanged, and equal texts make equal secrets."""
    assert Secret("hunter2").reveal() == "hunter2"
    assert Secret("hunter2") == Secret("hunter2") != Secret("other")

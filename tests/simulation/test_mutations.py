"""A proof that cannot fail proves nothing: each broken protocol is caught, as what it is."""

from __future__ import annotations

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_broken_protocol_is_caught(mutation: Mutation) -> None:
    """As a duplicate, a loss or a broken promise, within a bounded number of histories."""
    assert mutation.catch() is not None

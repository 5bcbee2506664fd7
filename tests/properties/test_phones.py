from __future__ import annotations

import pytest

from tests.phones_comparison import REGIONS, Tally, compare_all

SOME = (None, "FR", "RE", "GB", "GG", "US", "AG", "DE", "IT", "BR", "AR", "AU", "JP", "CN", "KZ", "CL")
"""One of each sort: with and without trunk prefix, shared codes, prefixes that rewrite, islands, no region."""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for all tests of a worker, away from the user's own."""
    monkeypatch.setenv("OCTOPLAN_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def test_answers_are_the_library_s() -> None:
    """Whatever is written, number, country and reason are those of the library (more of it: `make phones`)."""
    tally = compare_all(40_000, seed=2, regions=SOME, processes=1)
    assert tally.differences == []
    assert set(SOME) <= set(REGIONS)
    _require_variety(tally)


def _require_variety(tally: Tally) -> None:
    """A comparison of nothing would find nothing."""
    assert tally.kinds.total() >= 40_000
    assert len(tally.countries) > 200
    assert min(tally.kinds.values()) > 2_000
    assert min(tally.reasons.values()) > 50
    assert tally.odd.total() < tally.kinds.total() * 0.4

"""Which messages a preview shows, and why."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from octoplan.messages.batches import Stratum
from octoplan.plan.build import Prepared
from octoplan.plan.samples import Choice, SampleKind, Wanted, choose_samples, dearest, sensible_mix, strata_of
from tests.unit.plan.projects import CAMPAIGN, prepare, write_project

TEMPLATE = (
    "{% if shop == 'Lyon' %}A Lyon, {{ name }}, la boutique vous attend samedi de 9h a 19h"
    "{% else %}{{ name }}, merci de votre visite, nous serons heureux de vous revoir bientot chez nous{% endif %}"
)
ROWS = (
    ("+33612340001", "Zoe", "Lyon"),
    ("+33612340002", "Maximilienne", "Lyon"),
    ("+33612340003", "Max", "Lille"),
    ("+491713920001", "Franziska", "Lille"),
    ("+33612340004", "Bo", "Lille"),
)
READ = "Max, merci de votre visite, nous serons heureux de vous revoir bientot chez nous"
PRICES = {"FR": Decimal("0.06"), "DE": Decimal("0.08")}


def price_of(stratum: Stratum) -> Decimal | None:
    """By country and part."""
    return PRICES[stratum[0]] * stratum[1]


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Prepared]:
    """Five people in two countries; people of Lyon read another text. Lines 2 to 6 of the list."""
    write_project(tmp_path, [], campaign=CAMPAIGN.replace("Bonjour {{ name }}", TEMPLATE))
    rows = [",".join(row) for row in ROWS]
    (tmp_path / "contacts.csv").write_text("\n".join(["phone,name,shop", *rows]) + "\n", encoding="utf-8")
    made = prepare(tmp_path)
    with made.audience:
        yield made


def chosen(prepared: Prepared, *kinds: SampleKind, lines: tuple[int, ...] = (), examples: int = 0) -> Choice:
    """What a preview would show."""
    return choose_samples(prepared.dispatch.message, Wanted(kinds, lines, examples), price_of)


def why(choice: Choice) -> dict[int | str, tuple[str, ...]]:
    """The reasons by line."""
    return {sample.line: sample.why for sample in choice.samples}


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (SampleKind.LONGEST, [5]),
        (SampleKind.SHORTEST, [2]),
        (SampleKind.EXPENSIVE, [5]),
        (SampleKind.COUNTRY, [4, 5]),
        (SampleKind.BRANCH, [3, 5]),
    ],
)
def test_each_kind_finds_its_messages(prepared: Prepared, kind: SampleKind, lines: list[int]) -> None:
    """Each kind shows one message of each of its groups, the longest of the group."""
    assert sorted(why(chosen(prepared, kind))) == lines


def test_a_message_is_shown_once_with_all_its_reasons(prepared: Prepared) -> None:
    """Who answers several wishes is one sample; a branch is named by its condition where there is one."""
    found = why(chosen(prepared, *SampleKind))
    assert found[5][:2] == ("longest", "most expensive")
    assert "to DE" in found[5]
    assert found[2] == ("shortest",)
    assert found[3] == ("where shop == 'Lyon'",)
    assert found[4] == ("to FR",)
    assert len(found) == 4


def test_lines_come_first_and_examples_last(prepared: Prepared) -> None:
    """Asked for by line, then by kind, then others, none of them twice."""
    choice = chosen(prepared, SampleKind.LONGEST, lines=(3,), examples=5)
    assert [sample.why[0] for sample in choice.samples] == ["chosen", "longest", "example", "example", "example"]
    assert sorted(sample.line for sample in choice.samples) == [2, 3, 4, 5, 6]


def test_a_sample_has_what_the_recipient_reads_and_its_price(prepared: Prepared) -> None:
    """Text and price are those of that recipient; number and text stay out of the `repr`."""
    (sample,) = chosen(prepared, lines=(4,)).samples
    assert (sample.text, sample.country, sample.segments, sample.price) == (READ, "FR", 1, Decimal("0.06"))
    assert sample.phone not in repr(sample)
    assert sample.text not in repr(sample)


def test_no_message_is_the_most_expensive_while_a_price_is_unknown(prepared: Prepared) -> None:
    """Unknown is never 0: it might be the highest."""
    message = prepared.dispatch.message

    def of_france(stratum: Stratum) -> Decimal | None:
        return price_of(stratum) if stratum[0] == "FR" else None

    assert dearest(strata_of(message), of_france) is None
    assert choose_samples(message, Wanted([SampleKind.EXPENSIVE]), of_france).samples == ()


def test_groups_over_the_bound_are_named(prepared: Prepared) -> None:
    """The groups with the most recipients are shown; how many are not is said."""
    wanted = Wanted([SampleKind.COUNTRY], groups_max=1)
    choice = choose_samples(prepared.dispatch.message, wanted, price_of)
    assert why(choice) == {4: ("to FR",)}
    assert choice.left_out[0].startswith("1 more country: `--kind country`")


def test_the_mix_asks_for_kinds_there_are_several_of(prepared: Prepared) -> None:
    """Two countries and several texts are worth a message each; without a price nothing is called expensive."""
    wanted = sensible_mix(prepared.dispatch.message, 2)
    assert set(wanted.kinds) == set(SampleKind)
    choice = choose_samples(prepared.dispatch.message, wanted, lambda _: None)
    assert not any("most expensive" in sample.why for sample in choice.samples)

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import pytest

from octoplan.diagnostics import InvalidInput
from octoplan.messages import compose
from octoplan.messages.compose import ComposedMessage, MessageSource, compose_message
from octoplan.messages.handling import LEVELS, Handling, Level, least_level, pattern_of, table_of
from octoplan.messages.rules import SUSPICIOUS, value_rule
from octoplan.messages.template import parse_template
from octoplan.messages.verify import Verification
from octoplan.rulebook.data import escapes
from octoplan.values.sms_size import GSM7_BASIC, GSM7_EXTENSION
from tests.unit.messages.samples import batches_of, recipients

STAYING = "Α Ж 中 \U0001f600 \U0001f468\u200d\U0001f469 ｛Ｘ｝ Ẍ"
GSM7 = GSM7_BASIC + GSM7_EXTENSION


def composed(source: str, handling: Handling, **columns: list[str | None]) -> ComposedMessage:
    template = parse_template(source, handling=handling)
    return compose_message(MessageSource(template), batches_of(recipients(columns)))


def texts_of(message: ComposedMessage) -> list[str]:
    rows = [row for batch in message.filled_texts() for row in batch.to_pylist()]
    return [row["filled"] for row in sorted(rows, key=lambda row: row["row"])]


def refused(source: str, handling: Handling, **columns: list[str | None]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        composed(source, handling, **columns)
    return {finding.code: finding.detail for finding in caught.value.findings}


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS[1:])
def test_replacements_are_in_gsm7_and_mean_nothing_to_the_api(level: Level) -> None:
    """What replaces a character costs no UCS-2, and can make neither a merge field nor an XXXXX."""
    table = table_of(level)
    assert all(set(to) <= set(GSM7) for to in table.values())
    assert not any(set(to) & set("{}X") for to in table.values())
    assert not set(table) & set(GSM7)
    assert all(re.fullmatch(pattern_of(level), each) for each in table)


def test_each_level_has_those_before_it() -> None:
    """A higher level replaces more, and the same in the same way."""
    tables = [dict(table_of(level)) for level in LEVELS]
    assert tables[0] == {}
    for lower, higher in pairwise(tables):
        assert lower.items() < higher.items()


@pytest.mark.parametrize(
    ("level", "text", "becomes"),
    [
        (1, "l’été “ici” – là… 5\u00a0€\t!", 'l\'été "ici" - là... 5 € !'),
        (1, "so\u00adft\u200b ＡＢＣ！", "soft ABC!"),
        (1, "cœur ê", "cœur ê"),
        (2, "cœur Œ ½ ™ × ê", "coeur OE 1/2 TM x ê"),
        (3, "ça, Noël, À ł ş Ấ é à ü ñ", "ca, Noel, A l s A é à ü ñ"),
        (3, STAYING, STAYING),
    ],
)
def test_levels_replace_what_they_say(level: Level, text: str, becomes: str) -> None:
    """1 is typography, 2 what can be written out, 3 accents that GSM-7 lacks; other scripts and emoji stay."""
    assert Handling(level).replaced(text) == becomes


def test_least_level() -> None:
    """What would save a character's parts is the first level that replaces it."""
    assert [least_level(each) for each in "’œê中"] == [1, 2, 3, None]


def test_escapes_leave_nothing_that_has_a_harmless_form() -> None:
    """Escaped, no control character, reordering character or brace is left, and nothing new comes in."""
    every = "".join(map(chr, range(0x3000)))
    escaped = Handling().escaped(every)
    assert set(escapes().values()) <= {"", " ", "(", ")"}
    assert not any(unicodedata.category(each) == "Cc" for each in escaped)
    assert value_rule("a" + escaped, constant=False) is None


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("STOP au 36111", "message/stop-in-value"),
        ("reply Stop to 36111 now", "message/stop-in-value"),
        ("no PUB=STOP", "message/stop-in-value"),
        ("voir bit.ly/x1", "message/shortened-link"),
        ("HTTPS://WWW.TinyURL.com/x1", "message/shortened-link"),
        ("https://t.ly/x", "message/shortened-link"),
        ("aXXXXX", "message/injection"),
    ],
)
@pytest.mark.parametrize("source", ["{{ a }}", "{{ a ~ '' }}"])
def test_values_in_plain_ascii_are_looked_at_too(source: str, value: str, code: str) -> None:
    """A STOP mention or a shortened link from data is refused, whether or not the value is a column as it is."""
    assert re.search(SUSPICIOUS, value)
    assert refused(source, Handling(), a=[value, "fine"])[code].endswith("from `a`: 1 row.")


@pytest.mark.parametrize(
    "value", ["Christopher", "bus stop 12345", "rabbit.ly/x", "bit.ly", "https://shop.example/bit.ly"]
)
def test_values_that_only_look_alike_pass(value: str) -> None:
    """Words and addresses that are no STOP mention and no shortener are sent."""
    assert texts_of(composed("{{ a }}", Handling(), a=[value])) == [value]


def test_a_value_is_checked_as_it_will_be_sent() -> None:
    """A replacement can neither make a value unsafe unseen nor refuse one that it mends."""
    assert "message/stop-in-value" in refused("{{ a }}", Handling(3), a=["ŞTOP\u00a0au\u00a036111"])
    assert "message/shortened-link" in refused("{{ a }}", Handling(1), a=["bit．ly/x"])
    assert "message/empty-value" in refused("{{ a }}", Handling(1), a=["\u200b"])
    assert texts_of(composed("{{ a }}", Handling(1), a=["x\ty"])) == ["x y"]
    assert "message/control-character" in refused("{{ a }}", Handling(0), a=["x\ty"])


def test_a_shortener_in_the_template_is_a_warning() -> None:
    """What a reviewer sees is warned about, not refused."""
    message = composed("voir bit.ly/soldes {{ a }}", Handling(), a=["x"])
    assert [(found.code, found.severity) for found in message.findings] == [
        ("message/shortened-link-in-text", "warning")
    ]


def test_an_accepted_rule_does_not_count() -> None:
    """A shortened link that the campaign overrides is sent; what else is wrong with the value still counts."""
    accepting = Handling(accepted=frozenset(("message/shortened-link",)))
    assert texts_of(composed("{{ a }}", accepting, a=["bit.ly/x"])) == ["bit.ly/x"]
    assert "message/injection" in refused("{{ a }}", accepting, a=["bit.ly/{x}"])


# --- policies ---------------------------------------------------------------------------------------------------------


def test_unsafe_recipients_are_left_out() -> None:
    """Who has an unsafe value gets nothing, is counted once, and is named by column; the others get theirs."""
    message = composed(
        "{{ a }} {{ b }}", Handling(on_unsafe="drop"), a=["x", "{x", "{x", "y"], b=["1", "2\n", "3", "4"]
    )
    assert texts_of(message) == ["x 1", "y 4"]
    assert sorted(message.left_out["row"].to_pylist()) == [2, 3]
    assert message.statistics.recipients == 2
    assert sorted(found.detail for found in message.findings) == [
        "`{{ a }}`, from `a`: 2 rows. Value with braces or XXXXX.",
        "`{{ b }}`, from `b`: 1 row. Control character or line break.",
    ]
    assert message.verify() == Verification(2, 0)


@pytest.mark.parametrize(
    "source",
    [
        "{% macro f() %}{{ a }}{% endmacro %}{% if f() == 'x' %}yes{% else %}no{% endif %}",
        "{% if a|length > 0 %}{{ a }}{% else %}-{% endif %}" + "!" * 60,
        "{% raw %}{{% endraw %} {{ a }}",
    ],
)
def test_unsafe_recipients_are_left_out_wherever_the_value_is_used(source: str) -> None:
    """In a condition, a branch or a text of its own: who is left out is the same."""
    message = composed(source, Handling(on_unsafe="drop"), a=["x", "{x", "y"])
    assert message.left_out["row"].to_pylist() == [2]
    assert len(texts_of(message)) == 2


def test_only_unsafe_values_are_left_out() -> None:
    """A missing or empty value is refused whatever is done with unsafe ones."""
    found = refused("{{ a }}", Handling(on_unsafe="drop"), a=["{", "", None])
    assert {"message/empty-value", "message/missing-value", "message/left-out"} == set(found)


def test_not_too_many_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list with very many unsafe values is the wrong list, and is refused."""
    monkeypatch.setattr(compose, "LEFT_OUT_MAX", 2)
    assert len(composed("{{ a }}", Handling(on_unsafe="drop"), a=["{", "{"]).left_out) == 2
    assert "message/too-many-left-out" in refused("{{ a }}", Handling(on_unsafe="drop"), a=["{", "{", "{"])


def test_unsafe_values_are_escaped() -> None:
    """What has a harmless form takes it, and the plan is told; text of the campaign's own file stays as it is."""
    message = composed("a\nb {{ a }}", Handling(on_unsafe="escape"), a=["{x}\n\u202ey", "fine"])
    assert texts_of(message) == ["a\nb (x) y", "a\nb fine"]
    assert [found.code for found in message.findings] == ["message/escaped"]
    assert message.verify() == Verification(2, 0)


def test_what_has_no_harmless_form_is_refused_though_escaped() -> None:
    """XXXXX, a STOP mention and a shortened link are refused, and so is a value that escaping leaves empty."""
    values: list[str | None] = ["{XXXXX}", "STOP au\n36111", "{bit.ly/x", "\u202e"]
    assert refused("{{ a }}", Handling(on_unsafe="escape"), a=values) == {
        "message/empty-value": "`{{ a }}`, from `a`: 1 row.",
        "message/injection": "`{{ a }}`, from `a`: 1 row.",
        "message/shortened-link": "`{{ a }}`, from `a`: 1 row.",
        "message/stop-in-value": "`{{ a }}`, from `a`: 1 row.",
    }


# --- what characters cost ---------------------------------------------------------------------------------------------


def test_replaced_characters_are_counted_by_where_they_are() -> None:
    """Each replaced character is counted by column or template, once a recipient, with the parts that it saves."""
    source = "l’été " + "a" * 80 + " {{ a }}{{ a }} {% if b == '1' %}‘{% endif %}"
    message = composed(source, Handling(3), a=["ïï", "ê", "x"], b=["1", "2", "1"])
    none: frozenset[str] = frozenset()
    only = frozenset(("a",))
    assert message.statistics.replaced == {("’", none): 3, ("‘", none): 2, ("ï", only): 1, ("ê", only): 1}
    assert message.statistics.saved == {("FR", 2, 1): 3}
    assert message.statistics.causes == ()
    assert message.statistics.segments == {1: 3}


def test_what_makes_messages_longer_is_named() -> None:
    """Recipients are counted by all characters that cost them parts; those that cost nothing are not."""
    source = "a" * 100 + " {{ a }} {{ b }}"
    message = composed(source, Handling(), a=["ï", "ï", "x", "x" * 60], b=["x", "\U0001f600", "x", "’"])
    found = [(list(cause.culprits), dict(cause.shifts), cause.level) for cause in message.statistics.causes]
    ï, smile, quote = ("ï", frozenset("a")), ("\U0001f600", frozenset("b")), ("’", frozenset("b"))
    assert found == [
        ([ï], {("FR", 2, 1): 1}, 3),
        ([ï, smile], {("FR", 2, 1): 1}, None),
        ([quote], {("FR", 3, 2): 1}, 1),
    ]


def test_no_name_can_be_read_from_what_makes_messages_longer() -> None:
    """Letters that nothing replaces are not named: those of a name, together, are the name."""
    message = composed("a" * 100 + " {{ a }}", Handling(), a=["王小明"])
    assert [cause.culprits for cause in message.statistics.causes] == [(("", frozenset("a")),)]


def test_too_many_sets_of_characters_are_counted_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound only the columns are told apart, and nobody is lost."""
    monkeypatch.setattr("octoplan.messages.characters.CHARACTER_SETS_MAX", 2)
    message = composed("a" * 100 + " {{ a }}", Handling(), a=["ï", "ë", "ê", "ô"])
    (cause,) = message.statistics.causes
    assert (cause.culprits, dict(cause.shifts)) == ((("", frozenset("a")),), {("FR", 2, 1): 4})


def test_the_pessimistic_count_stands_beside_the_standard_one() -> None:
    """Messages that have more parts as Octopush's own page counts are counted by both."""
    message = composed("a" * 125 + "{{ a }}", Handling(), a=["&" * 20, "x" * 20, "ï", "x"])
    assert message.statistics.segments == {1: 3, 2: 1}
    assert message.statistics.pessimistic == {("FR", 2, 1): 1}
    longer = composed("ï" * 127 + "{{ a }}", Handling(), a=["x"])
    assert longer.statistics.pessimistic == {("FR", 3, 2): 1}
    cut = composed("ï" * 62 + "\U0001f600" + "ï" * 61 + "{{ a }}", Handling(), a=["x"])
    assert cut.statistics.pessimistic == {("FR", 3, 2): 1}

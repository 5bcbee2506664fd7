from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from octoplan.limits import BRANCH_PATTERNS_MAX, TEMPLATE_CHOICES_MAX
from octoplan.messages.compiler import requests_for
from octoplan.messages.compose import ComposedMessage, MessageSource, compose_message
from octoplan.messages.evaluate import Evaluator
from octoplan.messages.layout import cut_text
from octoplan.messages.template import Renderer, parse_template, read_body
from octoplan.messages.unfold import unfold
from octoplan.messages.verify import verify_messages
from tests.unit.messages.samples import batches_of, recipients

NAMES = {name: [f"{name}{number}" for number in range(4)] for name in "abcdefghi"}
VIP = ["oui", "non", "oui", "non"]


def compiled(source: str, columns: Mapping[str, Sequence[str | None]] = NAMES, **variables: str) -> ComposedMessage:
    message = MessageSource(parse_template(source), variables)
    names = {name: columns.get(name, VIP) for name in message.recipient_variables} or {"a": VIP}
    return compose_message(message, batches_of(recipients(names)))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Bonjour {{ first_name }}", "Bonjour {first_name}"),
        ("Bonjour {{ first_name | title }}", "Bonjour {first_name}"),
        ("{{ code }} pour {{ last_name }} et {{ first_name }}", "{param1} pour {last_name} et {first_name}"),
        ("{{ a }} {{ b }} {{ a }}", "{param1} {param2} {param1}"),
        ("{{ a|title }} {{ a | title }} {{ a }}", "{param1} {param1} {param2}"),
        ("{{ a }}{{ b }}!", "{param1}!"),
        ("{{ a }}{# nothing between #}{{ b }} {{ a }}", "{param1} {param2}"),
        ("{{ first_name }}{{ last_name }}", "{param1}"),
        ("{{ first_name }} {{ first_name|upper }}", "{first_name} {param1}"),
        (
            "{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }}",
            "{param1} {param2} {param3} {param4} {param5} {first_name}",
        ),
        (
            "{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }} {{ first_name }}",
            "{param1} {param2} {param3} {param4} {param5} {last_name} {first_name}",
        ),
        ("{{ 1 }} {{ 1.0 }} {{ x|default(1) }} {{ x|default(true) ~ 1 }}", "1 1.0 {param1} {param2}"),
        ("nothing to fill", "nothing to fill"),
        ("{{ x if y else z }}", "{param1}"),
        ("{% set n = a|title %}{{ n }}, {{ n }} et {{ a }}", "{param1}, {param1} et {param2}"),
        ("{% macro f(x) %}M. {{ x }}{% endmacro %}Cher {{ f(a) }}!", "Cher {param1}!"),
        ("{% for part in a.split('-') %}{{ part }}{% endfor %}", "{param1}"),
        ("{% for i in range(3) %}{{ i }}{% endfor %} {{ a }}", "012 {param1}"),
        ("{% with n = a %}{{ n }}{% endwith %}.", "{param1}."),
    ],
)
def test_text_and_merge_fields(source: str, text: str) -> None:
    """Static text stays; each different value takes a merge field, its own name's first."""
    assert compiled(source).texts == (text,)


def test_constants_become_text() -> None:
    """What depends on the campaign's own variables alone is static, also conditions and next to other text."""
    source = "{{ shop|title }} -{{ rate }}%{% if rate == '20' %}!{% else %}{{ b }}{% endif %} {{ first_name }}"
    assert compiled(source, shop="lyon", rate="20").texts == ("Lyon -20%! {first_name}",)


def test_line_break_in_a_constant() -> None:
    """The campaign file may break lines where a column may not."""
    assert compiled("{{ address }}", address="1 rue X\nLyon").texts == ("1 rue X\nLyon",)


def test_slots_say_what_fills_them() -> None:
    """A slot shows its expression as it was written, and neighbours together."""
    first, second = compiled("{{ a }}{{ b }} et {{  first_name |  title }}").slots
    assert (first.name, first.source) == ("first_name", "first_name | title")
    assert (second.name, second.source) == ("param1", "{{ a }}{{ b }}")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% if vip == 'oui' %}Cher client{% else %}Bonjour{% endif %}, voici", "{param1}, voici"),
        ("Bonjour{% if vip == 'oui' %} cher client{% endif %}, voici", "{param1} voici"),
        ("{% if vip == 'oui' %}Cher client, {% endif %}voici tout", "{param1} tout"),
        ("Voici.{% if vip == 'oui' %}\nBonne{% else %} Et{% endif %} fin", "Voici. Et fin"),
        ("A{% if vip == 'oui' %}{{ a }}{% elif vip == 'non' %}{{ b }}{% endif %}", "A{param1}"),
        ("{% if vip == 'oui' %}x{% else %}x{% endif %} {{ a }}", "x {param1}"),
    ],
)
def test_branch_becomes_a_field(source: str, text: str) -> None:
    """The text of a branch is the value of a merge field, which is never empty and has no white space at its ends."""
    assert text in compiled(source).texts


def test_long_branches_are_texts_of_their_own() -> None:
    """Recipients are split by branch where its text is over 50 characters, and the plan says who gets which."""
    message = compiled(f"{{% if vip == 'oui' %}}{'x' * 51}{{% else %}}court{{% endif %}} {{{{ a }}}}")
    assert (message.mode, message.texts) == ("variants", ("court {param1}", f"{'x' * 51} {{param1}}"))
    assert [use.conditions for use in message.uses] == [("vip == 'oui'",), ("not (vip == 'oui')",)]
    assert [use.recipients for use in message.uses] == [2, 2]
    expected = "`{% if vip == 'oui' %}…{% endif %}` has up to 51 characters, and a merge field takes 50"
    assert message.reason == expected


def test_only_what_does_not_fit_is_split() -> None:
    """A short choice stays a merge field beside a long one that is split."""
    long, short = "x" * 60, "{% if b == 'b1' %}un{% else %}deux{% endif %}"
    message = compiled(f"{{% if vip == 'oui' %}}{long}{{% endif %}} {short}")
    assert message.texts == (" {param1}", f"{long} {{param1}}")


def test_branches_that_nobody_takes_cost_nothing() -> None:
    """A branch without recipients is no text, and its missing columns are no fault."""
    columns: dict[str, Sequence[str | None]] = {"absent": [None] * 4, "a": NAMES["a"], "vip": VIP}
    source = f"{{% if vip == 'jamais' %}}{'x' * 90}{{{{ absent }}}}{{% else %}}oui {{{{ a }}}}{{% endif %}}"
    message = compiled(source, columns)
    assert (message.mode, message.texts) == ("merge", ("{param1}",))


def test_missing_value_in_another_branch_is_no_fault() -> None:
    """A fragment is rendered only for those who reach it."""
    columns: dict[str, Sequence[str | None]] = {"a": ["x", None, "y", None], "vip": VIP}
    message = compiled("{% if vip == 'oui' %}{{ a }}{% else %}non{% endif %}.", columns)
    assert message.texts == ("{param1}.",)


@pytest.mark.parametrize(("length", "text"), [(50, "a {param1} b"), (51, "a {param1}{param2} b"), (349, None)])
def test_long_value_is_cut_over_free_fields(length: int, text: str | None) -> None:
    """A value over 50 characters takes as many merge fields as it needs."""
    columns = {"a": ["x" * length, "y" * 30, "z" * 30, "w" * 10]}
    expected = "a " + "".join(f"{{{name}}}" for name in SEVEN) + " b" if text is None else text
    assert compiled("a {{ a }} b", columns).texts == (expected,)


SEVEN = ("param1", "param2", "param3", "param4", "param5", "first_name", "last_name")


def test_long_value_with_few_different_ones_becomes_text() -> None:
    """Where fields do not do, a value that few recipients differ in goes into the text, and the others stay fields."""
    columns = {"a": ["x" * 400] * 3 + ["y"], "b": ["1", "2", "3", "4"]}
    message = compiled("{{ b }}: {{ a }}", columns)
    assert message.texts == ("{param1}: " + "x" * 400, "{param1}: y")
    (use,) = message.uses
    assert (use.text, use.texts, use.recipients) == ("{param1}: {{ a }}", 2, 4)


def test_only_the_value_that_does_not_fit_becomes_text() -> None:
    """Another value with fewer different ones stays a merge field: as text it would only cost requests."""
    columns = {"a": ["x" * 400, "y", "z", "z"], "vip": VIP}
    assert compiled("{{ vip }}: {{ a }}", columns).texts == tuple(f"{{param1}}: {a}" for a in ("x" * 400, "y", "z"))


def test_values_are_joined_when_fields_are_short() -> None:
    """More than seven values share merge fields with the text between them, as long as it fits."""
    message = compiled(" / ".join(f"{{{{ {name} }}}}" for name in "abcdefghi"))
    assert message.texts == ("{param1} / {param2} / {param3}",)
    assert message.slots[0].source == "{{ a }} / {{ b }} / {{ c }}"


def test_too_many_long_values_are_grouped() -> None:
    """Where nothing helps, recipients are grouped by identical text, and the reason is told."""
    columns = {name: [name * 40 + str(number) for number in range(4)] for name in "abcdefgh"}
    message = compiled(" ".join(f"{{{{ {name} }}}}" for name in "abcdefgh"), columns)
    assert message.reason == "it needs 8 merge fields, and the API has 7"
    assert len(message.texts) == 4


def test_line_break_and_xxxxx_stay_in_the_text() -> None:
    """No merge field holds a line break, and no `XXXXX`, which the operator replaces in the text only."""
    message = compiled("{{ a }}{% if vip == 'oui' %}\nSTOP au XXXXX{% endif %}")
    assert message.texts == ("{param1}", "{param1}\nSTOP au XXXXX")


def test_equal_conditions_go_the_same_way() -> None:
    """Two choices with one condition make two texts, not four."""
    one = f"{{% if vip == 'oui' %}}{'x' * 60}{{% else %}}{'y' * 60}{{% endif %}}"
    assert len(compiled(f"{one} et {{{{ a }}}} {one}").texts) == 2


def test_renderings_are_counted() -> None:
    """The plan can tell what a text for each different rendering would cost."""
    message = compiled("{{ vip }}")
    assert message.renderings == {2: 2}


def test_many_ifs_are_bounded() -> None:
    """Of 60 conditions only the first few are taken apart; the others are rendered with all their branches."""
    columns = {f"c{number}": ["0", "1", "0", "1"] for number in range(60)}
    source = "a" + " ".join(f"{{% if c{number} == '1' %}}{'x' * 9}{{% endif %}}" for number in range(60))
    assert len([part for part in unfold(parse_template(source), {}) if not isinstance(part, str)]) == 60
    message = compiled(source, columns)
    assert sum(use.recipients for use in message.uses) == 4
    assert len(message.texts) <= 4


def test_many_combinations_of_branches_are_grouped() -> None:
    """2^n combinations are not tried one by one: recipients are grouped by identical text."""
    count = BRANCH_PATTERNS_MAX + 10
    bits = TEMPLATE_CHOICES_MAX
    columns = {f"c{bit}": [str(number >> bit & 1) for number in range(count)] for bit in range(bits)}
    source = " ".join(f"{{% if c{bit} == '1' %}}{'x' * 20}{{% else %}}{'y' * 20}{{% endif %}}" for bit in range(bits))
    message = compiled(source, columns)
    assert message.mode == "grouped"
    assert f"more than {BRANCH_PATTERNS_MAX} combinations" in str(message.reason)
    assert len(message.texts) == count


@pytest.mark.parametrize("text", ["a" * 51, "a" * 100, "mot " * 25, " " * 60, "a" + " " * 50, "ab", "a b"])
def test_cut_pieces_are_whole_and_fit(text: str) -> None:
    """The pieces of a value, joined, are the value; none is empty and none is over 50 characters."""
    for count in range(max(1, -(-len(text) // 50)), min(7, len(text)) + 1):
        pieces = cut_text(text, count)
        assert "".join(pieces) == text
        assert len(pieces) == count
        assert all(1 <= len(piece) <= 50 for piece in pieces)


@pytest.mark.parametrize(
    ("count", "requests"), [(1, 1), (500, 1), (501, 2), (32_768, 66), (32_769, 66), (100_000, 200)]
)
def test_requests_by_bucket(count: int, requests: int) -> None:
    """Requests are cut inside buckets, so a large audience may need a few more than one for each 500."""
    assert requests_for(count) == requests


@pytest.mark.parametrize(
    "source",
    [
        "Bonjour{% if vip == 'oui' %} cher client{% endif %} STOP au 36111",
        "Voici. STOP au 36111{% if vip == 'oui' %} merci{% endif %}",
        " ".join(f"{{{{ {name} }}}}" for name in "abcd")
        + " no PUB=STOP "
        + " ".join(f"{{{{ {n} }}}}" for n in "efghi"),
    ],
)
def test_stop_mention_stays_in_every_text(source: str) -> None:
    """The API looks for the mention in the text, so no part of it moves into a merge field."""
    for text in compiled(source).texts:
        assert ("STOP au 36111" in text) != ("no PUB=STOP" in text)


def test_stop_mention_is_not_joined_into_a_field() -> None:
    """Where fields are short, values are not joined over a mention, which would leave the text."""
    columns = {name: [name * 44 + str(number) for number in range(4)] for name in "abcdef"}
    columns |= {"x": VIP, "y": VIP}
    source = " ".join(f"{{{{ {name} }}}}" for name in "abcdef") + " {{ x }} STOP au 36111 {{ y }}"
    assert all("STOP au 36111" in text for text in compiled(source, columns).texts)


def test_verification_compares_every_recipient() -> None:
    """`verify` renders the whole template again and finds nothing different."""
    found = compiled("{% if vip == 'oui' %}{{ a }}{% else %}Bonjour {{ b|title }}{% endif %}").verify()
    assert (found.recipients, found.different) == (4, 0)


def test_verification_finds_what_is_different() -> None:
    """A text that is not what the template renders is found, and its record named."""
    template = parse_template("Bonjour {{ a }}")
    message = compose_message(MessageSource(template), batches_of(recipients({"a": VIP})))
    whole = Evaluator(Renderer(read_body(parse_template("Bonsoir {{ a }}")).tree.body), ("a",), {})
    (batch,) = batches_of(recipients({"a": VIP}))()
    sent = [(batch, rows) for rows in message.batches()]
    found = verify_messages(whole, message.texts, iter([(batch, lambda: iter(sent))]))
    assert (found.recipients, found.different, found.rows) == (4, 4, (1, 2, 3, 4))
    lost = verify_messages(whole, message.texts, iter([(batch, lambda: iter([]))]))
    assert lost.different == 4

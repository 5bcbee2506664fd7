from __future__ import annotations

import pytest

from octoplan.messages.compiler import CompiledText, Uncompilable, compile_template
from octoplan.messages.template import parse_template


def compiled(source: str, **variables: str) -> CompiledText:
    result = compile_template(parse_template(source), variables)
    assert isinstance(result, CompiledText), result
    return result


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
        ("{{ 1 }} {{ 1.0 }} {{ x|default(1) }} {{ x|default(true) }}", "1 1.0 {param1} {param2}"),
        ("nothing to fill", "nothing to fill"),
        ("{{ x if y else z }}", "{param1}"),
    ],
)
def test_text_and_merge_fields(source: str, text: str) -> None:
    """Static text stays; each different expression takes a merge field, its own name's first."""
    assert compiled(source).api_text == text


def test_constants_become_text() -> None:
    """What depends on the campaign's own variables alone is static, also next to other text."""
    assert compiled("{{ shop|title }} -{{ rate }}% {{ first_name }}", shop="lyon", rate="20").api_text == (
        "Lyon -20% {first_name}"
    )


def test_constant_beside_a_column() -> None:
    """An expression over a constant and a column is a merge field that reads the column only from recipients."""
    (slot,) = compiled("{{ shop ~ first_name }}", shop="lyon").slots
    assert (slot.name, slot.source) == ("param1", "shop ~ first_name")
    assert slot.names == {"shop", "first_name"}


def test_line_break_in_a_constant() -> None:
    """The campaign file may break lines where a column may not."""
    assert compiled("{{ address }}", address="1 rue X\nLyon").api_text == "1 rue X\nLyon"


def test_slots_say_what_fills_them() -> None:
    """A slot shows its expression as it was written, and neighbours together."""
    first, second = compiled("{{ a }}{{b}} et {{  first_name |  title }}").slots
    assert (first.name, first.source) == ("first_name", "first_name | title")
    assert (second.name, second.source) == ("param1", "{{ a }}{{ b }}")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% if a %}x{% endif %}", "`{% if %}`"),
        ("{% for a in range(2) %}x{% endfor %}", "`{% for %}`"),
        ("{% set a = 1 %}{{ a }}", "`{% set %}`"),
        ("a } b {{ c }}", "braces"),
        (" ".join(f"{{{{ column{number} }}}}" for number in range(8)), "8 merge fields"),
    ],
)
def test_reason_for_having_no_compiled_form(source: str, reason: str) -> None:
    """Logic, braces and an eighth merge field have no compiled form, and the reason is told."""
    result = compile_template(parse_template(source), {})
    assert isinstance(result, Uncompilable)
    assert reason in result.reason

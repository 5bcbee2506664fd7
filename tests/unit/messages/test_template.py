from __future__ import annotations

import pytest

from octoplan.diagnostics import Finding, InvalidInput, Place
from octoplan.limits import TEMPLATE_CHARACTERS_MAX
from octoplan.messages.template import Fault, Renderer, parse_template, read_body

PLACE = Place("campaigns/spring.yaml", 7, 13, "Bonjour")


def refused(source: str, place: Place | None = PLACE) -> list[Finding]:
    with pytest.raises(InvalidInput) as caught:
        parse_template(source, place)
    return list(caught.value.findings)


def render(source: str, **values: str | None) -> str | Fault:
    template = parse_template(source)
    return Renderer(read_body(template).tree.body).render(dict.fromkeys(template.variables) | values)


def broken(source: str, **values: str | None) -> str:
    fault = render(source, **values)
    assert isinstance(fault, Fault), fault
    return fault.rule.code


def test_variables_are_found() -> None:
    """A template tells what it reads, also in conditions, and not what it sets itself."""
    source = "{{ a }}{% if b %}{% for c in range(2) %}{{ c }}{% endfor %}{% endif %}{% set d = 1 %}{{ d }}"
    assert parse_template(source).variables == {"a", "b"}


def test_last_line_break_is_dropped() -> None:
    """A YAML block ends with a line break that nobody means; only one is dropped."""
    assert parse_template("Bonjour\n").source == "Bonjour"
    assert parse_template("Bonjour\n\n").source == "Bonjour\n"
    assert render("Bonjour\n\n") == "Bonjour\n"


def test_normalising_is_shown() -> None:
    """Line ends become LF and letters NFC, each with a warning; a normal template has none."""
    template = parse_template("Caf\u0065\u0301\r\nBonjour\rok")
    assert template.source == "Café\nBonjour\nok"
    assert [finding.code for finding in template.findings] == ["message/normalised"] * 2
    assert {finding.severity for finding in template.findings} == {"warning"}
    assert parse_template("Café\n").findings == ()


@pytest.mark.parametrize("source", ["{{ first_name", "{{ }}", "{% if a %}", "{% nonsense %}", "{{ a b }}", "{{ 1 + }}"])
def test_syntax_error_is_a_finding(source: str) -> None:
    """What Jinja cannot read is a finding in the campaign file, never a traceback."""
    (finding,) = refused(source)
    assert finding.code == "message/syntax"
    assert finding.place == PLACE


def test_place_is_the_line_in_the_file() -> None:
    """A finding on a later line of the template names the line of the file and shows it."""
    (finding,) = refused("Bonjour\n\n{{ a|titel }}")
    assert (finding.code, finding.hint) == ("message/unknown-filter", "did you mean `title`?")
    assert finding.place == Place("campaigns/spring.yaml", 9, None, "{{ a|titel }}")


def test_all_findings_come_at_once() -> None:
    """Every construct that is not allowed is found in one reading."""
    found = refused("{{ a.b }}{% include 'c' %}{{ d|nothing }}{{ e is nothing }}{first_name}")
    assert sorted(finding.code for finding in found) == [
        "message/construct",
        "message/construct",
        "message/literal-placeholder",
        "message/unknown-filter",
        "message/unknown-filter",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{% endmacro %}{% macro f() %}{% endmacro %}",
        "{% macro f() %}{% macro g() %}{% endmacro %}{% endmacro %}",
        "{% macro range() %}{% endmacro %}",
        "{% macro f() %}{% endmacro %}{% set f = 1 %}",
        "{% macro f(g) %}{% endmacro %}{% macro g() %}{% endmacro %}",
        "{% macro f() %}{% endmacro %}{{ f }}",
        "{% macro f() %}{% endmacro %}{{ f.name }}",
        "{% macro f() %}{{ caller() }}{% endmacro %}",
        "{% macro f() %}{{ varargs }}{% endmacro %}",
        "{% call f() %}x{% endcall %}",
        "{% include '/etc/passwd' %}",
        "{% import 'a' as b %}",
        "{% from 'a' import b %}",
        "{% extends 'a' %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}a{% endfilter %}",
        "{% set a %}b{% endset %}",
        "{% autoescape true %}{% endautoescape %}",
        "{% set ns.a = 1 %}",
        "{{ namespace() }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ ''.__class__ }}",
        "{{ a.format(1) }}",
        "{{ a.join(b) }}",
        "{{ a.strip(b.__class__) }}",
        "{{ a.upper }}",
        "{{ range }}",
        "{{ range(range) }}",
        "{{ range|string }}",
        "{{ self }}",
        "{{ loop }}",
        "{% set range = 1 %}",
        "{% for x in a %}{{ loop.cycle('a', 'b') }}{% endfor %}",
        "{% for x in a recursive %}{{ loop(x) }}{% endfor %}",
        "{% for x in a %}{% for y in x %}{% for z in y %}{% endfor %}{% endfor %}{% endfor %}",
        "{% if a %}" + "{% elif b %}" * 1500 + "{% endif %}",
        "{{ [a, [a]] }}",
        "{{ {'a': b} }}",
        "{{ 10**10**10 }}",
        "{{ 'x'.center(10) }}",
    ],
)
def test_construct_is_refused(source: str) -> None:
    """What reads files, calls code, recurses or nests without bound is refused when the file is read."""
    assert "message/construct" in {finding.code for finding in refused(source)}


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 1000000000 }}",
        "{{ 1000000000 * 'a' }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '%*d'|format(1000000000, 1) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ range(1000000000)|join }}",
        "{{ 'ab'|replace('a', '" + "b" * 9000 + "')|replace('b', '" + "c" * 9000 + "') }}",
        "{{ 'aaaa'|replace('', '" + "b" * 9000 + "') }}",
        "{{ 'aaaa'|replace('', '" + "b" * 9000 + "')|length }}",
        "{{ range(900)|join('" + "b" * 9000 + "')|length }}",
        "{{ '%s%s%s'|format('a' * 9000, 'a' * 9000, 'a' * 9000)|length }}",
        "{{ ('a' * 9000 ~ 'a' * 9000 ~ 'a' * 9000)|length }}",
        "{{ 1.5|round(1000000000) }}",
        "{{ 999999999999 * 999999999999 }}",
        "{{ ['a'] * 1000000000 }}",
        "{{ ['a'] + ['a'] }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% for i in range(999) %}" + "{{ i }}" * 900 + "{% endfor %}",
        "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 200 + "{{ a }}",
        "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 200 + "{{ a }}",
        "{% set a = 'a' * 9000 %}{{ a }}{{ a }}{{ a }}",
        "{% macro m0() %}a{% endmacro %}"
        + "".join(f"{{% macro m{i + 1}() %}}{{{{ m{i}() ~ m{i}() }}}}{{% endmacro %}}" for i in range(60))
        + "{{ m60() }}",
        "{% macro f(a) %}" + "{{ a }}" * 900 + "{% endmacro %}{{ f('a' * 9000)|length }}",
        "{% macro f() %}" + "a" * 9000 + "{% endmacro %}{% for i in range(900) %}{{ f()|length }}{% endfor %}",
    ],
)
def test_work_and_size_are_bounded(source: str) -> None:
    """A template that would need much time or memory ends at once, with a finding for the rows."""
    assert broken(source) == "message/unbounded"


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "1 + " * 3000 + "1 }}",
        "{{ " + "not " * 900 + "1 }}",
        "{{ a" + "[0]" * 900 + " }}",
        "{{ " + "9" * 5000 + " }}",
        "{% if a %}" * 60 + "{% endif %}" * 60,
        "a" * (TEMPLATE_CHARACTERS_MAX + 1),
    ],
)
def test_deep_and_large_templates_are_refused(source: str) -> None:
    """Templates that would exhaust Jinja or Python are findings, not a crash."""
    assert {finding.code for finding in refused(source)} <= {"message/syntax", "message/too-large"}


@pytest.mark.parametrize("code", ["a\tb", "a\x00b", "a\x1bb", "a\x85b", "a\u2028b"])
def test_control_character_in_a_template_is_refused(code: str) -> None:
    """The only control character in a text is the line feed."""
    assert [finding.code for finding in refused(code)] == ["message/control-character"]


def test_reordering_character_in_a_template_is_refused() -> None:
    """A character that makes a reviewer read another order than the phone shows is refused."""
    assert [finding.code for finding in refused("a\u202eb")] == ["message/bidirectional-control"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ a|title }} {{ a|upper }} {{ a|capitalize }}", "Jean-Luc JEAN-LUC Jean-luc"),
        ("{{ a|replace('-', ' ') }} {{ a|length }} {{ a|first }}{{ a|last }}", "jean luc 8 jc"),
        ("{{ '%.2f'|format('3'|float) }} {{ 7|int // 2 }} {{ -3|abs }} {{ 2.345|round(1) }}", "3.00 3 3 2.3"),
        ("{{ a.split('-')[0].upper() }}", "JEAN"),
        ("{{ missing|default('client') }} {{ ''|default('client', true) }}", "client client"),
        ("{% if a is defined and a in ['jean-luc'] %}oui{% else %}non{% endif %}", "oui"),
        ("{% for part in a.split('-') %}{{ part }}{{ ', ' if not loop.last else '.' }}{% endfor %}", "jean, luc."),
        ("{% for i in range(3) %}{{ loop.index }}/{{ loop.length }};{% endfor %}", "1/3;2/3;3/3;"),
        (
            "{{ {'jean-luc': 'M.'}[a] }} {{ a ~ 1 }} {{ a[:4] }} {{ a + '!' }} {{ '-' * 3 }}",
            "M. jean-luc1 jean jean-luc! ---",
        ),
        ("{# a remark #}{{- ' ' ~ a -}}  !", " jean-luc!"),
        (
            "{% macro f(x, y='M') %}{{ y }}. {{ x }}{% endmacro %}{{ f(a) }} {{ f(a, 'Me')|upper }}",
            "M. jean-luc ME. JEAN-LUC",
        ),
        ("{% with b = a|upper %}{{ b }}{% endwith %}", "JEAN-LUC"),
        ("{{ a|truncate(2, true, '') }} {{ ' b '|trim }} {{ 'A'|lower|string }} {{ 1 + 1 }}", "je b a 2"),
    ],
)
def test_what_campaigns_need_is_there(source: str, text: str) -> None:
    """Filters, tests, conditions and small loops give what Jinja gives."""
    assert render(source, a="jean-luc") == text


@pytest.mark.parametrize(
    ("source", "value", "code"),
    [
        ("{{ a }}", None, "message/missing-value"),
        ("{{ a|title }}", None, "message/missing-value"),
        ("{% if a %}x{% endif %}", None, "message/missing-value"),
        ("{{ a }}", "", "message/empty-value"),
        ("{{ a }}", " \u00a0", "message/empty-value"),
        ("{{ a|default('', true) }}", "", "message/empty-value"),
        ("{{ a }}", "x\ny", "message/control-character"),
        ("{{ a }}", "x\ty", "message/control-character"),
        ("{{ a }}", "x\u2028y", "message/control-character"),
        ("{{ a }}", "x\u202ey", "message/bidirectional-control"),
        ("{{ a }}", "{param1}", "message/injection"),
        ("{{ a }}", "}", "message/injection"),
        ("{{ a }}", "aXXXXX", "message/injection"),
        ("{{ '\\u202e' ~ a }}", "x", "message/bidirectional-control"),
        ("{{ a.split() }}", "x", "message/not-text"),
        ("{{ a == 'x' }}", "x", "message/not-text"),
        ("{{ none }}", "x", "message/not-text"),
        ("{{ a['format'] }}", "x", "message/failed"),
        ("{{ a['__class__'] }}", "x", "message/failed"),
        ("{{ a[5] }}", "x", "message/failed"),
        ("{{ 1 // 0 }}", "x", "message/failed"),
        ("{{ a + 1 }}", "x", "message/unbounded"),
        ("{{ 'x' if a == 'y' }}", "x", "message/empty-value"),
    ],
)
def test_value_that_cannot_be_sent(source: str, value: str | None, code: str) -> None:
    """Whatever an expression gives that is not plain, harmless text is a fault, with its reason."""
    assert broken(source, a=value) == code


def test_fault_names_the_missing_column() -> None:
    """A missing value is put down to its column, also where several are read."""
    fault = render("{{ a ~ b }}", a="x", b=None)
    assert isinstance(fault, Fault)
    assert fault.variable == "b"


def test_values_are_taken_in_nfc() -> None:
    """A decomposed letter in a column is composed before it is used."""
    assert render("{{ a }}", a="Zoe\u0301") == "Zo\u00e9"


def test_a_loop_gets_new_work_for_each_rendering() -> None:
    """The bound on work is for one rendering: many recipients do not add up."""
    body = read_body(parse_template("{% for x in range(500) %}{{ x }}{% endfor %}{{ a }}"))
    renderer = Renderer(body.tree.body)
    texts = {renderer.render({"a": "."}) for _ in range(100)}
    assert texts == {"".join(str(number) for number in range(500)) + "."}

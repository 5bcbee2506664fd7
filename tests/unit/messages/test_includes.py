from __future__ import annotations

from collections.abc import Mapping

import jinja2
import pytest

from octoplan.diagnostics import Finding, InvalidInput, Place, Rule
from octoplan.limits import INCLUDE_DEPTH_MAX
from octoplan.messages.template import ParsedTemplate, Renderer, parse_template, read_body

PLACE = Place("campaigns/spring.yaml", 7, 13, "Bonjour")
FILES = {
    "hello.txt": "Bonjour {{ name }}\n",
    "formal.txt": "{% include 'hello.txt' %}{% if vip == 'oui' %}, cher {% include 'hello.txt' %}{% endif %}",
    "sets.txt": "{% set name = 'X' %}{{ name }}",
    "macro.txt": "{% macro f(x) %}<{{ x }}>{% endmacro %}{{ name }}",
    "lines.txt": "un\n{{ name|titel }}\n",
    "spaces.txt": "  {{- name -}}  ",
    "self.txt": "{% include 'self.txt' %}",
}
MISSING = Rule("campaign/no-file", "No such file")


def read(name: str) -> str:
    if name not in FILES:
        raise InvalidInput("none", findings=[MISSING.at(Place(name), "There is no such file.")])
    return FILES[name]


def parsed(source: str) -> ParsedTemplate:
    return parse_template(source, PLACE, read)


def refused(source: str) -> list[Finding]:
    with pytest.raises(InvalidInput) as caught:
        parsed(source)
    return list(caught.value.findings)


@pytest.mark.parametrize("values", [{"name": "Ana", "vip": "oui"}, {"name": "Bob", "vip": "non"}])
@pytest.mark.parametrize(
    "source",
    [
        "{% include 'hello.txt' %} !",
        '« {%- include "formal.txt" -%} »',
        "{% include 'sets.txt' %} {{ name }}",
        "{% set name = name ~ '2' %}{% include 'hello.txt' %}",
        "{% for i in range(2) %}{% include 'hello.txt' %}{% endfor %}",
        "a {% include 'spaces.txt' %} b",
        "a\n  {%- include 'spaces.txt' %}\n b",
        "{% raw %}{% include 'hello.txt' %}{% endraw %}",
    ],
)
def test_includes_give_what_jinja_gives(source: str, values: Mapping[str, str]) -> None:
    """A file in its place is what Jinja's own include gives: it sees the variables, and what it sets stays inside."""
    loader = jinja2.DictLoader(FILES)
    expected = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined).from_string(source).render(values)
    body = read_body(parsed(source))
    assert Renderer(body.tree.body).render(values) == expected


def test_included_texts_are_told() -> None:
    """What was included is known by name and text, so that an edit of it is an edit of the campaign."""
    template = parsed("{% include 'formal.txt' %}")
    assert set(template.included) == {"formal.txt", "hello.txt"}
    assert template.included["hello.txt"] == "Bonjour {{ name }}"
    assert template.variables == {"name", "vip"}


def test_finding_names_the_included_file() -> None:
    """What is wrong in an included file is reported there; what is wrong after it, at its own line."""
    (inside,) = refused("Bonjour\n{% include 'lines.txt' %}\n")
    assert inside.place == Place("messages/lines.txt", 2)
    (after,) = refused("Bonjour\n{% include 'formal.txt' %}\n\n{{ a|titel }}")
    assert after.place is not None
    assert (after.place.file, after.place.line, after.place.snippet) == ("campaigns/spring.yaml", 10, "{{ a|titel }}")


@pytest.mark.parametrize(
    "source",
    [
        "{% include name %}",
        "{% include ['hello.txt'] %}",
        "{% include 'hello.txt' ignore missing %}",
        "{% include 'hello.txt' without context %}",
        "{% include 'macro.txt' %}",
    ],
)
def test_other_includes_are_refused(source: str) -> None:
    """Only a name that is written as it is can be included, and macros stand in the template itself."""
    assert "message/construct" in {finding.code for finding in refused(source)}


def test_includes_are_bounded() -> None:
    """A file that includes itself, and files that grow each other, end at once."""
    assert [finding.code for finding in refused("{% include 'self.txt' %}")] == ["message/too-large"]
    assert f"{INCLUDE_DEPTH_MAX} deep" in refused("{% include 'self.txt' %}")[0].detail
    assert [finding.code for finding in refused("{% include 'hello.txt' %}" * 800)] == ["message/too-large"]


def test_missing_file_is_a_finding() -> None:
    """A file that is not there is reported by name."""
    assert [finding.code for finding in refused("{% include 'absent.txt' %}")] == ["campaign/no-file"]

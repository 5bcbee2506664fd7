"""
Templates as an attacker would write them in a pull request, in a process with little memory and time.

All of them run in one process of their own, whose limits the kernel enforces: a template that got through them would
take that process down and every test here with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
MEMORY_BYTES: Final = 1536 * 1024**2
"""Address space, most of it that of the libraries."""
PROCESSOR_S: Final = 10
"""For all of them together."""
BIG: Final = "1000000000"

REFUSED: Final = {
    # filters and functions that octoplan does not have: most make texts grow, or reach into Python
    "{{ 'a'|center(" + BIG + ") }}": "message/unknown-filter",
    "{{ a|wordwrap(1) }}": "message/unknown-filter",
    "{{ a|indent(" + BIG + ") }}": "message/unknown-filter",
    "{{ a|batch(" + BIG + ", 'x')|list }}": "message/unknown-filter",
    "{{ a|slice(" + BIG + ") }}": "message/unknown-filter",
    "{{ a|groupby('x') }}": "message/unknown-filter",
    "{{ a|map('upper')|join }}": "message/unknown-filter",
    "{{ a|tojson(indent=" + BIG + ") }}": "message/unknown-filter",
    "{{ {'a': 1}|xmlattr }}": "message/unknown-filter",
    "{{ a|pprint }}": "message/unknown-filter",
    "{{ a|urlize }}": "message/unknown-filter",
    "{{ ''|attr('__class__') }}": "message/unknown-filter",
    "{{ a|random }}": "message/unknown-filter",
    "{{ a is callable }}": "message/unknown-filter",
    "{{ 'a'.center(" + BIG + ") }}": "message/construct",
    "{{ 'a'.ljust(" + BIG + ") }}": "message/construct",
    "{{ 'a'.zfill(" + BIG + ") }}": "message/construct",
    "{{ 'a'.replace('', 'b' * 9000) }}": "message/construct",
    "{{ '{0.__class__}'.format(a) }}": "message/construct",
    "{{ '%s'.__mod__(a) }}": "message/construct",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "message/construct",
    "{{ cycler.__init__.__globals__ }}": "message/construct",
    "{{ joiner.__init__.__globals__.os }}": "message/construct",
    "{{ self._TemplateReference__context }}": "message/construct",
    "{{ lipsum(n=" + BIG + ") }}": "message/construct",
    "{{ lipsum.__globals__ }}": "message/construct",
    "{{ dict(a=1) }}": "message/construct",
    "{{ namespace(a=1) }}": "message/construct",
    "{{ range.__class__ }}": "message/construct",
    "{{ 2 ** 2 ** 2 ** 40 }}": "message/construct",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "message/construct",
    "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ g() }}": "message/construct",
    "{% for x in a recursive %}{{ loop(a) }}{% endfor %}": "message/construct",
    "{% for x in a %}{% for y in a %}{% for z in a %}{% endfor %}{% endfor %}{% endfor %}": "message/construct",
    # nesting
    "{{ " + "(" * 9000 + "a" + ")" * 9000 + " }}": "message/syntax",
    "{{ " + "-" * 9000 + "1 }}": "message/syntax",
    "{{ a" + "|upper" * 3000 + " }}": "message/syntax",
    "{{ " + "a if a else " * 1500 + "a }}": "message/syntax",
    "{% if a %}" * 900 + "{% endif %}" * 900: "message/syntax",
    "{{ " + "a ~ " * 4000 + "a }}": "message/text-too-long",
    # growth while rendering
    "{{ 'a' * " + BIG + " }}": "message/unbounded",
    "{{ ('a' * 9000)|replace('a', 'b' * 9000) }}": "message/unbounded",
    "{{ ('a' * 9000)|replace('', 'b' * 9000)|length }}": "message/unbounded",
    "{{ '%" + BIG + "d'|format(1) }}": "message/unbounded",
    "{{ '%." + BIG + "f'|format(1.5) }}": "message/unbounded",
    "{{ '%s' % a }}": "message/unbounded",
    "{{ range(999)|join('x' * 9000) }}": "message/unbounded",
    "{{ range(" + BIG + ")|length }}": "message/unbounded",
    "{% for i in range(999) %}{% for j in range(999) %}{{ 'x' * 9000 }}{% endfor %}{% endfor %}": "message/unbounded",
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}": "message/unbounded",
    "{% set x = 9 %}" + "{% set x = x * x %}" * 60 + "{{ x }}": "message/unbounded",
    "{% macro f() %}{% for i in range(999) %}xxxxxxxxxx{% endfor %}{% endmacro %}"
    "{% for i in range(999) %}{{ f() }}{% endfor %}": "message/unbounded",
}
SENT: Final = (
    "{{ a|truncate(" + BIG + ") }}",
    "{{ a|title|upper|lower }}",
    "{{ a|default('b' * 9)|replace('a', 'b') }}",
)

PROGRAM: Final = """
import json, resource, sys
from octoplan.diagnostics import InvalidInput
from octoplan.messages.compose import MessageSource, compose_message
from octoplan.messages.template import parse_template
from tests.unit.messages.samples import batches_of, recipients

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
found = []
for source in json.load(sys.stdin):
    try:
        message = compose_message(MessageSource(parse_template(source)), batches_of(recipients({"a": ["Ana", "Zoe"]})))
        codes = sorted(text["filled"] for batch in message.filled_texts() for text in batch.to_pylist())
    except InvalidInput as error:
        codes = [finding.code for finding in error.findings]
    found.append(codes)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    """By template the codes of its findings, or the texts."""
    sources = [*REFUSED, *SENT]
    command = [sys.executable, "-c", PROGRAM, str(MEMORY_BYTES), str(PROCESSOR_S)]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(sources), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(sources, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("source", "code"), REFUSED.items(), ids=[source[:40] for source in REFUSED])
def test_hostile_template_ends_in_a_finding(answers: dict[str, list[str]], source: str, code: str) -> None:
    """What would escape, hang or fill the memory is a finding, soon and in little memory."""
    assert code in answers[source]


@pytest.mark.parametrize("source", SENT)
def test_harmless_template_is_rendered_under_the_same_limits(answers: dict[str, list[str]], source: str) -> None:
    """The limits leave room for what campaigns need, so that the findings above are not those of the limits."""
    assert len(answers[source]) == 2
    assert all(text.isalpha() for text in answers[source])

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate

import jinja2
import orjson
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from octoplan.limits import TEMPLATE_LOOP_DEPTH_MAX, UCS2_UNITS_MAX
from octoplan.messages.batches import bucket_bits, pack_batches
from octoplan.messages.compose import MessageSource, compose_message, contact_column
from octoplan.messages.evaluate import Values
from octoplan.messages.handling import LEVELS, Handling, Level, table_of
from octoplan.messages.rules import BIDIRECTIONAL, CONTROL, INJECTED
from octoplan.messages.template import parse_template
from octoplan.messages.verify import Verification
from octoplan.rulebook.data import escapes
from octoplan.values.sms_size import measure
from tests.unit.messages.samples import batches_of, phone, recipients

COLUMNS = ("first_name", "last_name", "city", "code")
VARIABLES = {"shop": "l'été", "rate": "20"}
WORDS = (
    st.text("aeéïßŉİ€’œ…½']\"\\- 中\U0001f600\u0301b5\u007e", min_size=1, max_size=8).filter(str.strip).map(str.strip)
)
VALUES = st.one_of(WORDS, WORDS, WORDS, st.integers(20, 70).map(lambda length: "e" * length))
FILTERS = ("", "|title", "|upper", "|lower", "|capitalize", "|trim", "|truncate(3, true, '', 0)", "|replace('a', 'bb')")
EXPRESSIONS = st.one_of(
    st.builds("{}{}".format, st.sampled_from((*COLUMNS, *VARIABLES)), st.sampled_from(FILTERS)),
    st.builds("{} ~ '-' ~ {}".format, st.sampled_from(COLUMNS), st.sampled_from((*COLUMNS, *VARIABLES))),
    st.builds("{0} if {0} > {1} else {1}".format, st.sampled_from(COLUMNS), st.sampled_from(COLUMNS)),
    st.sampled_from(("city[0] + code", "city.split(' ')[0]", "city|length + 1", "'%s/%s'|format(city, code)")),
)
FIELDS = EXPRESSIONS.map("{{{{ {} }}}}".format)
STATIC = st.text("ab é€.\n", max_size=6)
WORDING = st.one_of(
    STATIC, st.sampled_from((" cher client", "Bonjour ", "x" * 55, " STOP au XXXXX ", "{# #}", "a b c "))
)
MACROS = (
    "{% macro hello(who, title='M') %}{{ title }} {{ who }}{% endmacro %}"
    "{% macro twice(who) %}{{ hello(who) }}{% if who > 'b' %}\n{{ hello(who, code) }}{% endif %}{% endmacro %}"
)
TESTS = st.one_of(
    st.builds("{} > '{}'".format, st.sampled_from(COLUMNS), st.sampled_from("be5")),
    st.sampled_from(
        ("city|length > 3", "first_name == last_name", "'e' in code and city", "not code", "1", "rate > '3'")
    ),
)
FLAT = st.lists(st.one_of(STATIC, FIELDS), min_size=1, max_size=7).map("".join)


def branches(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Statements around other parts of a template."""
    body = st.lists(inner, max_size=3).map("".join)
    return st.one_of(
        st.builds("{{% if {} %}}{}{{% endif %}}".format, TESTS, body),
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, TESTS, body, body),
        st.builds("{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format, TESTS, body, TESTS, body, body),
        st.builds("{{% set x = {} %}}{}{{{{ x }}}}".format, st.sampled_from((*COLUMNS, "'w'", "x ~ code")), body),
        st.builds("{{% if {} %}}{{% set x = {} %}}{}{{% endif %}}".format, TESTS, st.sampled_from(COLUMNS), body),
        st.builds("{{% for i in range({}) %}}{}{{{{ i }}}}{{% endfor %}}".format, st.integers(0, 2), inner),
        st.builds("{{% for x in city %}}{}{{{{ x|trim|default('-', true) }}}}{{% endfor %}}".format, STATIC),
        st.builds("{{% with y = {} %}}{}{{{{ y }}}}{{% endwith %}}".format, st.sampled_from(COLUMNS), inner),
        st.builds("{{% with %}}{}{{% endwith %}}".format, body),
    )


def loop_depth(source: str) -> int:
    """How deep loops are nested."""
    steps = (1 if word == "for" else -1 for word in re.findall(r"{% (for|endfor)\b", source))
    return max(accumulate(steps), default=0)


LEAVES = st.one_of(
    *(WORDING, FIELDS, FIELDS),
    st.sampled_from(("{{ hello(first_name) }}", "{{ twice(city) }}", "{{ hello(code)|upper }}", "{{ x }}")),
    st.just("{% raw %}{{% endraw %}"),
)
PARTS = st.recursive(LEAVES, branches, max_leaves=12)
TEMPLATES = (
    st.lists(PARTS, min_size=1, max_size=7)
    .map(lambda parts: MACROS + "{% set x = last_name %}" + "".join(parts))
    .filter(lambda source: loop_depth(source) <= TEMPLATE_LOOP_DEPTH_MAX)
)
FEW = settings(max_examples=70, deadline=None)  # each compiles a template, which takes milliseconds
AUDIENCES = st.lists(st.tuples(*(VALUES for _ in COLUMNS)), min_size=1, max_size=7)


def as_jinja(source: str, row: tuple[str, ...]) -> str:
    """What plain Jinja renders for one recipient."""
    plain = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    values = {name: unicodedata.normalize("NFC", value) for name, value in zip(COLUMNS, row, strict=True)}
    return plain.from_string(source).render(**values, **VARIABLES)


def fits(text: str) -> bool:
    """Whether the API takes the text."""
    return measure(text).units <= UCS2_UNITS_MAX


def as_the_api(text: str, contact: dict[str, str]) -> str:
    """What the API makes of a text and a contact: each placeholder replaced once."""
    assert len(contact) == 1 or text.count("{") == len(re.findall(r"\{(?:first_name|last_name|param[1-5])\}", text))
    return re.sub(r"\{(first_name|last_name|param[1-5])\}", lambda match: contact[match[1]], text)


@FEW
@given(
    source=st.one_of(FLAT, TEMPLATES),
    rows=AUDIENCES,
    cuts=st.lists(st.integers(1, 6), max_size=2),
    level=st.sampled_from(LEVELS),
)
def test_what_is_sent_is_what_jinja_renders(
    source: str, rows: list[tuple[str, ...]], cuts: list[int], level: Level
) -> None:
    """
    For every recipient the compiled text with its fields filled in equals Jinja's rendering of the template, with its
    characters replaced as the campaign wants it.
    """
    source = unicodedata.normalize("NFC", "«" + source)
    table = recipients(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)))
    characters = str.maketrans(dict(table_of(level)))
    expected = {phone(number): as_jinja(source, row).translate(characters) for number, row in enumerate(rows)}
    assume(all(fits(text) for text in expected.values()))
    template = parse_template(source, handling=Handling(level))
    message = compose_message(MessageSource(template, VARIABLES), batches_of(table, cuts))
    sent, sizes = {}, {}
    for row in (row for batch in message.batches() for row in batch.to_pylist()):
        contact = orjson.loads(row["contact"])
        sent[row["phone"]] = as_the_api(message.texts[row["text"]], contact)
        sizes[row["phone"]] = (row["units"], row["segments"], row["ucs2"])
        assert all(0 < len(value) <= 50 for value in contact.values())
    assert sent == expected
    assert sizes == {
        number: (size.units, size.segments, size.encoding == "UCS-2")
        for number, size in ((number, measure(text)) for number, text in expected.items())
    }
    assert {row["phone"]: row["filled"] for batch in message.filled_texts() for row in batch.to_pylist()} == expected
    assert message.verify() == Verification(len(rows), 0)


@FEW
@given(rows=AUDIENCES, source=TEMPLATES, size=st.integers(1, 4))
def test_everybody_is_in_exactly_one_batch(rows: list[tuple[str, ...]], source: str, size: int) -> None:
    """From composed message to batches nobody is lost, doubled or sent a text that is another's."""
    table = recipients(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)))
    assume(all(fits(as_jinja("a" + source, row)) for row in rows))
    message = compose_message(MessageSource(parse_template("a" + source), VARIABLES), batches_of(table))
    bits = [bucket_bits(count) for count in message.recipients_per_text]
    batches = list(pack_batches(message.batches(), texts=message.texts, bucket_bits=bits, batch_size=size))
    reached = [(number, batch.text) for batch in batches for number in batch.phones.to_pylist()]
    told = [(row["phone"], message.texts[row["text"]]) for batch in message.batches() for row in batch.to_pylist()]
    assert sorted(reached) == sorted(told)
    assert len(reached) == len(rows)
    assert sum(batch.segments for batch in batches) == sum(
        segments * count for segments, count in message.statistics.segments.items()
    )


UNSAFE = st.text("a b{}X\n\t\u202e’", min_size=1, max_size=7).map(lambda text: f"x{text}x")
FIELDS_ONLY = st.lists(st.one_of(STATIC, st.sampled_from(("{{ city }}", "{{ code|upper }}"))), min_size=1, max_size=4)


@FEW
@given(parts=FIELDS_ONLY, values=st.lists(st.tuples(UNSAFE, UNSAFE), min_size=1, max_size=6))
def test_unsafe_values_are_escaped_or_left_out(parts: list[str], values: list[tuple[str, str]]) -> None:
    """Escaped, each value is as it was but for what it must not hold; left out, exactly those are who have any."""
    source = "a" + "".join(parts)
    table = recipients({"city": [city for city, _ in values], "code": [code for _, code in values]})
    for on_unsafe in ("drop", "escape"):
        escaping = str.maketrans(dict(escapes())) if on_unsafe == "escape" else {}
        jinja = jinja2.Environment(finalize=lambda value, by=escaping: str(value).translate(by))
        expected = {
            phone(number): jinja.from_string(source).render(city=city, code=code)
            for number, (city, code) in enumerate(values)
            if on_unsafe == "escape" or not any(map(is_unsafe, filled(source, city, code)))
        }
        assume(on_unsafe == "drop" or not any("XXXXX" in text.upper() for text in expected.values()))
        template = parse_template(source, handling=Handling(on_unsafe=on_unsafe))
        message = compose_message(MessageSource(template), batches_of(table))
        sent = {row["phone"]: row["filled"] for batch in message.filled_texts() for row in batch.to_pylist()}
        assert sent == expected
        assert len(sent) + message.left_out.num_rows == len(values)
        assert message.verify() == Verification(len(sent), 0)


def filled(source: str, city: str, code: str) -> list[str]:
    """The values that a template fills in."""
    return [value for name, value in (("city", city), ("code|upper", code.upper())) if f"{{{{ {name} }}}}" in source]


def is_unsafe(value: str) -> bool:
    return bool(INJECTED.search(value) or CONTROL.search(value) or BIDIRECTIONAL.search(value))


SENDABLE = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\"\\/\u007f€\U0001f600<&'")
THREE = st.lists(st.text(SENDABLE), min_size=3, max_size=3)


@given(THREE, THREE)
def test_contacts_are_canonical_json(first: list[str], second: list[str]) -> None:
    """A contact object has the bytes that orjson writes with sorted keys, whatever its values hold."""
    phones = pa.array([phone(number) for number in range(3)])
    column = contact_column(
        [("first_name", Values.of(pa.array(first))), ("param1", Values.of(pa.array(second)))], phones
    )
    for number, contact in enumerate(column.to_pylist()):
        expected = {"phone_number": phone(number), "param1": second[number], "first_name": first[number]}
        assert contact.encode() == orjson.dumps(expected, option=orjson.OPT_SORT_KEYS)


@given(st.text(max_size=5))
def test_control_characters_are_what_json_would_escape(text: str) -> None:
    """Every character that JSON must escape by a number is a control character, so no value can hold it."""
    if not CONTROL.search(text):
        assert "\\u" not in orjson.dumps(text.replace("\\", "")).decode()

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pytest

from octoplan.audience.schemas import MESSAGES
from octoplan.diagnostics import Finding, InvalidInput, Place
from octoplan.messages import compose
from octoplan.messages.compose import FILLED, ComposedMessage, MessageSource, compose_message
from octoplan.messages.statistics import Extreme
from octoplan.messages.template import parse_template
from tests.unit.messages.samples import batches_of, phone, recipients

PLACE = Place("campaigns/spring.yaml", 7, 13)


def composed(
    source: str,
    table: pa.Table,
    *,
    variables: dict[str, str] | None = None,
    columns: dict[str, str] | None = None,
    cuts: tuple[int, ...] = (),
) -> ComposedMessage:
    message = MessageSource(parse_template(source, PLACE), variables or {}, columns or {})
    return compose_message(message, batches_of(table, cuts))


def refused(source: str, table: pa.Table, **columns: str) -> list[Finding]:
    with pytest.raises(InvalidInput) as caught:
        composed(source, table, columns=columns, cuts=(1, 2))
    return list(caught.value.findings)


def rows_of(message: ComposedMessage) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batch in message.batches():
        assert batch.schema == MESSAGES
        rows += batch.to_pylist()
    return rows


def test_merge_fields() -> None:
    """A flat template is one text; each contact brings its values as canonical JSON, sorted by hash."""
    table = recipients({"first_name": ["ana", 'zo"é\\'], "shop": ["Lyon", "Metz"]})
    message = composed("Bonjour {{ first_name|capitalize }} ({{ shop }})", table)
    assert (message.mode, message.reason) == ("merge", None)
    assert message.texts == ("Bonjour {first_name} ({param1})",)
    assert [str(slot) for slot in message.slots] == ["{first_name} <- first_name|capitalize", "{param1} <- shop"]
    rows = rows_of(message)
    assert [row["hash"] for row in rows] == table.column("hash").to_pylist()
    by_phone = {row["phone"]: row for row in rows}
    expected = {"first_name": 'Zo"é\\', "param1": "Metz", "phone_number": phone(1)}
    assert by_phone[phone(1)]["contact"] == orjson.dumps(expected, option=orjson.OPT_SORT_KEYS).decode()
    assert by_phone[phone(0)]["units"] == len("Bonjour Ana (Lyon)")


def test_static_text() -> None:
    """A text without merge fields is sent to everybody as it is."""
    message = composed("Bonjour à tous", recipients({"a": ["1", "2", "3"]}))
    assert (message.mode, message.texts, message.slots) == ("merge", ("Bonjour à tous",), ())
    assert [row["contact"] for row in rows_of(message)] == [
        f'{{"phone_number":"{row["phone"]}"}}' for row in rows_of(message)
    ]


def test_grouping_by_identical_text() -> None:
    """Where nothing can be a merge field, each different rendering is a text, texts ordered by their bytes."""
    table = recipients({"city": ["Metz", "Lyon", "Metz", "Évry", "Lyon", "Zug"]})
    message = composed("{% raw %}{}{% endraw %}{{ city|replace('Lyon', 'Ici') }}", table, cuts=(2, 3))
    reason = "its text has braces, which the API reads as merge fields"
    assert (message.mode, message.reason, message.slots) == ("grouped", reason, ())
    assert message.texts == ("{}Ici", "{}Metz", "{}Zug", "{}Évry")
    assert message.recipients_per_text == (2, 2, 1, 1)
    rows = rows_of(message)
    keys = [(row["text"], row["hash"], row["phone"]) for row in rows]
    assert keys == sorted(keys)
    read = {row["phone"]: message.texts[row["text"]] for row in rows}
    assert read == {
        phone(number): "{}" + text for number, text in enumerate(["Metz", "Ici", "Metz", "Évry", "Ici", "Zug"])
    }
    assert {row["contact"] for row in rows} == {f'{{"phone_number":"{phone(number)}"}}' for number in range(6)}


def test_reading_again_gives_the_same() -> None:
    """Messages can be read as often as needed."""
    table = recipients({"a": ["x", "y", "z"]})
    for source in ("{{ a }}!", "{% if a %}{{ a }}{% endif %}"):
        message = composed(source, table)
        assert rows_of(message) == rows_of(message)


def test_cuts_between_arrow_batches_change_nothing() -> None:
    """The same recipients give the same messages and statistics, however they are cut."""
    table = recipients({"a": ["x", "ï", "z", "x", "€", "q"], "b": ["1", "2", "1", "2", "1", "2"]}, ("FR", "DE"))
    for source in ("{{ a }} {{ a ~ b }}", "{% if b == '1' %}{{ a }}{% else %}non{% endif %}"):
        whole, cut = composed(source, table), composed(source, table, cuts=(1, 2, 5))
        assert rows_of(whole) == rows_of(cut)
        assert (whole.texts, whole.statistics) == (cut.texts, cut.statistics)


def test_filled_texts() -> None:
    """What each recipient reads comes with its size, in the order of the audience."""
    table = recipients({"a": ["x", "ï"]})
    (batch,) = composed("Bonjour {{ a }}", table).filled_texts()
    assert batch.schema == FILLED
    assert dict(zip(batch.column("row").to_pylist(), batch.column("filled").to_pylist(), strict=True)) == {
        1: "Bonjour x",
        2: "Bonjour ï",
    }
    assert batch.column("hash").to_pylist() == table.column("hash").to_pylist()


def test_statistics() -> None:
    """Segments, strata, encodings, guilty characters, the longest and the shortest message are counted."""
    names = ["Ana", "Loïc", "x" * 40, "Noëlïï", "Eva"]
    message = composed("a" * 130 + "{{ first_name }}", recipients({"first_name": names}, ("FR", "DE")))
    statistics = message.statistics
    assert statistics.recipients == 5
    assert statistics.segments == {1: 2, 2: 2, 3: 1}
    assert statistics.strata == {(0, "DE", 2): 1, (0, "DE", 3): 1, (0, "FR", 1): 2, (0, "FR", 2): 1}
    assert statistics.encodings == {"GSM-7": 3, "UCS-2": 2}
    assert statistics.ucs2_characters == {"ë": 1, "ï": 2}
    assert statistics.longest == Extreme(4, 136, 3, "UCS-2", cuts=(67, 134))
    assert statistics.shortest == Extreme(5, 133, 1, "GSM-7")  # as short as row 1, whose hash is greater


def test_no_recipients() -> None:
    """An empty audience gives no message and no error."""
    for source in ("{{ a }}", "{% if a %}x{% endif %}"):
        message = composed(source, recipients({"a": []}))
        assert list(rows_of(message)) == []
        assert message.statistics.recipients == 0
        assert message.statistics.longest is None


@pytest.mark.parametrize("source", ["{{ a }} {{ b|upper }}", "{% if 1 %}{% endif %}{{ a }} {{ b|upper }}"])
def test_missing_values_are_counted(source: str) -> None:
    """A missing value is an error that names column and rows, with merge fields and with grouping."""
    table = recipients({"a": ["x", None, "y", None], "b": ["x", "x", None, "x"]})
    found = refused(source, table, b="magasin")
    assert {finding.code for finding in found} == {"message/missing-value"}
    assert {finding.detail for finding in found} == {"`a`: 2 rows.", "`b` (column `magasin`): 1 row."}


def test_default_takes_the_place_of_a_missing_value() -> None:
    """A template that says `default` needs no value."""
    message = composed("{{ a|default('client') }}", recipients({"a": [None, "x"]}))
    contacts = {str(row["contact"]) for row in rows_of(message)}
    assert contacts == {
        f'{{"param1":"{value}","phone_number":"{phone(number)}"}}' for number, value in ((0, "client"), (1, "x"))
    }


def test_all_findings_come_at_once_without_any_value() -> None:
    """Every bad kind of value is counted over all rows; none is shown."""
    secrets = ["", "geheim\n", "geheim{", "XXXXXgeheim", "\u202egeheim", "", "geheim", None, "geheim}", "", "geheim}"]
    found = refused("{{ a }}", recipients({"a": secrets}))
    assert {finding.code: finding.detail for finding in found} == {
        "message/bidirectional-control": "`{{ a }}`, from `a`: 1 row.",
        "message/control-character": "`{{ a }}`, from `a`: 1 row.",
        "message/empty-value": "`{{ a }}`, from `a`: 3 rows.",
        "message/injection": "`{{ a }}`, from `a`: 4 rows.",
        "message/missing-value": "`a`: 1 row.",
    }
    assert "geheim" not in repr(found)
    assert all(finding.hint and finding.place == PLACE for finding in found)


def test_failing_expression_is_named() -> None:
    """An expression that fails before it gives anything is named too."""
    (finding,) = refused("{{ a * 30000 }} {{ b }}", recipients({"a": ["x", "y"], "b": ["x", "y"]}))
    assert (finding.code, finding.detail) == ("message/unbounded", "`{{ a * 30000 }}`, from `a`: 2 rows.")


def test_finding_stands_at_its_line() -> None:
    """A bad value is reported at the line of its expression."""
    (finding,) = refused("Bonjour\n{{ a }}", recipients({"a": [""]}))
    assert finding.place == Place("campaigns/spring.yaml", 8, None, "{{ a }}")


@pytest.mark.parametrize(
    ("length", "character", "is_refused"),
    [(1224, "a", False), (1225, "a", True), (504, "中", False), (505, "中", True), (253, "\U0001f600", True)],
)
def test_length_of_the_text_as_filled_in(length: int, character: str, is_refused: bool) -> None:
    """A text has at most 1224 characters, and in UCS-2 at most 504 units, for every recipient."""
    table = recipients({"a": [character * 20, character * 20]})
    source = character * (length - 20) + "{{ a }}"
    if is_refused:
        (finding,) = refused(source, table)
        assert (finding.code, "2 rows" in finding.detail) == ("message/text-too-long", True)
    else:
        assert composed(source, table).statistics.recipients == 2


def test_text_of_the_api_is_bounded_too() -> None:
    """The text with its placeholders must fit as well: a short value does not excuse it."""
    (finding,) = refused("a" * 1220 + "{{ first_name }}", recipients({"first_name": ["x"]}))
    assert finding.code == "message/text-too-long"


def test_empty_text() -> None:
    """Nothing is sent that has nothing to read."""
    assert {finding.code for finding in refused("{# a remark #} ", recipients({"a": ["x"]}))} == {"message/empty-text"}
    found = refused("{% if a == 'x' %}y{% endif %}", recipients({"a": ["x", "y", "z"]}))
    assert [(finding.code, "2 rows" in finding.detail) for finding in found] == [("message/empty-text", True)]


def test_merge_field_made_by_rendering() -> None:
    """A rendered text must not hold a merge field of the API either."""
    source = "{% raw %}{{% endraw %}first_name} {{ a }}"
    assert [finding.code for finding in refused(source, recipients({"a": ["x"]}))] == ["message/literal-placeholder"]


def test_too_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grouping has a bound on different texts, each of which is a request."""
    monkeypatch.setattr(compose, "MESSAGE_TEXTS_MAX", 3)
    table = recipients({"a": [str(number) for number in range(4)]})
    assert [finding.code for finding in refused("{% raw %}{{% endraw %}{{ a }}", table)] == ["message/too-many-texts"]


def test_campaign_variables_win_over_columns() -> None:
    """A name in `vars` is not asked of the audience."""
    source = MessageSource(parse_template("{{ shop }} {{ first_name }}"), {"shop": "Lyon"})
    assert source.recipient_variables == ("first_name",)


def test_warnings_of_the_template_stay() -> None:
    """What was normalised in the template is still shown when the message is composed."""
    message = composed("Caf\u0065\u0301 {{ a }}", recipients({"a": ["x"]}))
    assert [finding.code for finding in message.findings] == ["message/normalised"]


def test_repr_shows_no_text() -> None:
    """What is printed of a composed message holds no text."""
    assert "Metz" not in repr(composed("{% if a %}{{ a }}{% endif %}", recipients({"a": ["Metz"]})))


def test_reading_ends_where_a_way_turns_out_not_to_do() -> None:
    """After the Arrow batch with a value too long for one field no further one is read for that form."""
    table = recipients({"name": ["ana"] * 40})
    long = table.set_column(4, "v_name", pa.array(["ana"] * 3 + ["e" * 51] + ["ana"] * 36))
    read: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        read.append(0)
        for batch in batches_of(long, range(40))():
            read[-1] += 1
            yield batch

    message = compose_message(MessageSource(parse_template("Bonjour {{ name }}", PLACE)), batches)
    assert [slot.piece for slot in message.slots] == [(1, 2), (2, 2)]
    assert read == [4, 40, 40]  # that far with one field; then what forms there are is found out, and one is used

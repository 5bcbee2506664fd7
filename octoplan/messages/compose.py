"""
From a template and recipients to what is sent to each.

Invariants:
- For every recipient, the API's text with its merge fields filled in equals what Jinja renders from the template.
- Nothing that breaks a rule is composed: findings are counted over all rows and raised together.
- Messages come sorted by text, hash and phone, and texts by their UTF-8 bytes, so the same recipients give the same
  bytes whatever the order in which they were read.
- Findings and statistics hold no value, no text and no number; memory is bounded by the number of different texts.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from octoplan.ahead import ahead
from octoplan.audience.schemas import MESSAGES, RECIPIENTS
from octoplan.diagnostics import Finding, require_no_errors
from octoplan.limits import (
    ARROW_ROWS_PER_BATCH,
    ENGINE_MEMORY,
    MERGE_VALUE_CHARACTERS_MAX,
    MESSAGE_TEXTS_MAX,
    TEXT_CHARACTERS_MAX,
    UCS2_UNITS_MAX,
)
from octoplan.messages import rules
from octoplan.messages.compiler import CompiledText, Slot, compile_template
from octoplan.messages.evaluate import Evaluator, Values
from octoplan.messages.measure import Piece, join_pieces, measure_pieces
from octoplan.messages.statistics import MessageStatistics, Tally
from octoplan.messages.template import Fault, ParsedTemplate, Renderer, TemplateBody, place_of, read_body
from octoplan.values.sms_size import SizeColumns

FILLED: Final = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("phone", pa.string(), nullable=False),
        pa.field("country", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("text", pa.int32(), nullable=False),
        pa.field("filled", pa.string(), nullable=False),  # what the recipient reads
        pa.field("units", pa.int32(), nullable=False),
        pa.field("segments", pa.int32(), nullable=False),
        pa.field("ucs2", pa.bool_(), nullable=False),
    ]
)
"""Messages as they arrive on the phone, in the order of the audience: by `hash, phone`."""

Mode = Literal["merge", "grouped"]
AudienceBatches = Callable[[], Iterator[pa.RecordBatch]]
"""Gives the recipients (columns of `RECIPIENTS`, then `v_<variable>`) from the start, the same rows at each call."""


@dataclass(frozen=True, slots=True)
class MessageSource:
    """
    What a campaign says about its text.

    `variables` are its `vars`; `columns` name the column of the file behind a template variable where it differs.
    """

    template: ParsedTemplate
    variables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def recipient_variables(self) -> tuple[str, ...]:
        """The variables that the audience must bring along, in name order. A name in `vars` is not among them."""
        return tuple(sorted(self.template.variables - self.variables.keys()))


@dataclass(frozen=True, slots=True)
class SlotUse:
    """A merge field and what fills it, for the plan."""

    name: str
    source: str

    def __str__(self) -> str:
        return f"{{{self.name}}} <- {self.source}"


@dataclass(frozen=True, slots=True)
class ComposedMessage:
    """
    What is sent to each recipient of a campaign.

    `texts` are the API's, with `{param1}` and the like; `reason` says why recipients are grouped by identical text, and
    is `None` for merge fields. `findings` are warnings.
    """

    texts: tuple[str, ...] = field(repr=False)
    slots: tuple[SlotUse, ...]
    mode: Mode
    reason: str | None
    findings: tuple[Finding, ...]
    statistics: MessageStatistics
    _fill: Callable[[], Iterator[Filled]] = field(repr=False)

    @property
    def recipients_per_text(self) -> tuple[int, ...]:
        """How many recipients each text has; from this follows the number of buckets."""
        counts: Counter[int] = Counter()
        for (text, _, _), count in self.statistics.strata.items():
            counts[text] += count
        return tuple(counts[index] for index in range(len(self.texts)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What goes out, with the columns of `MESSAGES` and in their order; from the start at each call."""
        messages = (filled.messages() for filled in self._fill())
        return ahead(messages) if len(self.texts) == 1 else _sorted_by_text(messages)

    def filled_texts(self) -> Iterator[pa.RecordBatch]:
        """What each recipient reads, with the columns of `FILLED`; personal data, for the preview only."""
        return (filled.texts() for filled in self._fill())


def compose_message(
    source: MessageSource, audience_batches: AudienceBatches, told: Callable[[int], None] = lambda _: None
) -> ComposedMessage:
    """
    Choose merge fields or grouping, check every value and text, and count; `told` hears of the rows that go by.

    Reads the audience once, or twice where merge fields turn out not to do; `batches` and `filled_texts` read it again.

    :raises InvalidInput: with all findings, counted over all rows.
    """
    compiled = compile_template(source.template, source.variables)
    if isinstance(compiled, CompiledText):
        merging = _Merging(compiled, source)
        survey = _survey(merging, audience_batches, told)
        if merging.longest_reason is None:
            texts = {compiled.api_text: 0}
            return _composed(source, survey, texts, lambda: _Merging(compiled, source), audience_batches, None)
        reason = merging.longest_reason
    else:
        reason = compiled.reason
    grouping = _Grouping(source, {})
    survey = _survey(grouping, audience_batches, told)
    ranked = {text: rank for rank, text in enumerate(sorted(grouping.texts))}
    survey.ranks = {number: ranked[text] for text, number in grouping.texts.items()}
    return _composed(source, survey, ranked, lambda: _Grouping(source, ranked), audience_batches, reason)


def contact_column(values: Sequence[tuple[str, Values]], phones: pa.StringArray) -> pa.StringArray:
    """
    The API's contact objects as canonical JSON, byte for byte what orjson writes; `values` in order of their names.

    A value may hold anything but control characters, which are refused before. Null where a value is null.
    """
    pieces: list[pa.StringArray | str] = []
    for number, (name, column) in enumerate(values):
        before = ('","' if number else '{"') + name + '":"'
        # What stands before a value is joined to each distinct one, so that a row has few pieces.
        texts = pc.binary_join_element_wise(before, _json_escaped(column.texts), "")
        pieces.append(texts.take(column.codes))
    pieces += ['","phone_number":"' if values else '{"phone_number":"', phones, '"}']
    return pc.binary_join_element_wise(*pieces, "")


def _json_escaped(column: pa.StringArray) -> pa.StringArray:
    backslashes = pc.replace_substring(column, "\\", "\\\\")
    return pc.replace_substring(backslashes, '"', '\\"')


# --- filling in ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filled:
    """
    Recipients (columns of `RECIPIENTS`) and what each gets: the number of the text, its `pieces` and merge `values`.

    Rows with a fault are left out.
    """

    rows: pa.RecordBatch
    text: pa.Int32Array
    size: SizeColumns
    pieces: Sequence[Piece]
    values: Sequence[tuple[str, Values]]
    too_long: int
    empty: int

    @classmethod
    def of(
        cls, rows: pa.RecordBatch, text: pa.Int32Array, pieces: Sequence[Piece], values: Mapping[str, Values]
    ) -> Filled:
        """Measure the texts that `pieces` make."""
        sizes = measure_pieces(pieces, rows.num_rows)
        rows, merged = rows.select(RECIPIENTS.names), list(values.items())
        if not pc.all(sizes.is_whole).as_py():
            kept = {id(each): each.filter(sizes.is_whole) for each in _distinct_values(pieces, values)}
            pieces = [piece if isinstance(piece, str) else kept[id(piece)] for piece in pieces]
            merged = [(name, kept[id(value)]) for name, value in merged]
            rows, text, sizes = rows.filter(sizes.is_whole), text.filter(sizes.is_whole), sizes.whole()
        over = pc.greater(sizes.characters, TEXT_CHARACTERS_MAX)
        over = pc.or_(over, pc.and_(sizes.size.ucs2, pc.greater(sizes.size.units, UCS2_UNITS_MAX)))
        return cls(rows, text, sizes.size, pieces, merged, _count(over), _count(sizes.is_blank))

    def messages(self) -> pa.RecordBatch:
        """The columns of `MESSAGES`."""
        contact = contact_column(self.values, self.rows.column("phone"))
        who = self.rows.select(["hash", "phone", "country"]).columns
        return pa.RecordBatch.from_arrays([*who, self.text, contact, *self.size], schema=MESSAGES)

    def texts(self) -> pa.RecordBatch:
        """The columns of `FILLED`."""
        filled = join_pieces(self.pieces, self.rows.num_rows)
        return pa.RecordBatch.from_arrays([*self.rows.columns, self.text, filled, *self.size], schema=FILLED)


def _distinct_values(pieces: Sequence[Piece], values: Mapping[str, Values]) -> list[Values]:
    return [each for each in (*pieces, *values.values()) if isinstance(each, Values)]


def _count(column: pa.BooleanArray) -> int:
    return pc.sum(column).as_py() or 0


class _Way(Protocol):
    """A way to make messages: merge fields, or a text of its own for each distinct rendering."""

    def fill(self, rows: pa.RecordBatch) -> Filled:
        """Compose one Arrow batch of recipients."""
        ...

    @property
    def faults(self) -> Counter[Fault]:
        """Rows for which nothing could be composed, by reason."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether this way has turned out not to do, so that nothing more needs to be read."""
        ...


class _Merging:
    """One text of the API, a value for each merge field."""

    def __init__(self, compiled: CompiledText, source: MessageSource) -> None:
        self.compiled = compiled
        self.evaluators = {slot.name: _slot_evaluator(slot, source.variables) for slot in compiled.slots}
        self.longest_reason: str | None = None

    def fill(self, rows: pa.RecordBatch) -> Filled:
        values = {name: evaluator.evaluate(rows) for name, evaluator in self.evaluators.items()}
        self._note_long_value(values)
        pieces = [part if isinstance(part, str) else values[part.name] for part in self.compiled.parts]
        return Filled.of(rows, pa.repeat(pa.scalar(0, pa.int32()), rows.num_rows), pieces, values)

    def _note_long_value(self, values: Mapping[str, Values]) -> None:
        for slot in self.compiled.slots:
            # A text that no row has is in the dictionary only if another row of the same reading has it.
            longest = pc.max(pc.utf8_length(values[slot.name].texts)).as_py() or 0
            if longest > MERGE_VALUE_CHARACTERS_MAX and self.longest_reason is None:
                self.longest_reason = (
                    f"`{slot.source}` is longer than {MERGE_VALUE_CHARACTERS_MAX} characters for a recipient"
                )

    @property
    def faults(self) -> Counter[Fault]:
        return sum((evaluator.faults for evaluator in self.evaluators.values()), Counter[Fault]())

    @property
    def is_over(self) -> bool:
        return self.longest_reason is not None


class _Grouping:
    """The whole template rendered, each different text numbered in the order in which it turns up."""

    def __init__(self, source: MessageSource, texts: dict[str, int]) -> None:
        body = read_body(source.template, source.variables)
        self.evaluator = Evaluator(Renderer(body.tree.body), source.recipient_variables, source.variables)
        self.texts = texts

    def fill(self, rows: pa.RecordBatch) -> Filled:
        rendered = self.evaluator.evaluate(rows)
        used = Values.of(rendered.rows())  # only texts that a row has may be numbered
        numbers = [
            0 if text is None else self.texts.setdefault(text, len(self.texts)) for text in used.texts.to_pylist()
        ]
        return Filled.of(rows, pa.array(numbers, pa.int32()).take(used.codes), [used], {})

    @property
    def faults(self) -> Counter[Fault]:
        return self.evaluator.faults

    @property
    def is_over(self) -> bool:
        return len(self.texts) > MESSAGE_TEXTS_MAX


def _slot_evaluator(slot: Slot, variables: Mapping[str, str]) -> Evaluator:
    columns = tuple(sorted(slot.names - variables.keys()))
    expression = slot.expressions[0].index if len(slot.expressions) == 1 else None
    return Evaluator(slot.renderer(), columns, variables, slot.plain in columns, expression)


def _sorted_by_text(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Messages by text, hash and phone, sorted by an engine that spills into a private folder."""
    with tempfile.TemporaryDirectory(prefix="octoplan-") as folder, duckdb.connect() as engine:
        engine.execute("SET enable_progress_bar = false")
        engine.execute(f"SET memory_limit = '{ENGINE_MEMORY}'")
        engine.execute("SET temp_directory = ?", [folder])
        engine.register("incoming", MESSAGES.empty_table())
        engine.execute("CREATE TABLE messages AS SELECT * FROM incoming")
        # Batch by batch, so that no code of ours runs inside the engine, which takes Ctrl-C there for a broken stream.
        for batch in batches:
            engine.register("incoming", pa.Table.from_batches([batch]))
            engine.execute("INSERT INTO messages SELECT * FROM incoming")
        ordered = engine.sql("SELECT * FROM messages ORDER BY text, hash, phone")
        for batch in ordered.to_arrow_reader(ARROW_ROWS_PER_BATCH):
            yield batch.cast(MESSAGES)


# --- checking and counting -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Survey:
    """What one reading of the audience has found."""

    way: _Way
    tally: Tally = field(default_factory=Tally)
    too_long: int = 0
    empty: int = 0
    ranks: Mapping[int, int] = field(default_factory=lambda: {0: 0})

    def add(self, filled: Filled) -> None:
        """Count one Arrow batch."""
        self.tally.add(filled.rows, filled.text, filled.size, filled.pieces)
        self.too_long += filled.too_long
        self.empty += filled.empty


def _survey(way: _Way, audience_batches: AudienceBatches, told: Callable[[int], None]) -> _Survey:
    survey = _Survey(way)
    for filled in ahead(_filled(way, audience_batches())):
        survey.add(filled)
        told(filled.rows.num_rows)
    return survey


def _filled(way: _Way, batches: Iterable[pa.RecordBatch]) -> Iterator[Filled]:
    """One thread does all of it, evaluators and the decision to stop: what was read does not depend on time."""
    for rows in batches:
        yield way.fill(rows)
        if way.is_over:
            return


def _composed(
    source: MessageSource,
    survey: _Survey,
    texts: Mapping[str, int],
    way: Callable[[], _Way],
    audience_batches: AudienceBatches,
    reason: str | None,
) -> ComposedMessage:
    findings = [*source.template.findings, *_check_faults(source, survey.way.faults)]
    findings += _check_texts(source, survey, texts)
    slots = survey.way.compiled.slots if isinstance(survey.way, _Merging) else ()
    return ComposedMessage(
        texts=tuple(texts),
        slots=tuple(SlotUse(slot.name, slot.source) for slot in slots),
        mode="merge" if reason is None else "grouped",
        reason=reason,
        findings=require_no_errors(findings, "The message cannot be composed."),
        statistics=survey.tally.finish(survey.ranks),
        _fill=lambda: map(way().fill, audience_batches()),
    )


def _check_faults(source: MessageSource, faults: Mapping[Fault, int]) -> Iterator[Finding]:
    body = read_body(source.template, source.variables)
    ordered = sorted(faults, key=lambda it: (it.expression or 0, it.rule.code, it.variable or ""))
    for fault in ordered:
        expression = None if fault.expression is None else body.expressions[fault.expression]
        line = 1 if expression is None else expression.line
        place = place_of(source.template.source, source.template.place, line)
        detail = f"{_subject(source, fault, body)}: {_rows(faults[fault])}."
        yield fault.rule.at(place, detail, rules.HINTS.get(fault.rule))


def _subject(source: MessageSource, fault: Fault, body: TemplateBody) -> str:
    """What is wrong, by name: the missing column, or the expression and the columns that it reads."""
    if fault.variable is not None:
        return _named(source, fault.variable)
    if fault.expression is None:
        return "the template"
    expression = body.expressions[fault.expression]
    columns = [_named(source, name) for name in sorted(expression.names) if name not in source.variables]
    return f"`{{{{ {expression.source} }}}}`" + (f", from {', '.join(columns)}" if columns else "")


def _named(source: MessageSource, variable: str) -> str:
    column = source.columns.get(variable, variable)
    return f"`{variable}`" if column == variable else f"`{variable}` (column `{column}`)"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _check_texts(source: MessageSource, survey: _Survey, texts: Iterable[str]) -> Iterator[Finding]:
    place = source.template.place
    if survey.empty:
        yield rules.EMPTY_TEXT.at(place, f"Nothing but white space is left for {_rows(survey.empty)}.")
    longest = f"{TEXT_CHARACTERS_MAX:,} characters, or {UCS2_UNITS_MAX} units in UCS-2"
    if survey.too_long:
        detail = f"As filled in, it is longer than {longest}: {_rows(survey.too_long)}."
        yield rules.TEXT_TOO_LONG.at(place, detail, "shorten the text")
    elif any(len(text) > TEXT_CHARACTERS_MAX for text in texts):
        detail = f"With its merge fields, the API's text is longer than {TEXT_CHARACTERS_MAX:,} characters."
        yield rules.TEXT_TOO_LONG.at(place, detail, "shorten the text")
    if isinstance(survey.way, _Grouping) and survey.way.is_over:
        detail = f"There are more than {MESSAGE_TEXTS_MAX:,}, and each needs a request of its own."
        yield rules.TOO_MANY_TEXTS.at(place, detail, "write expressions of at most 50 characters, without `{% if %}`")
    if isinstance(survey.way, _Grouping) and any(rules.PLACEHOLDER.search(text) for text in texts):
        yield rules.LITERAL_PLACEHOLDER.at(place, "A rendered text holds a merge field of the API.")

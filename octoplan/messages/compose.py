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
from functools import partial
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from octoplan.ahead import ahead
from octoplan.audience.schemas import MESSAGES, RECIPIENTS
from octoplan.diagnostics import Finding, Place, require_no_errors
from octoplan.limits import (
    ARROW_ROWS_PER_BATCH,
    ENGINE_MEMORY,
    LEFT_OUT_MAX,
    MERGE_VALUE_CHARACTERS_MAX,
    MESSAGE_TEXTS_MAX,
    TEMPLATE_OUTPUT_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    UCS2_UNITS_MAX,
)
from octoplan.messages import rules
from octoplan.messages.characters import CharacterTally
from octoplan.messages.compiler import Form, Mode, Study, Variant, choose_form, flat_form
from octoplan.messages.evaluate import Evaluator, Values, join_values
from octoplan.messages.layout import Field, Fixed, cut_text
from octoplan.messages.measure import Piece, join_pieces, measure_pieces
from octoplan.messages.reading import Reader, Reading, fragments_of
from octoplan.messages.statistics import MessageStatistics, Tally
from octoplan.messages.template import Fault, ParsedTemplate, Renderer, TemplateBody, read_body
from octoplan.messages.unfold import Part, unfold, with_replaced
from octoplan.messages.verify import Verification, verify_messages
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
    """A merge field and what fills it, for the plan; `piece` counts the merge fields over which one value is cut."""

    name: str
    source: str
    piece: tuple[int, int] = (1, 1)

    def __str__(self) -> str:
        return f"{{{self.name}}} <- {self.filled_by}"

    @property
    def filled_by(self) -> str:
        """What fills it, and which piece of that."""
        number, count = self.piece
        return self.source if count == 1 else f"{self.source} (piece {number} of {count})"


@dataclass(frozen=True, slots=True)
class TextUse:
    """
    A text of the API for the plan, with the template's own words where recipients get different ones.

    `conditions` say who gets it, nothing for everybody. `texts` is how many there are of it.
    """

    text: str
    conditions: tuple[str, ...]
    slots: tuple[SlotUse, ...]
    recipients: int
    texts: int


@dataclass(frozen=True, slots=True)
class ComposedMessage:
    """
    What is sent to each recipient of a campaign.

    `texts` are the API's, with `{param1}` and the like; `mode` is `merge` for one text, `variants` for one a branch or
    value, `grouped` for one a rendering, and `reason` says why it is not one. `uses` are the texts by what makes them.
    `renderings` counts different renderings by how many recipients each has; `None` for too many to count. `findings`
    are warnings. `left_out` are recipients who get nothing because of an unsafe value (columns of `RECIPIENTS`).
    """

    texts: tuple[str, ...] = field(repr=False)
    uses: tuple[TextUse, ...] = field(repr=False)
    mode: Mode
    reason: str | None
    findings: tuple[Finding, ...]
    statistics: MessageStatistics
    renderings: Mapping[int, int] | None
    left_out: pa.Table = field(repr=False)
    _fill: Callable[[], Iterator[Filled]] = field(repr=False)
    _verify: Callable[[], Verification] = field(repr=False)

    @property
    def slots(self) -> tuple[SlotUse, ...]:
        """The merge fields, if there is one text."""
        return self.uses[0].slots if len(self.uses) == 1 else ()

    @property
    def recipients_per_text(self) -> tuple[int, ...]:
        """How many recipients each text has; from this follows the number of buckets."""
        counts: Counter[int] = Counter()
        for (text, _, _), count in self.statistics.strata.items():
            counts[text] += count
        return tuple(counts[index] for index in range(len(self.texts)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What goes out, with the columns of `MESSAGES` and in their order; from the start at each call."""
        return in_order(self.messages(), len(self.texts))

    def messages(self) -> Iterator[pa.RecordBatch]:
        """The same as it is made: in the order of the audience, where there is one text."""
        return (filled.messages() for filled in self._fill())

    def filled_texts(self) -> Iterator[pa.RecordBatch]:
        """What each recipient reads, with the columns of `FILLED`; personal data, for the preview only."""
        return (filled.texts() for filled in self._fill())

    def verify(self) -> Verification:
        """Render the whole template for every recipient, and compare; some 20 us each."""
        return self._verify()


def compose_message(
    source: MessageSource, audience_batches: AudienceBatches, told: Callable[[int], None] = lambda _: None
) -> ComposedMessage:
    """
    Choose merge fields or grouping, check every value and text, and count; `told` hears of the rows that go by.

    Reads the audience once, or twice where merge fields turn out not to do; `batches` and `filled_texts` read it again.

    :raises InvalidInput: with all findings, counted over all rows.
    """
    handling = source.template.handling
    written = unfold(source.template, source.variables)
    parts = with_replaced(written, handling.replaced)
    reader = Reader(parts, source.variables, handling)
    form = flat_form(parts)
    surveyed = partial(_survey, written, audience_batches, told)
    if form is None or (survey := surveyed(_Way(form, parts, reader))).is_too_long:
        study = _study(parts, reader.again(), audience_batches)
        form = choose_form(parts, study)
        survey = surveyed(_Way(form, parts, reader))
    return _composed(source, survey, audience_batches)


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
    Recipients (columns of `RECIPIENTS`) and what each gets: the number of the text, its `pieces` and merge `values`,
    and what the parts of the template give.

    Rows with a fault are left out.
    """

    rows: pa.RecordBatch
    text: pa.Int32Array
    size: SizeColumns
    pieces: Sequence[Piece]
    values: Sequence[tuple[str, Values]]
    reading: Reading
    too_long: int
    empty: int

    @classmethod
    def of(
        cls,
        rows: pa.RecordBatch,
        text: pa.Int32Array,
        pieces: Sequence[Piece],
        values: Mapping[str, Values],
        reading: Reading,
    ) -> Filled:
        """Measure the texts that `pieces` make."""
        sizes = measure_pieces(pieces, rows.num_rows)
        rows, merged = rows.select(RECIPIENTS.names), list(values.items())
        if not pc.all(sizes.is_whole).as_py():
            kept = {id(each): each.filter(sizes.is_whole) for each in _distinct_values(pieces, values)}
            pieces = [piece if isinstance(piece, str) else kept[id(piece)] for piece in pieces]
            merged = [(name, kept[id(value)]) for name, value in merged]
            reading = reading.filter(sizes.is_whole)
            rows, text, sizes = rows.filter(sizes.is_whole), text.filter(sizes.is_whole), sizes.whole()
        over = pc.greater(sizes.characters, TEXT_CHARACTERS_MAX)
        over = pc.or_(over, pc.and_(sizes.size.ucs2, pc.greater(sizes.size.units, UCS2_UNITS_MAX)))
        return cls(rows, text, sizes.size, pieces, merged, reading, _count(over), _count(sizes.is_blank))

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


@dataclass(slots=True)
class _LeftOut:
    """Recipients for whom there is no message, because something in it fails."""

    rows: list[pa.RecordBatch] = field(default_factory=list)
    count: int = 0

    def add(self, rows: pa.RecordBatch, kept: Sequence[pa.StringArray]) -> None:
        """Of some recipients those that are not among the `kept` numbers; the rows of a bounded number of them."""
        if rows.num_rows == sum(map(len, kept)):
            return
        numbers = pa.concat_arrays([pa.array([], pa.string()), *kept])
        lost = rows.filter(pc.invert(pc.is_in(rows.column("phone"), value_set=numbers)))
        self.count += lost.num_rows
        if self.count <= LEFT_OUT_MAX:
            self.rows.append(lost.select(RECIPIENTS.names))

    def table(self) -> pa.Table:
        """The recipients that are left out (columns of `RECIPIENTS`)."""
        return pa.Table.from_batches(self.rows, RECIPIENTS)


class _Way:
    """Makes messages in one form; `texts` numbers them in the order in which they turn up, or as they were ranked."""

    def __init__(self, form: Form, parts: Sequence[Part], reader: Reader, texts: dict[str, int] | None = None) -> None:
        self.form = form
        self.parts = parts
        self.left_out = _LeftOut()
        self.reader = reader.again()
        self.texts: dict[str, int] = {} if texts is None else texts
        self.uses = sum(1 for _ in fragments_of(parts))
        self.is_too_long = False
        self.endless = 0
        if len(form.variants) == 1 and not form.variants[0].is_fixed:
            self.texts.setdefault(_api_text(form.variants[0], {}), 0)

    def fill(self, rows: pa.RecordBatch) -> Iterator[tuple[int, Filled]]:
        """Compose one Arrow batch of recipients: for each variant that occurs, its number and its recipients."""
        reading = self.reader.read(rows)
        rows, reading = self._bounded(rows, reading)
        kept = []
        for number, variant in enumerate(self.form.variants):
            mine = _takers(variant, reading)
            if mine is not None and not pc.any(mine).as_py():
                continue
            filled = self._filled(
                variant, *((rows, reading) if mine is None else (rows.filter(mine), reading.filter(mine)))
            )
            kept.append(filled.rows.column("phone"))
            yield number, filled
        self.left_out.add(rows, kept)

    def _bounded(self, rows: pa.RecordBatch, reading: Reading) -> tuple[pa.RecordBatch, Reading]:
        """Without recipients whose text would be so long that joining it would hurt."""
        lengths = (pc.max(pc.utf8_length(each.texts)).as_py() or 0 for each in reading.values.values())
        if sum(lengths) * self.uses <= TEMPLATE_OUTPUT_CHARACTERS_MAX:
            return rows, reading
        kept = pc.less_equal(pc.fill_null(reading.lengths(self.parts), 0), TEMPLATE_OUTPUT_CHARACTERS_MAX)
        self.endless += len(kept) - (pc.sum(kept).as_py() or 0)
        return rows.filter(kept), reading.filter(kept)

    def _filled(self, variant: Variant, rows: pa.RecordBatch, reading: Reading) -> Filled:
        runs = {
            piece: reading.text_of(piece.run.parts)
            for piece in dict.fromkeys(variant.pieces)
            if not isinstance(piece, str)
        }
        pieces = [piece if isinstance(piece, str) else runs[piece] for piece in variant.pieces]
        values: dict[str, Values] = {}
        for each in variant.fields:
            values |= _cut(each, runs[each])
        numbers = self._numbers(variant, runs, rows.num_rows)
        filled = Filled.of(rows, numbers, pieces, dict(sorted(values.items())), reading)
        self.is_too_long |= any(_longest(value) > MERGE_VALUE_CHARACTERS_MAX for _, value in filled.values)
        return filled

    def _numbers(self, variant: Variant, runs: Mapping[Field | Fixed, Values], count: int) -> pa.Int32Array:
        """The number of each recipient's text."""
        if not variant.is_fixed:
            number = self.texts.setdefault(_api_text(variant, {}), len(self.texts))
            return pa.repeat(pa.scalar(number, pa.int32()), count)
        pieces = [
            runs[piece] if isinstance(piece, Fixed) else piece if isinstance(piece, str) else _placeholders(piece)
            for piece in variant.pieces
        ]
        used = Values.of(join_values(pieces, count).rows())  # only texts that a row has may be numbered
        numbers = [
            0 if text is None else self.texts.setdefault(text, len(self.texts)) for text in used.texts.to_pylist()
        ]
        return pa.array(numbers, pa.int32()).take(used.codes)

    @property
    def is_over(self) -> bool:
        """Whether this way has turned out not to do, so that nothing more needs to be read."""
        return self.is_too_long or len(self.texts) > MESSAGE_TEXTS_MAX


def _cut(each: Field, value: Values) -> dict[str, Values]:
    if len(each.slots) == 1:
        return {each.slots[0]: value}
    count = len(each.slots)
    used = set(pc.unique(value.codes).to_pylist())
    cuts = [
        cut_text(text, count) if number in used and text is not None else [None] * count
        for number, text in enumerate(value.texts.to_pylist())
    ]
    columns = zip(*cuts, strict=True) if cuts else [[]] * count
    return {
        slot: Values(value.codes, pa.array(column, pa.string()))
        for slot, column in zip(each.slots, columns, strict=True)
    }


def _longest(value: Values) -> int:
    """Characters of the longest text that a row has; others may be in the dictionary."""
    longest = pc.max(pc.utf8_length(value.texts)).as_py() or 0
    if longest <= MERGE_VALUE_CHARACTERS_MAX:
        return int(longest)
    return pc.max(pc.utf8_length(value.texts.take(pc.unique(value.codes)))).as_py() or 0


def _placeholders(piece: Field) -> str:
    return "".join(f"{{{slot}}}" for slot in piece.slots)


def _api_text(variant: Variant, shown: Mapping[Fixed, str]) -> str:
    """The text as the API takes it, `Bonjour {first_name}`, with something `shown` for what is different."""
    return "".join(
        piece if isinstance(piece, str) else shown[piece] if isinstance(piece, Fixed) else _placeholders(piece)
        for piece in variant.pieces
    )


def _takers(variant: Variant, reading: Reading) -> pa.BooleanArray | None:
    """Who takes the branches of a variant; `None` for everybody."""
    mine = None
    for number, branch in variant.branches:
        taken = pc.fill_null(pc.equal(reading.taken[number], branch), fill_value=False)
        mine = taken if mine is None else pc.and_(mine, taken)
    return mine


def _study(parts: Sequence[Part], reader: Reader, audience_batches: AudienceBatches) -> Study:
    study = Study(parts)
    for rows in audience_batches():
        study.add(reader.read(rows))
        if study.is_over:
            break
    return study


def in_order(messages: Iterable[pa.RecordBatch], texts: int) -> Iterator[pa.RecordBatch]:
    """Messages in the order of `MESSAGES`, made in a thread ahead of the caller where they are in it already."""
    return ahead(messages) if texts == 1 else _sorted_by_text(messages)


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
    """What one reading of the audience has found; `written` are the parts with no character replaced."""

    way: _Way
    written: Sequence[Part]
    tally: Tally
    takers: Counter[int] = field(default_factory=Counter)
    texts: dict[int, set[int]] = field(default_factory=dict)
    too_long: int = 0
    empty: int = 0

    @property
    def is_too_long(self) -> bool:
        """Whether a value does not fit its merge field."""
        return self.way.is_too_long

    def add(self, number: int, filled: Filled) -> None:
        """Count the recipients of one variant in an Arrow batch."""
        sent = rendered = filled.reading.pieces(self.way.parts)
        if self.way.reader.handling.replacement:
            rendered = filled.reading.as_rendered().pieces(self.written)
        self.tally.add(filled.rows, filled.text, filled.size, filled.pieces, sent, rendered)
        self.takers[number] += filled.rows.num_rows
        self.texts.setdefault(number, set()).update(pc.unique(filled.text).to_pylist())
        self.too_long += filled.too_long
        self.empty += filled.empty


def _survey(
    written: Sequence[Part], audience_batches: AudienceBatches, told: Callable[[int], None], way: _Way
) -> _Survey:
    survey = _Survey(way, written, Tally(CharacterTally(way.reader.handling.replacement)))
    for number, filled in ahead(_filled(way, audience_batches())):
        survey.add(number, filled)
        told(filled.rows.num_rows)
    return survey


def _filled(way: _Way, batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Filled]]:
    """One thread does all of it, evaluators and the decision to stop; so what was read does not depend on time."""
    for rows in batches:
        yield from way.fill(rows)
        if way.is_over:
            return


def _composed(source: MessageSource, survey: _Survey, audience_batches: AudienceBatches) -> ComposedMessage:
    way = survey.way
    ranked = {text: rank for rank, text in enumerate(sorted(way.texts))}
    findings = [*source.template.findings, *_check_faults(source, way.reader.faults, way.reader.escaped)]
    findings += _check_texts(source, survey, ranked)
    return ComposedMessage(
        texts=tuple(ranked),
        uses=tuple(_use(number, variant, survey) for number, variant in enumerate(way.form.variants)),
        mode=way.form.mode,
        reason=way.form.reason,
        findings=require_no_errors(findings, "The message cannot be composed."),
        statistics=survey.tally.finish({number: ranked[text] for text, number in way.texts.items()}),
        renderings=survey.tally.renderings(),
        left_out=way.left_out.table(),
        _fill=lambda: _filled_again(_Way(way.form, way.parts, way.reader, dict(ranked)), audience_batches()),
        _verify=lambda: _verified(
            source, _Way(way.form, way.parts, way.reader, dict(ranked)), ranked, audience_batches()
        ),
    )


def _verified(
    source: MessageSource, way: _Way, texts: Iterable[str], batches: Iterable[pa.RecordBatch]
) -> Verification:
    body = read_body(source.template, source.variables)
    renderer = Renderer(body.tree.body, source.template.handling)
    whole = Evaluator(renderer, source.recipient_variables, source.variables)
    compared = ((rows, partial(_sent, way, rows)) for rows in batches)
    return verify_messages(whole, tuple(texts), compared, source.template.handling)


def _sent(way: _Way, rows: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    for _, filled in way.fill(rows):
        yield filled.rows, filled.messages()


def _filled_again(way: _Way, batches: Iterable[pa.RecordBatch]) -> Iterator[Filled]:
    for rows in batches:
        for _, filled in way.fill(rows):
            yield filled


def _use(number: int, variant: Variant, survey: _Survey) -> TextUse:
    shown = {piece: piece.run.shown for piece in variant.pieces if isinstance(piece, Fixed)}
    slots = tuple(
        SlotUse(slot, each.run.source, (place, len(each.slots)))
        for each in variant.fields
        for place, slot in enumerate(each.slots, 1)
    )
    slots = tuple(sorted(slots, key=lambda slot: slot.name))
    texts = len(survey.texts.get(number, ()))
    return TextUse(_api_text(variant, shown), variant.conditions, slots, survey.takers[number], texts)


def _check_faults(
    source: MessageSource, faults: Mapping[Fault, int], escaped: Mapping[Fault, int]
) -> Iterator[Finding]:
    """What is wrong with values: refused, left out or escaped, as the campaign wants it."""
    body, handling = read_body(source.template, source.variables), source.template.handling
    for fault in sorted(faults, key=_order):
        place, subject = _found_in(source, fault, body)
        if handling.is_left_out(fault.rule):
            yield rules.LEFT_OUT.at(place, f"{subject}: {_rows(faults[fault])}. {fault.rule.summary}.")
        else:
            yield fault.rule.at(place, f"{subject}: {_rows(faults[fault])}.", rules.HINTS.get(fault.rule))
    for fault in sorted(escaped, key=_order):
        place, subject = _found_in(source, fault, body)
        yield rules.ESCAPED.at(place, f"{subject}: {_rows(escaped[fault])}. {fault.rule.summary}.")


def _order(fault: Fault) -> tuple[int, str, str]:
    return fault.expression or 0, fault.rule.code, fault.variable or ""


def _found_in(source: MessageSource, fault: Fault, body: TemplateBody) -> tuple[Place | None, str]:
    line = 1 if fault.expression is None else body.expressions[fault.expression].line
    return source.template.place_at(line), _subject(source, fault, body)


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
    endless = survey.way.endless
    if endless:
        yield rules.UNBOUNDED.at(place, f"the template: {_rows(endless)}.", rules.HINTS[rules.UNBOUNDED])
    if survey.way.left_out.count > LEFT_OUT_MAX and not endless:
        detail = f"{_rows(survey.way.left_out.count)}; at most {LEFT_OUT_MAX:,} can be left out."
        yield rules.TOO_MANY_LEFT_OUT.at(place, detail, "mend the list, or leave those rows out with `where`")
    if survey.empty:
        yield rules.EMPTY_TEXT.at(place, f"Nothing but white space is left for {_rows(survey.empty)}.")
    longest = f"{TEXT_CHARACTERS_MAX:,} characters, or {UCS2_UNITS_MAX} units in UCS-2"
    if survey.too_long:
        detail = f"As filled in, it is longer than {longest}: {_rows(survey.too_long)}."
        yield rules.TEXT_TOO_LONG.at(place, detail, "shorten the text")
    elif any(len(text) > TEXT_CHARACTERS_MAX for text in texts):
        detail = f"With its merge fields, the API's text is longer than {TEXT_CHARACTERS_MAX:,} characters."
        yield rules.TEXT_TOO_LONG.at(place, detail, "shorten the text")
    if len(survey.way.texts) > MESSAGE_TEXTS_MAX:
        detail = f"There are more than {MESSAGE_TEXTS_MAX:,}, and each needs a request of its own."
        yield rules.TOO_MANY_TEXTS.at(place, detail, "write expressions of at most 50 characters, without `{% if %}`")
    elif survey.way.is_too_long:
        raise AssertionError("a form was chosen with a field that is too small")
    has_fields = any(variant.fields for variant in survey.way.form.variants)
    if not has_fields and any(rules.PLACEHOLDER.search(text) for text in texts):
        yield rules.LITERAL_PLACEHOLDER.at(place, "A rendered text holds a merge field of the API.")

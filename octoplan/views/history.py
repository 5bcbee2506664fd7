"""
The report over time: what was sent, billed against planned, by campaign and month; as text, CSV, JSON and Markdown.

Invariants:
- CSV and JSON have the same columns, in the same order and under the same names; new ones come at the end.
- Amounts are exact; where one is unknown the field is empty (CSV) or `null` (JSON), never 0.
- A cell of the CSV that a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, Literal, TypeVar

from octoplan.clock import to_text
from octoplan.state.history import CampaignMonth, Figures, Outcome, RequestRecord
from octoplan.values.amount import render_amount
from octoplan.views.markdown import cell, code, row
from octoplan.views.text import count, instant, labelled, paint

FORMAT: Final = "octoplan-history"
VERSION: Final = 1
By = Literal["campaign", "request"]
Value = str | int | Decimal | datetime | None
T = TypeVar("T")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class History:
    """What to show: the months of campaigns, in the order of `history_of`, and what they were chosen by."""

    project: str
    environment: str
    zone: str
    made_at: datetime
    by: By
    months: Sequence[CampaignMonth]
    month: str | None = None
    campaigns: Sequence[str] = ()

    @property
    def total(self) -> Figures:
        """All requests together."""
        return together(self.months)

    @property
    def records(self) -> tuple[RequestRecord, ...]:
        """Every request."""
        return self.total.records

    def by_month(self) -> Iterator[tuple[str, Sequence[CampaignMonth]]]:
        """The campaigns of each month."""
        for month, group in groupby(self.months, key=lambda each: each.month):
            yield month, list(group)


def together(months: Sequence[CampaignMonth]) -> Figures:
    """The requests of all."""
    return Figures(tuple(record for each in months for record in each.figures.records))


Columns = Mapping[str, Callable[[T], Value]]

_FIGURES: Final[Columns[Figures]] = {
    "sent_recipients": lambda each: each.recipients(Outcome.SENT),
    "sent_segments": lambda each: each.segments,
    "sent_requests": lambda each: each.requests(Outcome.SENT),
    "planned": lambda each: each.planned,
    "billed": lambda each: each.billed,
    "difference": lambda each: each.difference,
    "requests_without_bill": lambda each: each.requests_without_bill,
    "refused_recipients": lambda each: each.recipients(Outcome.REFUSED),
    "refused_requests": lambda each: each.requests(Outcome.REFUSED),
    "not_sent_recipients": lambda each: each.recipients(Outcome.NOT_SENT),
    "not_sent_requests": lambda each: each.requests(Outcome.NOT_SENT),
    "unknown_recipients": lambda each: each.recipients(Outcome.UNKNOWN),
    "unknown_requests": lambda each: each.requests(Outcome.UNKNOWN),
    "cancelled_recipients": lambda each: each.recipients(Outcome.CANCELLED),
    "cancelled_requests": lambda each: each.requests(Outcome.CANCELLED),
    "may_be_billed": lambda each: each.may_be_billed,
    "first_sent_at": lambda each: each.first_at,
    "last_sent_at": lambda each: each.last_at,
}


def _of_figures(value: Callable[[Figures], Value]) -> Callable[[CampaignMonth], Value]:
    return lambda each: value(each.figures)


_CAMPAIGN: Final[Columns[CampaignMonth]] = {
    "month": lambda each: each.month,
    "campaign": lambda each: each.campaign,
    **{name: _of_figures(value) for name, value in _FIGURES.items()},
    "left_out_rows": lambda each: None if each.left_out is None else sum(each.left_out.values()),
}
_REQUEST: Final[Columns[RequestRecord]] = {
    "month": lambda each: each.month,
    "campaign": lambda each: each.campaign,
    "digest": lambda each: each.batch.digest,
    "request_id": lambda each: each.batch.request_id,
    "ticket": lambda each: each.batch.ticket,
    "outcome": lambda each: each.outcome,
    "recipients": lambda each: each.batch.recipients,
    "segments": lambda each: each.batch.segments,
    "planned": lambda each: each.batch.planned_cost,
    "billed": lambda each: each.batch.cost,
    "first_tried_at": lambda each: each.batch.opened_at,
    "changed_at": lambda each: each.batch.changed_at,
    "send_at": lambda each: each.batch.send_at,
    "run": lambda each: each.run,
    "note": lambda each: each.batch.note,
}


def _rows(columns: Columns[T], items: Sequence[T]) -> list[dict[str, Value]]:
    return [{name: value(item) for name, value in columns.items()} for item in items]


# --- for programs ----------------------------------------------------------------------------------------------------


def render_history_csv(history: History) -> str:
    """One row a campaign and month, or a request; a header of column names; no totals, so that rows can be added up."""
    names = list(_CAMPAIGN if history.by == "campaign" else _REQUEST)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row.values()] for row in _history_rows(history))
    return text.getvalue()


def _history_rows(history: History) -> list[dict[str, Value]]:
    return _rows(_CAMPAIGN, history.months) if history.by == "campaign" else _rows(_REQUEST, history.records)


def _cell(value: Value) -> str | int:
    plain = _plain(value)
    if plain is None:
        return ""
    return f"'{plain}" if isinstance(value, str) and value.startswith(_FORMULA) else plain


def _plain(value: Value) -> str | int | None:
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return to_text(value)
    return value


def render_history_json(history: History) -> str:
    """One object: what was asked for, the rows with the columns of the CSV, and their total."""
    rows: list[dict[str, Any]] = [
        {name: _plain(value) for name, value in row.items()} for row in _history_rows(history)
    ]
    if history.by == "campaign":
        rows = [row | {"left_out": each.left_out} for row, each in zip(rows, history.months, strict=True)]
    (total,) = _rows(_FIGURES, [history.total])
    document = {
        "format": FORMAT,
        "version": VERSION,
        "project": history.project,
        "environment": history.environment,
        "timezone": history.zone,
        "made_at": to_text(history.made_at),
        "month": history.month,
        "campaigns": list(history.campaigns),
        "by": history.by,
        "rows": rows,
        "total": {name: _plain(value) for name, value in total.items()},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


# --- for people ------------------------------------------------------------------------------------------------------


def render_history_text(history: History, *, width: int = 100, colour: bool = False) -> str:
    """A block for each campaign of each month; with every request if they were asked for."""
    lines = [paint(head_words(history), "strong", colour=colour), ""]
    if not history.months:
        lines.append(nothing_words(history))
    for month, campaigns in history.by_month():
        lines.append(paint(month, "strong", colour=colour))
        for each in campaigns:
            lines.append(f"  {each.campaign}")
            for label, text in (*figure_lines(each.figures), *left_out_lines(each)):
                lines += labelled(label, text, width=width, colour=colour)
            if history.by == "request":
                for record in each.figures.records:
                    lines += labelled("", request_words(record), width=width, colour=colour, label_width=2)
        if len(campaigns) > 1:
            lines.append(f"  {paint('all of ' + month, 'strong', colour=colour)}")
            for label, text in figure_lines(together(campaigns)):
                lines += labelled(label, text, width=width, colour=colour)
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def head_words(history: History) -> str:
    """What the report is about."""
    return f"Sent for {history.project} in {history.environment}, by month in {history.zone}"


def nothing_words(history: History) -> str:
    """What is said where there is no row."""
    of = f" of {', '.join(history.campaigns)}" if history.campaigns else ""
    when = f" in {history.month}" if history.month else " yet"
    return f"Nothing{of} was sent{when}."


def figure_lines(figures: Figures) -> Iterator[tuple[str, str]]:
    """Label and text: each group of people that there is."""
    sent = figures.recipients(Outcome.SENT)
    requests = count(figures.requests(Outcome.SENT), "request")
    yield "sent", f"{count(sent, 'recipient')} in {requests}, {count(figures.segments, 'segment')}"
    if sent:
        yield "billed", billed_words(figures)
    for outcome, label, more in _OTHERS:
        people = figures.recipients(outcome)
        if people:
            yield label, f"{count(people, 'recipient')} in {count(figures.requests(outcome), 'request')}{more}"
    if figures.of(Outcome.UNKNOWN, Outcome.CANCELLED):
        yield "may cost", f"{render_amount(figures.may_be_billed)} for what is unknown or cancelled"


_OTHERS: Final = (
    (Outcome.REFUSED, "refused", ", certainly not sent by these"),
    (Outcome.NOT_SENT, "not sent", ", certainly not sent by these"),
    (Outcome.UNKNOWN, "unknown", ": see `octoplan recover`"),
    (Outcome.CANCELLED, "cancelled", ""),
)


def billed_words(figures: Figures) -> str:
    """`108.79, as planned`; what is not known is said."""
    without = figures.requests_without_bill
    if figures.billed is None:
        return f"unknown for {without:,} of {count(figures.requests(Outcome.SENT), 'request')}"
    if figures.difference is None:
        return f"{render_amount(figures.billed)}; what was planned is unknown"
    if not figures.difference:
        return f"{render_amount(figures.billed)}, as planned"
    more = "more" if figures.difference > 0 else "less"
    return f"{render_amount(figures.billed)}, {render_amount(abs(figures.difference))} {more} than planned"


def left_out_lines(each: CampaignMonth) -> Iterator[tuple[str, str]]:
    """Label and text: rows that got nothing, by reason."""
    if each.left_out is None:
        yield "left out", "unknown"
    elif each.left_out:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(each.left_out.items()))
        yield "left out", f"{count(sum(each.left_out.values()), 'row')}: {reasons}"


def request_words(record: RequestRecord) -> str:
    """One request on a line."""
    batch = record.batch
    cost = f"billed {render_amount(batch.cost)}" if record.outcome is Outcome.SENT else None
    words = (instant(batch.opened_at), record.outcome, count(batch.recipients, "recipient"), cost, batch.ticket)
    return "  ".join(word for word in words if word)


def render_history_markdown(history: History) -> str:
    """A table a month, and one of the requests if they were asked for; no id or ticket can change the page."""
    head = f"## Sent for {code(history.project)} in {code(history.environment)}, by month in {history.zone}\n"
    parts = [head] if history.months else [head, f"\n{nothing_words(history)}\n"]
    for month, campaigns in history.by_month():
        parts += [f"\n### {month}\n\n", *_table(campaigns)]
        if history.by == "request":
            parts += ["\n", *_request_table(together(campaigns).records)]
    return "".join(parts)


def _table(campaigns: Sequence[CampaignMonth]) -> Iterator[str]:
    names = (
        "Campaign",
        "Recipients",
        "Requests",
        "Planned",
        "Billed",
        "Refused",
        "Not sent",
        "Unknown",
        "Rows left out",
    )
    yield row(names)
    yield row(["---", *["--:"] * (len(names) - 1)])
    for each in campaigns:
        left_out = "unknown" if each.left_out is None else f"{sum(each.left_out.values()):,}"
        yield row([cell(each.campaign), *_table_figures(each.figures), left_out])
    if len(campaigns) > 1:
        figures = _table_figures(together(campaigns))
        yield row(["**All**", *(f"**{figure}**" for figure in figures), ""])


def _table_figures(figures: Figures) -> list[str]:
    return [
        f"{figures.recipients(Outcome.SENT):,}",
        f"{figures.requests(Outcome.SENT):,}",
        render_amount(figures.planned),
        render_amount(figures.billed),
        *(f"{figures.recipients(outcome):,}" for outcome in (Outcome.REFUSED, Outcome.NOT_SENT, Outcome.UNKNOWN)),
    ]


def _request_table(records: Sequence[RequestRecord]) -> Iterator[str]:
    yield row(["First tried", "Campaign", "Outcome", "Recipients", "Billed", "Ticket"])
    yield row(["---", "---", "---", "--:", "--:", "---"])
    for record in records:
        batch = record.batch
        billed = render_amount(batch.cost) if record.outcome is Outcome.SENT else ""
        figures = [record.outcome, f"{batch.recipients:,}", billed]
        yield row([instant(batch.opened_at), cell(record.campaign), *figures, cell(batch.ticket or "")])

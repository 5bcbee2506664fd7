"""The report over time in its forms."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from markdown_it import MarkdownIt

from octoplan.state.history import history_of
from octoplan.state.journal import Entry, Kind
from octoplan.views.history import (
    By,
    History,
    render_history_csv,
    render_history_json,
    render_history_markdown,
    render_history_text,
)
from octoplan.views.history_html import render_history_page
from octoplan.views.text import columns_of

MOMENT: Final = datetime(2027, 3, 10, 9, tzinfo=UTC)
HOSTILE: Final = "=cmd|'/c calc'!A1 <script>x</script> ](http://x) `|*_#\u202e"
AUDIENCE: Final = {"rows": 12, "recipients": 10, "excluded": {"duplicate": 2}}
HEADER: Final = (
    "month,campaign,sent_recipients,sent_segments,sent_requests,planned,billed,difference,requests_without_bill,"
    "refused_recipients,refused_requests,not_sent_recipients,not_sent_requests,unknown_recipients,unknown_requests,"
    "cancelled_recipients,cancelled_requests,may_be_billed,first_sent_at,last_sent_at,left_out_rows"
)
REQUEST_HEADER: Final = (
    "month,campaign,digest,request_id,ticket,outcome,recipients,segments,planned,billed,first_tried_at,changed_at,"
    "send_at,run,note"
)


def entries_of(campaign: str, kind: Kind | None = Kind.SENT, **data: Any) -> list[Entry]:
    """A campaign of one request; `None` leaves it without an answer."""
    intended = {"request_id": "id", "attempt": 1, "recipients": 1000, "segments": 1200, "cost": "61.00"}
    entries = [
        Entry(Kind.OPENED, campaign, None, MOMENT, "r_1", {"content": {}, "audience": AUDIENCE}),
        Entry(Kind.INTENDED, campaign, "b1_a", MOMENT, "r_1", intended),
    ]
    return entries if kind is None else [*entries, Entry(kind, campaign, "b1_a", MOMENT, "r_1", data)]


def history(*entries: list[Entry], by: By = "campaign") -> History:
    months = history_of([entry for each in entries for entry in each], UTC)
    return History("maple", "live", "UTC", MOMENT, by, months)


KNOWN: Final = entries_of("spring", cost="61.00000001", ticket="sms_1")
UNKNOWN: Final = entries_of("autumn", None)
WITHOUT_BILL: Final = entries_of("winter")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_columns_of_the_csv_stay() -> None:
    """Others rely on these names and their order; new ones come at the end."""
    assert render_history_csv(history(KNOWN)).startswith(f"{HEADER}\r\n")
    assert render_history_csv(history(KNOWN, by="request")).startswith(f"{REQUEST_HEADER}\r\n")
    assert render_history_csv(history()) == f"{HEADER}\r\n"


def test_amounts_are_exact_and_never_0_for_unknown() -> None:
    """A decimal point, no separators, every digit; an empty field where nobody knows; times in ISO 8601."""
    known, without = rows_of(render_history_csv(history(KNOWN, WITHOUT_BILL)))
    assert (known["planned"], known["billed"], known["difference"]) == ("61.00", "61.00000001", "0.00000001")
    assert (known["sent_recipients"], known["first_sent_at"]) == ("1000", "2027-03-10T09:00:00.000000Z")
    assert (without["billed"], without["difference"], without["requests_without_bill"]) == ("", "", "1")
    document = json.loads(render_history_json(history(KNOWN, WITHOUT_BILL)))
    assert (document["rows"][1]["billed"], document["total"]["billed"]) == (None, None)
    assert "billed    unknown for 1 of 2 requests" in render_history_text(history(KNOWN, WITHOUT_BILL))


@pytest.mark.parametrize("by", ["campaign", "request"])
def test_json_has_the_columns_of_the_csv(by: By) -> None:
    """Under the same names and in the same order, with the same values; reasons for rows left out besides."""
    shown = history(KNOWN, UNKNOWN, by=by)
    document = json.loads(render_history_json(shown))
    for found, row in zip(document["rows"], rows_of(render_history_csv(shown)), strict=True):
        found.pop("left_out", None)
        assert {name: "" if value is None else str(value) for name, value in found.items()} == row
    assert document["by"] == by


def test_no_cell_is_a_formula() -> None:
    """What a person or the API wrote is text to a spreadsheet, whatever it begins with; a negative amount stays one."""
    hostile = entries_of("spring", cost="60.99", note=HOSTILE)
    (row,) = rows_of(render_history_csv(history(hostile, by="request")))
    assert row["note"] == f"'{HOSTILE}"
    (row,) = rows_of(render_history_csv(history(hostile)))
    assert row["difference"] == "-0.01"


@pytest.mark.parametrize("width", [60, 100])
def test_the_text_fits_the_terminal(width: int) -> None:
    """And says what is unknown, what was billed against what was planned, and the sum of a month."""
    text = render_history_text(history(KNOWN, UNKNOWN, by="request"), width=width)
    assert max(map(columns_of, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "61.00000001, 0.00000001 more than planned" in words
    assert "unknown 1,000 recipients in 1 request: see `octoplan recover`" in words
    assert "may cost 61.00 for what is unknown or cancelled" in words
    assert "all of 2027-03" in words
    assert "left out 2 rows: 2 duplicate" in words


def test_markdown_is_a_table_that_no_word_can_change() -> None:
    """A hostile id or ticket is plain words in its cell."""
    hostile = entries_of(HOSTILE, cost="61", ticket=HOSTILE)
    page = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(render_history_markdown(history(hostile, KNOWN, by="request")))
    )
    assert page.count("<table>") == 2
    assert "<script>" not in page
    assert "<a " not in page
    assert page.count("<tr>") == 1 + 3 + 1 + 2
    assert page.count("=cmd|") == 3


def test_the_page_escapes_and_says_what_is_open() -> None:
    """The verdict stands first; every word of others is text."""
    page = render_history_page(history(entries_of(HOSTILE, None), KNOWN, by="request"))
    assert page.index("1,000 messages of unknown outcome") < page.index("Messages sent")
    assert "<script>" not in page
    assert "\u202e" not in page
    assert "Every outcome is known" in render_history_page(history(KNOWN))
    assert "Nothing was sent yet" in render_history_page(history())

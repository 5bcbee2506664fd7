"""The preview as a page: a phone for each message. It holds what recipients read, which is personal data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from octoplan.plan.samples import Choice, Sample
from octoplan.values.sms_size import measure, split_parts
from octoplan.views.marks import Piece, pieces_of
from octoplan.views.page import render_page
from octoplan.views.preview import number_of, reasons_for_length, size_words
from octoplan.views.text import instant


@dataclass(frozen=True, slots=True)
class PhoneView:
    """One message as the page shows it; `parts` are the billed ones."""

    why: Sequence[str]
    line: int | str
    number: str
    size: str
    parts: Sequence[Sequence[Piece]] = field(repr=False)
    reasons: Sequence[str] = field(repr=False)


def render_preview_page(
    campaign: str,
    environment: str,
    recipients: int,
    sender: str | None,
    choice: Choice,
    created_at: datetime,
    *,
    reveal: bool,
) -> str:
    """The whole page; numbers are masked unless `reveal`."""
    return render_page(
        "preview.html.j2",
        campaign=campaign,
        environment=environment,
        recipients=recipients,
        sender=sender,
        phones=[_phone(sample, reveal=reveal) for sample in choice.samples],
        left_out=choice.left_out,
        created=instant(created_at),
    )


def _phone(sample: Sample, *, reveal: bool) -> PhoneView:
    encoding = measure(sample.text).encoding
    return PhoneView(
        why=sample.why,
        line=sample.line,
        number=number_of(sample, reveal=reveal),
        size=size_words(sample),
        parts=[list(pieces_of(part, encoding)) for part in split_parts(sample.text)],
        reasons=list(reasons_for_length(sample.text)),
    )

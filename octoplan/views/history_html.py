"""The report over time as a page: one file, for whoever pays for it."""

from __future__ import annotations

from octoplan.state.history import CampaignMonth, Outcome
from octoplan.views.history import History, figure_lines, left_out_lines, nothing_words, together
from octoplan.views.page import render_page


def render_history_page(history: History) -> str:
    """The whole page."""
    return render_page(
        "history.html.j2",
        history=history,
        outcomes=Outcome,
        together=together,
        notes_of=_notes,
        nothing=nothing_words(history),
    )


def _notes(each: CampaignMonth) -> list[str]:
    """What the columns of the table do not say."""
    is_as_planned = each.figures.difference == 0
    shown = {"sent", "billed"} if is_as_planned else {"sent"}
    lines = [*figure_lines(each.figures), *left_out_lines(each)]
    return [f"{label} {text}" for label, text in lines if label not in shown]

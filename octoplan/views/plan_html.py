"""A plan as a page that people read who send no requests: one file, without anybody's data."""

from __future__ import annotations

from octoplan.plan.model import Action, Plan
from octoplan.views.cost_text import cost_notes
from octoplan.views.hours_text import hours_lines
from octoplan.views.length_text import length_lines
from octoplan.views.page import render_page
from octoplan.views.plan_text import encoding_words, purpose_word, request_words, wave_lines, when_words
from octoplan.views.plan_view import plan_view
from octoplan.views.text import lines_of

_OPEN_MAX = 6
"""So many campaigns are shown open; of more only those that apply would refuse, the others open from a list."""


def render_plan_page(plan: Plan) -> str:
    """The whole page."""
    return render_page(
        "plan.html.j2",
        view=plan_view(plan),
        open_max=_OPEN_MAX,
        facts_of=facts_of,
        cost_notes=cost_notes,
        lines_of=lines_of,
    )


def facts_of(action: Action) -> list[tuple[str, str]]:
    """What is said of a campaign beside its pictures, in the words of the text plan."""
    facts = [("File", action.file), ("Product", f"{action.type}, {purpose_word(action)}")]
    if action.batches:
        facts.append(("Sends", when_words(action)))
    if action.waves:
        facts.append(("Waves", "; ".join(text for _, text in wave_lines(action))))
    facts += [(label.capitalize() or "Also", text) for label, text in hours_lines(action)]
    if action.message and action.batches:
        facts.append(("Requests", request_words(action, action.message)))
    if action.message:
        facts.append(("Encoding", encoding_words(action)))
        facts += [(label.capitalize() or "Also", text) for label, text in length_lines(action.message)]
        facts += [("Texts", action.message.mode_reason)] if action.message.mode_reason else []
    return facts

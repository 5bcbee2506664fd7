"""
A plan for a pull request: what would be sent in one look, the texts to review, everything else folded.

It holds what the text of a plan holds: counts, costs and the template's own words, no number, name or merge value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from octoplan import __version__
from octoplan.diagnostics import ExitCode, Finding
from octoplan.plan.compare import Comparison
from octoplan.plan.model import Action, ActionKind, Plan
from octoplan.values.amount import render_amount
from octoplan.views.comparison_text import change_lines, describe_side, total_words
from octoplan.views.cost_text import cost_notes
from octoplan.views.markdown import RED, Block, cell, code, fit, folded, quote, row
from octoplan.views.marks import Piece
from octoplan.views.plan_html import facts_of
from octoplan.views.plan_text import encoding_words
from octoplan.views.plan_view import Bar, CampaignView, PlanView, plan_view
from octoplan.views.text import count, count_parts, instant, lines_of

_HEAD: Final = "| Campaign | Action | Recipients | Parts | Cost | When |\n| --- | --- | ---: | ---: | ---: | --- |\n"
_NOTICE: Final = "`octoplan plan` shows all of it."
# What goes in first where not everything does.
_WHY, _ROWS, _FINDINGS, _TEXTS, _DETAILS = range(1, 6)


def render_plan_markdown(plan: Plan, comparison: Comparison | None = None, *, bytes_max: int) -> str:
    """
    The page, of at most so many bytes as long as the figures of the whole fit.

    `comparison` is with the plan of the base branch: how much more is sent, and what is different in each campaign.
    """
    return fit(list(_blocks(plan_view(plan), comparison)), bytes_max, _NOTICE)


def render_failure_markdown(
    message: str, hint: str | None, findings: Iterable[Finding], *, exit_code: int, bytes_max: int
) -> str:
    """What stands there where no plan could be made."""
    hinted = f"\n\nhint: {code(hint)}" if hint else ""
    head = f"## {RED} octoplan: no plan (exit code {exit_code})\n\n{code(message)}{hinted}\n"
    return fit([Block(head), *_findings(list(findings))], bytes_max, _NOTICE)


def _blocks(view: PlanView, comparison: Comparison | None) -> Iterator[Block]:
    plan = view.plan
    delta = ""
    if comparison is not None:
        delta = f"Beside {code(describe_side(comparison.before))}:  \n{code(total_words(comparison))}\n\n"
    yield Block(_title(view) + delta + _headline(view))
    yield from _reasons(view.campaigns)
    if view.campaigns:
        yield Block("\n" + _HEAD)
        yield from (Block(_row(each.action), _ROWS, "rows of the table") for each in view.campaigns)
    if view.sent:
        people = count(sum(action.sent_recipients for action in view.sent), "recipient")
        yield Block(f"\n`=` {count(len(view.sent), 'campaign')} sent before, to {people}.\n")
    yield from _findings(plan.findings)
    yield from _changes(comparison)
    for each in view.campaigns:
        yield from _campaign(each)
    if view.notes:
        yield Block("\n" + folded("Costs, balance and budgets", _listed(code(note) for note in view.notes)))
    made, until = instant(plan.created_at), instant(plan.expires_at)
    yield Block(
        f"\n<sub>Made {made}, good until {until}, by octoplan {__version__}. Messages are shown as templates; "
        "no number, name or value of a recipient is on this page.</sub>\n"
    )


def _title(view: PlanView) -> str:
    where = f"{code(view.plan.project)} in {code(view.plan.environment)}"
    if view.refused:
        return f"## {RED} octoplan: apply would refuse, {where}\n\n"
    return f"## octoplan: {where}\n\n"


def _headline(view: PlanView) -> str:
    plan = view.plan
    if plan.sending:
        figures = (
            f"**{count(plan.recipients, 'message')}, cost {render_amount(plan.cost)}**, "
            f"{count(plan.requests, 'request')}, {count(plan.segments, 'part')}."
        )
    else:
        figures = "**Nothing to send.**"
    if not view.refused:
        return figures + "\n"
    return f"{figures} Apply would end with exit code {int(plan.exit_code)} and send nothing:\n\n"


def _reasons(campaigns: Sequence[CampaignView]) -> Iterator[Block]:
    """Why apply would refuse."""
    for each in campaigns:
        for reason in each.action.reasons:
            if reason.exit_code is not ExitCode.DONE:
                hint = f" hint: {code(reason.hint)}" if reason.hint else ""
                yield Block(f"- {code(each.action.campaign)}: {code(reason.detail)}{hint}\n", _WHY, "reasons")


def _row(action: Action) -> str:
    has_batches = bool(action.batches)
    return row(
        [
            cell(action.campaign),
            f"`{action.kind.sign}` {action.kind}",
            f"{action.recipients or action.sent_recipients:,}",
            f"{action.segments:,}" if has_batches else "",
            render_amount(action.cost.total) if has_batches else "",
            _when(action),
        ]
    )


def _when(action: Action) -> str:
    if not action.batches and action.kind is not ActionKind.SCHEDULED:
        return ""
    if action.send_at is None:
        return "at once"
    waves = f", {count(len(action.waves), 'wave')}" if action.waves else ""
    return cell(action.send_at_local or instant(action.send_at)) + waves


def _findings(findings: Sequence[Finding]) -> Iterator[Block]:
    """Errors first, each on its line."""
    if findings:
        yield Block("\n")
    for found in sorted(findings, key=lambda found: found.severity):
        place = f" {code(str(found.place))}" if found.place else ""
        hint = f" hint: {code(found.hint)}" if found.hint else ""
        text = f"- **{found.severity.capitalize()}** {code(found.code)}{place}: {code(found.detail)}{hint}\n"
        yield Block(text, _FINDINGS, "findings")


def _changes(comparison: Comparison | None) -> Iterator[Block]:
    """What is different from the other plan, campaign by campaign."""
    for change in comparison.campaigns if comparison else ():
        lines = _listed(f"{label}: {code(text)}" for label, text in change_lines(change))
        head = f"**{change.kind.capitalize()}** {code(change.campaign)}"
        yield Block(f"\n{head}\n\n{lines}", _TEXTS, "changes")


# --- one campaign ----------------------------------------------------------------------------------------------------


def _campaign(each: CampaignView) -> Iterator[Block]:
    action = each.action
    if action.message is None or action.kind is ActionKind.SCHEDULED:
        return
    sender = f" from {code(action.sender)}" if action.sender else ""
    size = f"{count_parts(action.message.histogram)}; {encoding_words(action)}"
    text = f"\n#### {code(action.campaign)}{sender}\n\n{code(size)}\n\n{''.join(_quotes(each))}"
    yield Block(text, _TEXTS, "texts")
    yield Block("\n" + folded("Details", _listed(_details(each))), _DETAILS, "details")


def _quotes(each: CampaignView) -> Iterator[str]:
    for phone in each.phones:
        caption = f"{code(phone.caption)}:\n\n" if phone.caption else ""
        yield f"{caption}{quote(''.join(map(_written, phone.pieces)))}\n"
    if each.phones_left_out:
        yield f"and {count(each.phones_left_out, 'more text')}\n"


def _written(piece: Piece) -> str:
    """As the template has it: what a recipient's value or a condition stands for keeps its braces."""
    if piece.kind == "field":
        return f"{{{piece.text}}}"
    return f"{{% {piece.text} %}}" if piece.kind == "logic" else piece.shown


def _details(each: CampaignView) -> Iterator[str]:
    action = each.action
    if action.description:
        yield code(action.description)
    yield from (f"{label}: {code(text)}" for label, text in facts_of(action) if label != "Encoding")
    yield from (code(reason.detail) for reason in action.reasons if reason.exit_code is ExitCode.DONE)
    if each.funnel:
        yield f"Audience: {code(' → '.join(f'{step.left:,} {step.label}' for step in each.funnel))}"
    for line in action.audience.exclusions if action.audience else ():
        where = lines_of(line.lines, line.count)
        yield f"Left out: {code(f'{line.count:,} {line.reason}' + (f', {where}' if where else ''))}"
    for title, bars in (("country", each.by_country), ("length", each.by_parts)):
        if bars:
            yield f"Cost by {title}: {code(', '.join(map(_bar, bars)))}"
    yield from (code(note) for note in cost_notes(action))


def _bar(bar: Bar) -> str:
    return f"{bar.label} {bar.recipients:,} for {render_amount(bar.cost)}"


def _listed(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)

"""A plan as a person reads it: dangerous lines first, what was sent collapsed, a total at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from octoplan.audience.policy import INVALID
from octoplan.plan.model import Action, ActionKind, MessageSummary, Plan
from octoplan.plan.waves import name_zones
from octoplan.values.amount import render_amount
from octoplan.views.cost_text import budget_lines, cost_lines, total_cost_lines
from octoplan.views.hours_text import hours_lines
from octoplan.views.length_text import length_lines
from octoplan.views.text import count, count_parts, instant, labelled, lines_of, paint, wrapped

_ORDER = (
    ActionKind.UNKNOWN,
    ActionKind.CONFLICT,
    ActionKind.BLOCKED,
    ActionKind.SEND,
    ActionKind.ADD,
    ActionKind.RESUME,
    ActionKind.SCHEDULED,
    ActionKind.SENT,
)
_SENT_LISTED_MAX = 5
_IN_FULL_MAX = 12
"""Of more campaigns each has one line, and what stands in its way."""
_REFUSED_NAMED_MAX = 10
_CHARACTERS_SHOWN_MAX = 8
_VARIANTS_SHOWN_MAX = 8
_WAVES_SHOWN_MAX = 6


def render_plan(plan: Plan, *, width: int = 100, colour: bool = False, everything: bool = False) -> str:
    """
    The plan as text, `width` columns wide. It shows templates and placeholders, never what a recipient reads.

    Many campaigns have a line each, and those that were sent are a count, unless `everything` is asked for.
    """
    ordered = in_reading_order(plan.actions)
    active = [action for action in ordered if action.kind is not ActionKind.SENT]
    sent = [action for action in ordered if action.kind is ActionKind.SENT]
    lines = [*_head(plan, width=width, colour=colour), ""]
    if everything or len(active) <= _IN_FULL_MAX:
        for action in active:
            lines += [*_action(action, width=width, colour=colour), ""]
    else:
        lines += [*_in_short(active, width=width, colour=colour), ""]
    lines += _sent(sent, width=width, colour=colour, everything=everything)
    lines += _total(plan, width=width, colour=colour)
    return "\n".join(lines) + "\n"


def _in_short(actions: Sequence[Action], *, width: int, colour: bool) -> Iterator[str]:
    names = max(len(action.campaign) for action in actions)
    for action in actions:
        yield from _title(action, width=width, colour=colour, name_columns=names)
        yield from _reasons(action, width=width, colour=colour)
    yield ""
    hint = "Each in full: `octoplan plan --all`, or one with `--campaign ID`."
    yield from wrapped(hint, width=width)


def _sent(actions: Sequence[Action], *, width: int, colour: bool, everything: bool) -> Iterator[str]:
    if everything or len(actions) <= _SENT_LISTED_MAX:
        for action in actions:
            yield from _action(action, width=width, colour=colour)
            yield ""
        return
    total = sum(action.sent_recipients for action in actions)
    yield paint(f"= sent: {count(len(actions), 'campaign')}, {count(total, 'recipient')}", "=", colour=colour)
    yield ""


def in_reading_order(actions: Iterable[Action]) -> list[Action]:
    """What needs a person first, what was sent last."""
    return sorted(actions, key=lambda action: (_ORDER.index(action.kind), action.campaign))


def _head(plan: Plan, *, width: int, colour: bool) -> Iterator[str]:
    about = f"({plan.endpoint}), {instant(plan.created_at)}"
    yield from _beside(f"Plan for {plan.project} in {plan.environment}", "strong", f" {about}", width, colour=colour)


def _title(action: Action, *, width: int, colour: bool, name_columns: int = 0) -> Iterator[str]:
    """Sign, kind, id and figures; few figures, and aligned, where there is a width for the ids."""
    sign = action.kind.sign
    title = f"{sign} {action.kind:<9} {action.campaign:<{name_columns}}"
    figures = _figures(action, in_short=name_columns > 0)
    yield from _beside(title, sign, f"  {figures}", width, colour=colour)


def _beside(title: str, style: str, more: str, width: int, *, colour: bool) -> Iterator[str]:
    """A title and what belongs to it; below it where there is no room beside."""
    if not more.strip() or len(title) + len(more) > width:
        yield paint(title.rstrip(), style, colour=colour)
        yield from wrapped(f"    {more.strip()}", width=width, indent=4) if more.strip() else ()
    else:
        yield paint(title, style, colour=colour) + more


def _reasons(action: Action, *, width: int, colour: bool) -> Iterator[str]:
    for reason in action.reasons:
        yield from labelled("why", reason.detail, width=width, colour=colour)
        if reason.hint:
            yield from labelled("hint", reason.hint, width=width, colour=colour)


def _action(action: Action, *, width: int, colour: bool) -> Iterator[str]:
    yield from _title(action, width=width, colour=colour)
    yield from _reasons(action, width=width, colour=colour)
    if action.kind in (ActionKind.SENT, ActionKind.SCHEDULED):
        return
    sender = f" from {action.sender}" if action.sender else ""
    owner = f", owned by {action.owner}" if action.owner else ""
    described = f"{action.file}: {action.type}, {purpose_word(action)}{sender}{owner}"
    yield from labelled("campaign", described, width=width, colour=colour)
    yield from _audience(action, width=width, colour=colour)
    yield from _message(action, width=width, colour=colour)
    if action.batches:
        yield from cost_lines(action, width=width, colour=colour)
        yield from labelled("sends", when_words(action), width=width, colour=colour)
        for label, text in wave_lines(action):
            yield from labelled(label, text, width=width, colour=colour)
    for label, text in hours_lines(action):
        yield from labelled(label, text, width=width, colour=colour)


def _figures(action: Action, *, in_short: bool) -> str:
    if action.kind in (ActionKind.SENT, ActionKind.SCHEDULED):
        cost = "" if action.sent_cost is None else f", {render_amount(action.sent_cost)}"
        return f"{count(action.sent_recipients, 'recipient')}{cost}"
    if not action.batches:
        return ""
    size = [count(action.segments, "segment"), count(len(action.batches), "request")]
    parts = [count(action.recipients, "recipient"), *([] if in_short else size)]
    return ", ".join([*parts, f"cost {render_amount(action.cost.total)}"])


def purpose_word(action: Action) -> str:
    """The API's `wholesale` and `alert` in words that people use."""
    return "marketing" if action.purpose == "wholesale" else "transactional"


def _audience(action: Action, *, width: int, colour: bool) -> Iterator[str]:
    audience = action.audience
    if audience is None:
        return
    text = f"{count(audience.rows, 'row')} of {audience.path} → {count(audience.recipients, 'recipient')}"
    if audience.already_written:
        text += f", {audience.already_written:,} of them written to already"
    countries = ", ".join(f"{country} {number:,}" for country, number in sorted(audience.countries.items()))
    yield from labelled("audience", f"{text} ({countries})" if countries else text, width=width, colour=colour)
    digits = max((len(f"{line.count:,}") for line in audience.exclusions), default=0)
    names = max((len(line.reason) for line in audience.exclusions), default=0)
    for index, line in enumerate(audience.exclusions):
        text = f"{line.count:>{digits},} {line.reason:<{names}}  {lines_of(line.lines, line.count)}"
        yield from labelled("" if index else "left out", text, width=width, colour=colour)
    if any(line.reason in INVALID for line in audience.exclusions):
        yield from labelled("", f"see them with `octoplan excluded {action.campaign}`", width=width, colour=colour)


def _message(action: Action, *, width: int, colour: bool) -> Iterator[str]:
    message = action.message
    if message is None:
        return
    yield from labelled("text", message.text, width=width, colour=colour)
    if message.fields:
        yield from labelled("fields", _fields(message.fields), width=width, colour=colour)
    if message.mode_reason:
        yield from _variants(message, width=width, colour=colour)
    if action.batches:
        yield from labelled("requests", request_words(action, message), width=width, colour=colour)
    segments = f"{count_parts(message.histogram)}; {encoding_words(action)}"
    yield from labelled("segments", segments, width=width, colour=colour)
    for label, text in length_lines(message):
        yield from labelled(label, text, width=width, colour=colour)


def _fields(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{{{slot}}} = {source}" for slot, source in fields.items())


def _variants(message: MessageSummary, *, width: int, colour: bool) -> Iterator[str]:
    """The texts that one template needs, and why it needs more than one."""
    many = f"{count(message.texts, 'different text')}, each in requests of its own: {message.mode_reason}"
    yield from labelled(message.mode, many, width=width, colour=colour)
    if message.mode == "grouped":
        return
    for variant in message.variants[:_VARIANTS_SHOWN_MAX]:
        who = f" where {' and '.join(variant.conditions)}" if variant.conditions else ""
        texts = f" in {count(variant.texts, 'text')}" if variant.texts > 1 else ""
        yield from labelled("", f"{count(variant.recipients, 'recipient')}{texts}{who}:", width=width, colour=colour)
        fields = f"  ({_fields(variant.fields)})" if variant.fields else ""
        yield from labelled("", f"  {variant.text}{fields}", width=width, colour=colour)
    if len(message.variants) > _VARIANTS_SHOWN_MAX:
        yield from labelled("", f"… {len(message.variants) - _VARIANTS_SHOWN_MAX:,} more", width=width, colour=colour)


def request_words(action: Action, message: MessageSummary) -> str:
    """How many requests there are, beside what else could be done."""
    naive = "more than 100,000" if message.naive_requests is None else f"{message.naive_requests:,}"
    waves = f" in {count(len(action.waves), 'wave')}" if action.waves else ""
    others = f"one text a rendering: {naive}; the least possible: {message.minimum_requests:,}"
    return f"{len(action.batches):,}{waves} ({others})"


def encoding_words(action: Action) -> str:
    """How many messages are in UCS-2, and because of which characters."""
    message = action.message
    if message is None or not message.ucs2_recipients:
        return "all GSM-7"
    often = sorted(message.guilty.items(), key=lambda item: (-item[1], item[0]))
    guilty = ", ".join(f"{character!r} in {rows:,}" for character, rows in often[:_CHARACTERS_SHOWN_MAX])
    more = " …" if len(often) > _CHARACTERS_SHOWN_MAX else ""
    because = f" because of {guilty}{more}" if guilty else ""
    return f"{message.ucs2_recipients:,} in UCS-2{because}"


def when_words(action: Action) -> str:
    """When messages leave, and until when they can be taken back."""
    if action.send_at is None:
        when = "as soon as applied; cannot be taken back"
    elif action.waves:
        span = f"from {instant(action.send_at)} to {instant(action.last_send_at or action.send_at)}"
        when = f"{action.send_at_local}, {span}; {_cancellable(action)}"
    else:
        when = f"{action.send_at_local} = {instant(action.send_at)}; {_cancellable(action)}"
    return when if action.not_after is None else f"{when}; not after {instant(action.not_after)}"


def wave_lines(action: Action) -> Iterator[tuple[str, str]]:
    """Label and text: when recipients get it, where each has a time of his own."""
    label = "waves"
    for wave in action.waves[:_WAVES_SHOWN_MAX]:
        batches = action.batches_of(wave)
        people = count(sum(batch.recipients for batch in batches), "recipient")
        # The day is above, but where a clock change has moved it.
        local = wave.local.removeprefix((action.send_at_local or "")[: len("Mon 2027-03-22 ")])
        when = f"{instant(wave.send_at)} = {local} in {name_zones(wave.zones)}"
        yield label, f"{when}: {people}, {count(len(batches), 'request')}"
        label = ""
    more = action.waves[_WAVES_SHOWN_MAX:]
    if more:
        people = count(sum(batch.recipients for wave in more for batch in action.batches_of(wave)), "recipient")
        yield "", f"… {count(len(more), 'more wave')}, {people}"


def _cancellable(action: Action) -> str:
    """The API cancels only campaigns of fewer than 3 recipients, more than 10 minutes ahead."""
    if all(batch.recipients < 3 for batch in action.batches):
        return "each request can be cancelled until 10 minutes before"
    return "cannot be taken back once applied: the API cancels only campaigns of fewer than 3 recipients"


def _total(plan: Plan, *, width: int, colour: bool) -> Iterator[str]:
    stopped = [action.campaign for action in plan.actions if any(reason.exit_code for reason in action.reasons)]
    if stopped:
        more = f" and {len(stopped) - _REFUSED_NAMED_MAX:,} more" if len(stopped) > _REFUSED_NAMED_MAX else ""
        names = ", ".join(stopped[:_REFUSED_NAMED_MAX]) + more
        yield from _painted(f"Apply would refuse (exit code {plan.exit_code}): {names}", "bad", width, colour=colour)
    if not plan.sending:
        yield paint("Nothing to send.", "strong", colour=colour)
        lines = [*budget_lines(plan)]
    else:
        text = (
            f"Total: {count(plan.recipients, 'message')} to send, {count(plan.segments, 'segment')}, "
            f"{count(plan.requests, 'request')}, cost {render_amount(plan.cost)}"
        )
        yield from _painted(text, "strong", width, colour=colour)
        lines = [*total_cost_lines(plan), *budget_lines(plan)]
    for line in lines:
        yield from wrapped(line, width=width)


def _painted(text: str, style: str, width: int, *, colour: bool) -> list[str]:
    return [paint(line, style, colour=colour) for line in wrapped(text, width=width)]

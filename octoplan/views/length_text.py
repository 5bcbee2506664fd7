"""How long messages are and why, as a person reads it: one short line for each thing that could be changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from octoplan.plan.model import CharacterFrom, DearerMessages, Difference, MessageLength, MessageSummary
from octoplan.values.amount import render_amount
from octoplan.views.marks import name_of
from octoplan.views.text import count, count_parts

_DEARER_SHOWN_MAX: Final = 5
_REPLACED_SHOWN_MAX: Final = 8
_COLUMNS_SHOWN_MAX: Final = 3


def length_lines(message: MessageSummary) -> Iterator[tuple[str, str]]:
    """Labels and texts; a text without a label goes on with the one before."""
    if message.longest and message.shortest and message.longest != message.shortest:
        yield "", f"longest {_length(message.longest)}; shortest {_length(message.shortest)}"
    if message.pessimistic_extra:
        yield "", _pessimistic(message)
    yield from _labelled("dearer", _dearer(message.dearer))
    yield from _labelled("replaced", _replaced(message))


def _labelled(label: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(texts):
        yield "" if number else label, text


def _length(length: MessageLength) -> str:
    unit = "septets" if length.encoding == "GSM-7" else "UCS-2 units"
    return f"{length.units:,} {unit} (line {length.line:,})"


def _pessimistic(message: MessageSummary) -> str:
    assert message.pessimistic_extra is not None
    parts = count_parts(message.pessimistic)
    extra = _amount(message.pessimistic_extra)
    return f"at worst {parts}{extra and f', {extra} more'}, if Octopush counts as its page on special characters says"


def _dearer(found: tuple[DearerMessages, ...]) -> Iterator[str]:
    for each in found[:_DEARER_SHOWN_MAX]:
        because = " and ".join(_character(one) for one in each.because) if each.because else "other characters"
        saves = "no replacement saves it" if each.level is None else f"level {each.level} saves it"
        yield f"{_more(each.extra)}: {because}; {saves}"
    rest = found[_DEARER_SHOWN_MAX:]
    if rest:
        recipients, parts = sum(each.extra.recipients for each in rest), sum(each.extra.parts for each in rest)
        yield f"{count(recipients, 'recipient')}, {count(parts, 'more part')}: others"


def _more(extra: Difference) -> str:
    cost = _amount(extra)
    return f"{count(extra.recipients, 'recipient')}, {count(extra.parts, 'more part')}{cost and f', {cost}'}"


def _amount(extra: Difference) -> str:
    if extra.cost is None:
        return ""
    return f"{'about ' if extra.is_estimated else ''}{render_amount(extra.cost)}"


def _replaced(message: MessageSummary) -> Iterator[str]:
    for each in message.replaced[:_REPLACED_SHOWN_MAX]:
        by = f"`{each.by}`" if each.by else "nothing"
        yield f"{_character(each.source)} by {by}, for {count(each.recipients, 'recipient')}"
    if len(message.replaced) > _REPLACED_SHOWN_MAX:
        yield f"… {len(message.replaced) - _REPLACED_SHOWN_MAX:,} more characters"
    if message.saved:
        cost = _amount(message.saved)
        yield f"saves {count(message.saved.parts, 'part')}{cost and f', {cost}'} (level {message.replacement})"
    elif message.replaced:
        yield f"saves no part (level {message.replacement})"


def _character(found: CharacterFrom) -> str:
    """`'’' (U+2019) in the template`."""
    names = name_of(found.character) if found.character else "other characters"
    shown = ", ".join(f"`{name}`" for name in found.columns[:_COLUMNS_SHOWN_MAX])
    more = ", …" if len(found.columns) > _COLUMNS_SHOWN_MAX else ""
    return f"{names} in {shown + more if found.columns else 'the template'}"

"""What is different between two plans, as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from octoplan.plan.compare import CampaignChange, Comparison, Count, Money, Part, Setting, Side, TextChange
from octoplan.plan.word_diff import Word
from octoplan.values.amount import render_amount
from octoplan.views.text import count, instant, labelled, paint

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}
_MARKS: Final = {"same": ("", ""), "removed": ("[-", "-]"), "added": ("{+", "+}")}
"""As `git diff --word-diff` writes them, so that colour never carries meaning alone."""
_COMMIT_SHOWN: Final = 12
_KEPT_AROUND: Final = 60
"""Characters of unchanged text that are shown on each side of a change."""


def render_comparison(comparison: Comparison, *, width: int = 100, colour: bool = False) -> str:
    """The comparison as text, `width` columns wide; texts are the template's own words."""
    lines = [f"From {describe_side(comparison.before)}", f"to   {describe_side(comparison.after)}", ""]
    for change in comparison.campaigns:
        lines += [*_campaign(change, width=width, colour=colour), ""]
    if comparison.unchanged:
        lines += [paint(f"= {count(len(comparison.unchanged), 'campaign')} unchanged", "=", colour=colour), ""]
    lines += [paint(total_words(comparison), "strong", colour=colour), *(f"Note: {note}." for note in comparison.notes)]
    return "\n".join(lines) + "\n"


def describe_side(side: Side) -> str:
    """`base.json: live, 2027-03-20 09:00 UTC, main at 1a2b3c4d5e6f with 2 changed files`."""
    words = f"{side.name}: {side.environment}, {instant(side.created_at.replace(microsecond=0))}"
    if side.commit is None:
        return words
    at = f"{side.branch} at {side.commit[:_COMMIT_SHOWN]}" if side.branch else side.commit[:_COMMIT_SHOWN]
    return f"{words}, {at}" + (f" with {count(side.dirty, 'changed file')}" if side.dirty else "")


def _campaign(change: CampaignChange, *, width: int, colour: bool) -> Iterator[str]:
    sign = _SIGNS[change.kind]
    yield paint(f"{sign} {change.kind:<9} {change.campaign}", sign, colour=colour) + f"  {change.file}"
    for label, text in change_lines(change):
        yield from labelled(label, text, width=width, colour=colour)


def change_lines(change: CampaignChange) -> Iterator[tuple[str, str]]:
    """Label and text of everything that is different about a campaign; of one that is new or gone, what it is."""
    if change.kind == "changed" and change.action.before != change.action.after:
        yield "action", _setting(change.action)
    for text in change.texts:
        yield "text", _text(text)
    for setting in change.settings:
        yield "setting", f"{setting.name}: {_setting(setting)}"
    yield from _audience(change)
    if change.to_send.difference and change.to_send != change.recipients:
        yield "to send", _count(change.to_send)
    parts = _different(change.parts)
    if parts:
        yield (
            "parts",
            ", ".join(f"{count(int(part.name), 'part')}: {_count(part.count, 'recipient')}" for part in parts),
        )
    if change.requests.difference:
        yield "requests", _count(change.requests)
    if change.cost.before != change.cost.after:
        yield "cost", money_words(change.cost, is_whole=change.kind == "changed")


def _audience(change: CampaignChange) -> Iterator[tuple[str, str]]:
    if change.recipients.difference or change.rows.difference:
        words = f"{_count(change.recipients, 'recipient')} of {_count(change.rows, 'row')}"
        countries = ", ".join(f"{part.name} {part.count.difference:+,}" for part in _different(change.countries))
        yield "audience", f"{words}; {countries}" if countries and change.kind == "changed" else words
    elif change.list_changed:
        yield "audience", f"other numbers, as many: {change.recipients.after:,}"
    different = _different(change.exclusions)
    if different:
        yield "left out", ", ".join(f"{_count(part.count)} {part.name}" for part in different)


def _different(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if part.count.difference]


def _setting(setting: Setting) -> str:
    return " → ".join(value or "not set" for value in (setting.before, setting.after))


def _count(number: Count, noun: str | None = None) -> str:
    """`2,812 → 2,950 rows (+138, +4.9 %)`; only the number where it stayed, or where there was or is none."""
    if not (number.difference and number.before and number.after):
        return _counted(number.after or number.before, noun)
    growth = "" if number.percent is None else f", {number.percent:+,.1f} %"
    return f"{number.before:,} → {_counted(number.after, noun)} ({number.difference:+,}{growth})"


def _counted(number: int, noun: str | None) -> str:
    return f"{number:,}" if noun is None else count(number, noun)


def money_words(money: Money, *, is_whole: bool = True) -> str:
    """`140.60 → 147.50 (+6.90)`, `unknown` where it is; only the amount of what is new or gone (not `is_whole`)."""
    before, after = render_amount(money.before), render_amount(money.after)
    if money.before == money.after:
        return after
    if not is_whole:
        return after if money.after != 0 else before
    sign = "+" if money.difference is not None and money.difference > 0 else ""
    more = "" if money.difference is None else f" ({sign}{render_amount(money.difference)})"
    return f"{before} → {after}{more}"


def _text(text: TextChange) -> str:
    name = "" if text.name == "message.template" else f"{text.name}: "
    return name + ("changed" if text.words is None else "".join(_marked(text.words)))


def _marked(words: Sequence[Word]) -> Iterator[str]:
    for number, word in enumerate(words):
        before, after = _MARKS[word.change]
        is_same = word.change == "same"
        shown = _cut(word.text, first=number == 0, last=number == len(words) - 1) if is_same else word.text
        yield f"{before}{shown}{after}"


def _cut(text: str, *, first: bool, last: bool) -> str:
    """What is unchanged, shortened where it is far from a change."""
    head = "" if first else text[:_KEPT_AROUND]
    tail = "" if last else text[-_KEPT_AROUND:]
    return text if len(text) <= len(head) + len(tail) + 1 else f"{head}…{tail}"


def total_words(comparison: Comparison) -> str:
    """`Total to send: 5 → 6 messages (+1, +20.0 %), cost 0.305 → 0.366 (+0.061)`."""
    if comparison.is_empty:
        return "Nothing is different."
    return f"Total to send: {_count(comparison.to_send, 'message')}, cost {money_words(comparison.cost)}"

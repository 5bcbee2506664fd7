"""
Lay out the parts of one text: what stays text, and what goes into which merge field.

Invariants:
- A merge field takes at most 50 characters for everybody, is empty for nobody, and holds no brace, no line break and
  nothing of a STOP mention, which the API looks for in the text.
- What the campaign file puts there brings no white space to its ends, which the API could drop.
- There are at most seven.

An optional part (`{% if vip %} cher client{% endif %}`) takes the neighbouring word of the text into its field: so the
field is never empty and does not begin with the space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from octoplan.limits import MERGE_VALUE_CHARACTERS_MAX
from octoplan.messages import rules
from octoplan.messages.unfold import Check, Choice, Fragment, Part, merged

NAME_SLOTS: Final = ("first_name", "last_name")
PARAM_SLOTS: Final = ("param1", "param2", "param3", "param4", "param5")
"""The merge fields of the API: these seven and no others."""
SLOTS_MAX: Final = len(NAME_SLOTS) + len(PARAM_SLOTS)


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is known of a part's text for all recipients of a text.

    `shortest` and `longest` are characters. `is_unfit` if it holds what no merge field may, `has_braces` if no merge
    field may stand beside it; `opens` and `closes` if white space of the template may be at its start or end.
    """

    shortest: int = 1
    longest: int = 1
    is_unfit: bool = False
    has_braces: bool = False
    opens: bool = False
    closes: bool = False

    @classmethod
    def of(cls, text: str) -> Facts:
        """Of static text."""
        unfit = any(pattern.search(text) for pattern in (rules.CONTROL, rules.INJECTED, rules.MENTION))
        opens, closes = text[:1].isspace(), text[-1:].isspace()
        return cls(len(text), len(text), unfit, "{" in text or "}" in text, opens, closes)

    def then(self, other: Facts) -> Facts:
        """Of this and another, one after the other."""
        return Facts(
            self.shortest + other.shortest,
            self.longest + other.longest,
            self.is_unfit or other.is_unfit,
            self.has_braces or other.has_braces,
            self.opens or (self.shortest == 0 and other.opens),
            other.closes or (other.shortest == 0 and self.closes),
        )

    def either(self, other: Facts) -> Facts:
        """Of this for some recipients and the other for others."""
        return Facts(
            min(self.shortest, other.shortest),
            max(self.longest, other.longest),
            self.is_unfit or other.is_unfit,
            self.has_braces or other.has_braces,
            self.opens or other.opens,
            self.closes or other.closes,
        )


NOTHING: Final = Facts(0, 0)
FactsOf = Callable[[Part], Facts]


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring parts whose text is one value, in one merge field or, cut, in several."""

    parts: tuple[Part, ...]

    @property
    def source(self) -> str:
        """What fills it, for a person: `first_name | title`."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Fragment):
            return self.parts[0].source
        return self.shown

    @property
    def shown(self) -> str:
        """The same as it would be written in a template."""
        return "".join(_written(part) for part in self.parts)

    @property
    def names(self) -> frozenset[str]:
        """The columns that it reads."""
        return frozenset().union(*(_names(part) for part in self.parts))


@dataclass(frozen=True, slots=True)
class Field:
    """A value that the API fills in; `slots` are its merge fields, in the order of their pieces."""

    run: Run
    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that becomes part of the text: recipients with another value get another text."""

    run: Run


Piece = str | Field | Fixed


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why parts have no layout: half a sentence for the plan."""

    reason: str


def lay_out(
    parts: Sequence[Part], facts_of: FactsOf, fixed: frozenset[int], *, spread: bool
) -> tuple[Piece, ...] | Unfit:
    """
    The pieces of the text that `parts` make.

    Fragments whose numbers are in `fixed` become part of the text. `spread` allows a choice that is too long for one
    merge field to take several.
    """
    if any(facts_of(part).has_braces for part in parts):
        return Unfit("its text has braces, which the API reads as merge fields")
    groups = _grouped(parts, facts_of, fixed)
    for number in range(len(groups)):
        _absorb(groups, number, facts_of)
    groups = [group for group in groups if group != ""]
    if reason := next((why for group in groups if (why := _why_unfit(group, facts_of, spread=spread))), None):
        return Unfit(reason)
    if _slots_needed(groups, facts_of) > SLOTS_MAX:
        groups = _joined(groups, facts_of)
    if (needed := _slots_needed(groups, facts_of)) > SLOTS_MAX:
        return Unfit(f"it needs {needed} merge fields, and the API has {SLOTS_MAX}")
    return _named(groups, facts_of)


# --- grouping ---------------------------------------------------------------------------------------------------------

_Group = str | Run | Fixed


def _grouped(parts: Sequence[Part], facts_of: FactsOf, fixed: frozenset[int]) -> list[_Group]:
    """Static text, values that go into the text, and neighbours that fit one merge field together."""
    groups: list[_Group] = []
    for part in parts:
        if isinstance(part, Check):
            continue
        if isinstance(part, str):
            groups.append(part)
        elif isinstance(part, Fragment) and part.number in fixed:
            groups.append(Fixed(Run((part,))))
        elif groups and isinstance(last := groups[-1], Run) and _fits(wider := Run((*last.parts, part)), facts_of):
            groups[-1] = wider
        else:
            groups.append(Run((part,)))
    return groups


def facts_of_all(parts: Iterable[Part], facts_of: FactsOf) -> Facts:
    """Of parts in a row."""
    return reduce(Facts.then, (facts_of(part) for part in parts), NOTHING)


def _fits(run: Run, facts_of: FactsOf) -> bool:
    facts = facts_of_all(run.parts, facts_of)
    return facts.longest <= MERGE_VALUE_CHARACTERS_MAX and not facts.is_unfit


_LAST_WORD: Final = re.compile(r"\S+[^\S\n]*\Z|\A[^\S\n]+\Z")
_FIRST_WORD: Final = re.compile(r"\A[^\S\n]*\S+")


def _absorb(groups: list[_Group], number: int, facts_of: FactsOf) -> None:
    """Take a neighbouring word into a value that may be empty, or that white space may begin or end."""
    if not isinstance(run := groups[number], Run):
        return
    facts = facts_of_all(run.parts, facts_of)
    if facts.closes or facts.shortest == 0:
        run = _with_neighbour(groups, number, run, 1)
        facts = facts_of_all(run.parts, facts_of)
    if facts.opens or facts.shortest == 0:
        run = _with_neighbour(groups, number, run, -1)
    groups[number] = run


def _with_neighbour(groups: list[_Group], number: int, run: Run, step: int) -> Run:
    """The run with the next word of the text after it (`step` 1) or before it (-1), which leaves the text."""
    beside = number + step
    if not 0 <= beside < len(groups) or not isinstance(text := groups[beside], str):
        return run
    found = (_FIRST_WORD if step == 1 else _LAST_WORD).search(text)
    if found is None or any(
        mention.start() < found.end() and found.start() < mention.end() for mention in rules.MENTION.finditer(text)
    ):
        return run
    groups[beside] = text[: found.start()] + text[found.end() :]
    return Run(merged((*run.parts, found.group()) if step == 1 else (found.group(), *run.parts)))


def _joined(groups: Sequence[_Group], facts_of: FactsOf) -> list[_Group]:
    """Values joined with the text between them, up to a length that makes them few enough; 50 if none does."""
    joined = list(groups)
    for length in range(10, MERGE_VALUE_CHARACTERS_MAX + 1, 10):
        joined = _joined_up_to(length, groups, facts_of)
        if _slots_needed(joined, facts_of) <= SLOTS_MAX:
            break
    return joined


def _joined_up_to(length: int, groups: Sequence[_Group], facts_of: FactsOf) -> list[_Group]:
    joined: list[_Group] = []
    for group in groups:
        between = joined[-1:] if joined and isinstance(joined[-1], str) else []
        before = joined[: len(joined) - len(between)][-1:]
        if isinstance(group, Run) and before and isinstance(first := before[0], Run):
            text = [each for each in between if isinstance(each, str)]
            wider = Run(merged((*first.parts, *text, *group.parts)))
            facts = facts_of_all(wider.parts, facts_of)
            if facts.longest <= length and not facts.is_unfit:
                joined[-1 - len(between) :] = [wider]
                continue
        joined.append(group)
    return joined


# --- merge fields -----------------------------------------------------------------------------------------------------


def _slots_of(run: Run, facts_of: FactsOf) -> int:
    return max(1, -(-facts_of_all(run.parts, facts_of).longest // MERGE_VALUE_CHARACTERS_MAX))


def _slots_needed(groups: Iterable[_Group], facts_of: FactsOf) -> int:
    return sum(_slots_of(run, facts_of) for run in {group for group in groups if isinstance(group, Run)})


def _why_unfit(group: _Group, facts_of: FactsOf, *, spread: bool) -> str | None:
    if not isinstance(group, Run):
        return None
    facts = facts_of_all(group.parts, facts_of)
    if facts.is_unfit:
        return f"`{group.source}` holds a line break or a STOP mention, which a merge field cannot"
    if facts.shortest == 0:
        return f"`{group.source}` gives nothing for a recipient, and a merge field cannot be empty"
    if facts.longest <= MERGE_VALUE_CHARACTERS_MAX:
        return None
    if facts.shortest < _slots_of(group, facts_of) or (not spread and any(isinstance(p, Choice) for p in group.parts)):
        return (
            f"`{group.source}` has up to {facts.longest:,} characters, and a merge field takes "
            f"{MERGE_VALUE_CHARACTERS_MAX}"
        )
    return None


def _named(groups: Sequence[_Group], facts_of: FactsOf) -> tuple[Piece, ...]:
    """
    The pieces, with names for the merge fields.

    What reads nothing but `first_name` or `last_name` takes the field of that name, the others `param1` to `param5`,
    and then what is left of the names.
    """
    runs = list(dict.fromkeys(group for group in groups if isinstance(group, Run)))
    named: dict[str, Run] = {}
    for run in runs:
        own = next((name for name in NAME_SLOTS if run.names == {name}), None)
        if own and own not in named and _slots_of(run, facts_of) == 1:
            named[own] = run
    free = iter([*PARAM_SLOTS, *(name for name in NAME_SLOTS if name not in named)])
    own_names = {run: name for name, run in named.items()}
    fields = {}
    for run in runs:
        count = _slots_of(run, facts_of)
        fields[run] = Field(run, (own_names[run],) if run in own_names else tuple(next(free) for _ in range(count)))
    return tuple(fields[group] if isinstance(group, Run) else group for group in groups)


def _names(part: Part) -> frozenset[str]:
    match part:
        case Fragment():
            return part.names
        case Choice():
            inner = (_names(each) for branch in part.branches for each in branch)
            return part.selector.names.union(*inner)
        case _:
            return frozenset()


def _written(part: Part) -> str:
    """About as it is written in the template."""
    match part:
        case str():
            return part
        case Choice():
            return f"{part.selector.source}…{{% endif %}}"
        case Fragment() if part.source.startswith("{%"):
            return f"{part.source}…"
        case Fragment():
            return f"{{{{ {part.source} }}}}"
        case _:
            return ""


def cut_text(text: str, count: int) -> list[str]:
    """
    The text in `count` pieces of about one length, none empty and none over 50 characters.

    White space is kept inside a piece where that can be: the API could drop it at the ends.
    """
    pieces, start = [], 0
    for left in range(count, 1, -1):
        remaining = len(text) - start
        low = max(start + 1, len(text) - (left - 1) * MERGE_VALUE_CHARACTERS_MAX)
        high = min(start + MERGE_VALUE_CHARACTERS_MAX, len(text) - (left - 1))
        wanted = min(max(start + -(-remaining // left), low), high)
        cuts = sorted(range(low, high + 1), key=lambda cut: (abs(cut - wanted), cut))
        cut = next((cut for cut in cuts if not text[cut - 1].isspace() and not text[cut].isspace()), wanted)
        pieces.append(text[start:cut])
        start = cut
    return [*pieces, text[start:]]

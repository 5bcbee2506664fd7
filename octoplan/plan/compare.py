"""
What is different between two plans, campaign by campaign: settings, words, recipients, costs.

`Comparison` is made for showing: views draw it as it is and compute nothing. `docs/formats/comparison.md` describes its
fields for whoever reads it as JSON. Like a plan it holds no number, name or merge value; texts are the template's own.

What a plan in a file does not say is taken from the campaign files, where they are at hand (`Written`). Where they are
not, a text is told to have changed, without its words; and between plans made with different digest keys not even that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import PlainSerializer, TypeAdapter

from octoplan.clock import from_text, to_text
from octoplan.plan.model import ActionKind
from octoplan.plan.word_diff import Word, word_diff
from octoplan.plan.written import HIDDEN, Written

FORMAT: Final = "octoplan-comparison"
VERSION: Final = 1

Moment = Annotated[datetime, PlainSerializer(to_text, return_type=str)]
ChangeKind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Count:
    """A number before and after; `percent` is the growth, with one decimal, `None` from 0."""

    before: int
    after: int
    difference: int
    percent: float | None

    @classmethod
    def of(cls, before: int, after: int) -> Count:
        """Compute difference and growth."""
        percent = round(100 * (after - before) / before, 1) if before else None
        return cls(before, after, after - before, percent)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount before and after, `None` where it is unknown; so is then the difference."""

    before: Decimal | None
    after: Decimal | None
    difference: Decimal | None

    @classmethod
    def of(cls, before: Decimal | None, after: Decimal | None) -> Money:
        """Compute the difference."""
        return cls(before, after, None if before is None or after is None else after - before)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the numbers that a whole is made of: recipients of a `name`d country, rows left out for a reason."""

    name: str
    count: Count


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting by its name in the campaign file (`limits.max_cost`); `None` where it is not set."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class TextChange:
    """
    A text by its name in the campaign file (`message.template`, `message.vars.shop`), or the file that is included
    (`messages/footer.txt`); `message` where it is not known which.

    `words` is the new text with what was removed in it, in reading order; joined they are the old or the new text.
    `None` where it is known only that it changed.
    """

    name: str
    words: tuple[Word, ...] | None


@dataclass(frozen=True, slots=True)
class CampaignChange:
    """
    What is different about one campaign; of one that was added or removed, what it is or was.

    `action` is what apply would do. `list_changed` tells whether other numbers are on the list, `None` where that is
    not known; the list may have as many. `recipients` are those on the list, `rows` its lines, `to_send` who is in the
    requests of the plan, also of a blocked one. `countries`, `exclusions` and `parts` (recipients by the number of
    parts of their message) have all that is not 0 on both sides, also what is the same.
    """

    campaign: str
    kind: ChangeKind
    file: str
    action: Setting
    settings: tuple[Setting, ...]
    texts: tuple[TextChange, ...]
    list_changed: bool | None
    rows: Count
    recipients: Count
    to_send: Count
    segments: Count
    requests: Count
    countries: tuple[Part, ...]
    exclusions: tuple[Part, ...]
    parts: tuple[Part, ...]
    cost: Money


@dataclass(frozen=True, slots=True)
class Side:
    """
    One of the two plans: `name` is its file, a git revision, or `working tree`.

    `commit` is of which revision its files are, `dirty` how many of them differ from it. `borrowed` are lists that are
    not in that revision, for which those of the working tree were taken.
    """

    name: str
    environment: str
    created_at: Moment
    commit: str | None
    branch: str | None
    dirty: int
    borrowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    Everything that is different between two plans; `campaigns` by id, `unchanged` are the ids of all others.

    `cost` and the counts are what apply would do, all campaigns together: blocked ones do not count. `notes` say what
    could not be compared, for people.
    """

    before: Side
    after: Side
    campaigns: tuple[CampaignChange, ...]
    unchanged: tuple[str, ...]
    to_send: Count
    segments: Count
    requests: Count
    cost: Money
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is different."""
        return not self.campaigns


@dataclass(frozen=True, slots=True)
class Compared:
    """
    A plan as it is compared: its document (`docs/formats/saved-plan.md`), and its campaigns as their files have them.

    `written` is by campaign id, empty where the files are not at hand.
    """

    name: str
    document: Mapping[str, Any]
    written: Mapping[str, Written] = field(default_factory=dict)
    borrowed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@cache
def comparison_adapter() -> TypeAdapter[Comparison]:
    """What turns a comparison into plain data, and knows its schema."""
    return TypeAdapter(Comparison)


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data, for JSON: amounts as text, times as everywhere."""
    return {"format": FORMAT, "version": VERSION, **comparison_adapter().dump_python(comparison, mode="json")}


def compare_plans(before: Compared, after: Compared, only: Collection[str] | None = None) -> Comparison:
    """What is different in `after`, in the campaigns `only` or in all."""
    old, new = _campaigns(before, only), _campaigns(after, only)
    has_one_key = before.document["digest_key"] == after.document["digest_key"]
    changes = [
        _Pair(
            name, old.get(name), new.get(name), before.written.get(name), after.written.get(name), has_one_key
        ).change()
        for name in sorted({*old, *new})
    ]
    sending = [[item for item in each.values() if ActionKind(item["action"]).sends] for each in (old, new)]
    batches = [[batch for item in items for batch in item["batches"]] for items in sending]
    return Comparison(
        before=_side(before),
        after=_side(after),
        campaigns=tuple(change for change in changes if _is_different(change)),
        unchanged=tuple(change.campaign for change in changes if not _is_different(change)),
        to_send=_sums(batches, "recipients"),
        segments=_sums(batches, "segments"),
        requests=Count.of(*map(len, batches)),
        cost=Money.of(*map(_total, sending)),
        notes=tuple(dict.fromkeys([*before.notes, *after.notes, *_notes(before, after, changes)])),
    )


def _campaigns(compared: Compared, only: Collection[str] | None) -> Mapping[str, Mapping[str, Any]]:
    items = compared.document["campaigns"]
    return {item["id"]: item for item in items if only is None or item["id"] in only}


def _side(compared: Compared) -> Side:
    document, revision = compared.document, compared.document.get("revision") or {}
    return Side(
        name=compared.name,
        environment=document["environment"],
        created_at=from_text(document["created_at"]),
        commit=revision.get("commit"),
        branch=revision.get("branch"),
        dirty=revision.get("dirty", 0),
        borrowed=compared.borrowed,
    )


def _notes(before: Compared, after: Compared, changes: Iterable[CampaignChange]) -> Iterator[str]:
    for side in (before, after):
        if side.borrowed:
            files = ", ".join(side.borrowed)
            yield f"{files}: not in {side.name}, so the list of the working tree stands in for it"
    if before.document["environment"] != after.document["environment"]:
        yield "the two plans are for different environments"
    if any(text.words is None for change in changes for text in change.texts):
        yield "texts changed whose words are not at hand: a plan in a file names them by digest only"
    if before.document["digest_key"] != after.document["digest_key"]:
        yield "the plans were made with different digest keys: lists cannot be compared, nor texts without their files"


def _is_different(change: CampaignChange) -> bool:
    """Whether anything of what is shown differs."""
    counts = (change.rows, change.recipients, change.to_send, change.segments, change.requests)
    parts = (*change.countries, *change.exclusions, *change.parts)
    return (
        change.kind != "changed"
        or change.action.before != change.action.after
        or bool(change.settings or change.texts or change.list_changed)
        or any(count.difference for count in (*counts, *(part.count for part in parts)))
        or change.cost.before != change.cost.after
    )


# --- one campaign -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """A campaign in both plans, or one of them."""

    campaign: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    old_written: Written | None
    new_written: Written | None
    has_one_key: bool

    def change(self) -> CampaignChange:
        """What is different."""
        old, new = self.old or {}, self.new or {}
        had, has = (item.get("audience") or {} for item in (old, new))
        batches = [item.get("batches") or [] for item in (old, new)]
        left_out = ({line["reason"]: line["count"] for line in each.get("exclusions", [])} for each in (had, has))
        return CampaignChange(
            campaign=self.campaign,
            kind="added" if self.old is None else "removed" if self.new is None else "changed",
            file=(self.new or old)["file"],
            action=Setting("action", old.get("action"), new.get("action")),
            settings=tuple(self._settings()),
            texts=tuple(self._texts()),
            list_changed=self._list_changed(),
            rows=_counts(had, has, "rows"),
            recipients=_counts(had, has, "recipients"),
            to_send=_sums(batches, "recipients"),
            segments=_sums(batches, "segments"),
            requests=Count.of(*map(len, batches)),
            countries=_parts(had.get("countries", {}), has.get("countries", {})),
            exclusions=_parts(*left_out),
            parts=_parts(*((item.get("message") or {}).get("segments", {}) for item in (old, new))),
            cost=Money.of(*(_cost(item) for item in (self.old, self.new))),
        )

    def _settings(self) -> Iterator[Setting]:
        if self.old is None or self.new is None:
            return
        before, after = _settings_of(self.old), _settings_of(self.new)
        if self.old_written is not None and self.new_written is not None:
            # The plan says what counts, with the project's defaults; the file has all the rest.
            before, after = {**self.old_written.settings, **before}, {**self.new_written.settings, **after}
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield Setting(name, *(_shown(name, side.get(name)) for side in (before, after)))

    def _texts(self) -> Iterator[TextChange]:
        old = self.old_written if self.old is not None else Written()
        new = self.new_written if self.new is not None else Written()
        if old is not None and new is not None:
            for name in sorted({*old.texts, *new.texts}):
                before, after = old.texts.get(name, ""), new.texts.get(name, "")
                if before != after:
                    yield TextChange(name, word_diff(before, after))
        elif self.old is not None and self.new is not None and self._has_other("message"):
            yield TextChange("message", None)

    def _list_changed(self) -> bool | None:
        if self.old is None or self.new is None or not self.has_one_key:
            return None
        growing = "growing" in (self.old["content"].get("audience"), self.new["content"].get("audience"))
        return None if growing else self._has_other("audience")

    def _has_other(self, name: str) -> bool:
        old, new = self.old or {}, self.new or {}
        return self.has_one_key and old["content"].get(name) != new["content"].get(name)


def _shown(name: str, value: str | None) -> str | None:
    return "(not shown)" if value is not None and name in HIDDEN else value


_PLAIN: Final = ("description", "file", "purpose", "sender", "type")
_IN_CONTENT: Final = {
    "auto_optimize_text": "auto_optimize_text",
    "auto_remove_blacklisted_numbers": "auto_remove_blacklisted_numbers",
    "clock_change": "schedule.clock_change",
    "elsewhere": "schedule.elsewhere",
    "limit": "recipients.limit",
    "recipient_local": "schedule.recipient_local",
    "sample": "recipients.sample",
    "with_replies": "with_replies",
}
"""Field of `content` -> its name in the campaign file."""


def _settings_of(item: Mapping[str, Any]) -> dict[str, str]:
    """What a plan says about how a campaign is set, by the names of the campaign file."""
    content, schedule = item["content"], item["schedule"]
    found = {name: item[name] for name in _PLAIN}
    found |= {name: content.get(field) for field, name in _IN_CONTENT.items()}
    found |= {
        "audience": "growing" if content.get("audience") == "growing" else "frozen",
        "overrides": "; ".join(f"{each['rule']}: {each['reason']}" for each in item["overrides"]) or None,
        "recipients.path": (item["audience"] or {}).get("path"),
        "schedule.at": schedule["local"],
        "schedule.not_after": schedule["not_after"],
    }
    return {name: value for name, value in found.items() if value is not None}


# --- numbers ----------------------------------------------------------------------------------------------------------


def _counts(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> Count:
    return Count.of(before.get(name, 0), after.get(name, 0))


def _sums(batches: Sequence[Sequence[Mapping[str, Any]]], name: str) -> Count:
    before, after = (sum(batch[name] for batch in each) for each in batches)
    return Count.of(before, after)


def _parts(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[Part, ...]:
    return tuple(Part(name, Count.of(before.get(name, 0), after.get(name, 0))) for name in sorted({*before, *after}))


def _cost(item: Mapping[str, Any] | None) -> Decimal | None:
    """What would be sent costs; a campaign that is not there, or sends nothing, costs nothing."""
    if item is None or not item["batches"]:
        return Decimal(0)
    return _amount(item["cost"]["total"])


def _total(items: Iterable[Mapping[str, Any]]) -> Decimal | None:
    """The sum, unknown while a part of it is."""
    costs = [_cost(item) for item in items]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

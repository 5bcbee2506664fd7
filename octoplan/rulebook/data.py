"""
The files of `octoplan/rules_data/`, checked when they are read.

Every rule has a stable id, a level, its source, the day on which that was checked and how sure we are of it. A rule
that changes keeps its id and gets a new version; the old one stays, with the day on which it ended.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Level = Literal["error", "warning"]
Confidence = Literal["high", "medium", "low"]
EVERYWHERE: Final = "*"
"""In place of a country: every country, or every country without a file of its own."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RULE_ID_PATTERN: Final = r"[a-z0-9]+(?:-[a-z0-9]+)*/[a-z0-9]+(?:-[a-z0-9]+)*"

Minutes = tuple[int, int]
"""From (included) and to (excluded), in minutes after local midnight."""

_DAY: Final[Minutes] = (0, 24 * 60)
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_MEANS_SOMETHING: Final = frozenset("{}X")
"""To the API: braces are merge fields, and XXXXX is replaced by a short code."""
_ROOT: Final = files("octoplan") / "rules_data"


def _check_id(text: str) -> str:
    if not re.fullmatch(RULE_ID_PATTERN, text):
        raise ValueError("a rule's id is written like `window/fr-hours`")
    return text


def _check_country(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}|\*", text):
        raise ValueError("a country is two capitals, or `*`")
    return text


def _check_pattern(text: str) -> str:
    re.compile(text)
    return text


RuleId = Annotated[str, AfterValidator(_check_id)]
CodePoints = Annotated[str, Field(pattern=r"^(?:(?:^| )U\+[0-9A-F]{4,6}(?:-U\+[0-9A-F]{4,6})?)*$")]
Country = Annotated[str, AfterValidator(_check_country)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]


class _Data(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class Sourced(_Data):
    """What is known of a rule: who says so, when we looked, and how sure we are."""

    source: str = Field(min_length=8)
    checked: date
    confidence: Confidence
    note: str | None = None


# --- sending hours ----------------------------------------------------------------------------------------------------


class WindowVersion(Sourced):
    """
    The hours of one rule for the days from `valid_from` to `valid_to`, both included.

    `permitted` names weekdays (`mon`, `mon-fri`) and their hours (`08:00-21:30`); a weekday that is not named has none.
    `holiday` and `eve` (the day before one) narrow the weekday's hours further; `none` leaves none.
    """

    valid_from: date
    valid_to: date | None = None
    permitted: dict[str, str]

    @model_validator(mode="after")
    def _check(self) -> WindowVersion:
        _week(tuple(self.permitted.items()))
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("it ends before it begins")
        return self

    @property
    def asks_for_holidays(self) -> bool:
        """Whether public holidays matter to it."""
        return bool({"holiday", "eve"} & self.permitted.keys())

    def hours_on(self, weekday: int, *, is_holiday: bool, is_eve: bool) -> Minutes | None:
        """The permitted minutes of such a day; `weekday` 0 is Monday, `None` means none."""
        week = _week(tuple(self.permitted.items()))
        kinds = [WEEKDAYS[weekday], *(["holiday"] if is_holiday else []), *(["eve"] if is_eve else [])]
        narrowing = [week[kind] for kind in kinds if kind in week]
        hours = [minutes for minutes in narrowing if minutes is not None]
        if len(hours) < len(narrowing):
            return None
        start, end = max(minutes[0] for minutes in hours), min(minutes[1] for minutes in hours)
        return (start, end) if start < end else None

    def is_valid_on(self, day: date) -> bool:
        """Whether this version counts on `day`."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    @property
    def described(self) -> str:
        """`mon-sat 08:00-22:00, not on public holidays`."""
        parts = [f"{days} {hours}" for days, hours in self.permitted.items() if days not in ("holiday", "eve")]
        shown = [part.replace("mon-sun ", "daily ").replace(" 00:00-24:00", " all day") for part in parts]
        for kind, name in (("eve", "eves of public holidays"), ("holiday", "public holidays")):
            hours = self.permitted.get(kind)
            shown += [f"not on {name}" if hours == "none" else f"{name} {hours}"] if hours else []
        return ", ".join(shown)


class WindowRule(_Data):
    """One rule on hours in some countries, in all its versions, the newest first."""

    id: RuleId
    level: Level
    summary: str
    versions: tuple[WindowVersion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> WindowRule:
        for newer, older in pairwise(self.versions):
            if older.valid_to is None or older.valid_to >= newer.valid_from:
                raise ValueError("versions are written newest first and must not overlap")
        return self

    def __hash__(self) -> int:
        return hash(self.id)

    def version_on(self, day: date) -> WindowVersion | None:
        """The version that counts on a day of the recipient's calendar; `None` if the rule did not exist then."""
        return next((version for version in self.versions if version.is_valid_on(day)), None)


class WindowFile(_Data):
    """One file of `windows/`."""

    countries: tuple[Country, ...] = Field(min_length=1)
    note: str | None = None
    rules: tuple[WindowRule, ...] = Field(min_length=1)


@cache
def _week(permitted: tuple[tuple[str, str], ...]) -> Mapping[str, Minutes | None]:
    """
    Minutes by weekday, `holiday` and `eve`; `None` where nothing is permitted.

    A weekday that is not named is `None` too.
    """
    week: dict[str, Minutes | None] = dict.fromkeys(WEEKDAYS)
    for days, hours in permitted:
        for day in _days(days):
            week[day] = _parse_hours(hours)
    return week


def _days(text: str) -> tuple[str, ...]:
    if text in ("holiday", "eve"):
        return (text,)
    first, _, last = text.partition("-")
    if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
        raise ValueError(f"`{text}` is no day such as `mon` or `mon-fri`")
    chosen = WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(last or first) + 1]
    if not chosen:
        raise ValueError(f"`{text}` ends before it begins")
    return chosen


def _parse_hours(text: str) -> Minutes | None:
    if text == "none":
        return None
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` are no hours such as `08:00-21:30`")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if not start < end <= _DAY[1]:
        raise ValueError(f"`{text}` ends before it begins, or after midnight")
    return start, end


# --- senders and words ------------------------------------------------------------------------------------------------


class SenderRule(Sourced):
    """What operators in some countries do with a sender; without `words` with every sender."""

    id: RuleId
    level: Level
    summary: str
    countries: tuple[Country, ...] = Field(min_length=1)
    words: tuple[str, ...] = ()
    detail: str
    hint: str


class TextRule(Sourced):
    """Words of a text that mean trouble in some countries, for one purpose."""

    id: RuleId
    level: Level
    summary: str
    countries: tuple[Country, ...] = Field(min_length=1)
    purpose: Literal["wholesale", "alert"]
    pattern: Pattern
    detail: str
    hint: str


class StopForm(Sourced):
    """A wording of the STOP mention that Octopush accepts, for some types of campaign."""

    form: str
    types: tuple[Literal["sms_premium", "sms_low_cost"], ...] = Field(min_length=1)
    words: tuple[str, ...] = Field(min_length=1)
    code: Pattern | None = None

    @property
    def pattern(self) -> str:
        """As a regular expression: words, then the code."""
        words = "|".join(re.escape(each) for each in self.words)
        code = f" (?:{self.code})" if self.code else ""
        return rf"(?<!\w)(?:{words}){code}(?!\w)"


class SenderFile(_Data):
    """`senders.yaml`."""

    rules: tuple[SenderRule, ...]


class TextFile(_Data):
    """`texts.yaml`."""

    stop: tuple[StopForm, ...]
    rules: tuple[TextRule, ...]


# --- characters and links ---------------------------------------------------------------------------------------------


class _Characters(Sourced):
    """Characters by what replaces them: code points as `U+2018`, ranges as `U+2018-U+201B`, several with spaces."""

    characters: dict[str, CodePoints]

    @property
    def listed(self) -> dict[str, str]:
        """What replaces each character."""
        return {character: to for to, points in self.characters.items() for character in _characters(points)}


class Replacement(_Characters):
    """
    One level of `message.replacement`.

    `compatible` become what NFKC makes of them; `base_letters` their letter without accents, if that is in ASCII.
    """

    level: Literal[1, 2, 3]
    summary: str
    compatible: CodePoints = ""
    base_letters: CodePoints = ""

    @property
    def table(self) -> dict[str, str]:
        """What replaces each character of this level; nothing that means something to the API comes out of it."""
        compatible = {each: unicodedata.normalize("NFKC", each) for each in _characters(self.compatible)}
        letters = {each: unicodedata.normalize("NFD", each)[0] for each in _characters(self.base_letters)}
        derived = {each: to for each, to in (compatible | letters).items() if to != each and to.isascii()}
        whole = derived | self.listed
        return {each: to for each, to in whole.items() if not _MEANS_SOMETHING.intersection(to)}


class Shorteners(Sourced):
    """Hosts of public link shorteners."""

    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+(?:\.[a-z0-9-]+)+$")], ...] = Field(min_length=1)


class CharacterFile(_Data):
    """`characters.yaml`."""

    replacements: tuple[Replacement, ...]
    escapes: _Characters


class LinkFile(_Data):
    """`links.yaml`."""

    shorteners: tuple[Shorteners, ...]


def _characters(points: str) -> Iterator[str]:
    for part in points.split():
        first, _, last = part.replace("U+", "").partition("-")
        yield from map(chr, range(int(first, 16), int(last or first, 16) + 1))


# --- reading ----------------------------------------------------------------------------------------------------------

Model = TypeVar("Model", bound=BaseModel)


def _read(kind: type[Model], text: str) -> Model:
    return kind.model_validate(yaml.safe_load(text))


@cache
def load_windows() -> tuple[WindowFile, ...]:
    """Every file of `windows/`, in the order of their names."""
    folder = _ROOT / "windows"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return tuple(_read(WindowFile, (folder / name).read_text(encoding="utf-8")) for name in names)


@cache
def load_senders() -> SenderFile:
    """The rules on senders."""
    return _read(SenderFile, (_ROOT / "senders.yaml").read_text(encoding="utf-8"))


@cache
def load_texts() -> TextFile:
    """The forms of the STOP mention, and the rules on words."""
    return _read(TextFile, (_ROOT / "texts.yaml").read_text(encoding="utf-8"))


@cache
def windows_of(country: str) -> tuple[WindowRule, ...]:
    """The rules on hours for recipients of a country; those for everywhere else where it has none of its own."""
    own = [file for file in load_windows() if country in file.countries]
    chosen = own or [file for file in load_windows() if EVERYWHERE in file.countries]
    return tuple(rule for file in chosen for rule in file.rules)


@cache
def load_characters() -> CharacterFile:
    """What replaces characters."""
    return _read(CharacterFile, (_ROOT / "characters.yaml").read_text(encoding="utf-8"))


@cache
def load_links() -> LinkFile:
    """Hosts of links that operators block."""
    return _read(LinkFile, (_ROOT / "links.yaml").read_text(encoding="utf-8"))


@cache
def replacements(level: int) -> Mapping[str, str]:
    """
    What replaces each character at a level of `message.replacement`, with the levels before it; none at 0.

    Letters that GSM-7 has are among them: they are for the caller to leave alone.
    """
    wanted = [each for each in load_characters().replacements if each.level <= level]
    return {
        character: to for each in sorted(wanted, key=lambda each: -each.level) for character, to in each.table.items()
    }


@cache
def escapes() -> Mapping[str, str]:
    """What replaces each character that a value must not hold, where there is something harmless."""
    return load_characters().escapes.listed


@cache
def shortener_hosts() -> tuple[str, ...]:
    """The hosts of public link shorteners, sorted."""
    return tuple(sorted({host for each in load_links().shorteners for host in each.hosts}))

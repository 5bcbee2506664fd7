"""
What people may write in `campaigns/*.yaml` and `octoplan.yaml`, as frozen pydantic models.

These models are the one source of the JSON Schemas in `schemas/`. YAML scalars arrive as text, so every field asks for
what it means: `Flag` takes only `true` and `false`, counts take only digits, money stays an exact decimal. A message of
these validators never repeats what it refuses where that could be a secret or a phone number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

import phonenumbers
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from octoplan.campaign.source import check_relative
from octoplan.limits import (
    DESCRIPTION_CHARACTERS_MAX,
    LANES_MAX,
    OVERRIDES_MAX,
    QUERY_CHARACTERS_MAX,
    RECIPIENTS_PER_BATCH_MAX,
    TEMPLATE_CHARACTERS_MAX,
    VAR_CHARACTERS_MAX,
    WHERE_CHARACTERS_MAX,
)
from octoplan.rulebook.data import RULE_ID_PATTERN
from octoplan.values.local_time import WRITTEN_TIME_PATTERN, ClockChange, load_zone, parse_written_time
from octoplan.values.names import IDENTIFIER_PATTERN, IDENTIFIER_RULE, REFERENCE_PATTERN, VARIABLE_PATTERN
from octoplan.values.sender import SENDER_PATTERN, Sender
from octoplan.values.store_address import (
    ENDPOINT_PATTERN,
    STORE_ADDRESS_PATTERN,
    STORE_PREFIX_PATTERN,
    STORE_REGION_PATTERN,
    check_store_address,
    check_store_prefix,
    is_store_address,
)
from octoplan.values.web_address import ADDRESS_PATTERN, PREFIX_PATTERN, check_address, check_prefix, is_web_address

SANDBOX: Final = "sandbox"
"""The built-in environment."""
DEFAULT_CAMPAIGNS: Final = ("campaigns/**/*.yaml",)
"""Where campaign files are if the project does not say."""
DEFAULT_TESTS: Final = ("tests/*.yaml",)
"""Where the tests of campaigns are if the project does not say."""

MessageType = Literal["sms_premium", "sms_low_cost"]
Purpose = Literal["wholesale", "alert"]
Windows = Literal["enforce", "strict", "warn", "off"]
"""What the rules on sending hours do: errors block; warnings too; nothing blocks; they are not looked at."""

_SCALAR: Final = ["string", "number", "boolean"]
"""What an editor may take a text for: `2027` and `true` are text to octoplan wherever text is asked for."""
_PATH_PATTERN: Final = r"(?!/)(?!.*(?:^|/)\.[^/])[^\\]+"
SHARE_PATTERN: Final = r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%"
GIT_REF_PATTERN: Final = r"(?!.*(?:\.\.|//|\.lock(?:/|$)|/$|/\.|\.$))[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)+"
DURATION_PATTERN: Final = r"([1-9][0-9]{0,3})(?:min|h|d)"
_UNITS: Final = {"min": "minutes", "h": "hours", "d": "days"}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


# --- scalars: text into what a field means ----------------------------------------------------------------------------


def _only_text(parse: Callable[[str], Any]) -> BeforeValidator:
    """Parse what came from a file as text; anything else is left to the field's own type."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _parse_flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("only `true` and `false` are understood, without capitals")
    return text == "true"


def _parse_count(text: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", text):
        raise ValueError("a whole number is written with digits only, at most nine, no zero in front")
    return int(text)


def _parse_amount(text: str) -> Decimal:
    if not re.fullmatch(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,8})?", text):
        raise ValueError("an amount is written like `150` or `150.00`: at most nine digits, then at most eight")
    return Decimal(text)


def _parse_share(text: str) -> Decimal:
    match = re.fullmatch(SHARE_PATTERN, text)
    if match is None or Decimal(match[1]) > 100:
        raise ValueError("a share is written like `5%` or `0.5%`, and is at most `100%`")
    return Decimal(match[1]) / 100


def _parse_part(text: str) -> int | Decimal:
    if not text.endswith("%"):
        return _parse_positive(text)
    share = _parse_share(text)
    if not share:
        raise ValueError("nobody is left of `0%`")
    return share


def _parse_positive(text: str) -> int:
    count = _parse_count(text)
    if not count:
        raise ValueError("at least 1")
    return count


def _parse_duration(text: str) -> timedelta:
    match = re.fullmatch(DURATION_PATTERN, text)
    if match is None:
        raise ValueError("a length of time is written like `30min`, `2h` or `3d`")
    return timedelta(**{_UNITS[text.lstrip("0123456789")]: int(match[1])})


def _matching(pattern: str, reason: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(reason)
        return text

    return AfterValidator(check)


def _without_controls(allowed: str, characters_max: int) -> AfterValidator:
    def check(text: str) -> str:
        if not text.strip():
            raise ValueError("it is empty")
        if len(text) > characters_max:
            raise ValueError(f"it is longer than {characters_max} characters")
        if any((ord(character) < 32 or 127 <= ord(character) < 160) and character not in allowed for character in text):
            raise ValueError("it holds a control character")
        return text

    return AfterValidator(check)


def _check_path(text: str) -> str:
    if reason := check_relative(text):
        raise ValueError(f"not a path inside the project: {reason}")
    return text


def _check_glob(text: str) -> str:
    parts = _check_path(text).split("/")
    if parts.count("**") > 1 or any("**" in part and part != "**" for part in parts):
        raise ValueError("`**` may stand once, as a folder of its own")
    return text


def _check_data_path(text: str) -> str:
    if "**" in _check_path(text):
        raise ValueError("`**` is not understood here; `*` stands for any part of one name")
    return text


def _check_source_path(text: str) -> str:
    if not is_web_address(text):
        return _check_data_path(text)
    if reason := check_store_address(text) if is_store_address(text) else check_address(text):
        raise ValueError(reason)
    return text


def _check_prefix(text: str) -> str:
    if reason := check_prefix(text):
        raise ValueError(reason)
    return text


def _check_store_prefix(text: str) -> str:
    if reason := check_store_prefix(text):
        raise ValueError(reason)
    return text


def _check_region(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("not an ISO 3166 country code in capitals such as `FR`")
    return text


def _check_sender(text: str) -> str:
    return Sender(text).text


def _check_timezone(text: str) -> str:
    load_zone(text)
    return text


def _check_written_time(text: str) -> str:
    parse_written_time(text)
    return text


def _check_url(text: str) -> str:
    try:
        url = urlsplit(text)
        host, has_user = url.hostname, url.username is not None
        _ = url.port
    except ValueError:
        raise ValueError("not a URL") from None
    if not re.fullmatch(r"[!-~]+", text) or not host:
        raise ValueError("not a URL such as `https://api.octopush.com/v1/public`")
    if has_user or url.query or url.fragment:
        raise ValueError("a URL here holds no name, password, `?` or `#`")
    if url.scheme != "https" and (url.scheme != "http" or host not in _LOOPBACK):
        raise ValueError("only https:// is used; http:// only to this machine")
    return text


def _check_proxy(text: str) -> str:
    if re.fullmatch(REFERENCE_PATTERN, text):
        return text
    if not re.fullmatch(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?/?", text):
        raise ValueError("not `http://host:port`, nor a reference such as `env/HTTPS_PROXY` (needed for a password)")
    return text


def _parse_delimiter(text: str) -> str:
    return "\t" if text == "tab" else text


def _schema(kind: Any, pattern: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, "pattern": f"^{pattern}$", **more})


_ANY_TEXT: Final = WithJsonSchema({"type": _SCALAR, "pattern": r"\S"})

Flag = Annotated[bool, _only_text(_parse_flag), WithJsonSchema({"enum": [True, False, "true", "false"]})]
Count = Annotated[
    int, _only_text(_parse_count), WithJsonSchema({"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+$"})
]
BatchSize = Annotated[
    int,
    _only_text(_parse_count),
    Field(ge=1, le=RECIPIENTS_PER_BATCH_MAX),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": RECIPIENTS_PER_BATCH_MAX,
            "pattern": "^(?:[1-9][0-9]?|[1-4][0-9]{2}|500)$",
        }
    ),
]
Lanes = Annotated[
    int,
    _only_text(_parse_count),
    Field(ge=1, le=LANES_MAX),
    WithJsonSchema(
        {"type": ["integer", "string"], "minimum": 1, "maximum": LANES_MAX, "pattern": "^(?:[1-9]|[12][0-9]|3[0-2])$"}
    ),
]
Amount = Annotated[
    Decimal,
    _only_text(_parse_amount),
    Field(ge=0),
    WithJsonSchema(
        {"type": ["number", "string"], "minimum": 0, "pattern": r"^(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,8})?$"}
    ),
]
Percent = Annotated[
    int,
    _only_text(_parse_count),
    Field(ge=1, le=100),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 1, "maximum": 100, "pattern": "^(?:[1-9][0-9]?|100)$"}),
]
Duration = Annotated[
    timedelta, _only_text(_parse_duration), _schema("string", DURATION_PATTERN, examples=["2h", "30min"])
]
Identifier = Annotated[
    str,
    _matching(IDENTIFIER_PATTERN, IDENTIFIER_RULE),
    _schema(_SCALAR, IDENTIFIER_PATTERN),
]
DatabaseSchema = Annotated[
    str,
    _matching(f"(?!.{{64}}){IDENTIFIER_PATTERN}", f"{IDENTIFIER_RULE}; PostgreSQL cuts off names after 63 characters"),
    _schema(_SCALAR, f"(?!.{{64}}){IDENTIFIER_PATTERN}"),
]
Variable = Annotated[
    str,
    _matching(VARIABLE_PATTERN, "a variable's name has letters without accents, digits and `_`, no digit first"),
    _schema("string", VARIABLE_PATTERN),
]
RuleId = Annotated[
    str,
    _matching(RULE_ID_PATTERN, "the id of a rule as `octoplan rules` lists it, such as `window/fr-hours`"),
    _schema("string", RULE_ID_PATTERN, examples=["window/fr-sunday"]),
]
Line = Annotated[str, _without_controls("", DESCRIPTION_CHARACTERS_MAX), _ANY_TEXT]
Prose = Annotated[str, _without_controls("\n", DESCRIPTION_CHARACTERS_MAX), _ANY_TEXT]
Query = Annotated[str, _without_controls("\n\t", QUERY_CHARACTERS_MAX), _ANY_TEXT]
Expression = Annotated[str, _without_controls("\n", WHERE_CHARACTERS_MAX), _ANY_TEXT]
Template = Annotated[str, _without_controls("\n", TEMPLATE_CHARACTERS_MAX), _ANY_TEXT]
VariableText = Annotated[str, _without_controls("\n", VAR_CHARACTERS_MAX), _ANY_TEXT]
DataPath = Annotated[str, AfterValidator(_check_data_path), _schema("string", _PATH_PATTERN)]
SourcePath = Annotated[
    str,
    AfterValidator(_check_source_path),
    _schema("string", f"(?:{ADDRESS_PATTERN}|{STORE_ADDRESS_PATTERN}|(?!.*://){_PATH_PATTERN})"),
]
Prefix = Annotated[
    str,
    AfterValidator(_check_prefix),
    _schema("string", PREFIX_PATTERN, examples=["https://files.example.com/lists/"]),
]
StorePrefix = Annotated[
    str,
    AfterValidator(_check_store_prefix),
    _schema("string", STORE_PREFIX_PATTERN, examples=["s3://acme-lists/customers/"]),
]
StoreRegion = Annotated[
    str,
    _matching(STORE_REGION_PATTERN, "a region is like `eu-west-3`"),
    _schema("string", STORE_REGION_PATTERN, examples=["eu-west-3"]),
]
StoreEndpoint = Annotated[
    str,
    _matching(ENDPOINT_PATTERN, "a store is like `https://s3.fr-par.scw.cloud`; http:// only on this machine"),
    _schema("string", ENDPOINT_PATTERN, examples=["https://s3.fr-par.scw.cloud"]),
]
HeaderName = Annotated[
    str,
    _matching("[A-Za-z][A-Za-z0-9-]{0,63}", "a header's name has letters, digits and `-`, a letter first"),
    _schema("string", "[A-Za-z][A-Za-z0-9-]{0,63}"),
]
Glob = Annotated[str, AfterValidator(_check_glob), _schema("string", _PATH_PATTERN)]
Region = Annotated[str, AfterValidator(_check_region), _schema("string", "[A-Z]{2}", examples=["FR"])]
SenderName = Annotated[str, AfterValidator(_check_sender), _schema("string", SENDER_PATTERN, examples=["ACME"])]
Timezone = Annotated[
    str, AfterValidator(_check_timezone), _schema("string", r"[A-Za-z0-9_+/-]+", examples=["Europe/Paris"])
]
WrittenTime = Annotated[
    str, AfterValidator(_check_written_time), _schema("string", WRITTEN_TIME_PATTERN, examples=["2027-03-20T10:00"])
]
Reference = Annotated[
    str,
    _matching(REFERENCE_PATTERN, "a secret is never written here: name the environment variable that holds it"),
    _schema("string", REFERENCE_PATTERN, examples=["env/OCTOPUSH_API_KEY"]),
]
Url = Annotated[str, AfterValidator(_check_url), WithJsonSchema({"type": "string", "pattern": r"^https?://[^\s@?#]+$"})]
Proxy = Annotated[
    str, AfterValidator(_check_proxy), WithJsonSchema({"type": "string", "pattern": r"^(https?://|env/)[^\s@]+$"})
]
GitRef = Annotated[
    str,
    _matching(
        GIT_REF_PATTERN,
        "a branch of a remote as `origin/main`, or a full name as `refs/remotes/origin/main`",
    ),
    _schema("string", GIT_REF_PATTERN, examples=["origin/main"]),
]
Account = Annotated[
    str,
    _matching("a1_[0-9a-f]{40}", "an account's fingerprint is `a1_` and 40 hexadecimal digits"),
    _schema("string", "a1_[0-9a-f]{40}"),
]
Number = Annotated[
    str,
    _matching(r"\+[1-9][0-9]{6,14}", "a number is written in full: `+`, country code, number, without spaces"),
    _schema(_SCALAR, r"\+[1-9][0-9]{6,14}"),
]
Encoding = Literal["utf-8", "utf-16", "windows-1252", "iso-8859-15"]
Replacement = Annotated[
    Literal[0, 1, 2, 3],
    _only_text(_parse_count),
    WithJsonSchema({"enum": [0, 1, 2, 3, "0", "1", "2", "3"]}),
]
Share = Annotated[Decimal, _only_text(_parse_share), _schema("string", SHARE_PATTERN, examples=["5%", "0.5%"])]
Positive = Annotated[
    int,
    _only_text(_parse_positive),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 1, "pattern": "^[1-9][0-9]*$"}),
]
Part = Annotated[
    int | Decimal,
    _only_text(_parse_part),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "minimum": 1,
            "pattern": rf"^(?:[1-9][0-9]*|(?!0+(?:\.0+)?%){SHARE_PATTERN})$",
            "examples": [100, "5%"],
        }
    ),
]
Delimiter = Annotated[
    Literal[",", ";", "|", "\t"],
    _only_text(_parse_delimiter),
    WithJsonSchema({"enum": [",", ";", "|", "\t", "tab"]}),
]


# --- a campaign -------------------------------------------------------------------------------------------------------


class Strict(BaseModel):
    """Frozen, and unknown keys are errors: a misspelt key must never be ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Message(Strict):
    """What the recipients read."""

    template: Template
    """The text, as a Jinja template over the recipient's columns and `vars`."""
    vars: dict[Variable, VariableText] = Field(default_factory=dict)
    """Values that are the same for every recipient."""
    replacement: Replacement = 0
    """
    Which characters outside GSM-7 are replaced, in template and values: 0 none, 1 signs of typography, 2 also ligatures
    and signs that can be written out, 3 also accents that GSM-7 lacks. The plan shows each.
    """
    on_unsafe: Literal["refuse", "drop", "escape"] = "refuse"
    """
    What values that a message must not hold do (braces, line breaks, a STOP mention, a shortened link…): nothing is
    sent, those recipients are left out and counted, or what has a harmless form takes it.
    """


class ContactSource(Strict):
    """Where rows come from: files of the project, or a query."""

    source: Literal["csv", "parquet", "json", "xlsx", "sql"] | None = None
    """The kind; default: by the file's ending (`.parquet`, `.json`, `.jsonl`, `.ndjson`, `.xlsx`), else `csv`."""
    path: SourcePath | None = None
    """The file, from the project's folder, `*` and `?` for several; or an address that the environment allows."""
    delimiter: Delimiter | None = None
    """For csv: what separates the fields, `tab` for a tab; default: found in the header."""
    encoding: Encoding | None = None
    """For csv and json: the file's encoding; default: UTF-8, or what its first bytes say."""
    sheet: Line | None = None
    """For xlsx: the name of the sheet; default: the first."""
    query: Query | None = None
    """For sql: one SELECT over `tables`, over the SQLite file at `path`, or over `connection`."""
    tables: dict[Variable, DataPath] = Field(default_factory=dict)
    """For sql: names for files of the project, whose columns are all text."""
    connection: Identifier | None = None
    """For sql: the name of a database that the environment's `connections` describe."""

    @property
    def address(self) -> str | None:
        """Where the source is on the web; `None` for one that is not."""
        return self.path if self.path is not None and is_web_address(self.path) else None

    @property
    def shown(self) -> str:
        """What findings and plans call the source."""
        return self.path or self.connection or "the query"


class Recipients(ContactSource):
    """Where the contacts come from, and which of them are meant."""

    phone: Line
    """The column with the phone number."""
    region: Region | None = None
    """Country of numbers that are written without a country code; default: the project's."""
    columns: dict[Variable, Line] = Field(default_factory=dict)
    """Template variable and its column; columns that are not listed are reachable under their own name."""
    where: Expression | None = None
    """A condition on the columns (SQL, all columns are text); rows that do not meet it are left out."""
    key: Line | None = None
    """The column that decides which of several rows with one number wins (smallest text); default: the whole row."""
    limit: Positive | None = None
    """At most so many of the list's numbers, the first in the order of sending; suppressed ones count too."""
    sample: Part | None = None
    """A part of the list, such as `5%` or `100`: the same people at every run, and for every campaign."""
    on_invalid: Literal["exclude", "fail"] = "exclude"
    """What rows without a usable number do: they are left out and counted, or the campaign cannot be planned."""
    max_invalid: Share | None = None
    """With `exclude`: the largest share of such rows, for example `5%`; more, and the campaign cannot be planned."""
    on_landline: Literal["exclude", "keep"] = "keep"
    """
    What numbers that hardly get SMS do (fixed lines, premium rate, free…): they are left out and counted, or kept with
    a warning. Octopush's own sample request goes to a fixed line.
    """


class Schedule(Strict):
    """When the messages leave. Without `at` they leave as soon as `apply` runs."""

    at: WrittenTime | None = None
    """Local time in `timezone`, or a time with an offset."""
    recipient_local: Flag = False
    """`at` is the time on the clock of each recipient, in the zone that the number tells."""
    elsewhere: Timezone | None = None
    """With `recipient_local`: the zone of recipients whose number tells none; without it they are an error."""
    timezone: Timezone | None = None
    """IANA name; default: the project's."""
    not_after: WrittenTime | None = None
    """After this nothing is sent any more: a late run refuses, it never turns into "send now"."""
    hand_over: Duration | None = None
    """Hand the messages to the API no earlier than this before `at`, such as `2h`: until then they can be stopped."""
    clock_change: ClockChange = "refuse"
    """What to do with a local time that clocks skip or show twice: refuse it, or take the earlier or later reading."""


class Override(Strict):
    """A rule that does not count for one campaign. It is shown in the plan, with the reason."""

    rule: RuleId
    """The rule's id, as findings and `octoplan rules` show it."""
    reason: Line
    """Why it may be broken here; for whoever reviews the campaign."""


class Canary(Strict):
    """The first few recipients, sent before the others as requests of their own."""

    recipients: Count | None = None
    """How many."""
    percent: Percent | None = None
    """Or how many of a hundred, rounded up."""
    pause: Literal["none", "approval"] = "none"
    """`approval` ends the run after the canary; the next `apply` goes on. Else it goes on if nothing was refused."""


class Moved(Strict):
    """Where a campaign was before it was given another id."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_by_alias=True, validate_by_name=True
    )

    from_id: Identifier = Field(alias="from")
    """The old id, under which what was sent is remembered."""


class Limits(Strict):
    """What may not be exceeded. The strictest of project, environment and campaign counts."""

    max_cost: Amount | None = None
    """The whole campaign, in the account's own unit."""
    max_recipients: Count | None = None
    """People who get the message."""
    max_segments: Count | None = None
    """Billed parts of the longest message."""
    max_unit_price: Amount | None = None
    """One message to one recipient."""
    min_balance: Amount | None = None
    """What must remain in the wallet."""
    max_growth: Count | None = None
    """For a growing audience: people added by one apply after the first."""
    min_growth_pause: Duration | None = None
    """For a growing audience: least time between two additions, such as `1d`; until then those added wait."""


class CampaignModel(Strict):
    """One campaign file."""

    id: Identifier
    """The campaign's identity for ever; the file may be renamed, the id may not."""
    description: Prose | None = None
    """For people."""
    owner: Line | None = None
    """Who answers for it: a team, or a person's account; a policy may ask for it."""
    type: MessageType
    """`sms_premium` shows the sender and is fast; `sms_low_cost` has no sender of its own."""
    purpose: Purpose
    """`wholesale` is marketing, `alert` transactional."""
    sender: SenderName | None = None
    """What the handset shows: 3 to 11 letters and digits; default: the project's."""
    message: Message
    recipients: Recipients
    schedule: Schedule = Schedule()
    limits: Limits = Limits()
    overrides: tuple[Override, ...] = Field(default=(), max_length=OVERRIDES_MAX)
    """Warnings, and rules on sending hours, that do not count for this campaign."""
    audience: Literal["frozen", "growing"] = "frozen"
    """`frozen`: an edited list of a sent campaign is a conflict. `growing`: people added since are sent to."""
    canary: Canary | None = None
    follow_up_of: Identifier | None = None
    """The id of a sent campaign that this one repeats on purpose; without it a copy to the same people is blocked."""
    moved: Moved | None = None
    batch_size: BatchSize = RECIPIENTS_PER_BATCH_MAX
    """Most recipients in one request to the API."""
    with_replies: Flag = False
    """Collect answers; the sender is then replaced by a short number, and it may cost more."""
    auto_optimize_text: Flag = False
    """Let Octopush replace characters in the text; what is delivered can then differ from what the plan shows."""
    auto_remove_blacklisted_numbers: Flag = False
    """Let Octopush drop numbers on its own blacklist, at 0.01 for each request."""


# --- the project ------------------------------------------------------------------------------------------------------


def _check_campaign_field(text: str) -> str:
    kind: Any = CampaignModel
    for step in text.split("."):
        fields = getattr(kind, "model_fields", {})
        if step not in fields:
            raise ValueError(f"a campaign has no field `{text}`")
        kind = fields[step].annotation
    return text


CampaignField = Annotated[
    str,
    AfterValidator(_check_campaign_field),
    _schema("string", r"[a-z_]+(?:\.[a-z_]+)*", examples=["limits.max_cost"]),
]


class OwnersOver(Strict):
    """Who has to answer for campaigns that cost more than `cost`."""

    cost: Amount
    """In the account's own unit."""
    owners: tuple[Line, ...] = Field(min_length=1)
    """One of them has to be the campaign's `owner`."""


class Policy(Strict):
    """What every campaign has to keep to; one that does not is blocked. What is left out allows everything."""

    require: tuple[CampaignField, ...] = ()
    """Fields that every campaign file has to have, such as `owner` or `limits.max_cost`."""
    types: tuple[MessageType, ...] | None = None
    """Allowed types of message."""
    purposes: tuple[Purpose, ...] | None = None
    """Allowed purposes."""
    senders: tuple[SenderName, ...] | None = None
    """Allowed senders."""
    countries: tuple[Region, ...] | None = None
    """Countries in which recipients may be."""
    overrides: tuple[RuleId, ...] | None = None
    """Rules that campaigns may override; `[]` for none."""
    owners_over: OwnersOver | None = None


class Suppression(ContactSource):
    """A list of numbers that get nothing, whatever a campaign says."""

    phone: Line | None = None
    """The column with the number; default: a list with one number a line."""
    region: Region | None = None
    """Country of numbers that are written without a country code; default: the project's."""


class Defaults(Strict):
    """What a campaign takes when it does not say."""

    region: Region | None = None
    """Country of numbers that are written without a country code."""
    timezone: Timezone | None = None
    """IANA name."""
    sender: SenderName | None = None
    """For premium messages."""
    windows: Windows | None = None
    """What the rules on sending hours do in environments that do not say; default: `enforce`."""


class Credentials(Strict):
    """References to environment variables, never the secrets themselves."""

    login: Reference
    """The account's e-mail address."""
    key: Reference
    """The API key."""


class StateSettings(Strict):
    """Where journal, ledger and lease live."""

    home: Literal["local", "git", "postgres"] = "local"
    """`local`: the folder `.octoplan/`; `git`: a ref of the repository's remote; `postgres`: a database."""
    durable: Flag = False
    """For `local`: says that the folder outlives a CI runner; without it CI refuses the local home."""
    remote: Line = "origin"
    """For `git`: the remote that keeps the ref `refs/octoplan/<environment>`."""
    url: Reference | None = None
    """For `postgres`: the variable that holds the database's URL."""
    db_schema: DatabaseSchema = "octoplan"
    """For `postgres`: the database schema."""


class ConnectionSettings(Strict):
    """A database that campaigns may ask. Its role should be able to do nothing but SELECT."""

    kind: Literal["postgres", "mysql"]
    """`mysql` is also for MariaDB."""
    url: Reference
    """The variable that holds the database's URL, such as `postgresql://user:password@host/database`."""


class AllowedSource(Strict):
    """A place on the web from which campaigns may take lists."""

    prefix: Prefix
    """What their addresses begin with."""
    headers: dict[HeaderName, Reference] = Field(default_factory=dict)
    """Headers of the request, such as `Authorization`, each with the variable that holds its value."""


class AllowedStore(Strict):
    """A place in object storage from which campaigns may take lists: Amazon S3, or a store that speaks its language."""

    prefix: StorePrefix
    """What their addresses begin with."""
    region: StoreRegion
    """Where the bucket is."""
    endpoint: StoreEndpoint | None = None
    """The store, if it is not Amazon's."""
    key: Reference = "env/AWS_ACCESS_KEY_ID"
    """The variable with the id of the access key."""
    secret: Reference = "env/AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a reference
    """The variable with its secret."""
    token: Reference = "env/AWS_SESSION_TOKEN"  # noqa: S105 - a reference
    """The variable with the token of a key that is only lent; it need not be set."""


class Budgets(Strict):
    """What all campaigns of an environment may cost together. While a cost is unknown, nothing is sent."""

    month: Amount | None = None
    """In a calendar month of the project's time zone, with what was billed in it before."""
    run: Amount | None = None
    """In one `apply`."""
    currency: Line | None = None
    """What the amounts are in, such as `EUR`; a wallet in another unit is refused."""


class EnvironmentSettings(Strict):
    """What every environment has, the built-in one too."""

    connections: dict[Identifier, ConnectionSettings] = Field(default_factory=dict)
    """Databases by the name that campaigns call them."""
    sources: tuple[AllowedSource, ...] = ()
    """From where on the web lists may be taken; without it from nowhere."""
    stores: tuple[AllowedStore, ...] = ()
    """From where in object storage lists may be taken; without it from nowhere."""
    limits: Limits = Limits()
    budgets: Budgets = Budgets()
    """What all campaigns together may cost."""
    policy: Policy = Policy()
    """What campaigns have to keep to here, besides the project's policy."""
    prices: DataPath | None = None
    """A file of dated prices, for plans that do not ask the API (`plan --offline`)."""
    limits_from: GitRef | None = None
    """A protected branch such as `origin/main`: its limits, budgets and policies hold too, the stricter of both."""
    allow_numbers: tuple[Number, ...] | None = Field(default=None, repr=False)
    """Only these numbers may be written to; without it all may. For environments that are not production."""
    concurrency: Lanes = 1
    """Requests under way at once; halved while the API is under strain."""
    requests_per_second: Amount | None = None
    """How many requests may start in a second; default: as fast as they are answered."""
    messages_per_second: Amount | None = None
    """How many messages may start in a second."""
    on_refused: Literal["continue", "stop"] = "continue"
    """When the API refuses one request for its content: send the others, or stop."""
    on_unknown: Literal["repeat", "stop"] = "repeat"
    """When it is unknown whether a request arrived: repeat the very same request while that is safe, or stop."""
    batch_size: BatchSize = RECIPIENTS_PER_BATCH_MAX
    """Most recipients in one request; the smaller of this and the campaign's counts."""
    windows: Windows | None = None
    """What the rules on sending hours do; default: the project's, `warn` in the sandbox, which sends to nobody."""


class Sandbox(EnvironmentSettings):
    """The built-in environment `sandbox`: a local API without credentials; only these settings can be written."""


class Access(Strict):
    """Where messages go, in whose name, and where that is remembered."""

    endpoint: Url
    """The API's base URL: https://, or http:// to this machine."""
    credentials: Credentials
    account: Account | None = None
    """Fingerprint of the login, `a1_…`; another account is an error."""
    proxy: Proxy | None = None
    """`http://host:port`, or a reference to the variable that holds it."""
    state: StateSettings = StateSettings()


class Environment(EnvironmentSettings, Access):  # fields of the last base come first
    """One account and endpoint, with its own memory, limits and allow-list."""


class Environments(BaseModel):
    """Environments by name; `sandbox` is there without being written."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="allow",
        use_attribute_docstrings=True,
        json_schema_extra={"propertyNames": {"pattern": f"^{IDENTIFIER_PATTERN}$"}},
    )
    __pydantic_extra__: dict[str, Environment]

    sandbox: Sandbox = Sandbox()

    @property
    def declared(self) -> dict[str, Environment]:
        """The environments that the project declares, by name."""
        return self.__pydantic_extra__


class ProjectModel(Strict):
    """`octoplan.yaml`."""

    project: Identifier
    """The project's id."""
    campaigns: tuple[Glob, ...] = DEFAULT_CAMPAIGNS
    """Where the campaign files are: `*` within a name, `**` for any folders."""
    tests: tuple[Glob, ...] = DEFAULT_TESTS
    """Where the files of `octoplan test` are, likewise."""
    default_environment: Identifier = SANDBOX
    """The environment of commands without `--env`."""
    defaults: Defaults = Defaults()
    suppression: tuple[Suppression, ...] = ()
    """Lists of numbers that get nothing."""
    limits: Limits = Limits()
    policy: Policy = Policy()
    limits_from: GitRef | None = None
    """A protected branch such as `origin/main`: its limits, budgets and policies hold too, the stricter of both."""
    environments: Environments = Environments()

"""
What people may write in `campaigns/*.yaml` and `octoplan.yaml`, as frozen pydantic models.

These models are the one source of the JSON Schemas in `schemas/`. YAML scalars arrive as text, so every field asks for
what it means: `Flag` takes only `true` and `false`, counts take only digits, money stays an exact decimal.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MessageType = Literal["sms_premium", "sms_low_cost"]
Purpose = Literal["wholesale", "alert"]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}[a-z0-9]$")]


class Strict(BaseModel):
    """Frozen, and unknown keys are errors: a misspelt key must never be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)


class Message(Strict):
    """The text, as a Jinja template over the recipient's columns and the campaign's `vars`."""

    template: str = Field(min_length=1)
    vars: dict[str, str] = Field(default_factory=dict)


class Recipients(Strict):
    """Where the contacts come from. `path` is relative to the project's folder and may not leave it."""

    source: Literal["csv"] = "csv"
    path: str
    phone: str
    region: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    """Template variable -> column of the file. Columns not listed are reachable under their own name."""
    where: str | None = None
    key: str | None = None
    """The column that decides which of several rows with one number wins (smallest text); default: the row's content."""
    delimiter: str | None = None
    encoding: str | None = None


class Schedule(Strict):
    """When the messages leave the API. Without a schedule they leave as soon as `apply` runs."""

    at: str | None = None
    timezone: str | None = None
    not_after: str | None = None


class Limits(Strict):
    """What may not be exceeded; the smallest of project, environment and campaign counts."""

    max_cost: Decimal | None = None
    max_recipients: int | None = None
    max_segments: int | None = None
    """Parts of the longest message."""
    max_unit_price: Decimal | None = None
    min_balance: Decimal | None = None
    """What must remain in the wallet."""


class CampaignModel(Strict):
    """One campaign file."""

    id: Identifier
    description: str | None = None
    type: MessageType
    purpose: Purpose
    sender: str | None = None
    message: Message
    recipients: Recipients
    schedule: Schedule = Schedule()
    limits: Limits = Limits()
    batch_size: int = Field(default=500, ge=1, le=500)
    with_replies: bool = False
    auto_optimize_text: bool = False
    auto_remove_blacklisted_numbers: bool = False


class Suppression(Strict):
    """A list of numbers that get nothing, whatever a campaign says."""

    path: str
    phone: str | None = None
    region: str | None = None


class Defaults(Strict):
    """What a campaign takes when it does not say."""

    region: str | None = None
    timezone: str | None = None
    sender: str | None = None


class Credentials(Strict):
    """References such as `env/OCTOPUSH_API_KEY`, never the secret itself."""

    login: str
    key: str


class StateSettings(Strict):
    """Where journal, ledger and lease live."""

    home: Literal["local"] = "local"
    durable: bool = False


class Environment(Strict):
    """One account and endpoint, with its own memory, limits and allow-list."""

    endpoint: str
    credentials: Credentials
    account: str | None = None
    """Fingerprint `a1_…` of the login; another account is an error."""
    proxy: str | None = None
    state: StateSettings = StateSettings()
    limits: Limits = Limits()
    allow_numbers: tuple[str, ...] | None = None
    """Only these numbers may be written to; `None` allows all. For environments that are not production."""
    requests_per_second: Decimal | None = None
    on_unknown: Literal["repeat", "stop"] = "repeat"
    batch_size: int = Field(default=500, ge=1, le=500)


class ProjectModel(Strict):
    """`octoplan.yaml`."""

    project: Identifier
    campaigns: tuple[str, ...] = ("campaigns/**/*.yaml",)
    default_environment: str = "sandbox"
    defaults: Defaults = Defaults()
    suppression: tuple[Suppression, ...] = ()
    limits: Limits = Limits()
    environments: dict[str, Environment] = Field(default_factory=dict)

"""
Campaigns of the simulation: lists and letters in memory, in place of files, DuckDB and templates.

What they feed to planning and sending is real: Arrow batches of the schema `MESSAGES`, sorted as composing leaves them,
with the API's contact objects; so batches, digests, ledger rows, request ids and bodies are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any, Final, Literal

import pyarrow as pa

from octoplan.audience.schemas import MESSAGES
from octoplan.campaign.model import CampaignModel, Limits
from octoplan.campaign.resolve import Campaign, FoundFiles
from octoplan.digests import DigestKey, canonical_json, content_digest, number_hash
from octoplan.gateway.port import SendRequest
from octoplan.messages.statistics import MessageStatistics
from octoplan.plan.build import Prepared, describe_content
from octoplan.plan.outgoing import Dispatch

KEY: Final = DigestKey(bytes(range(32)))
ENVIRONMENT: Final = "production"
Row = tuple[str, str]
"""Phone number and first name."""


def phone(index: int) -> str:
    """A French mobile of the textbook block 06 12 34 xx xx."""
    return f"+3361234{index:04d}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    One campaign with its list, as one checkout has them.

    `letter` is the first word of its text, by which the judge tells campaigns apart; two campaigns may share one.
    """

    id: str
    letter: str
    rows: tuple[Row, ...]
    batch_size: int
    audience: Literal["frozen", "growing"] = "frozen"
    follow_up_of: str | None = None
    wording: str = "bonjour"
    canary: int = 0
    """How many recipients go first."""

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset(number for number, _ in self.rows)


class People:
    """An audience in place of the one that DuckDB resolves."""

    def __init__(self, sheet: Sheet, suppressed: frozenset[str]) -> None:
        self._listed = sorted(sheet.numbers)
        self.rows = len(sheet.rows)
        self.recipients = len(set(self._listed) - suppressed)
        self.exclusions = ()
        self.countries = {"FR": self.recipients}
        self.suppressed_since: frozenset[str] = frozenset()

    def set_digest(self, key: DigestKey) -> str:
        return content_digest(key, "s1", "octoplan/audience/v1", "\n".join(self._listed).encode())

    def suppressed_digests(self, key: DigestKey) -> list[bytes]:
        return []


class Letter:
    """A composed message in place of the one that a template is compiled to: one text with one merge field."""

    mode, reason, slots, uses, renderings, findings = "merge", None, (), (), None, ()

    def __init__(self, sheet: Sheet, suppressed: frozenset[str]) -> None:
        self.texts = (f"{sheet.letter} {sheet.wording} {{first_name}}",)
        self._rows = sorted((number_hash(number), number, name) for number, name in sheet.rows)
        self._rows = [row for row in self._rows if row[1] not in suppressed]

    @property
    def recipients_per_text(self) -> tuple[int, ...]:
        return (len(self._rows),)

    @property
    def statistics(self) -> MessageStatistics:
        count = len(self._rows)
        return MessageStatistics(count, {1: count}, {(0, "FR", 1): count}, {"GSM-7": count}, {}, None, None)

    @cached_property
    def _table(self) -> pa.RecordBatch:
        rows = self._rows
        columns = [
            [each for each, _, _ in rows],
            [number for _, number, _ in rows],
            ["FR"] * len(rows),
            [0] * len(rows),
            [canonical_json({"first_name": name, "phone_number": number}).decode() for _, number, name in rows],
            [40] * len(rows),
            [1] * len(rows),
            [False] * len(rows),
        ]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, MESSAGES, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=MESSAGES)

    def canary_hash(self, wanted: int) -> int | None:
        return self._rows[min(wanted, len(self._rows)) - 1][0] if wanted and self._rows else None

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield self._table


@lru_cache(maxsize=512)
def prepare(sheet: Sheet, suppressed: frozenset[str], on_unknown: Literal["repeat", "stop"]) -> Prepared:
    """What the pipeline makes of a campaign."""
    people: Any = People(sheet, suppressed)
    letter: Any = Letter(sheet, suppressed)
    campaign = _campaign(sheet.id, letter.texts[0], sheet.audience, sheet.follow_up_of)
    request = SendRequest("", b"", "sms_premium", "alert", "ACME", None, False, False, False)
    canary = letter.canary_hash(sheet.canary)
    dispatch = Dispatch(ENVIRONMENT, campaign.identity, sheet.batch_size, request, letter, canary)
    content = describe_content(campaign, people, request, None, KEY, {})
    return Prepared(campaign, people, dispatch, content, Limits(), on_unknown, KEY)


@lru_cache(maxsize=512)
def _campaign(name: str, text: str, audience: str, follow_up_of: str | None) -> Campaign:
    given: dict[str, Any] = {
        "id": name,
        "type": "sms_premium",
        "purpose": "alert",
        "sender": "ACME",
        "audience": audience,
        "message": {"template": text},
        "recipients": {"path": "contacts.csv", "phone": "phone"},
    }
    model = CampaignModel.model_validate(given | ({"follow_up_of": follow_up_of} if follow_up_of else {}))
    nowhere: Any = SimpleNamespace()
    return Campaign(model, f"campaigns/{name}.yaml", FoundFiles(), "ACME", "FR", None, None, None, nowhere)

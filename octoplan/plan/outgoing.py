"""One batch on its way: exactly what would be sent, and what the journal must know of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from octoplan.digests import DigestKey, request_id
from octoplan.gateway.port import SendRequest


@dataclass(frozen=True, slots=True)
class Outgoing:
    """
    A batch with its identity. `phones` (E.164, personal data) go into the ledger, `request` onto the wire.

    `opened_at` is set when an earlier run may have sent it already: then only this body with this request id may be
    sent, and only inside the id's lifetime. `cost` is the planned cost, `None` where it is not known.
    """

    environment: str
    campaign: str
    digest: str
    attempt: int
    request_id: str
    recipients: int
    segments: int
    cost: Decimal | None
    request: SendRequest = field(repr=False)
    phones: pa.StringArray = field(repr=False)
    opened_at: datetime | None = None

    def next_attempt(self, key: DigestKey) -> Outgoing:
        """The same content under a new request id; only after a definite refusal was recorded."""
        attempt = self.attempt + 1
        fresh = request_id(key, self.environment, self.campaign, self.digest, attempt)
        return replace(self, attempt=attempt, request_id=fresh, opened_at=None)

"""
The batches of one campaign that are still to be sent, as plan counts them and apply sends them: one walk for both.

Invariants:
- Recipients in the campaign's ledger are subtracted before packing, so nobody is in two batches of one campaign.
- A batch whose outcome is unknown is put together again from the ledger's memory of who was in it, and only counts if
  its digest comes out the same: the same bytes, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.clock import Mark
from octoplan.digests import DigestKey, batch_digest, request_id
from octoplan.gateway.body import hashed_body
from octoplan.gateway.port import SendRequest
from octoplan.messages.batches import PackedBatch, Stratum, bucket_bits, pack_batches
from octoplan.messages.compose import ComposedMessage
from octoplan.meter import QUIET, Meter
from octoplan.plan.waves import Waves
from octoplan.state.home import StateReader
from octoplan.state.journal import BatchState, CampaignState, Phase


class Packable(Protocol):
    """What `pack_batches` needs to know of messages."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The API's texts, by the numbers in the column `text`."""
        ...

    @property
    def recipients_per_text(self) -> tuple[int, ...]:
        """How many of the complete audience each has."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What goes out, with the columns of `MESSAGES` and in their order; from the start at each call."""
        ...


@dataclass(frozen=True, slots=True)
class Dispatch:
    """
    What all batches of one campaign share. `request` has neither text nor contacts yet.

    `campaign` is the identity under which what was sent is remembered. `canary_hash` is the hash of the last recipient
    of the canary, in the order of the complete audience; `None` where there is no canary. `waves` are the messages by
    the time at which they leave, `None` where that is one for all.
    """

    environment: str
    campaign: str
    batch_size: int
    request: SendRequest
    message: ComposedMessage
    canary_hash: int | None = None
    waves: Waves | None = None

    @property
    def packable(self) -> Packable:
        """The messages as they are packed."""
        return self.waves or self.message

    def request_for(self, batch: PackedBatch) -> SendRequest:
        """The request that sends `batch`."""
        send_at = self.waves.send_at(batch.text_index) if self.waves else self.request.send_at
        return replace(self.request, text=batch.text, contacts=batch.contacts, send_at=send_at)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """
    A batch with its identity. `phones` (E.164, personal data) go into the ledger, `request` onto the wire.

    `opened_at` is set when an earlier run may have sent it already: then only this body with this request id may be
    sent, and only inside the id's lifetime. `cost` is the planned cost, `None` where it is not known. No try may start
    after `latest`, neither the first nor a repetition; `None` for any time.
    """

    environment: str
    campaign: str
    digest: str
    attempt: int
    request_id: str
    recipients: int
    segments: int
    strata: Mapping[Stratum, int]
    request: SendRequest = field(repr=False)
    phones: pa.StringArray = field(repr=False)
    rows: tuple[pa.RecordBatch, ...] = field(repr=False, default=())
    is_canary: bool = False
    opened_at: datetime | None = None
    opened_mark: Mark | None = None
    cost: Decimal | None = None
    latest: datetime | None = None

    @property
    def send_at(self) -> datetime | None:
        """When its messages leave; `None` for at once."""
        return None if self.request.send_at is None else datetime.fromisoformat(self.request.send_at)

    def next_attempt(self, key: DigestKey) -> Outgoing:
        """The same content under a new request id; only after a definite refusal was recorded."""
        attempt = self.attempt + 1
        fresh = request_id(key, self.environment, self.campaign, self.digest, attempt)
        return replace(self, attempt=attempt, request_id=fresh, opened_at=None, opened_mark=None)


def reopened_batches(dispatch: Dispatch, state: CampaignState, reader: StateReader) -> Iterator[Outgoing]:
    """
    The batches of unknown outcome, oldest first, with the very bytes they were sent with.

    A batch that cannot be made again (its recipients' rows have changed) is missing from the result.
    """
    unknown = state.in_phase(Phase.OPEN)
    if not unknown:
        return
    members = _rows_of(dispatch, [batch.digest for batch in unknown], reader)
    for batch in unknown:
        rebuilt = _rebuild(dispatch, batch, members[batch.digest], reader.key)
        if rebuilt is not None:
            yield rebuilt


def fresh_batches(
    dispatch: Dispatch,
    state: CampaignState | None,
    reader: StateReader,
    *,
    watch: Callable[[pa.RecordBatch], None] = lambda _: None,
    meter: Meter = QUIET,
) -> Iterator[Outgoing]:
    """
    Everybody who is not in the campaign's ledger, packed; the canary first, then the others. `watch` sees the rows.

    The ledger is asked while the rows stream by, so batches sent in the meantime do not matter: their rows have passed.
    """
    bits = [bucket_bits(count) for count in dispatch.packable.recipients_per_text]
    for is_canary in (True, False) if dispatch.canary_hash is not None else (False,):
        rows = _unwritten(dispatch, reader, watch, meter, is_canary=is_canary)
        # The canary is small: cut into buckets it would be many requests.
        cuts = [0] * len(bits) if is_canary else bits
        texts = dispatch.packable.texts
        for packed in pack_batches(rows, texts=texts, bucket_bits=cuts, batch_size=dispatch.batch_size):
            request = dispatch.request_for(packed)
            digest = batch_digest(reader.key, hashed_body(request))
            known = state.batches.get(digest) if state is not None else None
            attempt = known.next_attempt if known is not None else 1
            yield replace(_outgoing(dispatch, packed, request, digest, attempt, reader.key), is_canary=is_canary)


def shrink_batch(
    dispatch: Dispatch, batch: Outgoing, dropped: frozenset[str], state: CampaignState | None, key: DigestKey
) -> Outgoing | None:
    """
    The batch without the recipients in `dropped`; the same batch if none is in it, `None` if nobody is left.

    Another membership is another body, so a smaller batch has a digest and a request id of its own.
    """
    gone = pa.array(sorted(dropped), pa.string())
    if not pc.any(pc.is_in(batch.phones, value_set=gone)).as_py():
        return batch
    rows = [each.filter(pc.invert(pc.is_in(each.column("phone"), value_set=gone))) for each in batch.rows]
    texts = dispatch.packable.texts
    packed = list(pack_batches(rows, texts=texts, bucket_bits=[0] * len(texts), batch_size=dispatch.batch_size))
    if not packed:
        return None
    request = dispatch.request_for(packed[0])
    digest = batch_digest(key, hashed_body(request))
    known = state.batches.get(digest) if state is not None else None
    attempt = known.next_attempt if known is not None else 1
    return replace(_outgoing(dispatch, packed[0], request, digest, attempt, key), is_canary=batch.is_canary)


def _outgoing(
    dispatch: Dispatch, packed: PackedBatch, request: SendRequest, digest: str, attempt: int, key: DigestKey
) -> Outgoing:
    return Outgoing(
        environment=dispatch.environment,
        campaign=dispatch.campaign,
        digest=digest,
        attempt=attempt,
        request_id=request_id(key, dispatch.environment, dispatch.campaign, digest, attempt),
        recipients=packed.recipients,
        segments=packed.segments,
        strata=packed.strata,
        request=request,
        phones=packed.phones,
        rows=packed.rows,
    )


def _unwritten(
    dispatch: Dispatch,
    reader: StateReader,
    watch: Callable[[pa.RecordBatch], None],
    meter: Meter,
    *,
    is_canary: bool,
) -> Iterator[pa.RecordBatch]:
    for rows in dispatch.packable.batches():
        wanted = rows
        if dispatch.canary_hash is not None:
            first = pc.less_equal(rows.column("hash"), pa.scalar(dispatch.canary_hash, pa.uint64()))
            wanted = rows.filter(first if is_canary else pc.invert(first))
        with meter.part("ledger") as told:
            told(len(wanted))
            written = reader.written(dispatch.campaign, wanted.column("phone"))
        fresh = wanted if written.null_count == len(written) else wanted.filter(written.is_null())
        watch(fresh)
        yield fresh


def _rows_of(dispatch: Dispatch, digests: Sequence[str], reader: StateReader) -> Mapping[str, list[pa.RecordBatch]]:
    """The rows of a few batches, found by asking the ledger who was in them."""
    members: dict[str, list[pa.RecordBatch]] = {digest: [] for digest in digests}
    for rows in dispatch.packable.batches():
        written = reader.written(dispatch.campaign, rows.column("phone"))
        for digest, found in members.items():
            found.append(rows.filter(pc.fill_null(pc.equal(written, digest), fill_value=False)))
    return members


def _rebuild(dispatch: Dispatch, batch: BatchState, rows: Iterable[pa.RecordBatch], key: DigestKey) -> Outgoing | None:
    texts = dispatch.packable.texts
    whole = pack_batches(rows, texts=texts, bucket_bits=[0] * len(texts), batch_size=max(batch.recipients, 1))
    candidates = list(whole)
    if len(candidates) != 1:
        return None
    request = dispatch.request_for(candidates[0])
    if batch_digest(key, hashed_body(request)) != batch.digest:
        return None
    again = _outgoing(dispatch, candidates[0], request, batch.digest, batch.attempt, key)
    if again.request_id != batch.request_id:
        return None
    return replace(again, opened_at=batch.opened_at, opened_mark=batch.opened_mark, cost=batch.planned_cost)

"""What in an environment needs somebody, told from its memory and the campaign files alone: no contacts, no API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from octoplan import limits
from octoplan.campaign.resolve import Campaign
from octoplan.clock import in_words
from octoplan.diagnostics import ExitCode
from octoplan.state.journal import CampaignState, Phase
from octoplan.state.store import Holder, StopNotice

_AHEAD: Final = timedelta(seconds=limits.CHECK_AHEAD_S)
_STALE: Final = timedelta(seconds=limits.LEASE_STALE_S)
_SERIOUSNESS: Final = (ExitCode.UNKNOWN, ExitCode.WINDOW, ExitCode.PARTIAL, ExitCode.STATE, ExitCode.BLOCKED)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that somebody has to look after. `code` is stable; `campaign` is `None` for the whole environment."""

    code: str
    campaign: str | None
    detail: str
    hint: str
    exit_code: ExitCode


def find_needs(
    campaigns: Iterable[Campaign],
    states: Mapping[str, CampaignState],
    *,
    notice: StopNotice | None,
    holder: Holder | None,
    now: datetime,
) -> tuple[Need, ...]:
    """Everything that needs somebody, the most serious first; empty when nothing does."""
    found = [
        *(need for state in states.values() for need in _unknown(state)),
        *(need for each in campaigns for need in _unfinished(each, states.get(each.identity), now)),
        *_stopped(notice),
        *_stale(holder, now),
    ]
    return tuple(sorted(found, key=lambda need: (_SERIOUSNESS.index(need.exit_code), need.campaign or "", need.code)))


def _unknown(state: CampaignState) -> Iterator[Need]:
    open_batches = state.in_phase(Phase.OPEN)
    if open_batches:
        people = sum(batch.recipients for batch in open_batches)
        detail = f"{len(open_batches)} request(s) to {people:,} recipient(s) may or may not have been accepted"
        hint = "apply again while that is safe, or decide: `octoplan recover`"
        yield Need("outcome-unknown", state.campaign, detail, hint, ExitCode.UNKNOWN)


def _unfinished(campaign: Campaign, state: CampaignState | None, now: datetime) -> Iterator[Need]:
    if state is not None and (state.is_complete or state.is_forgotten):
        return
    if state is not None and state.is_begun and not state.in_phase(Phase.OPEN):
        detail = f"{state.sent_recipients:,} recipient(s) have it, and the run that sent it did not get to the end"
        yield Need("part-sent", campaign.id, detail, "apply again to go on with the others", ExitCode.PARTIAL)
    yield from _due(campaign, now)


def _due(campaign: Campaign, now: datetime) -> Iterator[Need]:
    """A campaign with a time that was not handed over to the API, when that time is near or has passed."""
    span = _leaves(campaign)
    if span is None:
        return
    first, last = span
    if last <= now:
        detail = f"it was to leave by {_instant(last)}, and not all of it was handed over: it is late"
        hint = "give it another time, or take its file away; nothing is sent late by itself"
        yield Need("missed", campaign.id, detail, hint, ExitCode.WINDOW)
        return
    start = first if _is_open_ended(campaign) else first - (campaign.model.schedule.hand_over or timedelta())
    if start - now > _AHEAD:
        return
    if first < last:
        detail = f"it leaves between {_instant(first)} and {_instant(last)}, by the recipients' own clocks"
        hint = f"apply before its first wave, which `octoplan plan --campaign {campaign.id}` shows"
        yield Need("due", campaign.id, f"{detail}, and not all of it was handed over", hint, ExitCode.WINDOW)
        return
    word = "may leave until" if _is_open_ended(campaign) else "leaves at"
    begin = "now" if start <= now or start == last else _instant(start)
    detail = f"it {word} {_instant(last)}, in {in_words(last - now)}, and not all of it was handed over"
    yield Need("due", campaign.id, detail, f"apply between {begin} and then", ExitCode.WINDOW)


def _is_open_ended(campaign: Campaign) -> bool:
    """Whether it leaves as soon as it is applied."""
    return campaign.send_at is None and campaign.recipient_time is None


def _leaves(campaign: Campaign) -> tuple[datetime, datetime] | None:
    """The first and the last moment at which messages may leave, as far as that is known without a recipient."""
    if campaign.recipient_time is not None:
        # Imported here: it brings the libraries of the audience along, which few campaigns need here.
        from octoplan.rulebook.zones import known_zones

        instants = campaign.recipient_time.instants_in(known_zones())
        return (instants[0], instants[-1]) if instants else None
    latest = campaign.send_at or campaign.not_after
    return None if latest is None else (latest, latest)


def _stopped(notice: StopNotice | None) -> Iterator[Need]:
    if notice is not None:
        detail = f"sending was stopped by {notice.owner} at {_instant(notice.at)}: {notice.reason}"
        yield Need("stopped", None, detail, "when the reason is gone: `octoplan resume`", ExitCode.BLOCKED)


def _stale(holder: Holder | None, now: datetime) -> Iterator[Need]:
    """Only a home that shows signs of life can tell; a local lease goes with its process."""
    if holder is None or holder.heartbeat is None or now - holder.heartbeat < _STALE:
        return
    detail = f"the lease shows no sign of life since {in_words(now - holder.heartbeat)}: {holder}"
    hint = f"if that run is surely dead: `octoplan state unlock {holder.run}`"
    yield Need("stale-lease", None, detail, hint, ExitCode.STATE)


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

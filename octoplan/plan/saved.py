"""
The plan as a document: what `plan --out` writes, `apply FILE` reads and `--output json` prints.

Version 1. JSON with sorted keys; amounts are strings, times `2027-03-20T09:00:00.000000Z`. It holds counts, digests and
ids, no phone number, name, merge value or key; the texts of messages stay in the campaign files. `digest` is keyed with
the project's key and covers everything else, so an edited file is refused.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from octoplan import __version__, limits
from octoplan.clock import from_text, to_text
from octoplan.diagnostics import InvalidInput, StalePlan
from octoplan.digests import DigestKey, canonical_json, content_digest
from octoplan.plan.breakdown import Share, by_country, by_parts
from octoplan.plan.model import (
    Action,
    BudgetUse,
    CharacterFrom,
    Difference,
    MessageLength,
    Plan,
    PlannedBatch,
    PlannedWave,
)
from octoplan.plan.price import Simulate
from octoplan.plan.saved_model import PlanData
from octoplan.state.git_revision import Revision
from octoplan.state.journal import Position

FORMAT: Final = "octoplan-plan"
VERSION: Final = 1
_SHOWN_ONLY: Final = ("timings", "comparison")
"""Beside the plan in `--output json`; no part of what is approved."""
_AGAIN: Final = "plan again: `octoplan plan --out FILE`, have it reviewed, then apply that file"


@dataclass(frozen=True, slots=True)
class SavedCampaign:
    """What was approved for one campaign: its content, and its batches by digest in the order of sending."""

    campaign: str
    action: str
    content: Mapping[str, str]
    batches: Mapping[str, PlannedBatch]
    suppressed: frozenset[bytes] = frozenset()
    entries: int = 0
    """How many entries the journal of the campaign had."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read back and proved to be whole."""

    environment: str
    project: str
    account: str | None
    created_at: datetime
    campaigns: Mapping[str, SavedCampaign]
    simulate: Simulate = "strata"
    """How apply asks for prices: as the plan did; each country and length where that asked nothing."""
    commit: str | None = None
    """Of which revision the project's files were."""


def plan_document(plan: Plan, key: DigestKey) -> dict[str, Any]:
    """The plan as plain data, with its keyed digest."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "octoplan": __version__,
        "project": plan.project,
        "environment": plan.environment,
        "endpoint": plan.endpoint,
        "digest_key": plan.digest_key,
        "account": plan.account,
        "created_at": to_text(plan.created_at),
        "expires_at": to_text(plan.expires_at),
        "expires_because": plan.expires_because,
        "revision": _revision(plan.revision),
        "balance": {"amount": _text(plan.balance), "unit": plan.balance_unit},
        "totals": {
            "campaigns": len(plan.sending),
            "recipients": plan.recipients,
            "segments": plan.segments,
            "requests": plan.requests,
            "cost": _text(plan.cost),
            "least": _text(plan.least_cost),
            "most": _text(plan.most_cost),
            "fees": _text(sum((action.cost.fees for action in plan.sending), Decimal(0))),
            "duration_s": _text(plan.duration_s),
            "by_country": [{"country": name, **_share(share)} for name, share in by_country(plan.sending).items()],
            "by_parts": [{"parts": parts, **_share(share)} for parts, share in by_parts(plan.sending).items()],
        },
        "pricing": {"simulate": plan.simulate, "simulated": plan.simulated},
        "budget": _budget(plan.budget),
        "limits_from": list(plan.limits_from),
        "campaigns": [_action(action) for action in plan.actions],
        "findings": [
            {"code": found.code, "severity": found.severity, "detail": found.detail, "place": str(found.place or "")}
            for found in plan.findings
        ],
    }
    return document | {"digest": _digest(document, key)}


def render_document(document: Mapping[str, Any]) -> str:
    """The bytes of the file, as text: readable, and the same for the same plan."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_saved_plan(path: Path, key: DigestKey, *, environment: str, now: datetime) -> SavedPlan:
    """
    Read a plan file and prove that it is whole, ours, for this environment and not expired.

    :raises InvalidInput: if the file cannot be read as a plan at all.
    :raises StalePlan: if it was edited, has expired, or belongs elsewhere.
    """
    document = _load(path)
    digest = document.pop("digest")
    if document.get("digest_key") != key.fingerprint:
        raise StalePlan(
            f"{path.name} was made with another digest key ({document.get('digest_key')}, here {key.fingerprint})",
            hint="plan and apply must share the state home's key: set OCTOPLAN_DIGEST_KEY where the home is not shared",
        )
    if digest != _digest(document, key):
        raise StalePlan(f"{path.name} was changed after it was made; it is not what was reviewed", hint=_AGAIN)
    if document["environment"] != environment:
        raise StalePlan(
            f"{path.name} is for environment `{document['environment']}`, this is `{environment}`",
            hint=f"apply it with `--env {document['environment']}`",
        )
    if now >= from_text(document["expires_at"]):
        because = document.get("expires_because", "")
        raise StalePlan(f"{path.name} expired at {document['expires_at']}, {because}", hint=_AGAIN)
    return SavedPlan(
        environment=document["environment"],
        project=document["project"],
        account=document["account"],
        created_at=from_text(document["created_at"]),
        campaigns={item["id"]: _saved_campaign(item) for item in document["campaigns"]},
        simulate="all" if document.get("pricing", {}).get("simulate") == "all" else "strata",
        commit=(document.get("revision") or {}).get("commit"),
    )


@dataclass(frozen=True, slots=True)
class OtherPlan:
    """
    A plan that is looked at and not applied: it may be old, or another environment's.

    `is_proven` tells that its digest could be checked; with another digest key than ours it cannot.
    """

    document: Mapping[str, Any]
    is_proven: bool


def read_other_plan(path: Path, key: DigestKey) -> OtherPlan:
    """
    Read a plan to compare with.

    :raises InvalidInput: if the file is no plan that this octoplan knows how to read.
    :raises StalePlan: if it was made with our key and edited since.
    """
    document = _load(path)
    try:
        PlanData.model_validate_json(json.dumps(document))
    except ValidationError as error:
        where = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise InvalidInput(
            f"{path.name} is not a plan as this octoplan writes it (see `{where}`)",
            hint="make it again with this version: `octoplan plan --out FILE`",
        ) from None
    is_proven = document["digest_key"] == key.fingerprint
    digest = document.pop("digest")
    if is_proven and digest != _digest(document, key):
        raise StalePlan(f"{path.name} was changed after it was made; it is not what was planned", hint=_AGAIN)
    return OtherPlan(document, is_proven)


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > limits.SAVED_PLAN_BYTES_MAX:
            raise InvalidInput(f"{path} is too large to be a plan")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"the plan {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidInput(f"{path} is not a plan", hint="make one with `octoplan plan --out FILE`") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT or "digest" not in document:
        raise InvalidInput(f"{path} is not a plan", hint="make one with `octoplan plan --out FILE`")
    if document.get("version") != VERSION:
        raise StalePlan(f"{path.name} has format version {document.get('version')}, this octoplan reads {VERSION}")
    for shown_only in _SHOWN_ONLY:
        document.pop(shown_only, None)
    return document


def _saved_campaign(item: Mapping[str, Any]) -> SavedCampaign:
    batches = [
        PlannedBatch(
            digest=batch["digest"],
            request_id=batch["request_id"],
            attempt=batch["attempt"],
            recipients=batch["recipients"],
            segments=batch["segments"],
            cost=None if batch["cost"] is None else Decimal(batch["cost"]),
            repeat=batch["repeat"],
            canary=batch["canary"],
            send_at=from_text(batch["send_at"]) if batch.get("send_at") else None,
        )
        for batch in item["batches"]
    ]
    packed = base64.b64decode((item["audience"] or {}).get("suppressed", ""))
    suppressed = frozenset(packed[start : start + 8] for start in range(0, len(packed), 8))
    by_digest = {batch.digest: batch for batch in batches}
    entries = (item.get("position") or {"entries": 0})["entries"]
    return SavedCampaign(item["id"], item["action"], item["content"], by_digest, suppressed, entries)


def _digest(document: Mapping[str, Any], key: DigestKey) -> str:
    return content_digest(key, "p1", "octoplan/plan/v1", canonical_json(document))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else to_text(at)


def _action(action: Action) -> dict[str, Any]:
    return {
        "id": action.campaign,
        "file": action.file,
        "description": action.description,
        "owner": action.owner,
        "action": action.kind,
        "sign": action.kind.sign,
        "reasons": [{"code": reason.code, "detail": reason.detail, "hint": reason.hint} for reason in action.reasons],
        "type": action.type,
        "purpose": action.purpose,
        "sender": action.sender,
        "content": dict(action.content),
        "audience": _audience(action),
        "message": _message(action),
        "batches": [_batch(batch) for batch in action.batches],
        "cost": _cost(action),
        "schedule": {
            "send_at": _moment(action.send_at),
            "last_send_at": _moment(action.last_send_at),
            "local": action.send_at_local,
            "not_after": _moment(action.not_after),
            "waves": [_wave(action, wave) for wave in action.waves],
        },
        "hours": _hours(action),
        "overrides": [{"rule": each.rule, "reason": each.reason} for each in action.overrides],
        "sent": {"recipients": action.sent_recipients, "cost": _text(action.sent_cost)},
        "position": _position(action.position),
    }


def _revision(revision: Revision | None) -> dict[str, Any] | None:
    if revision is None:
        return None
    return {"commit": revision.commit, "branch": revision.branch, "dirty": revision.dirty}


def _position(position: Position | None) -> dict[str, Any] | None:
    if position is None:
        return None
    return {"entries": position.entries, "run": position.run, "at": to_text(position.at)}


def _share(share: Share) -> dict[str, Any]:
    return {"recipients": share.recipients, "segments": share.segments, "cost": _text(share.cost)}


def _budget(use: BudgetUse | None) -> dict[str, Any] | None:
    if use is None:
        return None
    return {
        "month": _text(use.month),
        "run": _text(use.run),
        "currency": use.currency,
        "since": to_text(use.since),
        "spent": _text(use.spent),
        "uncertain": _text(use.uncertain),
        "without_cost": use.without_cost,
    }


def _audience(action: Action) -> dict[str, Any] | None:
    audience = action.audience
    if audience is None:
        return None
    return {
        "path": audience.path,
        "rows": audience.rows,
        "recipients": audience.recipients,
        "already_written": audience.already_written,
        "exclusions": [
            {"reason": line.reason, "count": line.count, "lines": list(line.lines), "explanation": line.explanation}
            for line in audience.exclusions
        ],
        "countries": dict(audience.countries),
        "suppressed": base64.b64encode(audience.suppressed()).decode(),
    }


def _message(action: Action) -> dict[str, Any] | None:
    message = action.message
    if message is None:
        return None
    return {
        "mode": message.mode,
        "mode_reason": message.mode_reason,
        "texts": message.texts,
        "fields": dict(message.fields),
        "segments": {str(parts): count for parts, count in message.histogram.items()},
        "ucs2_recipients": message.ucs2_recipients,
        "variants": [
            {"fields": dict(each.fields), "recipients": each.recipients, "texts": each.texts}
            for each in message.variants
        ],
        "minimum_requests": message.minimum_requests,
        "naive_requests": message.naive_requests,
        "longest": _length(message.longest),
        "shortest": _length(message.shortest),
        "dearer": [
            {"because": [_character(one) for one in each.because], "extra": _extra(each.extra), "level": each.level}
            for each in message.dearer
        ],
        "replacement": message.replacement,
        "replaced": [
            {**_character(each.source), "by": each.by, "recipients": each.recipients} for each in message.replaced
        ],
        "saved": _extra(message.saved),
        "pessimistic_segments": {str(parts): count for parts, count in message.pessimistic.items()},
        "pessimistic_extra": _extra(message.pessimistic_extra),
    }


def _character(found: CharacterFrom) -> dict[str, Any]:
    return {"character": found.character, "columns": list(found.columns)}


def _extra(extra: Difference | None) -> dict[str, Any] | None:
    if extra is None:
        return None
    return {
        "recipients": extra.recipients,
        "parts": extra.parts,
        "cost": _text(extra.cost),
        "estimated": extra.is_estimated,
    }


def _length(length: MessageLength | None) -> dict[str, Any] | None:
    if length is None:
        return None
    return {
        "line": length.line,
        "units": length.units,
        "segments": length.segments,
        "encoding": length.encoding,
        "cuts": list(length.cuts),
    }


def _hours(action: Action) -> dict[str, Any] | None:
    hours = action.hours
    if hours is None:
        return None
    return {
        "starts_at": _moment(hours.starts_at),
        "ends_at": _moment(hours.ends_at),
        "next_slot": _moment(hours.next_slot),
        "next_local": hours.next_local,
        "next_warns": hours.next_warns,
        "closes_at": _moment(hours.closes_at),
        "zones": [
            {"country": each.country, "zones": list(each.zones), "recipients": each.recipients} for each in action.zones
        ],
        "broken": [
            {
                "rule": each.rule,
                "level": each.level,
                "blocks": each.blocks,
                "country": each.country,
                "zones": list(each.zones),
                "recipients": each.recipients,
                "local": each.local,
                "permitted": each.permitted,
                "source": each.source,
            }
            for each in hours.broken
        ],
    }


def _batch(batch: PlannedBatch) -> dict[str, Any]:
    return {
        "digest": batch.digest,
        "request_id": batch.request_id,
        "attempt": batch.attempt,
        "recipients": batch.recipients,
        "segments": batch.segments,
        "cost": _text(batch.cost),
        "repeat": batch.repeat,
        "canary": batch.canary,
        "send_at": _moment(batch.send_at),
    }


def _wave(action: Action, wave: PlannedWave) -> dict[str, Any]:
    batches = action.batches_of(wave)
    return {
        "send_at": _moment(wave.send_at),
        "local": wave.local,
        "zones": list(wave.zones),
        "recipients": sum(batch.recipients for batch in batches),
        "requests": len(batches),
    }


def _cost(action: Action) -> dict[str, Any]:
    return {
        "total": _text(action.cost.total),
        "source": action.cost.source,
        "least": _text(action.cost.least),
        "most": _text(action.cost.most),
        "fees": _text(action.cost.fees),
        "repeats": _text(action.cost.repeats),
        "simulated": action.cost.simulated,
        "unit_prices": [
            {
                "country": unit.country,
                "segments": unit.segments,
                "recipients": unit.recipients,
                "price": _text(unit.price),
                "source": unit.source,
                "at": _moment(unit.at),
            }
            for unit in action.cost.unit_prices
        ],
    }

"""
What `octoplan apply --json` writes: one JSON object a line. The models are the format; its JSON Schema is made of them.

Invariant: no line holds a number, a name, a text or a secret; only counts, amounts, digests, codes and the words of
errors, which hold none either.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

import click
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from octoplan import __version__
from octoplan.apply.deliver import Delivery, Status, Waiting
from octoplan.apply.execute import CampaignBegun, CampaignReport, Event, Halt
from octoplan.diagnostics import Finding, OctoplanError
from octoplan.plan.model import Action, ActionKind, Plan
from octoplan.plan.saved_model import Amount, Count, Moment
from octoplan.plan.schema import render_schema

FORMAT: Final = "octoplan-apply"
VERSION: Final = 1
_TITLE: Final = "A line of octoplan apply --json"


class _Data(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, use_attribute_docstrings=True, serialize_by_alias=True, populate_by_name=True
    )


class _Line(_Data):
    at: Moment


class VersionLine(_Line):
    """The first line."""

    type: Literal["version"] = "version"
    format: Literal["octoplan-apply"] = FORMAT
    version: Literal[1] = VERSION
    """Rises when a field goes or changes its meaning; new types and fields may come without that."""
    octoplan: str = __version__


class WaitLine(_Line):
    """Nothing happens for a while: another run holds the lease, or the API asked for a pause before a repeat."""

    type: Literal["wait"] = "wait"
    on: Literal["lease", "api"]
    seconds: float
    """How long at most."""
    reason: str
    campaign: str | None = None
    """On `api`: whose request is sent again."""
    digest: str | None = None


class PlannedCampaign(_Data):
    """One campaign of the plan, also where nothing is sent for it."""

    id: str
    action: ActionKind
    recipients: Count
    segments: Count
    requests: Count
    cost: Amount | None
    """`null` where a price is unknown."""
    reasons: tuple[str, ...]
    """Codes of what was decided and why."""


class PlanLine(_Line):
    """What the run is about to do."""

    type: Literal["plan"] = "plan"
    run: str
    """The run's name, as in the journal."""
    project: str
    environment: str
    recipients: Count
    segments: Count
    requests: Count
    cost: Amount | None
    campaigns: tuple[PlannedCampaign, ...]


class CampaignLine(_Line):
    """A campaign begins."""

    type: Literal["campaign"] = "campaign"
    campaign: str
    recipients: Count
    requests: Count


class BatchLine(_Line):
    """What became of a request, after it is durable in the state home."""

    type: Literal["batch"] = "batch"
    campaign: str
    digest: str
    status: Status
    recipients: Count
    segments: Count
    ticket: str | None
    """`null` for a sent batch whose answer was lost, and for what was not sent."""
    cost: Amount | None
    """What was billed; `null` where the API did not say."""
    detail: str | None
    anomaly: str | None
    """How a sent batch differs from the plan."""
    done: Count
    """How many requests of the run have an outcome by now."""
    total: Count
    """How many were planned."""


class Outcomes(_Data):
    """People by what became of their batch."""

    sent: Count
    refused: Count
    not_sent: Count = Field(alias="not-sent")
    unknown: Count
    not_tried: Count = Field(alias="not-tried")


class CampaignDoneLine(_Line):
    """No request of the campaign is made any more in this run."""

    type: Literal["campaign-done"] = "campaign-done"
    campaign: str
    is_complete: bool
    """Whether everybody planned was written to."""
    recipients: Outcomes
    """The five add up to those planned."""
    billed: Amount | None


class HaltLine(_Line):
    """Why nothing more is begun; what is under way is waited for before this is told."""

    type: Literal["halt"] = "halt"
    exit_code: int
    """What the run ends with for this reason, if nothing weighs more."""
    reason: str
    hint: str | None


class FindingData(_Data):
    """One thing that is wrong in the project's files."""

    code: str
    severity: Literal["error", "warning"]
    summary: str
    detail: str
    place: str | None
    """`file:line:column`."""
    hint: str | None


class ErrorLine(_Line):
    """Why the command ends without having done all, where that is not a matter of the run itself."""

    type: Literal["error"] = "error"
    message: str
    hint: str | None = None
    findings: tuple[FindingData, ...] = ()


class EndLine(_Line):
    """The last line. A stream without it was cut off: the process was killed, or nobody read."""

    type: Literal["end"] = "end"
    exit_code: int


Line = VersionLine | WaitLine | PlanLine | CampaignLine | BatchLine | CampaignDoneLine | HaltLine | ErrorLine | EndLine


def plan_line(at: str, plan: Plan, run: str) -> PlanLine:
    """The plan of `run`."""
    return PlanLine(
        at=at,
        run=run,
        project=plan.project,
        environment=plan.environment,
        recipients=plan.recipients,
        segments=plan.segments,
        requests=plan.requests,
        cost=_amount(plan.cost),
        campaigns=tuple(_planned(action) for action in plan.actions),
    )


def _planned(action: Action) -> PlannedCampaign:
    requests = action.batches if action.kind.sends else ()
    return PlannedCampaign(
        id=action.campaign,
        action=action.kind,
        recipients=sum(batch.recipients for batch in requests),
        segments=sum(batch.segments for batch in requests),
        requests=len(requests),
        cost=_amount(action.cost.total if action.kind.sends else Decimal(0)),
        reasons=tuple(reason.code for reason in action.reasons),
    )


def event_line(at: str, event: Event, done: int, total: int) -> Line:
    """An event of the run; `done` of its `total` requests have an outcome, with this one."""
    match event:
        case CampaignBegun():
            return CampaignLine(at=at, campaign=event.campaign, recipients=event.recipients, requests=event.requests)
        case Waiting():
            seconds = round(event.seconds, 3)
            return WaitLine(
                at=at, on="api", seconds=seconds, reason=event.reason, campaign=event.campaign, digest=event.digest
            )
        case Delivery():
            return _batch(at, event, done, total)
        case Halt():
            return HaltLine(at=at, exit_code=event.exit_code, reason=event.reason, hint=event.hint)
        case CampaignReport():
            return _campaign_done(at, event)


def _batch(at: str, delivery: Delivery, done: int, total: int) -> BatchLine:
    return BatchLine(
        at=at,
        campaign=delivery.campaign,
        digest=delivery.digest,
        status=delivery.status,
        recipients=delivery.recipients,
        segments=delivery.segments,
        ticket=delivery.ticket,
        cost=_amount(delivery.cost),
        detail=delivery.detail,
        anomaly=delivery.anomaly,
        done=done,
        total=total,
    )


def _campaign_done(at: str, report: CampaignReport) -> CampaignDoneLine:
    outcomes = Outcomes(
        sent=report.recipients(Status.SENT),
        refused=report.recipients(Status.REFUSED),
        not_sent=report.recipients(Status.NOT_SENT),
        unknown=report.recipients(Status.UNKNOWN),
        not_tried=report.untried_recipients,
    )
    return CampaignDoneLine(
        at=at,
        campaign=report.campaign,
        is_complete=report.is_complete,
        recipients=outcomes,
        billed=_amount(report.billed),
    )


def error_line(at: str, error: BaseException) -> ErrorLine:
    """What ended the command; of an error that nobody foresaw only its kind, since its words could hold anything."""
    match error:
        case OctoplanError():
            findings = tuple(map(_finding, error.findings))
            return ErrorLine(at=at, message=error.message, hint=error.hint, findings=findings)
        case click.ClickException():
            return ErrorLine(at=at, message=error.format_message())
        case click.Abort() | KeyboardInterrupt():
            return ErrorLine(at=at, message="interrupted")
    return ErrorLine(at=at, message=f"a bug of octoplan's: {type(error).__name__}")


def _finding(found: Finding) -> FindingData:
    place = None if found.place is None else str(found.place)
    return FindingData(
        code=found.code,
        severity=found.severity,
        summary=found.summary,
        detail=found.detail,
        place=place,
        hint=found.hint,
    )


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def render_line(line: Line) -> bytes:
    """The line in UTF-8, with its line feed."""
    return line.model_dump_json().encode() + b"\n"


def schema_texts() -> dict[str, str]:
    """File name and content of the JSON Schema (2020-12) of a line: the same bytes on every machine."""
    lines: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="type")])
    schema = {"title": _TITLE, **lines.json_schema(mode="serialization")}
    return {"apply-stream.schema.json": render_schema(schema)}

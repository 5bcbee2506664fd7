"""What an apply did: sent, certainly not sent, unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from octoplan.apply.deliver import Status
from octoplan.apply.execute import ApplyReport, CampaignReport
from octoplan.values.amount import render_amount
from octoplan.views.text import count, labelled, paint

_SIGNS = {Status.SENT: "=", Status.REFUSED: "!", Status.NOT_SENT: "~", Status.UNKNOWN: "?"}
_WORDS = {
    Status.SENT: "sent",
    Status.REFUSED: "refused by the API, certainly not sent",
    Status.NOT_SENT: "certainly not sent",
    Status.UNKNOWN: "outcome unknown",
}


def render_report_text(report: ApplyReport, *, width: int = 100, colour: bool = False) -> str:
    """The report as text."""
    lines = [paint(f"Applied (run {report.run})", "strong", colour=colour), ""]
    for campaign in report.campaigns:
        lines += [*_campaign(campaign, width=width, colour=colour), ""]
    lines += _summary(report, width=width, colour=colour)
    return "\n".join(lines) + "\n"


def _campaign(campaign: CampaignReport, *, width: int, colour: bool) -> Iterator[str]:
    yield paint(campaign.campaign, "strong", colour=colour)
    for status in Status:
        found = campaign.of(status)
        if not found:
            continue
        billed = f", billed {render_amount(campaign.billed)}" if status is Status.SENT else ""
        text = f"{count(campaign.recipients(status), 'recipient')} in {count(len(found), 'request')}{billed}"
        yield f"  {paint(_SIGNS[status], _SIGNS[status], colour=colour)} {_WORDS[status]}: {text}"
        if status is Status.SENT:
            tickets = [delivery.ticket or "unknown" for delivery in found]
            shown = ", ".join(tickets[:5]) + (f" … and {len(tickets) - 5:,} more" if len(tickets) > 5 else "")
            yield from labelled("tickets", shown, width=width, colour=colour)
        else:
            for delivery in found[:5]:
                yield from labelled("", f"{delivery.digest}: {delivery.detail}", width=width, colour=colour)
    if campaign.untried_recipients:
        yield f"  {paint('~', '~', colour=colour)} not tried: {count(campaign.untried_recipients, 'recipient')}"


def _summary(report: ApplyReport, *, width: int, colour: bool) -> Iterator[str]:
    sent = report.recipients(Status.SENT)
    unknown = report.recipients(Status.UNKNOWN)
    planned = sum(campaign.planned_recipients for campaign in report.campaigns)
    rest = planned - sent - unknown
    costs = [campaign.billed for campaign in report.campaigns]
    known = [cost for cost in costs if cost is not None]
    billed = sum(known, Decimal(0)) if len(known) == len(costs) else None
    groups = f"{count(sent, 'message')} sent, {rest:,} certainly not sent, {unknown:,} unknown"
    yield paint(
        f"Total: {groups}; billed {render_amount(billed)}", "good" if not report.exit_code else "bad", colour=colour
    )
    if report.halt is not None:
        yield from labelled("stopped", report.halt.reason, width=width, colour=colour, indent=0)
        if report.halt.hint:
            yield from labelled("hint", report.halt.hint, width=width, colour=colour, indent=0)


def render_report_json(report: ApplyReport) -> str:
    """The report as one JSON object, version 1; amounts are strings, `null` where the API did not say."""
    document: dict[str, Any] = {
        "format": "octoplan-report",
        "version": 1,
        "run": report.run,
        "exit_code": int(report.exit_code),
        "halt": None if report.halt is None else {"reason": report.halt.reason, "hint": report.halt.hint},
        "campaigns": [
            {
                "id": campaign.campaign,
                "planned": {"requests": campaign.planned_batches, "recipients": campaign.planned_recipients},
                "recipients": {status: campaign.recipients(status) for status in Status}
                | {"not-tried": campaign.untried_recipients},
                "billed": None if campaign.billed is None else str(campaign.billed),
                "batches": [
                    {
                        "digest": delivery.digest,
                        "status": delivery.status,
                        "recipients": delivery.recipients,
                        "ticket": delivery.ticket,
                        "cost": None if delivery.cost is None else str(delivery.cost),
                        "detail": delivery.detail,
                        "anomaly": delivery.anomaly,
                    }
                    for delivery in campaign.deliveries
                ],
            }
            for campaign in report.campaigns
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

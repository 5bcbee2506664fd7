"""Rules across the fields of a campaign. What depends on contacts or prices is checked by later stages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from octoplan.campaign import rules
from octoplan.campaign.document import Document
from octoplan.campaign.model import CampaignModel, Defaults, Override
from octoplan.campaign.resolve import Campaign
from octoplan.campaign.stop_mention import check_stop_mention
from octoplan.diagnostics import Finding
from octoplan.values.sender import Sender


def check_campaign(model: CampaignModel, document: Document, defaults: Defaults) -> list[Finding]:
    """Every rule across the fields, in the order of the file's sections."""
    return [
        *_check_sender(model, document, defaults),
        *check_stop_mention(model, document),
        *_check_variables(model, document),
        *_check_rewriting(model, document),
    ]


def drop_overridden(findings: Iterable[Finding], overrides: Iterable[Override]) -> list[Finding]:
    """The findings without the warnings that a campaign overrides; errors stay, whatever it says."""
    dropped = {override.rule for override in overrides}
    return [found for found in findings if found.severity == "error" or found.code not in dropped]


def check_times(campaign: Campaign, leaves_at: datetime | None, now: datetime) -> list[Finding]:
    """
    Whether it is too late to send at `now` (aware); `leaves_at` is when the first leaves of what is not handed over.

    `campaign/time-passed` where that is not in the future, `campaign/too-late` where `not_after` is reached. A passed
    time is never turned into "now".
    """
    found = []
    if leaves_at is not None and leaves_at <= now:
        hint = "give it a new time; nothing is sent late by itself"
        detail = _ago(leaves_at)
        if campaign.recipient_time is not None:
            detail = f"The first wave that is not handed over was to leave at {leaves_at:%Y-%m-%d %H:%M} UTC."
        found.append(rules.TIME_PASSED.at(campaign.place("schedule", "at"), detail, hint))
    if campaign.not_after is not None and campaign.not_after <= now:
        found.append(rules.TOO_LATE.at(campaign.place("schedule", "not_after"), _ago(campaign.not_after)))
    return found


def _ago(moment: datetime) -> str:
    return f"That was {moment.isoformat(timespec='minutes')}."


def _check_sender(model: CampaignModel, document: Document, defaults: Defaults) -> list[Finding]:
    if model.type == "sms_low_cost":
        detail = "It is not sent along; the operator shows a number."
        return [rules.LOW_COST_SENDER.at(document.key_place("sender"), detail, "remove it")] if model.sender else []
    sender = model.sender or defaults.sender
    if ("sender",) in document.empty:
        return []
    if sender is None:
        detail = "Octopush then shows the sender of the account's settings."
        return [rules.NO_SENDER.at(document.place("type"), detail, "add `sender:`, here or in the project's defaults")]
    if not Sender(sender).has_space:
        return []
    detail = "Octopush's rule allows letters and digits only, though its own example has a space; it may be refused."
    return [rules.SENDER_SPACE.at(document.place("sender"), detail, f"for example `{sender.replace(' ', '')}`")]


def _check_variables(model: CampaignModel, document: Document) -> list[Finding]:
    return [
        rules.VARIABLE_TWICE.at(
            document.key_place("recipients", "columns", name),
            f"`{name}` is a column here and a value in `message.vars`.",
            "rename one of them",
        )
        for name in model.recipients.columns
        if name in model.message.vars
    ]


def _check_rewriting(model: CampaignModel, document: Document) -> list[Finding]:
    if not model.auto_optimize_text:
        return []
    detail = "What is delivered can then differ from the text that the plan shows, and so can its length."
    return [rules.TEXT_REWRITTEN.at(document.key_place("auto_optimize_text"), detail, "leave it out")]

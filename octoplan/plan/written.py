"""A campaign as its file has it: the texts, and every setting as it was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from octoplan.campaign.resolve import Campaign
from octoplan.limits import INCLUDES_FOLDER
from octoplan.messages.includes import ReadInclude
from octoplan.messages.template import parse_template

_ELSEWHERE: Final = ("id", "message.template", "message.vars", "overrides")
"""Not among the settings: texts are texts, and a plan itself has all there is to say about the others."""
HIDDEN: Final = frozenset({"recipients.where", "recipients.query"})
"""Conditions may quote somebody's number or name, so only that they are another one is told."""


@dataclass(frozen=True, slots=True)
class Written:
    """`settings` by their dotted name, `texts` by the name of the field or file."""

    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


def describe_written(campaign: Campaign, read: ReadInclude) -> Written:
    """
    Take a campaign apart; `read` gives the files that the template includes.

    :raises InvalidInput: if one of these cannot be read.
    """
    message = campaign.model.message
    included = parse_template(message.template, campaign.place_in_template(1), read).included
    texts = {"message.template": message.template}
    texts |= {f"message.vars.{name}": text for name, text in message.vars.items()}
    texts |= {f"{INCLUDES_FOLDER}/{name}": text for name, text in included.items()}
    return Written(dict(_flatten(campaign.document.data, "")), texts)


def _flatten(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if name in _ELSEWHERE:
        return
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flatten(each, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(str(each) for each in value)
    else:
        yield name, value

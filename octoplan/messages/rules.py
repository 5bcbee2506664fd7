"""
Every rule that a template, and the values filled into it, can break.

The details that go with them name columns, expressions and numbers of rows; never a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from octoplan.diagnostics import Rule
from octoplan.rulebook.data import shortener_hosts

_LINKS: Final = "Bandwidth's and UpCell's lists of link shorteners (rules_data/links.yaml)"

# --- the template as written -----------------------------------------------------------------------------------------
SYNTAX: Final = Rule("message/syntax", "Template cannot be read")
CONSTRUCT: Final = Rule("message/construct", "Template uses what octoplan does not allow")
UNKNOWN_FILTER: Final = Rule("message/unknown-filter", "Unknown filter or test")
TOO_LARGE: Final = Rule("message/too-large", "Template is too large")
NORMALISED: Final = Rule("message/normalised", "Template was normalised", "warning")
SHORTENED_LINK_IN_TEXT: Final = Rule(
    "message/shortened-link-in-text", "Template with a link that operators block", "warning", _LINKS
)
LITERAL_PLACEHOLDER: Final = Rule("message/literal-placeholder", "Merge field of the API in the text")

# --- values ----------------------------------------------------------------------------------------------------------
MISSING_VALUE: Final = Rule("message/missing-value", "Value is missing")
EMPTY_VALUE: Final = Rule("message/empty-value", "Value is empty")
CONTROL_CHARACTER: Final = Rule("message/control-character", "Control character or line break")
BIDIRECTIONAL_CONTROL: Final = Rule("message/bidirectional-control", "Character that reorders text")
INJECTION: Final = Rule("message/injection", "Value with braces or XXXXX")
STOP_IN_VALUE: Final = Rule("message/stop-in-value", "Value with a STOP mention")
SHORTENED_LINK: Final = Rule("message/shortened-link", "Value with a link that operators block", source=_LINKS)
NOT_TEXT: Final = Rule("message/not-text", "Expression gives neither text nor a number")
UNBOUNDED: Final = Rule("message/unbounded", "Template does too much work or makes too long a text")
FAILED: Final = Rule("message/failed", "Template fails")

LEFT_OUT: Final = Rule("message/left-out", "Recipients are left out for an unsafe value", "warning")
ESCAPED: Final = Rule("message/escaped", "Unsafe values are escaped", "warning")
TOO_MANY_LEFT_OUT: Final = Rule("message/too-many-left-out", "Too many recipients with an unsafe value")
UNSAFE: Final = frozenset((CONTROL_CHARACTER, BIDIRECTIONAL_CONTROL, INJECTION, STOP_IN_VALUE, SHORTENED_LINK))
"""The rules on values that `message.on_unsafe` is about."""
ACCEPTABLE: Final = frozenset((SHORTENED_LINK.code,))
"""Those of them that a campaign may override, by id: operators may mind, the API does not."""

# --- texts as filled in ----------------------------------------------------------------------------------------------
EMPTY_TEXT: Final = Rule("message/empty-text", "Message is empty")
TEXT_TOO_LONG: Final = Rule("message/text-too-long", "Message is too long")
TOO_MANY_TEXTS: Final = Rule("message/too-many-texts", "Too many different messages")

CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
CONTROL_BUT_NEWLINE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
BIDIRECTIONAL: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PLACEHOLDER: Final = re.compile(r"\{(?:first_name|last_name|param[1-5])\}")
MENTION: Final = re.compile(r"STOP a[ut] (?:XXXXX|[0-9]{5})|no PUB=STOP")
"""What the API looks for in the text of a marketing message, before it fills in any merge field."""
MENTION_IN_VALUE: Final = r"(?i:\bSTOP\s+(?:au|at|to|à)\s+(?:XXXXX|[0-9]{5})\b|\bno PUB\s*=\s*STOP\b)"
"""The same in data, also in a form that a person would take for it; `re` and RE2 read it alike."""
SHORTENER: Final = rf"(?i:(?:^|[^\w.-])(?:www\.)?(?:{'|'.join(map(re.escape, shortener_hosts()))})/)"
SUSPICIOUS: Final = rf"XXXXX|{MENTION_IN_VALUE}|{SHORTENER}"
"""What even printable ASCII without braces may hold."""
INJECTED: Final = re.compile("[{}]|XXXXX")
_CHECKS: Final = (
    (EMPTY_VALUE, re.compile(r"\A\s*\Z")),
    (CONTROL_CHARACTER, CONTROL),
    (BIDIRECTIONAL_CONTROL, BIDIRECTIONAL),
    (INJECTION, INJECTED),
    (STOP_IN_VALUE, re.compile(MENTION_IN_VALUE)),
    (SHORTENED_LINK, re.compile(SHORTENER)),
)
_CONSTANT_CHECKS: Final = tuple(
    (rule, CONTROL_BUT_NEWLINE if rule is CONTROL_CHARACTER else pattern)
    for rule, pattern in _CHECKS
    if rule not in (STOP_IN_VALUE, SHORTENED_LINK)
)


def value_rule(value: str, *, constant: bool, accepted: Collection[str] = ()) -> Rule | None:
    """
    The first rule that a filled-in value breaks, but for those `accepted`, by id.

    A `constant` comes from the campaign file, where a reviewer sees it.

    Braces would be read by the API as a merge field, and each XXXXX is replaced by the operator's short code. A STOP
    mention turns a message into marketing, and one that comes from data may be another sender's.
    """
    if value.isalnum() and "XXXXX" not in value:
        return None
    checks = _CONSTANT_CHECKS if constant else _CHECKS
    return next((rule for rule, pattern in checks if rule.code not in accepted and pattern.search(value)), None)


_CLEAN: Final = "clean the column, or let `message.on_unsafe` leave such rows out"
HINTS: Final = {
    MISSING_VALUE: "fill the column, leave those rows out with `where`, or write `default('...')`",
    EMPTY_VALUE: "fill the column, leave those rows out with `where`, or write `default('...', true)`",
    CONTROL_CHARACTER: f"{_CLEAN} or escape them",
    BIDIRECTIONAL_CONTROL: f"{_CLEAN} or escape them",
    INJECTION: f"{_CLEAN} or escape them: the API would fill in such a value a second time",
    STOP_IN_VALUE: f"{_CLEAN}: the STOP mention stands in the template",
    SHORTENED_LINK: "use a domain of your own, leave such rows out with `on_unsafe`, or override the rule",
    NOT_TEXT: "use a filter such as `join` or `first`, or `{% if %}`",
    UNBOUNDED: "write a simpler template",
    FAILED: "check with `preview` what the expression gives for such a row",
}
"""The next step for each rule on values."""

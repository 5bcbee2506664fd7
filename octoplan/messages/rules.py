"""
Every rule that a template, and the values filled into it, can break.

The details that go with them name columns, expressions and numbers of rows; never a value.
"""

from __future__ import annotations

import re
from typing import Final

from octoplan.diagnostics import Rule

# --- the template as written -----------------------------------------------------------------------------------------
SYNTAX: Final = Rule("message/syntax", "Template cannot be read")
CONSTRUCT: Final = Rule("message/construct", "Template uses what octoplan does not allow")
UNKNOWN_FILTER: Final = Rule("message/unknown-filter", "Unknown filter or test")
TOO_LARGE: Final = Rule("message/too-large", "Template is too large")
NORMALISED: Final = Rule("message/normalised", "Template was normalised", "warning")
LITERAL_PLACEHOLDER: Final = Rule("message/literal-placeholder", "Merge field of the API in the text")

# --- values ----------------------------------------------------------------------------------------------------------
MISSING_VALUE: Final = Rule("message/missing-value", "Value is missing")
EMPTY_VALUE: Final = Rule("message/empty-value", "Value is empty")
CONTROL_CHARACTER: Final = Rule("message/control-character", "Control character or line break")
BIDIRECTIONAL_CONTROL: Final = Rule("message/bidirectional-control", "Character that reorders text")
INJECTION: Final = Rule("message/injection", "Value with braces or XXXXX")
NOT_TEXT: Final = Rule("message/not-text", "Expression gives neither text nor a number")
UNBOUNDED: Final = Rule("message/unbounded", "Template does too much work or makes too long a text")
FAILED: Final = Rule("message/failed", "Template fails")

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
_BLANK: Final = re.compile(r"\s*\Z")
INJECTED: Final = re.compile("[{}]|XXXXX")


def value_rule(value: str, *, constant: bool) -> Rule | None:
    """
    The first rule that a filled-in value breaks. A `constant` comes from the campaign file and may hold line breaks.

    Braces would be read by the API as a merge field, and each XXXXX is replaced by the operator's short code.
    """
    if value.isalnum() and "XXXXX" not in value:
        return None
    control = CONTROL_BUT_NEWLINE if constant else CONTROL
    checks = (
        (EMPTY_VALUE, _BLANK.match),
        (CONTROL_CHARACTER, control.search),
        (BIDIRECTIONAL_CONTROL, BIDIRECTIONAL.search),
        (INJECTION, INJECTED.search),
    )
    return next((rule for rule, breaks in checks if breaks(value)), None)


HINTS: Final = {
    MISSING_VALUE: "fill the column, leave those rows out with `where`, or write `default('...')`",
    EMPTY_VALUE: "fill the column, leave those rows out with `where`, or write `default('...', true)`",
    CONTROL_CHARACTER: "clean the column, or use `replace`",
    BIDIRECTIONAL_CONTROL: "clean the column, or use `replace`",
    INJECTION: "clean the column: the API would fill in such a value a second time",
    NOT_TEXT: "use a filter such as `join` or `first`, or `{% if %}`",
    UNBOUNDED: "write a simpler template",
    FAILED: "check with `preview` what the expression gives for such a row",
}
"""The next step for each rule on values."""

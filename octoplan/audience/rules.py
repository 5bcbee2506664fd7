"""What the audience stage can find wrong, and the reasons for which a contact gets no message."""

from __future__ import annotations

from typing import Final

import phonenumbers

from octoplan.diagnostics import Rule

MISSING_FILE: Final = Rule("audience/missing-file", "File cannot be read")
SOURCE_TOO_LARGE: Final = Rule("audience/source-too-large", "Source is larger than is read")
SOURCE_TOO_SLOW: Final = Rule("audience/source-too-slow", "Source took longer than is waited for")
OUT_OF_ROOM: Final = Rule("audience/out-of-room", "List does not fit into this machine")
UNREADABLE_SOURCE: Final = Rule("audience/unreadable-source", "Source cannot be read")
UNUSABLE_COLUMN: Final = Rule("audience/unusable-column", "Column holds no plain values")
OTHER_COLUMNS: Final = Rule("audience/other-columns", "Files of one source have different columns")
BAD_QUERY: Final = Rule("audience/bad-query", "Query cannot be used")
FAULTY_TABLE: Final = Rule("audience/faulty-table", "Table of a query has faulty rows")
BAD_CONNECTION: Final = Rule("audience/bad-connection", "Connection cannot be used")
NOT_ALLOWED_SOURCE: Final = Rule("audience/source-not-allowed", "The environment does not allow this source")
TOO_MANY_INVALID: Final = Rule("audience/too-many-invalid", "More rows cannot be used than the campaign accepts")
EMPTY_FILE: Final = Rule("audience/empty-file", "File has no header line")
UNREADABLE_TEXT: Final = Rule("audience/unreadable-text", "Text cannot be decoded")
UNKNOWN_ENCODING: Final = Rule("audience/unknown-encoding", "Unknown encoding")
GUESSED_ENCODING: Final = Rule("audience/guessed-encoding", "Encoding was guessed", "warning")
BAD_DELIMITER: Final = Rule("audience/bad-delimiter", "Delimiter is not one character")
TOO_MANY_COLUMNS: Final = Rule("audience/too-many-columns", "Header has too many columns")
MISSING_COLUMN: Final = Rule("audience/missing-column", "No such column")
AMBIGUOUS_COLUMN: Final = Rule("audience/ambiguous-column", "Several columns could be meant")
INEXACT_COLUMN: Final = Rule("audience/inexact-column", "Column name differs in spelling", "warning")
UNKNOWN_REGION: Final = Rule("audience/unknown-region", "Unknown region")
BAD_WHERE: Final = Rule("audience/bad-where", "Filter cannot be used")
BAD_ALLOW_LIST: Final = Rule("audience/bad-allow-list", "Allow-list holds something that is no phone number")
SUPPRESSION_COLUMN: Final = Rule("audience/suppression-column", "Suppression list has several columns")
EMPTY_SUPPRESSION: Final = Rule("audience/empty-suppression", "Suppression list is empty", "warning")
UNREADABLE_SUPPRESSION: Final = Rule(
    "audience/unreadable-suppression", "Suppression list holds entries that are no phone numbers", "warning"
)
KEPT_LANDLINES: Final = Rule("audience/kept-landlines", "Numbers that get no SMS are written to", "warning")

FAULTY_ROW: Final = "faulty-row"
NOT_SELECTED: Final = "not-selected"
EMPTY_NUMBER: Final = "empty-number"
SPREADSHEET_NUMBER: Final = "spreadsheet-number"
OVERSEAS_NUMBER: Final = "overseas-number"
AMBIGUOUS_NUMBER: Final = "ambiguous-number"
INVALID_NUMBER: Final = "invalid-number"
NOT_MOBILE: Final = "not-mobile"
DUPLICATE: Final = "duplicate"
SUPPRESSED: Final = "suppressed"
NOT_ALLOWED: Final = "not-allowed"
NOT_SAMPLED: Final = "not-sampled"
OVER_LIMIT: Final = "over-limit"
UNSAFE_VALUE: Final = "unsafe-value"

EXPLANATIONS: Final = {
    FAULTY_ROW: (
        "the row has another number of fields than the header, a broken quote, or a field over the limit; "
        "where a quote is never closed, each line it swallows counts"
    ),
    NOT_SELECTED: "the campaign's `where` does not select the row",
    EMPTY_NUMBER: "the row has no phone number",
    SPREADSHEET_NUMBER: (
        "a spreadsheet turned the number into a decimal or scientific figure and lost digits; "
        "format the column as text and export it again"
    ),
    OVERSEAS_NUMBER: (
        "a French overseas mobile as dialled nationally; write it with its own code, "
        "+590, +262, +594 or +596, and the same nine digits"
    ),
    AMBIGUOUS_NUMBER: "the number holds letters or an extension, so it may not be the number that was meant",
    INVALID_NUMBER: (f"not a valid phone number by libphonenumber's rules (phonenumbers {phonenumbers.__version__})"),
    NOT_MOBILE: (
        "a valid number of a line that gets no SMS: fixed, premium rate, free, shared cost, a company's, voicemail or "
        "a pager, and the campaign's `recipients` say `on_landline: exclude`"
    ),
    DUPLICATE: "another row with the same number was taken: the one with the smallest row key",
    SUPPRESSED: "the number is on a suppression list",
    NOT_ALLOWED: "the environment's allow-list does not hold the number",
    NOT_SAMPLED: "the number is not in the campaign's `sample`",
    UNSAFE_VALUE: "a value of the row must not be in a message, and the campaign's `message` says `on_unsafe: drop`",
    OVER_LIMIT: "the number comes after those that the campaign's `limit` takes",
}
"""Reason -> what it means. The codes are stable: plans and reports carry them."""

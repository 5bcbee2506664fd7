"""Every rule that a campaign file or `octoplan.yaml` can break, with its stable code."""

from __future__ import annotations

from typing import Final

from octoplan.diagnostics import Rule

# --- the file --------------------------------------------------------------------------------------------------------
NO_FILE: Final = Rule("source/no-file", "File cannot be read")
PATH_OUTSIDE: Final = Rule("source/path-outside", "Path is not inside the project")
TOO_LARGE: Final = Rule("source/too-large", "File is too large")
NOT_UTF8: Final = Rule("source/not-utf8", "File is not UTF-8")
BYTE_ORDER_MARK: Final = Rule("source/byte-order-mark", "File starts with a byte-order mark", "warning")
HIDDEN_CHARACTER: Final = Rule("source/hidden-character", "Character that a reviewer cannot see")
TOO_MANY_FINDINGS: Final = Rule("source/too-many-findings", "More findings than are listed")

# --- YAML ------------------------------------------------------------------------------------------------------------
SYNTAX: Final = Rule("yaml/syntax", "YAML cannot be read")
TAB: Final = Rule("yaml/tab", "Tab in the indentation")
DUPLICATE_KEY: Final = Rule("yaml/duplicate-key", "Key is written twice")
EMPTY_VALUE: Final = Rule("yaml/empty-value", "Key without a value")
EMPTY_FILE: Final = Rule("yaml/empty-file", "File is empty")
NOT_A_MAPPING: Final = Rule("yaml/not-a-mapping", "File is not a mapping of keys to values")
KEY_KIND: Final = Rule("yaml/key-kind", "Key is not plain text")
MERGE_KEY: Final = Rule("yaml/merge-key", "Merge keys are not supported")
TAG: Final = Rule("yaml/tag", "Tags are not supported")
ALIAS: Final = Rule("yaml/alias", "Alias cannot be resolved")
SECOND_DOCUMENT: Final = Rule("yaml/second-document", "More than one document in a file")
TOO_DEEP: Final = Rule("yaml/too-deep", "Nested too deeply")
TOO_MANY_NODES: Final = Rule("yaml/too-many-nodes", "Too many values")

# --- fields, of campaigns and of the project alike -------------------------------------------------------------------
UNKNOWN_FIELD: Final = Rule("campaign/unknown-field", "Unknown field")
MISSING_FIELD: Final = Rule("campaign/missing-field", "Missing field")
UNKNOWN_VALUE: Final = Rule("campaign/unknown-value", "Value is none of the known ones")
WRONG_KIND: Final = Rule("campaign/wrong-kind", "Value is of the wrong kind")
BAD_VALUE: Final = Rule("campaign/bad-value", "Value cannot be used")

# --- across the fields of a campaign ---------------------------------------------------------------------------------
FIELD_ELSEWHERE: Final = Rule("campaign/field-elsewhere", "Field belongs to another kind of source")
QUERY_OVER: Final = Rule("campaign/query-over", "Query has no tables, or too many sources")
DUPLICATE_ID: Final = Rule("campaign/duplicate-id", "Two campaigns have the same id")
_CODES: Final = "Octopush's page on scheduled sending and its return codes 121 and 122"
_NOTICE: Final = "Octopush's notice of 2013 on the STOP mention"
STOP_MISSING: Final = Rule("campaign/stop-missing", "Marketing message without a STOP mention", source=_CODES)
STOP_FORM: Final = Rule("campaign/stop-form", "STOP mention is written in a form that is not accepted", source=_CODES)
STOP_CONDITIONAL: Final = Rule("campaign/stop-conditional", "STOP mention is not in every message", source=_CODES)
STOP_NOT_LAST: Final = Rule("campaign/stop-not-last", "STOP mention is not at the end", "warning", _NOTICE)
STOP_IN_ALERT: Final = Rule(
    "campaign/stop-in-alert",
    "Transactional message with a STOP mention",
    "warning",
    "Brevo's pages for developers; whether it holds for Octopush is not known",
)
STRAY_PLACEHOLDER: Final = Rule("campaign/stray-placeholder", "XXXXX outside a STOP mention", source=_NOTICE)
LOW_COST_SENDER: Final = Rule(
    "campaign/low-cost-sender", "Low cost messages show no sender", "warning", "Octopush's old client libraries"
)
NO_SENDER: Final = Rule("campaign/no-sender", "Premium message without a sender", "warning")
SENDER_SPACE: Final = Rule(
    "campaign/sender-space",
    "Sender with a space",
    "warning",
    "Octopush's page on scheduled sending and its return code 106; af2m's page on senders for France",
)
TEXT_REWRITTEN: Final = Rule(
    "campaign/text-rewritten", "Octopush may rewrite the text", "warning", "Octopush's page on scheduled sending"
)
UNKNOWN_RULE: Final = Rule("campaign/unknown-rule", "Override of a rule that does not exist")
NO_OVERRIDE: Final = Rule("campaign/no-override", "Rule cannot be overridden")
VARIABLE_TWICE: Final = Rule("campaign/variable-twice", "Variable has two sources")
NO_TIMEZONE: Final = Rule("campaign/no-timezone", "Local time without a time zone")
TIME_SKIPPED: Final = Rule("campaign/time-skipped", "Local time does not exist")
TIME_TWICE: Final = Rule("campaign/time-twice", "Local time happens twice")
TIME_CHOSEN: Final = Rule("campaign/time-chosen", "Local time was read with the rule for clock changes", "warning")
OFFSET_MISMATCH: Final = Rule("campaign/offset-mismatch", "Offset is not the time zone's")
RECIPIENT_TIME: Final = Rule("campaign/recipient-time", "Time on the recipients' own clocks is not clear")
RECIPIENT_ZONE: Final = Rule("campaign/recipient-zone", "Nothing tells the recipients' time zone")
TIME_ORDER: Final = Rule("campaign/time-order", "Nothing can be sent before not_after")
TIME_PASSED: Final = Rule("campaign/time-passed", "Time to send has passed")
TOO_LATE: Final = Rule("campaign/too-late", "It is later than not_after")

# --- what a platform team asks for -----------------------------------------------------------------------------------
_POLICY: Final = "the project's `policy`"
POLICY_FIELD: Final = Rule("policy/required-field", "Policy asks for a field", source=_POLICY)
POLICY_SENDER: Final = Rule("policy/sender", "Policy does not allow this sender", source=_POLICY)
POLICY_TYPE: Final = Rule("policy/type", "Policy does not allow this type of message", source=_POLICY)
POLICY_PURPOSE: Final = Rule("policy/purpose", "Policy does not allow this purpose", source=_POLICY)
POLICY_OVERRIDE: Final = Rule("policy/override", "Policy does not allow this override", source=_POLICY)
POLICY_COUNTRY: Final = Rule("policy/country", "Policy does not allow recipients of these countries", source=_POLICY)
POLICY_OWNER: Final = Rule("policy/owner-over-cost", "Policy asks for another owner at this cost", source=_POLICY)

# --- the project -----------------------------------------------------------------------------------------------------
UNKNOWN_ENVIRONMENT: Final = Rule("project/unknown-environment", "Environment is not declared")
NO_CAMPAIGNS: Final = Rule("project/no-campaigns", "No campaign file was found", "warning")
UNKNOWN_CAMPAIGN: Final = Rule("test/unknown-campaign", "Test of a campaign that is not there")
TOO_MANY_FILES: Final = Rule("project/too-many-files", "Too many files")

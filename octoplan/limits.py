"""
Every bound in octoplan, with its unit in the name and its reason beside it.

A campaign file can come from a stranger's pull request (guarantee G7), so each file, loop, request and wait is bounded
by a line here. Facts of the API name their source; "the send page" is Octopush's page on scheduled sending.
"""

from __future__ import annotations

from typing import Final

# --- the API ---------------------------------------------------------------------------------------------------------
RECIPIENTS_PER_BATCH_MAX: Final = 500
"""Octopush's page on sending says "campaign up to 500"; the send page gives no maximum. Never more."""
TEXT_CHARACTERS_MAX: Final = 1224
"""The send page: message text from 1 to 1224 characters. Applied to the text as filled in for each recipient."""
UCS2_UNITS_MAX: Final = 504
"""8 parts of 63 units: the smaller of the two part sizes that Octopush's own pages name for Unicode."""
MERGE_VALUE_CHARACTERS_MAX: Final = 50
"""Octopush's page on personalised sending: 50 characters for each of the seven merge fields."""
REQUEST_ID_LIFETIME_S: Final = 24 * 3600
"""The send page: "a request_id will expire after 24 hours"."""
REPEAT_WINDOW_S: Final = 20 * 3600
"""How long an unknown outcome may be repeated under the same request id: the lifetime less a margin for clocks."""
BLACKLIST_OPTION_PRICE: Final = "0.01"
"""The send page: `auto_remove_blacklisted_numbers` adds 0.01 for each request."""
CANCEL_RECIPIENTS_BELOW: Final = 3
"""Octopush's reference on cancelling: only campaigns with fewer than 3 recipients."""
CANCEL_AHEAD_S: Final = 10 * 60
"""Octopush's reference on cancelling: more than 10 minutes ahead."""

# --- files that people write -----------------------------------------------------------------------------------------
CAMPAIGN_FILE_BYTES_MAX: Final = 256 * 1024
"""A campaign is a page of text; a larger file is a mistake or an attack."""
YAML_DEPTH_MAX: Final = 32
YAML_NODES_MAX: Final = 20_000
"""Nodes after aliases are expanded, so that nested anchors cannot explode."""
CAMPAIGN_FILES_MAX: Final = 2_000
FINDINGS_PER_FILE_MAX: Final = 200
"""More than anybody reads at once; that there are more is said."""
PATH_CHARACTERS_MAX: Final = 512
PROJECT_ENTRIES_MAX: Final = 100_000
"""Files and folders looked at to find the campaigns; a repository has fewer."""
PROJECT_PARENTS_MAX: Final = 64
"""Folders upward in which `octoplan.yaml` is looked for."""
DESCRIPTION_CHARACTERS_MAX: Final = 2_000
TEST_CASES_MAX: Final = 200
"""Tests in one file; each is a plan of its own, some tenths of a second."""
TEST_CONTACTS_MAX: Final = 200
"""Made-up contacts of one test."""
VAR_CHARACTERS_MAX: Final = 1224
"""No variable can be longer than the text that the API takes."""

# --- contacts --------------------------------------------------------------------------------------------------------
CONTACT_COLUMNS_MAX: Final = 512
CONTACT_FIELD_BYTES_MAX: Final = 64 * 1024
CONTACT_LINE_BYTES_MAX: Final = 1024 * 1024
SOURCE_BYTES_MAX: Final = 8 * 1024**3
"""One file, also after unpacking: about 100 million rows."""
SOURCE_FILES_MAX: Final = 1_000
"""Files that one pattern stands for."""
STORE_LISTED_MAX: Final = 100_000
"""Files in object storage that a pattern's beginning may stand for; each thousand costs a request."""
STORE_LISTING_BYTES_MAX: Final = 64 * 1024**2
"""What a store answers when it is asked for these names."""
UNPACKED_FREE_BYTES: Final = 64 * 1024**2
UNPACKED_RATIO_MAX: Final = 200
"""A compressed list shrinks to a third or a twentieth; what grows more than this, beyond the bytes above, is a bomb."""
SPOOL_BYTES_MAX: Final = 8 * 1024**3
"""What a query, a database or a workbook gives, as it waits on disk."""
WORKBOOK_BYTES_MAX: Final = 2 * 1024**3
"""A workbook unpacked; its format allows about a million rows."""
WORKBOOK_TEXTS_BYTES_MAX: Final = 256 * 1024**2
"""Texts that cells share; they are in memory."""
ESTIMATE_SAMPLE_BYTES: Final = 64 * 1024
"""How much of a file is looked at to guess how many records it has."""
QUERY_CHARACTERS_MAX: Final = 20_000
QUERY_TABLES_MAX: Final = 32
QUERY_DEPTH_MAX: Final = 200
"""How deep the parts of a query may nest."""
QUERY_TIME_MAX_S: Final = 300.0
CONNECT_TIME_MAX_S: Final = 10
DOWNLOAD_TIME_MAX_S: Final = 900.0
"""A list on the web, from the first byte to the last."""
"""For a database to answer at all."""
QUERY_SPILL_MAX: Final = "8GB"
"""What a query may put aside on disk; beyond that it fails."""
QUERY_VALUE_BYTES_MAX: Final = 16 * 1024**2
"""The longest text that SQLite may make."""
ODD_NUMBERS_REMEMBERED: Final = 65_536
"""Writings of numbers that only the library can read; they repeat (`ask Camille`), and each costs some 30 us."""
FREQUENT_CODES_MAX: Final = 8
"""Calling codes with a fast path of their own: each costs every number of the codes after it a comparison."""
WHERE_CHARACTERS_MAX: Final = 2_000
WHERE_DEPTH_MAX: Final = 100
"""How deep the expression of a filter may nest."""
EXCLUSION_EXAMPLES_MAX: Final = 5
"""Rows named for each reason of exclusion; the rest are counted."""
EXCLUDED_SHOWN_MAX: Final = 1_000
"""Rows that `octoplan excluded` shows for each reason, if it is asked for so many."""
ENGINE_MEMORY: Final = "600MB"
"""DuckDB's limit; it spills to its private directory beyond."""
PARTITION_MEMORY_BYTES: Final = 192 * 1024 * 1024
"""Recipients kept in memory between two stages; more wait in a private directory."""
ARROW_ROWS_PER_BATCH: Final = 65_536
RECIPIENTS_PER_BUCKET: Final = 32_768
"""An audience is cut into 2^k buckets so that each holds about this many; small audiences have one."""
BUCKET_BITS_MAX: Final = 24

# --- templates -------------------------------------------------------------------------------------------------------
TEMPLATE_CHARACTERS_MAX: Final = 20_000
INCLUDES_FOLDER: Final = "messages"
"""The only folder of the project from which a template can include."""
INCLUDE_DEPTH_MAX: Final = 5
TEMPLATE_OUTPUT_CHARACTERS_MAX: Final = 20_000
"""One rendered value or text; well above what the API takes, well below what hurts."""
TEMPLATE_RANGE_MAX: Final = 1_000
TEMPLATE_DEPTH_MAX: Final = 50
"""Nesting of blocks and expressions; keeps parser and compiler far from Python's own limits."""
TEMPLATE_LOOP_DEPTH_MAX: Final = 2
TEMPLATE_WORK_MAX: Final = 20_000
"""Parts of loop bodies evaluated in one rendering (passes x size of the body), so that no loop can hold up a plan."""
TEMPLATE_NUMBER_MAX: Final = 10**18
"""Largest result of `+` and `*`: numbers cannot grow without bound."""
TEMPLATE_DECIMALS_MAX: Final = 20
"""Largest precision of `round`."""
EXPRESSION_SHOWN_CHARACTERS_MAX: Final = 80
"""How much of an expression a finding or a plan shows."""
RENDERED_VALUES_KEPT_MAX: Final = 100_000
"""Distinct combinations of values whose rendering is remembered, for each expression; then memory starts anew."""
MESSAGE_TEXTS_MAX: Final = 100_000
"""Different texts of one campaign; each needs a request of its own."""
TEMPLATE_CHOICES_MAX: Final = 12
"""`{% if %}`s whose branches are looked at one by one; each further one is rendered as a whole."""
BRANCH_PATTERNS_MAX: Final = 512
"""Combinations of branches that recipients take, while texts are chosen; beyond, they are grouped by identical text."""
LAYOUT_WORK_MAX: Final = 10_000
"""Parts of a template laid out while texts are chosen, some seconds; then the best that was found is taken."""
MESSAGE_VARIANTS_MAX: Final = 256
"""Texts that branches are split into; each costs every Arrow batch a pass."""
CHARACTER_SETS_MAX: Final = 1_000
"""Sets of characters that make messages longer; beyond, only the columns that they come from are told apart."""
CHARACTERS_SHOWN_MAX: Final = 50
"""Of those, how many a plan names."""
LEFT_OUT_MAX: Final = 100_000
"""Recipients left out for an unsafe value; a list with more is not the right one, and they are kept in memory."""
VALUES_COUNTED_MAX: Final = 1_000
"""Different values of a fragment that are counted to see whether a text for each would do."""

# --- network ---------------------------------------------------------------------------------------------------------
CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 60.0
"""The API computes a campaign before it answers; too short a wait makes an unknown outcome of a slow success."""
WRITE_TIMEOUT_S: Final = 30.0
REQUEST_TIME_MAX_S: Final = 150.0
"""One request as a whole, from connected to answered: each read has its own time-out, so a server that drips bytes
could hold the lease for ever. More than connecting, writing and one full read together."""
RESPONSE_BYTES_MAX: Final = 1024 * 1024
TICKET_CHARACTERS_MAX: Final = 128
"""Known tickets have 17 to 26; one that is longer is not written into the lock file."""
AMOUNT_MAX: Final = 10**12
AMOUNT_DECIMALS_MAX: Final = 18
"""The API's costs have up to 8 decimals; figures beyond these two bounds are not money and are not kept."""
API_MESSAGE_CHARACTERS_MAX: Final = 500
"""How much of the API's own words is kept and shown."""
SEND_TRIES_MAX: Final = 5
"""Repeats of one request in one run, first try included, before the run stops."""
BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
STOP_GRACE_S: Final = 5.0
"""How long requests under way may take after SIGINT or SIGTERM; with everything else the process ends within 7 s."""
STOP_TIME_MAX_S: Final = 6.5
"""From SIGINT or SIGTERM to the end of apply, whatever still hangs."""
LANES_MAX: Final = 32
"""Requests at once; the API's own limit is not known."""
RETRY_AFTER_MAX_S: Final = 300.0
"""A longer Retry-After ends the run instead of holding the lease."""

# --- pages and comments in a forge -----------------------------------------------------------------------------------
GITHUB_COMMENT_BYTES_MAX: Final = 64_000
"""GitHub takes 65,536 characters; the rest is for the marker and the foot of the comment."""
GITLAB_NOTE_BYTES_MAX: Final = 990_000
"""GitLab takes 1,000,000 characters."""
GITHUB_SUMMARY_BYTES_MAX: Final = 1_000_000
"""GitHub takes 1 MiB a step, and drops all of it if there is more."""
FORGE_EVENT_BYTES_MAX: Final = 32 * 1024 * 1024
"""The file about the event that started a run; GitHub sends none over 25 MB."""
FORGE_RESPONSE_BYTES_MAX: Final = 32 * 1024 * 1024
"""One page of comments, each as long as comments may be."""
FORGE_PAGES_MAX: Final = 200
FORGE_TRIES_MAX: Final = 5
FORGE_REQUEST_TIME_MAX_S: Final = 60.0
FORGE_WAIT_MAX_S: Final = 60.0
"""A forge that asks to wait longer is not waited for: the job costs more than the comment."""

# --- sending hours ---------------------------------------------------------------------------------------------------
WINDOW_SEARCH_DAYS: Final = 31
"""How far ahead the next permitted slot is looked for: the longest run of Sundays and holidays is five days."""
REQUEST_TIME_ESTIMATE_S: Final = 2.0
"""What one request takes where no pace is set, for estimating when a run ends: cautious, an answer takes below 1 s."""
OVERRIDES_MAX: Final = 50
"""Rules that one campaign may override."""

# --- state -----------------------------------------------------------------------------------------------------------
STATE_BUSY_TIMEOUT_S: Final = 10.0
STATE_CONNECT_TIMEOUT_S: Final = 10.0
"""Connecting to the database of a state home, for each of its addresses."""
STATE_STATEMENT_TIMEOUT_S: Final = 30.0
"""One statement in that database; the longest wait is for the lease's row, which others hold for milliseconds."""
STATE_FORGET_TIMEOUT_S: Final = 600.0
"""Deleting the ledger of one campaign, which may have ten million rows."""
STATE_SILENCE_S: Final = 30.0
"""A connection to the database without any sign of the other side for so long is given up, by both."""
STATE_TRIES_MAX: Final = 5
STATE_RETRY_PAUSE_S: Final = 1.0
"""Between tries after a broken connection: long enough together for a database to be restarted."""
STATE_LOOKUP_ROWS: Final = 5_000
"""Recipients looked up in the ledger by one statement."""
LEASE_STALE_S: Final = 3600
"""Without a write for so long a run is probably dead: its longest pauses are some minutes."""
CHECK_AHEAD_S: Final = 24 * 3600
"""How early `status --check` speaks of a campaign that nobody has handed over: once a day is often enough to ask."""
PRICE_MEMORY_S: Final = 6 * 3600
"""How long a price that the API named serves later plans; apply always asks."""
PRICE_MEMORY_BYTES_MAX: Final = 4 * 1024 * 1024
PRICE_MEMORY_FIGURES_MAX: Final = 10_000
PRICE_FILE_BYTES_MAX: Final = 256 * 1024
PRICE_FILE_FRESH_DAYS: Final = 90
"""A price file older than this is named in a warning: prices change a few times a year."""
LIMITS_REFS_MAX: Final = 8
"""Branches that `limits_from` may lead to, one naming the next."""
PLAN_LIFETIME_S: Final = 24 * 3600
"""A saved plan older than this is refused; prices, balances and people's minds change."""
GIT_LEDGER_ROWS_MAX: Final = 200_000
"""Recipients of one environment in a `git` home: about 3 MB that each runner fetches; other homes take millions."""
GIT_STATE_BYTES_MAX: Final = 256 * 1024 * 1024
"""All files of a `git` home together; more than this was not written by octoplan."""
GIT_JOURNAL_LINES_PER_FILE: Final = 256
"""Each write makes the last journal file anew, so it stays small."""
GIT_COMMAND_TIME_MAX_S: Final = 60.0
"""One run of the git command, network included."""
GIT_TRIES_MAX: Final = 20
"""Pushes of one write while others keep moving the ref; each loss means that somebody else's write went through."""
GIT_FAILURES_MAX: Final = 3
"""Failed pushes of one write while the ref stays where it was."""
GIT_PAUSE_S: Final = 0.5
"""Before a failed push is repeated, growing with each."""
GIT_ERROR_CHARACTERS_MAX: Final = 300
"""How much of git's own words is shown."""
PREVIEW_GROUPS_MAX: Final = 50
"""Countries, and texts, that one preview shows a message of."""
REVISION_FILE_BYTES_MAX: Final = 128 * 1024 * 1024
"""One list of a git revision that is compared with another: some two million rows, in memory while it is written."""
REVISION_BYTES_MAX: Final = 512 * 1024 * 1024
"""All files of a revision that a plan needs, on disk for as long as it is planned."""
REVISION_PATTERNS_MAX: Final = 200
"""Patterns of lists in one revision; each is held against every file of it."""
DIFF_WORDS_MAX: Final = 1_500
"""A message has some 200 words; comparing takes the square of it, and longer texts are shown as replaced whole."""
SAVED_PLAN_BYTES_MAX: Final = 256 * 1024 * 1024
UNCHANGED_ENTRIES_MAX: Final = 500
"""Campaigns that were planned lately, of all projects of a user."""
UNCHANGED_ENTRY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Some 20,000 requests."""
LOCK_FILE_BYTES_MAX: Final = 512 * 1024 * 1024
COMPLETION_FILES_MAX: Final = 500
"""Campaign files that are skimmed while somebody waits for a completion."""
CLOCK_DIFFERENCE_MAX_S: Final = 60
"""Between this machine's clock and the API's, before `doctor` minds it."""
SANDBOX_START_TIMEOUT_S: Final = 20.0

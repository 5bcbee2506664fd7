"""
The words that tell a recipient how to stop marketing messages, looked for in the template as it is written.

Which forms are accepted, and who says so, is in `rules_data/texts.yaml`. Octopush replaced every `XXXXX` of a text by a
short code, so it may stand nowhere else, and put a mention that it added itself at the end. The mention has to be in
the template itself: data could lack it, and a condition could skip it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from octoplan.campaign import rules
from octoplan.campaign.document import Document
from octoplan.campaign.model import CampaignModel
from octoplan.diagnostics import Finding, Place
from octoplan.rulebook.data import load_texts

_NEARLY: Final = re.compile(r"(?<!\w)stop(?:\W{0,3}(?:au|at|à)\W{0,3}|\s+)(?:x{3,}|[0-9]{3,6})(?!\w)", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"X{5,}")
_JINJA: Final = re.compile(r"\{\{.*?(?:\}\}|\Z)|\{%.*?(?:%\}|\Z)|\{#.*?(?:#\}|\Z)", re.DOTALL)
_TAG: Final = re.compile(r"\{%[-+]?\s*(\w+)")
_TEMPLATE: Final = ("message", "template")
_HINT: Final = "end the text with `STOP au` and the account's five-digit short code, or `STOP au XXXXX`"


def check_stop_mention(model: CampaignModel, document: Document) -> list[Finding]:
    """Everything that is wrong with the STOP mention, at its place inside the template."""
    text = blank_jinja(model.message.template)
    exact = sorted(match.span() for match in _find_mentions(model, text))
    near = [match.span() for match in _NEARLY.finditer(text) if not _overlaps(match.span(), exact)]
    found = [_form(model, document, start, end) for start, end in near] if model.purpose == "wholesale" else []
    if model.purpose == "wholesale" and not near:
        found += _check_presence(model, document, exact)
    elif model.purpose == "alert" and exact:
        hint = "remove it, or use `purpose: wholesale` if this is marketing"
        detail = "It costs 14 characters, and operators may take the message for marketing."
        found.append(rules.STOP_IN_ALERT.at(place_in_template(model, document, *exact[0]), detail, hint))
    return found + _check_placeholders(model, document, text, exact + near)


def _find_mentions(model: CampaignModel, text: str) -> Iterator[re.Match[str]]:
    for form in load_texts().stop:
        if model.type in form.types:
            yield from re.finditer(form.pattern, text)


def _check_presence(model: CampaignModel, document: Document, exact: list[tuple[int, int]]) -> list[Finding]:
    if not exact:
        detail = "The API refuses it (code 121 or 122), and people must be able to stop such messages."
        return [rules.STOP_MISSING.at(document.place(*_TEMPLATE), detail, _HINT)]
    if all(_open_blocks(model.message.template, [start for start, _ in exact])):
        detail = "It stands inside a condition or a loop."
        hint = "move it out, to the end of the template"
        return [rules.STOP_CONDITIONAL.at(place_in_template(model, document, *exact[0]), detail, hint)]
    rest = model.message.template[exact[-1][1] :]
    if "{{" in rest or re.search(r"\w", blank_jinja(rest)):
        detail = "Octopush puts a mention that it adds itself at the end, and people look for it there."
        return [rules.STOP_NOT_LAST.at(place_in_template(model, document, *exact[-1]), detail, "move it to the end")]
    return []


def _form(model: CampaignModel, document: Document, start: int, end: int) -> Finding:
    written = model.message.template[start:end]
    code = re.search(r"3[0-9]{4}$", written)
    word = "at" if re.search(r"\bat\b", written, re.IGNORECASE) else "au"
    detail = "Case, single ordinary spaces and five characters after `au` or `at` are asked for."
    hint = f"write `STOP {word} {code.group() if code else 'XXXXX'}`"
    return rules.STOP_FORM.at(place_in_template(model, document, start, end), detail, hint)


def _check_placeholders(
    model: CampaignModel, document: Document, text: str, mentions: list[tuple[int, int]]
) -> list[Finding]:
    spans = [match.span() for match in _PLACEHOLDER.finditer(text)]
    places = [place_in_template(model, document, *span) for span in spans if not _overlaps(span, mentions)]
    values = model.message.vars.items()
    places += [document.place("message", "vars", name) for name, value in values if _PLACEHOLDER.search(value)]
    detail = "Octopush may replace it by a short code, wherever it stands."
    hint = "use other characters, or the full `STOP au XXXXX`"
    return [rules.STRAY_PLACEHOLDER.at(place, detail, hint) for place in places]


def blank_jinja(template: str) -> str:
    """The template with what Jinja fills in blotted out, every character in its place."""
    return _JINJA.sub(lambda match: "\ufffc" * len(match.group()), template)


def _open_blocks(template: str, offsets: list[int]) -> list[int]:
    """How many Jinja blocks are open at each of the offsets, which rise."""
    tags = [(match.start(), match.group(1)) for match in _TAG.finditer(template)]
    names = {name for _, name in tags}
    depths, depth, passed = [], 0, 0
    for offset in offsets:
        while passed < len(tags) and tags[passed][0] < offset:
            name = tags[passed][1]
            depth += -1 if name.startswith("end") else int(f"end{name}" in names)
            passed += 1
        depths.append(depth)
    return depths


def _overlaps(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def place_in_template(model: CampaignModel, document: Document, start: int, end: int) -> Place:
    """Where the characters `start` to `end` of the template are written."""
    before = model.message.template[:start]
    line, column = before.count("\n") + 1, start - before.rfind("\n")
    return document.place_in_text(_TEMPLATE, line, column, end - start)

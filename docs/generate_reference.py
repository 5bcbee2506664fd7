"""
Write `docs/reference/fields.md` from the models of files, and `docs/reference/rules.md` from the catalogue of rules.

    .venv/bin/python docs/generate_reference.py

A test fails while a page is not what this makes of the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from octoplan.campaign.expectations import TestFile
from octoplan.campaign.model import CampaignModel, ProjectModel
from octoplan.campaign.schema import schema_of
from octoplan.catalogue import Entry, catalogue

FOLDER: Final = Path(__file__).parent / "reference"
_KINDS: Final[Mapping[str, type[BaseModel]]] = {
    "A campaign": CampaignModel,
    "`octoplan.yaml`": ProjectModel,
    "A test file": TestFile,
}
_FIELDS_HEAD: Final = """\
# Every field

Made from the code by `docs/generate_reference.py`; do not edit it here. The same is in `schemas/`, for editors and
programs. [Campaign files](campaign-file.md) and [test files](test-file.md) explain the fields and how they work
together; this page is for looking one up by its path. `*` stands for a name of your choice, `[]` for each item of a
list, **bold** for a field that is required where its mapping is written.
"""
_RULES_HEAD: Final = """\
# Rules

Made from the code by `docs/generate_reference.py`; do not edit it here. `octoplan rules` lists the same, and
`octoplan rules window/fr-hours` explains one with its versions, sources and the day each was checked.

An error keeps a campaign from being sent; a warning does not. Where the last column says so, a campaign can write into
its [`overrides`](campaign-file.md#overrides), with a reason, that the rule does not count for it. The tables of
countries are in [sending hours](../guides/sending-hours.md). None of this is legal advice.
"""


def render_fields() -> str:
    """The page of fields: a table for each kind of file, in the order of the models."""
    return "\n".join([_FIELDS_HEAD, *(line for title, kind in _KINDS.items() for line in _kind(title, kind))])


def render_rules() -> str:
    """The page of rules: a table for each family, which is what stands before the `/` of an id."""
    return "\n".join([_RULES_HEAD, *_families()])


PAGES: Final[Mapping[str, Callable[[], str]]] = {"fields.md": render_fields, "rules.md": render_rules}
"""What makes each page of the folder that is wholly made by this program."""


# --- fields -----------------------------------------------------------------------------------------------------------


def _kind(title: str, kind: type[BaseModel]) -> Iterator[str]:
    schema = schema_of(kind)
    yield f"## {title}\n"
    yield "| field | value | default | meaning |"
    yield "|---|---|---|---|"
    yield from _rows(schema, schema["definitions"], "")
    yield ""


def _rows(schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, given in schema.get("properties", {}).items():
        field = _followed(given, definitions)
        path = f"{prefix}{name}"
        shown = f"**`{path}`**" if name in schema.get("required", ()) else f"`{path}`"
        yield _row(shown, _value(field), _default(field), given.get("description", field.get("description", "")))
        yield from _inner(field, definitions, path)


def _inner(field: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Iterator[str]:
    """What is below a field: its own fields, those of each named mapping, or those of each item."""
    yield from _rows(field, definitions, f"{path}.")
    for named in _named(field):
        yield from _rows(_followed(named, definitions), definitions, f"{path}.*.")
    if "items" in field:
        yield from _rows(_followed(field["items"], definitions), definitions, f"{path}[].")


def _named(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    schemas = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
    return [schema for schema in schemas if isinstance(schema, dict)]


def _followed(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The definition that a reference names; anything else as it is."""
    reference = schema.get("$ref") or next((one["$ref"] for one in schema.get("allOf", ()) if "$ref" in one), None)
    return schema if reference is None else definitions[reference.rpartition("/")[2]]


def _value(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in _choices(field["enum"]))
    if "items" in field:
        return "list"
    if "properties" in field or _named(field):
        return "mapping"
    if "minimum" in field or "maximum" in field:
        return f"{field.get('minimum', '')} to {field['maximum']}" if "maximum" in field else f"from {field['minimum']}"
    return next((f"such as `{example}`" for example in field.get("examples", ())), "text")


def _choices(choices: list[Any]) -> Iterable[str]:
    """As they are written: the schemas have some twice, as text and as flag or count, for other readers of YAML."""
    written = (choice if isinstance(choice, str) else json.dumps(choice) for choice in choices)
    return dict.fromkeys(choice for choice in written if not choice.isspace())


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, [], {}) else f"`{default if isinstance(default, str) else json.dumps(default)}`"


# --- rules ------------------------------------------------------------------------------------------------------------


def _families() -> Iterator[str]:
    entries = catalogue().values()
    for family in dict.fromkeys(_family(entry) for entry in entries):
        yield f"## `{family}/`\n"
        yield "| rule | level | what is wrong | where it is from | overridable |"
        yield "|---|---|---|---|---|"
        yield from (_rule(entry) for entry in entries if _family(entry) == family)
        yield ""


def _family(entry: Entry) -> str:
    return entry.id.partition("/")[0]


def _rule(entry: Entry) -> str:
    return _row(f"`{entry.id}`", entry.level, entry.summary, entry.source, "yes" if entry.can_be_overridden else "")


def _row(*cells: str) -> str:
    return "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")

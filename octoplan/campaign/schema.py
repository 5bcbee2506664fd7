"""The JSON Schemas (draft-07, what editors understand best) of campaign files and `octoplan.yaml`, from the models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from octoplan.campaign.expectations import TestFile
from octoplan.campaign.model import CampaignModel, ProjectModel

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_TITLES: Final = {CampaignModel: "octoplan campaign", ProjectModel: "octoplan project", TestFile: "octoplan test"}
_FILES: Final = {
    "campaign.schema.json": CampaignModel,
    "project.schema.json": ProjectModel,
    "test.schema.json": TestFile,
}


class _Draft07(GenerateJsonSchema):
    """Optional fields may be left out, but are never null: a key without a value is an error."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Keys that do not match their pattern are errors, not just undescribed."""
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if isinstance(made.get("default"), dict | None):
            made.pop("default", None)
        return made


@cache
def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """The schema of one kind of file; not to be changed by the caller."""
    made = kind.model_json_schema(schema_generator=_Draft07, ref_template="#/definitions/{model}")
    definitions = made.pop("$defs", {})
    made["title"] = _TITLES.get(kind, kind.__name__)
    return {
        "$schema": DRAFT,
        **_shield_references(made),
        "definitions": {name: _shield_references(definitions[name]) for name in sorted(definitions)},
    }


def _shield_references(schema: Any) -> Any:
    """Draft-07 ignores what stands beside a `$ref`, such as a description: put the reference into an `allOf`."""
    if isinstance(schema, list):
        return [_shield_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    shielded = {key: _shield_references(value) for key, value in schema.items()}
    if "$ref" in shielded and len(shielded) > 1:
        shielded["allOf"] = [{"$ref": shielded.pop("$ref")}]
    return shielded


def schema_at(kind: type[BaseModel], path: tuple[str | int, ...]) -> dict[str, Any]:
    """What the schema says about the value at `path`; empty where it says nothing."""
    whole = schema_of(kind)
    found = whole
    for step in path:
        found = _follow(whole, _within(found, step))
    return found


def _within(schema: dict[str, Any], step: str | int) -> dict[str, Any]:
    if step in schema.get("properties", {}):
        return dict(schema["properties"][step])
    others = (*schema.get("patternProperties", {}).values(), schema.get("additionalProperties"), schema.get("items"))
    return next((other for other in others if isinstance(other, dict)), {})


def _follow(whole: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    (reference,) = schema.get("allOf", [schema])
    name = str(reference.get("$ref", "")).rpartition("/")[2]
    return {**schema, **whole["definitions"][name]} if name else schema


def schema_texts() -> dict[str, str]:
    """File name and content of each schema: the same bytes on every machine."""
    return {name: json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n" for name, kind in _FILES.items()}


def write_schemas(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """
    Write schemas, by file name, into `folder`, which is made if needed; answers the paths.

    :raises OSError: if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        written.append(folder / name)
    return written

"""The JSON Schemas (2020-12) of what octoplan writes for programs: saved plans and comparisons."""

from __future__ import annotations

import json
from typing import Any, Final

from octoplan.plan.compare import FORMAT, VERSION, comparison_adapter
from octoplan.plan.saved_model import PlanData

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_texts() -> dict[str, str]:
    """File name and content of each schema: the same bytes on every machine."""
    made = {"plan.schema.json": PlanData.model_json_schema(), "comparison.schema.json": _comparison_schema()}
    return {name: render_schema(schema) for name, schema in made.items()}


def _comparison_schema() -> dict[str, Any]:
    """Of the document: the comparison, and what says that it is one."""
    schema = comparison_adapter().json_schema(mode="serialization")
    head = {"format": {"const": FORMAT}, "version": {"const": VERSION}}
    return {
        **schema,
        "title": "octoplan comparison",
        "properties": head | schema["properties"],
        "required": [*head, *(name for name in schema["properties"])],
    }


def render_schema(schema: dict[str, Any]) -> str:
    """The text of a schema."""
    return json.dumps({"$schema": DRAFT, **schema}, indent=2, ensure_ascii=False) + "\n"

"""From a document to a model: every field that does not fit becomes a finding at its place, all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from octoplan.campaign import rules
from octoplan.campaign.document import Document, Path, shorten
from octoplan.campaign.schema import schema_at
from octoplan.diagnostics import Finding
from octoplan.limits import FINDINGS_PER_FILE_MAX
from octoplan.values.names import nearest

Model = TypeVar("Model", bound=BaseModel)

_KINDS: Final = {"model_type": "a mapping of keys to values", "dict_type": "a mapping of keys to values"}
_LISTS: Final = ("tuple_type", "list_type")
_STAND_INS: Final = {"id": "stand-in", "project": "stand-in", "sender": "StandIn"}


@dataclass(frozen=True, slots=True)
class Built(Generic[Model]):
    """
    What a document makes.

    `model` is `None` if anything is wrong. `usable` is then a model without the sections at fault (`faulty`), if there
    can be one: it serves only to check the rules across the other fields, so that everything is reported at once.
    """

    model: Model | None
    usable: Model | None
    faulty: frozenset[str]
    findings: list[Finding]


def build_model(kind: type[Model], document: Document) -> Built[Model]:
    """Build a model of `kind` from what was written."""
    try:
        model = kind.model_validate(document.data)
    except ValidationError as error:
        return _explain_all(kind, document, error.errors(include_url=False, include_input=False))
    return Built(model, model, frozenset(), [])


def _explain_all(kind: type[Model], document: Document, details: list[ErrorDetails]) -> Built[Model]:
    # One more than is listed, so that `bound_findings` sees that there are more; each takes time to explain.
    news = [detail for detail in details if not _is_reported(document, detail)][: FINDINGS_PER_FILE_MAX + 1]
    found = [_explain(kind, document, detail) for detail in news]
    faulty = frozenset(str(detail["loc"][0]) for detail in details if detail["type"] != "extra_forbidden")
    return Built(None, _salvage(kind, document.data, details, faulty), faulty, found)


def bound_findings(found: list[Finding]) -> list[Finding]:
    """The findings of one file, as many as anybody would read."""
    if len(found) <= FINDINGS_PER_FILE_MAX:
        return found
    more = rules.TOO_MANY_FINDINGS.at(
        found[-1].place, f"Only the first {FINDINGS_PER_FILE_MAX} of this file are listed."
    )
    return [*found[:FINDINGS_PER_FILE_MAX], more]


def _is_reported(document: Document, detail: ErrorDetails) -> bool:
    """A field with an empty value is not missing as well."""
    return detail["type"] == "missing" and tuple(detail["loc"]) in document.empty


def _explain(kind: type[BaseModel], document: Document, detail: ErrorDetails) -> Finding:
    path: Path = tuple(step for step in detail["loc"] if step != "[key]")
    name = f"`{shorten(str(path[-1]))}`" if path else "the file"
    match detail["type"]:
        case "extra_forbidden":
            known = list(schema_at(kind, path[:-1]).get("properties", {}))
            hint = _did_you_mean(str(path[-1]), known) or f"the fields here are {_join(known)}"
            return rules.UNKNOWN_FIELD.at(document.key_place(*path), f"There is no field {name} here.", hint)
        case "missing":
            return rules.MISSING_FIELD.at(document.key_place(*path[:-1]), f"The field {name} is required.")
        case "literal_error":
            return _explain_choice(kind, document, path)
        case kind_of if kind_of.endswith("_type"):
            wanted = _KINDS.get(kind_of, "a list" if kind_of in _LISTS else "a single value")
            return rules.WRONG_KIND.at(document.place(*path), f"{_capital(name)} takes {wanted}.")
    place = document.key_place(*path) if detail["loc"][-1:] == ("[key]",) else document.place(*path)
    return rules.BAD_VALUE.at(place, f"{_capital(name)}: {_sentence(_reason(detail))}", _example(kind, path))


def _explain_choice(kind: type[BaseModel], document: Document, path: Path) -> Finding:
    known = _choices(schema_at(kind, path))
    value = str(_value_at(document.data, path))
    detail = f"`{shorten(str(path[-1]))}` is one of {_join(known)}, not `{shorten(value)}`."
    return rules.UNKNOWN_VALUE.at(document.place(*path), detail, _did_you_mean(value, known))


def _reason(detail: ErrorDetails) -> str:
    """The validator's own sentence, or pydantic's for bounds."""
    own = detail.get("ctx", {}).get("error")
    return str(own) if own is not None else detail["msg"].replace("Input should be", "it should be")


def _example(kind: type[BaseModel], path: Path) -> str | None:
    examples = schema_at(kind, path).get("examples")
    return f"for example `{examples[0]}`" if examples else None


def _did_you_mean(name: str, known: list[str]) -> str | None:
    guess = nearest(name, known)
    return f"did you mean `{guess}`?" if guess else None


def _join(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _capital(name: str) -> str:
    return name if name.startswith("`") else name.capitalize()


def _value_at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _choices(schema: dict[str, Any]) -> list[str]:
    return [str(value) for value in schema.get("enum", [schema.get("const")])]


def _salvage(
    kind: type[Model], data: dict[str, Any], details: list[ErrorDetails], faulty: frozenset[str]
) -> Model | None:
    """The model without its wrong parts: unknown keys are taken out alone, anything else with its whole section."""
    if len(details) > FINDINGS_PER_FILE_MAX:
        return None
    kept = {name: value for name, value in data.items() if name not in faulty}
    for detail in details:
        if detail["type"] == "extra_forbidden":
            kept = _without(kept, detail["loc"])
    stand_ins = {name: text for name, text in _STAND_INS.items() if name in faulty}
    try:
        return kind.model_validate({**stand_ins, **kept})
    except ValidationError:
        return None


def _without(data: Any, path: Path) -> Any:
    """A copy of `data` without what is at `path`; the same where there is nothing."""
    step, rest = path[0], path[1:]
    if isinstance(data, list) and isinstance(step, int) and step < len(data) and rest:
        return [*data[:step], _without(data[step], rest), *data[step + 1 :]]
    if not isinstance(data, dict) or step not in data:
        return data
    if not rest:
        return {name: value for name, value in data.items() if name != step}
    return {**data, step: _without(data[step], rest)}

"""What the examples use of GitHub's expressions: paths, text, `==`, `!=`, `!`, `&&`, `||`, and status functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Status = Literal["success", "failure", "cancelled"]

_PLACE: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!()]|[\w.-]+)")
_STATUS_WORDS: Final = re.compile(r"\b(always|success|failure|cancelled)\(\)")


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression may name (`github`, `secrets`, …), and how the job stands."""

    values: Mapping[str, Any]
    status: Status = "success"


def fill(text: str, context: Context) -> str:
    """Text with every `${{ … }}` replaced by its value."""
    return _PLACE.sub(lambda place: _shown(_evaluate(place[1], context)), text)


def holds(condition: str | bool, context: Context) -> bool:
    """An `if:`. One that names no status holds only while nothing has failed, as on GitHub."""
    text = str(condition).strip()
    whole = _PLACE.fullmatch(text)
    text = whole[1] if whole else text
    if not _STATUS_WORDS.search(text):
        text = f"success() && ({text})"
    return bool(_evaluate(text, context))


def _evaluate(text: str, context: Context) -> Any:
    parser = _Parser(_tokens(text), context)
    value = parser.either()
    assert not parser.tokens, f"cannot read the expression {text!r}"
    return value


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found, f"cannot read the expression {text!r}"
        tokens.append(found[1])
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent; both sides are always evaluated, as nothing here has an effect."""

    def __init__(self, tokens: list[str], context: Context) -> None:
        self.tokens = tokens
        self._context = context

    def either(self) -> Any:
        value = self._both()
        while self._took("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._took("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Any:
        value = self._single()
        if self._took("=="):
            return _comparable(value) == _comparable(self._single())
        if self._took("!="):
            return _comparable(value) != _comparable(self._single())
        return value

    def _single(self) -> Any:
        if self._took("!"):
            return not self._single()
        if self._took("("):
            value = self.either()
            assert self._took(")")
            return value
        word = self.tokens.pop(0)
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if self._took("("):
            assert self._took(")")
            return word == "always" or word == self._context.status
        return {"true": True, "false": False}.get(word, self._looked_up(word))

    def _looked_up(self, path: str) -> Any:
        value: Any = self._context.values
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _took(self, token: str) -> bool:
        if self.tokens[:1] != [token]:
            return False
        del self.tokens[0]
        return True


def _comparable(value: Any) -> str:
    """Text is compared without regard to case, and what is not there is empty."""
    return _shown(value).lower()


def _shown(value: Any) -> str:
    return {None: "", True: "true", False: "false"}.get(value, value) if not isinstance(value, str) else value

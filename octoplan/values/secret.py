"""A text that does not show itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """
    A credential on its way from the environment to a request header.

    `repr`, `str` and format show stars, so that neither a log line nor a traceback can hold it; `reveal` is the one
    way to its text, which makes every use easy to find.
    """

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself, for the request header or a keyed digest and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(********)"

    def __str__(self) -> str:
        return "********"

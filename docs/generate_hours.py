"""
Write the tables of `docs/guides/sending-hours.md` from the rules' own data.

    .venv/bin/python docs/generate_hours.py

A test fails while the page is not what this makes of the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from octoplan.rulebook.data import EVERYWHERE, Sourced, load_senders, load_texts, load_windows

PAGE: Final = Path(__file__).parent / "guides" / "sending-hours.md"
_PART: Final = re.compile(
    r"(<!-- (hours|senders|words): made by docs/generate_hours.py -->\n).*?(<!-- end -->)", re.DOTALL
)


def render_page(page: str) -> str:
    """The page with its tables made anew."""
    tables = {"hours": _hours(), "senders": _senders(), "words": _words()}
    return _PART.sub(lambda part: f"{part[1]}\n" + "\n".join(tables[part[2]]) + f"\n\n{part[3]}", page)


def _hours() -> list[str]:
    head = ["| rule | level | countries | permitted | valid | source | checked | confidence |", "|" + "---|" * 8]
    return [*head, *_hours_rows()]


def _hours_rows() -> Iterator[str]:
    for file in load_windows():
        for rule in file.rules:
            for version in rule.versions:
                valid = f"from {version.valid_from}" + (f" to {version.valid_to}" if version.valid_to else "")
                yield _row(
                    f"`{rule.id}`", rule.level, _countries(file.countries), version.described, valid, *_origin(version)
                )


def _senders() -> list[str]:
    head = ["| rule | countries | what happens | source | checked | confidence |", "|" + "---|" * 6]
    rules = load_senders().rules
    return [*head, *(_row(f"`{rule.id}`", _countries(rule.countries), rule.detail, *_origin(rule)) for rule in rules)]


def _words() -> list[str]:
    head = ["| rule | countries | purpose | why | source | checked | confidence |", "|" + "---|" * 7]
    rows = (
        _row(f"`{rule.id}`", _countries(rule.countries), f"`{rule.purpose}`", rule.detail, *_origin(rule))
        for rule in load_texts().rules
    )
    return [*head, *rows]


def _origin(rule: Sourced) -> tuple[str, str, str]:
    return rule.source, rule.checked.isoformat(), rule.confidence


def _countries(countries: tuple[str, ...]) -> str:
    return "all (others)" if EVERYWHERE in countries else " ".join(countries)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

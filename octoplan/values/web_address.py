"""
Addresses of files on the web, and the prefixes that are allowed.

Invariants:
- An address has one spelling: whatever has another way to be written (capitals in a host, `..`, `%2e`, a user, a port
  that goes without saying, a backslash) is refused and not put right. So one that begins with a prefix is inside it for
  every program that reads it.
- It holds no secret: no user, password, `?` or `#`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

HOSTS_VARIABLE: Final = "OCTOPLAN_ALLOWED_HOSTS"
"""The environment variable with further hosts, apart by spaces, that the files of a project may name."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
ADDRESS_CHARACTERS_MAX: Final = 512
_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PORT: Final = r"(?::(?!443/|80/)(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
_HOST: Final = rf"(?:https://{_LABEL}(?:\.{_LABEL})*|http://(?:localhost|127\.0\.0\.1)){_PORT}"
_NAME: Final = r"(?!\.)(?:[A-Za-z0-9._~+=,-]|%20|%[89A-F][0-9A-F])+"
ADDRESS_PATTERN: Final = rf"{_HOST}(?:/{_NAME})+"
"""A file. A name that begins with a dot is hidden, as in a project, or leads up."""
PREFIX_PATTERN: Final = rf"{_HOST}/(?:{_NAME}/)*"
"""A folder, with `/` at the end."""

_RULE: Final = (
    "in its plain spelling: host in small letters, no user, no `:443`, no `?`, `#` or `*`, no `..` or hidden names, "
    "and of escapes only `%20` and those of letters beyond ASCII, in capitals"
)


def is_web_address(text: str) -> bool:
    """Whether a path means something elsewhere; `check_address` then tells whether it can be used."""
    return "://" in text


def check_address(text: str) -> str | None:
    """Why this is no address of a file that can be read, or `None` if it is one. Looks at the text only."""
    return _check(text, ADDRESS_PATTERN, f"only https:// and s3:// are read from elsewhere; https:// {_RULE}")


def check_prefix(text: str) -> str | None:
    """Why this is no prefix of addresses, or `None` if it is one."""
    return _check(
        text, PREFIX_PATTERN, f"a prefix is like `https://files.example.com/lists/`, with `/` at its end, {_RULE}"
    )


def _check(text: str, pattern: str, rule: str) -> str | None:
    if len(text) > ADDRESS_CHARACTERS_MAX:
        return f"it is longer than {ADDRESS_CHARACTERS_MAX} characters"
    return None if re.fullmatch(pattern, text) and _is_plain(text) else rule


def _is_plain(text: str) -> bool:
    """Whether escapes are proper UTF-8 of plain letters: `%C0%AE` and `%EF%BC%8E` are dots to some servers."""
    try:
        letters = unquote(text, errors="strict")
    except UnicodeDecodeError:
        return False
    return unicodedata.normalize("NFKC", letters) == letters

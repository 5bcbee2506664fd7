"""
Addresses of files in object storage, `s3://bucket/key`, and the prefixes that are allowed.

Invariants:
- An address has one spelling: the key as it is, without escapes. What a store, or a server before it, could read in
  another way (`%`, `?`, `#`, a backslash, `..`, empty names) is refused, and so are hidden names. So an address that
  begins with a prefix is inside it.
- It names no server, account or region: where a bucket is, and who may read it, is up to the environment.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

SCHEME: Final = "s3://"
_BUCKET: Final = r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]"
_CHARACTERS: Final = r"A-Za-z0-9._~+=,@ \u00c0-\ud7ff-"
_NAME: Final = rf"(?!\.)[{_CHARACTERS}]+"
STORE_ADDRESS_PATTERN: Final = rf"{SCHEME}{_BUCKET}/(?:{_NAME}/)*(?!\.)[{_CHARACTERS}*]+"
"""A file, or several of one folder: `*` stands for any part of the last name."""
STORE_PREFIX_PATTERN: Final = rf"{SCHEME}{_BUCKET}/(?:{_NAME}/)*"
"""A folder, with `/` at the end."""
ENDPOINT_PATTERN: Final = (
    r"(?:https://[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|http://(?:localhost|127\.0\.0\.1))"
    r"(?::(?!443$|80$)[1-9][0-9]{0,4})?"
)
STORE_REGION_PATTERN: Final = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
KEY_BYTES_MAX: Final = 1024
"""Of S3 itself."""

_RULE: Final = (
    "the key as it is, of letters, digits, spaces and `._~+=,@-`; no `?`, `#` or `%`, no `..`, hidden or empty names, "
    "and `*` in the last name only"
)


def is_store_address(text: str) -> bool:
    """Whether a path means a file in object storage; `check_store_address` then tells whether it can be used."""
    return text.startswith(SCHEME)


def check_store_address(text: str) -> str | None:
    """Why this is no address of a file in object storage, or `None` if it is one. Looks at the text only."""
    return _check(text, STORE_ADDRESS_PATTERN, f"a file in a bucket is like `s3://acme-lists/2027/spring.csv`: {_RULE}")


def check_store_prefix(text: str) -> str | None:
    """Why this is no prefix of such addresses, or `None` if it is one."""
    return _check(
        text, STORE_PREFIX_PATTERN, f"a prefix is like `s3://acme-lists/customers/`, with `/` at its end: {_RULE}"
    )


def _check(text: str, pattern: str, rule: str) -> str | None:
    if len(text.encode(errors="replace")) > KEY_BYTES_MAX:
        return f"it is longer than {KEY_BYTES_MAX} bytes"
    return None if re.fullmatch(pattern, text) and _is_plain(text) else rule


def _is_plain(text: str) -> bool:
    """Whether what is beyond ASCII are letters and digits in their usual form: no dots, marks or turned text."""
    return unicodedata.normalize("NFKC", text) == text and all(mark.isascii() or mark.isalnum() for mark in text)

"""
Identity: canonical bytes, keyed digests and request ids (design: the same inputs give the same bytes everywhere).

Invariants:
- The bytes that are hashed are the bytes that are sent; JSON is what orjson writes with sorted keys, in UTF-8.
- Every digest is an HMAC-SHA-256 with the project's key and a versioned purpose, so that a digest of one kind can never
  stand for another and nobody without the key can test a guess at a phone number.
- A request id depends on environment, campaign, batch content and attempt, and on nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

KEY_BYTES: Final = 32
REQUEST_ID_PURPOSE: Final = "octoplan/request-id/v1"


def canonical_json(value: Any) -> bytes:
    """
    The one JSON form that is hashed: sorted keys, no spaces, UTF-8.

    :raises TypeError: for a float or any other type whose text is not exact; amounts are strings.
    """
    _refuse_inexact(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)


def _refuse_inexact(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("a float has no canonical text; use an integer or a decimal's text")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_inexact(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_inexact(item)


@dataclass(frozen=True, slots=True)
class DigestKey:
    """The project's secret key: whoever holds it can test guesses at phone numbers against digests."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a digest key has {KEY_BYTES} bytes")

    @classmethod
    def generate(cls) -> DigestKey:
        """A new random key."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def from_text(cls, text: str) -> DigestKey:
        """
        Read what `to_text` wrote.

        :raises ValueError: if it is not 64 hexadecimal digits.
        """
        return cls(bytes.fromhex(text.strip()))

    def to_text(self) -> str:
        """64 hexadecimal digits, for the key file or a CI secret."""
        return self.secret.hex()

    @property
    def fingerprint(self) -> str:
        """A public name of this key: two machines can tell that they hold the same one."""
        return "k1_" + self.mac("octoplan/key-fingerprint/v1", b"").hex()[:16]

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA-256 (32 bytes) over a versioned purpose and `message`."""
        return hmac.digest(self.secret, purpose.encode() + b"\0" + message, "sha256")

    def derive(self, purpose: str, salt: bytes) -> bytes:
        """A key of 32 bytes for one use, such as one campaign's ledger."""
        return self.mac(purpose, salt)


def content_digest(key: DigestKey, prefix: str, purpose: str, message: bytes) -> str:
    """
    A printable keyed digest: `prefix_` and 40 hexadecimal digits (160 bits).

    The prefix carries kind and version (`b1` batch, `t1` text, `a1` account), so that formats can change later.
    """
    return f"{prefix}_{key.mac(purpose, message).hex()[:40]}"


def batch_digest(key: DigestKey, body: bytes) -> str:
    """The digest of a batch: over the canonical JSON of exactly what is sent, without the request id made from it."""
    return content_digest(key, "b1", "octoplan/batch/v1", body)


def request_id(key: DigestKey, environment: str, campaign: str, digest: str, attempt: int) -> str:
    """
    The id that makes the API refuse a repetition: 32 characters of a-z and 2-7.

    `attempt` starts at 1 and rises only after a recorded definite refusal. The charset and length are the cautious
    choice: no source states what the API allows, and old clients strip everything but letters and digits.
    """
    if attempt < 1:
        raise ValueError("attempts count from 1")
    message = canonical_json([environment, campaign, digest, attempt])
    return base64.b32encode(key.mac(REQUEST_ID_PURPOSE, message)[:20]).decode().lower()


def number_hash(phone: str) -> int:
    """The public order of recipients: the first 64 bits of the SHA-256 of the E.164 text. It is never written down."""
    return int.from_bytes(hashlib.sha256(phone.encode("ascii")).digest()[:8])

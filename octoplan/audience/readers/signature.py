"""
Signed requests to object storage, as Amazon's page "Signature Version 4" describes them; other stores took them over.

Invariant: the secret key never leaves this machine. What a request carries is a signature of its method, address and
time, which nobody can use for another one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from octoplan.values.secret import Secret

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_NO_BODY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key: its id, its secret, and the token that goes with one that is only lent."""

    key: str
    secret: Secret
    token: Secret | None = None


def signed_headers(
    url: str, region: str, credentials: Credentials, now: datetime, others: Mapping[str, str] | None = None
) -> dict[str, str]:
    """
    The headers, names in small letters, that let `credentials` GET `url` from a store in `region`, at `now`.

    `url` is as it is sent, made by `store_url`. `others` are further headers to sign.
    """
    parts = urlsplit(url)
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-content-sha256": _NO_BODY, "x-amz-date": moment, **(others or {})}
    if credentials.token is not None:
        headers["x-amz-security-token"] = credentials.token.reveal()
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    asked = "\n".join(["GET", parts.path, parts.query, *lines, "", names, _NO_BODY])
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = "\n".join([_ALGORITHM, moment, scope, hashlib.sha256(asked.encode()).hexdigest()])
    key = f"AWS4{credentials.secret.reveal()}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    about = f"Credential={credentials.key}/{scope},SignedHeaders={names},Signature={signature}"
    return {**headers, "authorization": f"{_ALGORITHM} {about}"}


def store_url(base: str, key: str, query: Mapping[str, str] | None = None) -> str:
    """The address of `key` below `base`, with `query` by name, escaped in the one way that signatures ask for."""
    asked = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted((query or {}).items()))
    return f"{base}/{quote(key, safe='/')}{'?' if asked else ''}{asked}"

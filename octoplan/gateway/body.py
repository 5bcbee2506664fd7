"""
The one place where the body of a request to the send endpoint is made.

Invariants:
- The bytes that are hashed are the bytes that are sent: canonical JSON, the same for the same request everywhere.
- A real send differs from its hashed form by the request id alone.
- `simulation_mode` is a JSON literal in every body, exactly once, and no simulation carries a request id. The API
  ignores what it cannot read *and sends anyway*, so a flag that is missing or misspelt would be a real, billed send.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

from octoplan.digests import canonical_json
from octoplan.gateway.port import SendRequest

_REQUEST_ID: Final = re.compile(r"[a-z0-9]{1,32}")
"""No source states the API's own charset; old clients strip everything else, which could make two ids equal."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but the line feed, and halves of surrogate pairs, which UTF-8 cannot write."""
_BODY: Final = re.compile(
    rb'\{"auto_optimize_text":(?:true|false),"auto_remove_blacklisted_numbers":(?:true|false),'
    rb'"purpose":"[a-z_]+","recipients":\[\{.+\}\],'
    rb'(?:"request_id":"(?P<request_id>[a-z0-9]{1,32})",)?'
    rb'(?:"send_at":"[^"\\]+",)?(?:"sender":"[^"\\]+",)?'
    rb'"simulation_mode":(?P<simulation>true|false),'
    rb'"text":"(?:[^"\\]|\\.)+","type":"[a-z_]+","with_replies":(?:true|false)\}',
    re.DOTALL,
)


def encode_body(request: SendRequest, *, request_id: str | None, simulation: bool) -> bytes:
    """
    The bytes to POST, about 50 KB for a full batch.

    `send_at`, `sender` and `request_id` are left out where they are `None`. A real send must have a request id and a
    simulation must not: whether a simulation uses one up is stated nowhere.

    :raises ValueError: for the wrong combination of the two, a malformed id, an empty text or batch, or text with
        control characters other than the line feed. Earlier stages make findings of these; here it is a bug.
    """
    if simulation is (request_id is not None):
        raise ValueError("a real send has a request id, a simulation has none")
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        raise ValueError("a request id is 1 to 32 lower-case letters and digits")
    return _encode(request, request_id=request_id, simulation=simulation)


def hashed_body(request: SendRequest) -> bytes:
    """
    The bytes that identify a batch: the body of the real send without the request id, which is made from them.

    :raises ValueError: as `encode_body`.
    """
    return _encode(request, request_id=None, simulation=False)


def require_mode(body: bytes, *, simulation: bool) -> None:
    """
    Prove that `body` is one of ours and simulates, or is meant to send (and then carries a request id).

    Looks at the bytes as they will leave, so that no mistake in between can turn a price question into a send. Inside
    a JSON string every quote is escaped, so the flag's name followed by a colon can only be a key.

    :raises ValueError: if it is anything else. The message shows nothing of the body.
    """
    shape = _BODY.fullmatch(body)
    if shape is None or body.count(b'"simulation_mode":') != 1:
        raise ValueError("this is not a body made by encode_body")
    if shape["simulation"] != (b"true" if simulation else b"false"):
        raise ValueError("simulation_mode is not what this call is for")
    if simulation is (shape["request_id"] is not None):
        raise ValueError("a real send has a request id, a simulation has none")


def _encode(request: SendRequest, *, request_id: str | None, simulation: bool) -> bytes:
    _require_clean(request)
    optional = {"request_id": request_id, "send_at": request.send_at, "sender": request.sender}
    return canonical_json(
        {name: value for name, value in optional.items() if value is not None}
        | {
            "auto_optimize_text": request.auto_optimize_text,
            "auto_remove_blacklisted_numbers": request.auto_remove_blacklisted_numbers,
            "purpose": request.purpose,
            # Spliced in as they are: half a thousand contacts never become Python objects.
            "recipients": orjson.Fragment(b"[" + request.contacts + b"]"),
            "simulation_mode": simulation,
            "text": request.text,
            "type": request.type,
            "with_replies": request.with_replies,
        }
    )


def _require_clean(request: SendRequest) -> None:
    if not request.text or not request.contacts:
        raise ValueError("a request has a text and at least one recipient")
    for value in (request.text, request.sender, request.send_at):
        if value is not None and _UNPRINTABLE.search(value):
            raise ValueError("text for the API has no control characters but the line feed")

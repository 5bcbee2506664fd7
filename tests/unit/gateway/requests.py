"""A request to start from: numbers are from the block that French textbooks use, names are invented."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from octoplan.gateway.port import SendRequest

REQUEST_ID: Final = "k3v7q2mzx5n4c6b2a7d5e3f4g6h2j5l7"
PHONE: Final = "+33612340001"
NAME: Final = "Ludivine"
_BASE: Final = SendRequest(
    text="Bonjour {first_name}, -20% jusqu'à dimanche.\nSTOP au XXXXX",
    contacts=f'{{"first_name":"{NAME}","phone_number":"{PHONE}"}}'.encode(),
    type="sms_premium",
    purpose="wholesale",
    sender="ACME",
    send_at="2027-03-20T10:00:00+01:00",
    with_replies=False,
    auto_optimize_text=False,
    auto_remove_blacklisted_numbers=True,
)


def request(**changes: Any) -> SendRequest:
    """The usual request with some fields changed."""
    return replace(_BASE, **changes)

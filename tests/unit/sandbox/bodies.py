"""
Bodies of requests that are right until a test changes them.

French mobiles come from the block of textbooks (06 12 34 00 00 to 99 99): the French range reserved for fiction
(06 39 98) is not valid for libphonenumber. American numbers are from the 555-01 range reserved for fiction.
"""

from __future__ import annotations

from typing import Any

FRENCH = "+33612340000"
AMERICAN = "+12025550100"
GERMAN = "+491713920000"


def french(index: int) -> str:
    """One of 10,000 French mobiles."""
    return f"+3361234{index:04d}"


def contacts(*numbers: str, **values: str | None) -> list[dict[str, str | None]]:
    """Contact objects that share their merge values."""
    return [{"phone_number": number, **values} for number in numbers]


def campaign(**changes: Any) -> dict[str, Any]:
    """A marketing campaign to one French mobile, every field written out but `send_at` and `request_id`."""
    return {
        "recipients": contacts(FRENCH),
        "text": "Soldes chez Acme. STOP au 36111",
        "type": "sms_premium",
        "purpose": "wholesale",
        "sender": "ACME",
        "with_replies": False,
        "simulation_mode": False,
        "auto_optimize_text": False,
        "auto_remove_blacklisted_numbers": False,
        **changes,
    }


def without(name: str) -> dict[str, Any]:
    """The same campaign with one field left out."""
    return {key: value for key, value in campaign().items() if key != name}

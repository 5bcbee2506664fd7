"""Phone numbers as a person may see them."""

from __future__ import annotations

from typing import Final

import phonenumbers

HIDDEN: Final = "••"
DIGITS_SHOWN: Final = 2


def mask(phone: str) -> str:
    """
    `+33612340056` as `+33 •• •• •• • 56`: the calling code and the last two digits stay.

    `phone` is E.164. Anything that is not becomes dots alone, so that a mistake of ours shows nobody's number.
    """
    code = _calling_code(phone)
    if code is None:
        return HIDDEN * 4
    national = phone[1 + len(code) :]
    hidden = len(national) - DIGITS_SHOWN
    pairs = [HIDDEN] * (hidden // 2) + ["•"] * (hidden % 2)
    return " ".join([f"+{code}", *pairs, national[-DIGITS_SHOWN:]])


def _calling_code(phone: str) -> str | None:
    digits = phone[1:]
    if not (phone.startswith("+") and digits.isascii() and digits.isdigit() and len(digits) > 4):
        return None
    # The library's table of calling codes is prefix-free, so at most one length matches.
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return next((digits[:length] for length in (1, 2, 3) if int(digits[:length]) in codes), None)

"""
Facts that the sandbox judges by: the GSM-7 alphabet, calling codes, and what a message costs.

The alphabet is 3GPP TS 23.038. The prices are invented, with the shape of real ones: per country and product, up to
eight decimals, so that a client which rounds is found out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
"""127 characters of one septet; the escape 0x1B is not a character."""
GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""10 characters of two septets, which never straddle two parts."""


@dataclass(frozen=True, slots=True)
class Country:
    """
    A country that the sandbox serves, with all countries that share its calling code.

    `digits` are the fewest and the most after the calling code. Prices are euros for each part; `low_cost` is `None`
    where that product does not exist.
    """

    code: str
    calling: str
    digits: tuple[int, int]
    premium: Decimal
    low_cost: Decimal | None

    def price(self, product: str) -> Decimal | None:
        """Euros for one part of `sms_premium` or `sms_low_cost`."""
        return self.premium if product == "sms_premium" else self.low_cost


def _country(code: str, calling: str, digits: tuple[int, int], premium: str, low_cost: str | None) -> Country:
    return Country(code, calling, digits, Decimal(premium), None if low_cost is None else Decimal(low_cost))


COUNTRIES: Final = (
    _country("FR", "33", (9, 9), "0.061", "0.042"),
    _country("AT", "43", (4, 13), "0.0749", "0.058"),
    _country("BE", "32", (8, 9), "0.08125", "0.0655"),
    _country("CH", "41", (9, 12), "0.07333333", None),
    _country("CZ", "420", (9, 12), "0.0532", "0.0411"),
    _country("DE", "49", (4, 15), "0.0795", "0.05905"),
    _country("DK", "45", (8, 8), "0.0401", "0.033"),
    _country("ES", "34", (9, 9), "0.05502839", "0.0418"),
    _country("FI", "358", (5, 12), "0.0713", "0.0602"),
    _country("GB", "44", (7, 10), "0.04375", "0.0331"),
    _country("GF", "594", (9, 9), "0.1105", None),
    _country("GP", "590", (9, 9), "0.1105", None),
    _country("GR", "30", (10, 12), "0.0615", "0.0488"),
    _country("IE", "353", (7, 10), "0.0668", "0.0509"),
    _country("IT", "39", (6, 12), "0.06617", "0.04925"),
    _country("LU", "352", (4, 11), "0.0704", "0.0577"),
    _country("MA", "212", (9, 9), "0.18504417", None),
    _country("MQ", "596", (9, 9), "0.1105", None),
    _country("NL", "31", (5, 11), "0.0862", "0.0702"),
    _country("NO", "47", (5, 8), "0.06042", "0.0513"),
    _country("PL", "48", (6, 10), "0.03099", "0.0246"),
    _country("PT", "351", (9, 9), "0.0399", "0.0321"),
    _country("RE", "262", (9, 9), "0.1123", None),
    _country("RO", "40", (6, 9), "0.0507", "0.0432"),
    _country("SE", "46", (6, 12), "0.0512", "0.0427"),
    _country("TN", "216", (8, 8), "0.2275", "0.1933"),
    _country("US", "1", (10, 10), "0.00852941", None),
)

_CODES_ELSEWHERE: Final = (
    "7 20 27 36 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 211 213 218 220 221 222 "
    "223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 249 250 "
    "251 252 253 254 255 256 257 258 260 261 263 264 265 266 267 268 269 290 291 297 298 299 350 354 355 356 357 359 "
    "370 371 372 373 374 375 376 377 378 379 380 381 382 383 385 386 387 389 421 423 500 501 502 503 504 505 506 507 "
    "508 509 591 592 593 595 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 "
    "691 692 800 808 850 852 853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 "
    "972 973 974 975 976 977 979 992 993 994 995 996 998"
)
ASSIGNED_ELSEWHERE: Final = frozenset(_CODES_ELSEWHERE.split())
"""Calling codes of countries and services that exist but are not served (code 151); all others are code 150."""

BY_CALLING_CODE: Final = {country.calling: country for country in COUNTRIES}
BY_CODE: Final = {country.code: country for country in COUNTRIES}

REPLIES_SURCHARGE: Final = {"FR": Decimal("0.03")}
"""Octopush's user documentation: collecting replies costs 0.03 more for each SMS in France."""
BLACKLIST_OPTION: Final = Decimal("0.01")
"""Octopush's API page: removing blacklisted numbers adds 0.01 for each request."""
OTHER_PRODUCTS: Final = {"vocal_sms": Decimal("0.095"), "hlr": Decimal("0.0095")}
"""Products that can be asked about but not bought here; one price for all countries."""


def calling_code(number: str) -> str | None:
    """The calling code of an E.164 number (no code is the beginning of another), or `None` if nobody has it."""
    digits = number.removeprefix("+")
    for length in (1, 2, 3):
        code = digits[:length]
        if code in BY_CALLING_CODE or code in ASSIGNED_ELSEWHERE:
            return code
    return None

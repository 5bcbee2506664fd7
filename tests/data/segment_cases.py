"""Texts with their expected encoding, units and parts; the last column marks where plain division is wrong."""

from __future__ import annotations

from typing import Final, NamedTuple

FAMILY: Final = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
FLAG: Final = "\U0001f1eb\U0001f1f7"
SMILE: Final = "\U0001f600"
STOP: Final = " STOP au XXXXX"
HAN: Final = "中"


class SegmentCase(NamedTuple):
    """One text: septets or UTF-16 units before any header, and parts."""

    id: str
    text: str
    encoding: str
    units: int
    parts: int


SEGMENT_CASES: Final = tuple(
    SegmentCase(*row)
    for row in (
        ("E01", "", "GSM-7", 0, 1),
        ("E02", "a" * 160, "GSM-7", 160, 1),
        ("E03", "a" * 161, "GSM-7", 161, 2),
        ("E04", "a" * 306, "GSM-7", 306, 2),
        ("E05", "a" * 307, "GSM-7", 307, 3),
        ("E06", "a" * 459, "GSM-7", 459, 3),
        ("E07", "a" * 460, "GSM-7", 460, 4),
        ("E08", "a" * 1224, "GSM-7", 1224, 8),
        ("E09", "a" * 1225, "GSM-7", 1225, 9),
        ("E10", "€" * 80, "GSM-7", 160, 1),
        ("E11", "€" * 81, "GSM-7", 162, 2),
        ("E12", "a" * 158 + "€", "GSM-7", 160, 1),
        ("E13", "a" * 159 + "€", "GSM-7", 161, 2),
        ("E14", "a" * 152 + "€" + "a" * 151, "GSM-7", 305, 2),
        ("E15", "a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # plain division gives 2
        ("E16", "a" * 151 + "€" + "a" * 153, "GSM-7", 306, 2),
        ("E17", "]" * 152, "GSM-7", 304, 2),
        ("E18", "]" * 153, "GSM-7", 306, 3),  # plain division gives 2
        ("E19", "]" * 228, "GSM-7", 456, 3),
        ("E20", "]" * 229, "GSM-7", 458, 4),  # plain division gives 3
        ("E21", "€" * 304, "GSM-7", 608, 4),
        ("E22", "€" * 305, "GSM-7", 610, 5),  # plain division gives 4
        ("E23", "€" * 306, "GSM-7", 612, 5),  # plain division gives 4
        ("E24", "\f" * 80, "GSM-7", 160, 1),
        ("E25", "\f" * 81, "GSM-7", 162, 2),
        ("E26", "a" * 80 + "\n" + "a" * 79, "GSM-7", 160, 1),
        ("E27", "a" * 80 + "\r\n" + "a" * 79, "GSM-7", 161, 2),
        ("E28", "a" * 200 + "\r\n" + "a" * 105, "GSM-7", 307, 3),
        ("E29", "\u00e9" * 160, "GSM-7", 160, 1),
        ("E30", "Ç" * 160, "GSM-7", 160, 1),
        ("E31", "a" * 69 + "ç", "UCS-2", 70, 1),
        ("E32", "a" * 70 + "ç", "UCS-2", 71, 2),
        ("E33", "a" * 159 + "ç", "UCS-2", 160, 3),
        ("E34", "e\u0301", "UCS-2", 2, 1),
        ("E35", "e\u0301" * 70, "UCS-2", 140, 3),
        ("E36", "\u00e9" * 70, "GSM-7", 70, 1),  # E35 in NFC
        ("E37", HAN * 70, "UCS-2", 70, 1),
        ("E38", HAN * 71, "UCS-2", 71, 2),
        ("E39", HAN * 134, "UCS-2", 134, 2),
        ("E40", HAN * 135, "UCS-2", 135, 3),
        ("E41", HAN * 201, "UCS-2", 201, 3),
        ("E42", HAN * 202, "UCS-2", 202, 4),
        ("E43", SMILE * 35, "UCS-2", 70, 1),
        ("E44", SMILE * 36, "UCS-2", 72, 2),
        ("E45", SMILE * 66, "UCS-2", 132, 2),
        ("E46", SMILE * 67, "UCS-2", 134, 3),  # plain division gives 2
        ("E47", HAN * 65 + SMILE + HAN * 67, "UCS-2", 134, 2),
        ("E48", HAN * 66 + SMILE + HAN * 66, "UCS-2", 134, 3),  # plain division gives 2
        ("E49", HAN * 69 + SMILE, "UCS-2", 71, 2),
        ("E50", HAN * 68 + SMILE, "UCS-2", 70, 1),
        ("E51", FLAG + "2" * 66, "UCS-2", 70, 1),
        ("E52", FLAG + "2" * 67, "UCS-2", 71, 2),
        ("E53", HAN * 58 + FAMILY + HAN * 65, "UCS-2", 134, 2),  # keeping clusters whole gives 3
        ("E54", HAN * 63 + FAMILY + HAN * 60, "UCS-2", 134, 3),  # plain division gives 2
        ("E55", SMILE + "]" * 68, "UCS-2", 70, 1),
        ("E56", SMILE + "]" * 69, "UCS-2", 71, 2),
        ("E57", "a" * 99 + "\u2019", "UCS-2", 100, 2),
        ("E58", "a" * 99 + "'", "GSM-7", 100, 1),
        ("E59", "a" * 146 + STOP, "GSM-7", 160, 1),
        ("E60", "a" * 147 + STOP, "GSM-7", 161, 2),
        ("E61", "a" * 292 + STOP, "GSM-7", 306, 2),
        ("E62", "a" * 293 + STOP, "GSM-7", 307, 3),
        ("E63", HAN * 56 + STOP, "UCS-2", 70, 1),
        ("E64", HAN * 57 + STOP, "UCS-2", 71, 2),
        ("E65", "a\u00a0b", "UCS-2", 3, 1),
        ("E66", "a\tb", "UCS-2", 3, 1),
        ("E67", "`", "UCS-2", 1, 1),
        ("E68", "a\x1bb", "UCS-2", 3, 1),
        ("E69", "\u00b5", "UCS-2", 1, 1),
        ("E70", "\u00b0", "UCS-2", 1, 1),
        ("E71", "\u2126", "UCS-2", 1, 1),
        ("E72", "\u03a9", "GSM-7", 1, 1),
        ("E73", "\u0391", "UCS-2", 1, 1),
        ("E74", "a\u200bb", "UCS-2", 3, 1),
        ("E75", "œ", "UCS-2", 1, 1),
    )
)

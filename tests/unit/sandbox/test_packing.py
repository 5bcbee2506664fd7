"""How many parts a text is billed as."""

from __future__ import annotations

import unicodedata

import pytest

from octoplan.sandbox.packing import Size, measure, optimise
from octoplan.sandbox.tables import GSM_BASIC, GSM_EXTENSION

STOP = " STOP au XXXXX"
GRIN = "\U0001f600"
FLAG = "\U0001f1eb\U0001f1f7"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
DECOMPOSED = "e\u0301"

CASES: list[tuple[str, str, str, int, int]] = [
    ("E01", "", "G", 0, 1),
    ("E02", "a" * 160, "G", 160, 1),
    ("E03", "a" * 161, "G", 161, 2),
    ("E04", "a" * 306, "G", 306, 2),
    ("E05", "a" * 307, "G", 307, 3),
    ("E06", "a" * 459, "G", 459, 3),
    ("E07", "a" * 460, "G", 460, 4),
    ("E08", "a" * 1224, "G", 1224, 8),
    ("E09", "a" * 1225, "G", 1225, 9),
    ("E10", "€" * 80, "G", 160, 1),
    ("E11", "€" * 81, "G", 162, 2),
    ("E12", "a" * 158 + "€", "G", 160, 1),
    ("E13", "a" * 159 + "€", "G", 161, 2),
    ("E14", "a" * 152 + "€" + "a" * 151, "G", 305, 2),
    ("E15", "a" * 152 + "€" + "a" * 152, "G", 306, 3),
    ("E16", "a" * 151 + "€" + "a" * 153, "G", 306, 2),
    ("E17", "]" * 152, "G", 304, 2),
    ("E18", "]" * 153, "G", 306, 3),
    ("E19", "]" * 228, "G", 456, 3),
    ("E20", "]" * 229, "G", 458, 4),
    ("E21", "€" * 304, "G", 608, 4),
    ("E22", "€" * 305, "G", 610, 5),
    ("E23", "€" * 306, "G", 612, 5),
    ("E24", "\f" * 80, "G", 160, 1),
    ("E25", "\f" * 81, "G", 162, 2),
    ("E26", "a" * 80 + "\n" + "a" * 79, "G", 160, 1),
    ("E27", "a" * 80 + "\r\n" + "a" * 79, "G", 161, 2),
    ("E28", "a" * 200 + "\r\n" + "a" * 105, "G", 307, 3),
    ("E29", "\u00e9" * 160, "G", 160, 1),
    ("E30", "Ç" * 160, "G", 160, 1),
    ("E31", "a" * 69 + "ç", "U", 70, 1),
    ("E32", "a" * 70 + "ç", "U", 71, 2),
    ("E33", "a" * 159 + "ç", "U", 160, 3),
    ("E34", DECOMPOSED, "U", 2, 1),
    ("E35", DECOMPOSED * 70, "U", 140, 3),
    ("E36", unicodedata.normalize("NFC", DECOMPOSED * 70), "G", 70, 1),
    ("E37", "中" * 70, "U", 70, 1),
    ("E38", "中" * 71, "U", 71, 2),
    ("E39", "中" * 134, "U", 134, 2),
    ("E40", "中" * 135, "U", 135, 3),
    ("E41", "中" * 201, "U", 201, 3),
    ("E42", "中" * 202, "U", 202, 4),
    ("E43", GRIN * 35, "U", 70, 1),
    ("E44", GRIN * 36, "U", 72, 2),
    ("E45", GRIN * 66, "U", 132, 2),
    ("E46", GRIN * 67, "U", 134, 3),
    ("E47", "中" * 65 + GRIN + "中" * 67, "U", 134, 2),
    ("E48", "中" * 66 + GRIN + "中" * 66, "U", 134, 3),
    ("E49", "中" * 69 + GRIN, "U", 71, 2),
    ("E50", "中" * 68 + GRIN, "U", 70, 1),
    ("E51", FLAG + "2" * 66, "U", 70, 1),
    ("E52", FLAG + "2" * 67, "U", 71, 2),
    ("E53", "中" * 58 + FAMILY + "中" * 65, "U", 134, 2),
    ("E54", "中" * 63 + FAMILY + "中" * 60, "U", 134, 3),
    ("E55", GRIN + "]" * 68, "U", 70, 1),
    ("E56", GRIN + "]" * 69, "U", 71, 2),
    ("E57", "a" * 99 + "\u2019", "U", 100, 2),
    ("E58", "a" * 99 + "'", "G", 100, 1),
    ("E59", "a" * 146 + STOP, "G", 160, 1),
    ("E60", "a" * 147 + STOP, "G", 161, 2),
    ("E61", "a" * 292 + STOP, "G", 306, 2),
    ("E62", "a" * 293 + STOP, "G", 307, 3),
    ("E63", "中" * 56 + STOP, "U", 70, 1),
    ("E64", "中" * 57 + STOP, "U", 71, 2),
    ("E65", "a\u00a0b", "U", 3, 1),
    ("E66", "a\tb", "U", 3, 1),
    ("E67", "`", "U", 1, 1),
    ("E68", "a\u001bb", "U", 3, 1),
    ("E69", "\u00b5", "U", 1, 1),
    ("E70", "°", "U", 1, 1),
    ("E71", "\u2126", "U", 1, 1),
    ("E72", "\u03a9", "G", 1, 1),
    ("E73", "\u0391", "U", 1, 1),
    ("E74", "a\u200bb", "U", 3, 1),
    ("E75", "œ", "U", 1, 1),
]


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_edge_case(text: str, encoding: str, units: int, parts: int) -> None:
    """Every edge case of the SMS standards gives its encoding, units and parts: pairs never straddle two parts."""
    assert measure(text) == Size("GSM-7" if encoding == "G" else "UCS-2", units, parts)


def test_alphabet_is_complete() -> None:
    """The alphabet has 127 characters of one septet and 10 of two, and none in both."""
    assert (len(GSM_BASIC), len(GSM_EXTENSION), len(GSM_BASIC & GSM_EXTENSION)) == (127, 10, 0)


def test_optimising_makes_a_pasted_text_fit_gsm7() -> None:
    """Optimising replaces what Octopush says it replaces, keeps accents that GSM-7 has, and drops useless spaces."""
    assert optimise(" « Fête »  d’été…  à 20°  – ça ^ | \\ „x” ") == '" Fete " d\'été. à 20o - ca - I / ,x"'


def test_optimising_leaves_gsm7_alone() -> None:
    """A text without useless spaces and rare signs goes out as it came."""
    text = "Déjà 5 € à Noé.\nÀ bientôt".replace("À", "à").replace("ô", "ò")
    assert optimise(text) == text

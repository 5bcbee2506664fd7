"""
Writes recipient files as they come from the world, the same bytes on every machine.

    python tests/data/generate.py            the committed files: data/*.csv and tests/data/world/*
    python tests/data/generate.py --large F  a file of 50,000 rows, which is not committed

Nobody's number is in them. French numbers come from one invented block, 06 12 34 00 00 to 06 12 34 99 99, the one that
textbooks use: the range that France reserves for fiction (06 39 98) is not valid for libphonenumber. American ones are
NXX-555-0100 to 0199, reserved for fiction. German ones are 0171 39200 00 to 99. Names, shops and carriers are invented.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS = 3_000
LARGE_ROWS = 50_000

FIRST_NAMES = (
    *("Zoé", "Loïc", "Chloé", "François", "Noémie", "Gaël", "Inès", "Théo", "Maëlle", "Jérôme", "Anaïs", "Cédric"),
    *("Léa", "Hugo", "Jeanne", "Paul", "Lina", "Adam", "Rose", "Louis", "Alice", "Jules", "Emma", "Nathan"),
    *("Sarah", "Tom", "Camille", "Antoine", "Julie", "Marc", "Élodie", "Rémi", "Océane", "Bastien", "Clara", "Yanis"),
)
LAST_NAMES = (
    *(
        "Aubrac",
        "Bellorme",
        "Castagnol",
        "Dervieux",
        "Estoril",
        "Fontanelle",
        "Grivaud",
        "Hautpré",
        "Isnardon",
        "Jolivel",
        "Kermadec",
        "Lormont",
    ),
    *(
        "Montcler",
        "Norvaux",
        "Oradel",
        "Pervenche",
        "Quénard",
        "Roquebert",
        "Sauvelin",
        "Tréville",
        "Urbain",
        "Valcroze",
        "Wautier",
        "Yvetal",
    ),
)
SHOPS = ("LYON PART-DIEU", "lille", "Saint-Étienne", "Nantes", "Paris 11e", "Aix-en-Provence", "")
COMMENTS = (
    "",
    "",
    "",
    "",
    "cliente fidèle",
    "à rappeler\r\nle soir",
    'dit "Jo"',
    "carte; perdue",
    "parking\nle samedi",
)
CARRIERS = ("Colibri Express", "Postale du Nord", "Relais & Co")
AREA_CODES = (202, 212, 213, 305, 312, 404, 415, 503, 512, 617, 646, 702, 713, 718, 773, 804, 808, 818, 901, 917)
JUNK = ("n/a", "inconnu", "06 12 34", "0123", "+33 6 12 34 56 789 0", "O612340042", "0612340043 poste 12", "-")
EATEN = ("3,36123E+10", "6,12346E+08", "3.36E+10", "612340044.0")

Rows = Iterable[Sequence[str]]


def french(line: int, spelling: int) -> str:
    """Number `line` of the block, in one of the ways in which people write it."""
    one, two = f"{line // 100:02d}", f"{line % 100:02d}"
    return (
        f"061234{one}{two}",
        f"06 12 34 {one} {two}",
        f"06.12.34.{one}.{two}",
        f"06-12-34-{one}-{two}",
        f"+3361234{one}{two}",
        f"+33 6 12 34 {one} {two}",
        f"+33 (0)6 12 34 {one} {two}",
        f"003361234{one}{two}",
        f"(06) 12 34 {one} {two}",
        f"61234{one}{two}",
        f"06\u00a012\u00a034\u00a0{one}\u00a0{two}",
        f" 06 12 34 {one} {two} ",
    )[spelling % 12]


def foreign(random: Random) -> str:
    """An American or a German number, always with its country code."""
    if random.randrange(4) == 0:
        return f"+49 171 39200{random.randrange(100):02d}"
    area = AREA_CODES[random.randrange(len(AREA_CODES))]
    return f"+1 ({area}) 555-01{random.randrange(100):02d}"


def messy_number(random: Random, line: int) -> str:
    """Mostly good; else empty, eaten by a spreadsheet, junk or foreign."""
    kind = random.randrange(100)
    if kind < 2:
        return ""
    if kind < 4:
        return EATEN[random.randrange(len(EATEN))]
    if kind < 7:
        return JUNK[random.randrange(len(JUNK))]
    return foreign(random) if kind < 10 else french(line, random.randrange(12))


def customers(random: Random, count: int, numbers: int) -> Rows:
    """`count` rows whose French numbers are among the first `numbers` of the block, so that some come twice."""
    yield ("prenom", "nom", "mobile", "magasin", "points", "consent", "commentaire")
    for _ in range(count):
        yield (
            FIRST_NAMES[random.randrange(len(FIRST_NAMES))],
            LAST_NAMES[random.randrange(len(LAST_NAMES))],
            messy_number(random, random.randrange(numbers)),
            SHOPS[random.randrange(len(SHOPS))],
            str(random.randrange(2_000)),
            ("oui", "oui", "oui", "non")[random.randrange(4)],
            COMMENTS[random.randrange(len(COMMENTS))],
        )


def stop_list(random: Random) -> Rows:
    """About 120 numbers, one a line, in the spellings of those who typed them."""
    yield ("numero",)
    for _ in range(120):
        yield (french(random.randrange(10_000), random.randrange(10)),)


def orders() -> Rows:
    """Parcels that arrive today: few rows, all of them sound."""
    yield ("order_id", "phone", "first_name", "carrier")
    for index in range(40):
        carrier = CARRIERS[index % len(CARRIERS)]
        yield (f"CMD-{20_480 + index}", french(9_000 + 7 * index, 4), FIRST_NAMES[(index * 5) % 36], carrier)


def as_csv(rows: Rows, delimiter: str, line_end: str) -> str:
    """The rows as text, quoted only where that is needed."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return text.getvalue()


WORLD = (
    ("Prénom", "Nom", "Mobile", "Ville"),
    ("Zoé", "Aubrac", "06 12 34 00 01", "Lyon"),
    ("Loïc", "Bellorme", "+33 (0)6 12 34 00 02", "Aÿ"),
    ("Chloé", "Castagnol", "0033612340003", "Besançon"),
    ("François", "Dervieux", "06.12.34.00.04", ""),
    ("Inès", "Estoril", "3,36123E+10", "Nîmes"),
    ("Théo", "Fontanelle", "", "Sète"),
    ("Anaïs", "Grivaud", "+1 (202) 555-0123", "Nantes"),
    ("Rémi", "Hautpré", "061234 0001", "Lille"),
)
"""Eight people, whose list comes in many shapes; two of them share a number."""


def world_files() -> dict[str, bytes]:
    """The same list in the shapes of the world: file name -> bytes."""
    spaced = [tuple(f" {name} " for name in WORLD[0]), *WORLD[1:]]
    broken = [(*row[:3], row[3].replace("Nantes", "Nantes\r\n(Erdre)")) for row in WORLD]
    lines = as_csv(WORLD, ";", "\r\n").splitlines(keepends=True)
    return {
        "commas-utf8.csv": as_csv(WORLD, ",", "\n").encode(),
        "semicolons-utf8-bom-crlf.csv": as_csv(WORLD, ";", "\r\n").encode("utf-8-sig"),
        "semicolons-windows-1252.csv": as_csv(WORLD, ";", "\r\n").encode("cp1252"),
        "tabs-utf16-le.txt": b"\xff\xfe" + as_csv(WORLD, "\t", "\r\n").encode("utf-16-le"),
        "tabs-utf16-be.txt": b"\xfe\xff" + as_csv(WORLD, "\t", "\n").encode("utf-16-be"),
        "pipes-empty-lines.csv": as_csv(WORLD, "|", "\n\n").encode(),
        "spaces-in-header.csv": as_csv(spaced, ";", "\n").encode(),
        "quoted-line-breaks.csv": as_csv(broken, ";", "\r\n").encode(),
        "excel-sep-line.csv": ("sep=;\r\n" + "".join(lines)).encode(),
        "mixed-line-ends.csv": ("".join(lines[:4]) + "".join(lines[4:]).replace("\r\n", "\n")).encode(),
        "old-mac-line-ends.csv": as_csv(WORLD, ";", "\r").encode(),
        "no-last-line-end.csv": as_csv(WORLD, ";", "\n").encode().removesuffix(b"\n"),
    }


def committed_files() -> dict[str, bytes]:
    """Every file that is in the repository, by its path from the root."""
    random = Random(20_270_320)
    files = {
        "data/customers.csv": as_csv(customers(random, CUSTOMERS, 8_000), ";", "\r\n").encode("utf-8-sig"),
        "data/stop-list.csv": as_csv(stop_list(random), ";", "\n").encode(),
        "data/orders.csv": as_csv(orders(), ",", "\n").encode(),
    }
    return files | {f"tests/data/world/{name}": content for name, content in world_files().items()}


def write_large(path: Path, rows: int = LARGE_ROWS) -> Path:
    """`rows` rows of the kind of `data/customers.csv` to `path`; no quotes, so that a line is a row."""
    random = Random(50_000)
    plain = (row[:6] for row in customers(random, rows, 10_000))
    path.write_bytes(as_csv(plain, ";", "\n").encode())
    return path


def main(arguments: Sequence[str]) -> None:
    """Write what the arguments ask for."""
    if arguments[:1] == ["--large"]:
        write_large(Path(arguments[1]))
        return
    for name, content in committed_files().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1:])

"""
A project with a long list of contacts, made up: six columns, 20 % of the numbers foreign, 5 % of no use, about 10 %
repeated; and a list of numbers that get nothing.

    python benchmarks/data.py ROWS FOLDER

The same rows give the same files on every machine. The numbers are counted through whole ranges, since the blocks that
are reserved for fiction are far too short; some may belong to somebody. Nothing is sent, and nothing of it is kept in
the repository.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

SUPPRESSED_MAX = 1_000_000
"""The list of numbers that get nothing is as long as the contacts, up to this."""
ROWS_MAX = 10_000_000
"""Beyond it the numbers of a range would repeat."""

PROJECT = """\
project: benchmark
defaults: {region: FR, sender: BENCH, timezone: Europe/Paris}
suppression:
  - {path: stop-list.csv, phone: number}
"""
CAMPAIGN = """\
id: benchmark
type: sms_premium
purpose: wholesale
message:
  template: "Bonjour {{ first_name }}, -20% chez {{ shop | upper }} jusqu'a dimanche. STOP au XXXXX"
recipients: {path: contacts.csv, phone: phone}
"""

# A macro each: the number that stands for a person, in one of the ways in which people write it. Every range is walked
# in steps that have no factor in common with its length, so two people never share a number.
MACROS = """
CREATE MACRO digits(person, length, size) AS lpad(((person * 48271 + 11) % size)::VARCHAR, length, '0');
CREATE MACRO french(person) AS translate(digits(person, 8, 80000000)[1], '34567', '45678')
  || digits(person, 8, 80000000)[2:];
CREATE MACRO foreign_number(person, kind) AS CASE kind
  WHEN 0 THEN '+4471' || digits(person, 8, 100000000)
  WHEN 1 THEN '+49151' || digits(person, 8, 100000000)
  WHEN 2 THEN '+324' || (7 + person // 10000000) || digits(person, 7, 10000000)
  ELSE '+1' || ['212', '305'][1 + person // 8000000] || (2 + person % 8) || digits(person // 8, 6, 1000000) END;
CREATE MACRO e164(person) AS CASE WHEN is_foreign(person) THEN foreign_number(person, hash(person, 3) % 4)
  ELSE '+336' || french(person) END;
CREATE MACRO pairs(text, mark) AS
  text[1:2] || mark || text[3:4] || mark || text[5:6] || mark || text[7:8];
CREATE MACRO written(person, way) AS CASE
  WHEN is_foreign(person) THEN CASE way % 4 WHEN 0 THEN replace(e164(person), '+', '00')
    WHEN 1 THEN e164(person)[1:3] || ' ' || e164(person)[4:] ELSE e164(person) END
  ELSE CASE way % 6 WHEN 0 THEN '06' || french(person) WHEN 1 THEN '+336' || french(person)
    WHEN 2 THEN '06 ' || pairs(french(person), ' ') WHEN 3 THEN '00336' || french(person)
    WHEN 4 THEN '06.' || pairs(french(person), '.') ELSE '06-' || pairs(french(person), '-') END END;
CREATE MACRO useless(way) AS CASE way % 4 WHEN 0 THEN '' WHEN 1 THEN '12345' WHEN 2 THEN 'n/a'
  ELSE '+99 12 34 56 78' END;
"""
IS_FOREIGN = "CREATE MACRO is_foreign(person) AS hash(person, 2) % 100 < 20"

CONTACTS = """
SELECT row AS id, CASE WHEN chance % 100 < 5 THEN useless(way) ELSE written(person, way) END AS phone,
  ['Camille', 'Élodie', 'Noah', 'Inès', 'Lucas', 'Zoë', 'Hugo', 'Léa'][1 + (name % 8)::INT]
    || CASE WHEN name % 3 = 0 THEN '' ELSE chr(97 + (name % 26)::INT) END AS first_name,
  'Nom' || name % 5000 AS last_name,
  ['Lyon', 'Paris', 'Lille', 'Nantes'][1 + (way % 4)::INT] AS shop,
  ['basic', 'gold'][1 + (name % 2)::INT] AS plan
FROM (
  SELECT row, hash(row, 5) AS way, hash(row, 6) AS name, hash(row, 7) AS chance,
    CASE WHEN row > 0 AND hash(row, 8) % 100 < 10 THEN (hash(row, 9) % row)::BIGINT ELSE row END AS person
  FROM range({rows}) AS numbers(row))
"""
# The first entries are people of the list, spread over all of it; the others are of nobody in it.
SUPPRESSED = """
SELECT e164(CASE WHEN entry < {known} THEN entry * {spread} ELSE {rows} + entry END) AS number
FROM range({entries}) AS entries(entry) ORDER BY hash(entry)
"""


def write_project(rows: int, folder: Path) -> None:
    """Make the project in `folder`, which need not exist."""
    if rows > ROWS_MAX:
        raise ValueError(f"at most {ROWS_MAX} rows")
    (folder / "campaigns").mkdir(parents=True, exist_ok=True)
    (folder / "octoplan.yaml").write_text(PROJECT, encoding="utf-8")
    (folder / "campaigns" / "benchmark.yaml").write_text(CAMPAIGN, encoding="utf-8")
    entries = min(rows, SUPPRESSED_MAX)
    known = max(1, min(rows // 10, entries // 2))
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)}) as engine:
        engine.execute("SET enable_progress_bar = false")
        engine.execute(IS_FOREIGN)
        for macro in filter(str.strip, MACROS.split(";\n")):
            engine.execute(macro)
        suppressed = SUPPRESSED.format(known=known, spread=rows // known, rows=rows, entries=entries)
        for query, name in ((CONTACTS.format(rows=rows), "contacts.csv"), (suppressed, "stop-list.csv")):
            engine.execute(f"COPY ({query}) TO '{folder / name}' (FORMAT csv, HEADER)")


if __name__ == "__main__":
    write_project(int(sys.argv[1]), Path(sys.argv[2]))

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Write
from .support import findings, problems, see

ROWS = """mobile;nom;consent;points;Ville d'été
0612340001;Aubrac;oui;10;Lyon
0612340002;Bellorme;non;200;Lille
0612340003;;oui;;Lyon
0612340004;Castagnol;true;30;
"""


@pytest.fixture
def contacts(write: Write) -> Path:
    return write(ROWS)


def last_digits(contacts: Path, where: str) -> str:
    return "".join(sorted(phone[-1] for phone in see(contacts, where=where).phones))


@pytest.mark.parametrize(
    ("where", "selected"),
    [
        ("consent = 'oui'", "13"),
        ("consent <> 'oui'", "24"),
        ("nom is null", "3"),
        ("nom is not null and not consent = 'oui'", "24"),
        ("nom like '%r%a%' or nom ilike 'B%'", "12"),
        ("try_cast(points as integer) > 20", "24"),
        ("points::int between 10 and 30", "14"),
        ("points in ('10', '30')", "14"),
        ("points not in ('10', '30')", "2"),
        ("lower(nom) = 'aubrac' -- the first", "1"),
        ("\"Ville d'été\" = 'Lyon'", "13"),
        ("CASE WHEN consent = 'oui' THEN points = '10' ELSE points = '200' END", "12"),
        ("coalesce(nom, 'nobody') = 'nobody'", "3"),
        ("-try_cast(points as int) + 5 < 0 - 100", "2"),
        ("date '2026-01-01' < try_cast(points as date)", ""),
        ("regexp_full_match(nom, '[A-B].*')", "12"),
        ("true", "1234"),
        ("(" * 900 + "true" + ")" * 900, "1234"),
        ("null", ""),
        ("consent is distinct from 'oui'", "24"),
        ("'it''s' = 'it''s' and mobile = '0612340001'", "1"),
    ],
)
def test_filter_selects(contacts: Path, where: str, selected: str) -> None:
    """Comparisons, conjunctions, conversions and the listed functions mean what they mean in SQL."""
    assert last_digits(contacts, where) == selected


def test_rows_that_are_not_selected_are_counted(contacts: Path) -> None:
    """A filter hides nobody: the rest has a reason, and null counts as no."""
    seen = see(contacts, where="points > '2'")
    assert seen.reasons == {"not-selected": 2}
    assert seen.examples == {"not-selected": (2, 4)}


def test_column_may_be_called_like_one_of_ours(write: Write) -> None:
    """Names that the engine's own tables use are the file's columns in a filter."""
    path = write("mobile;row;faulty;reason;c0\n0612340001;a;b;c;d\n")
    where = "row = 'a' and faulty = 'b' and reason = 'c' and c0 = 'd'"
    assert len(see(path, where=where).people) == 1


def test_column_of_truths(write: Write) -> None:
    """A column that says true or false can stand alone, as in `consent and magasin is not null`."""
    path = write("mobile;consent;magasin\n0612340001;true;a\n0612340002;no;a\n0612340003;;a\n0612340004;1;\n")
    assert see(path, where="consent and magasin is not null").phones == {"+33612340001"}


HOSTILE = [
    "1) UNION SELECT (1",
    "1=1); COPY contacts TO '/tmp/x' --",
    "1=1; DROP TABLE contact",
    "1); SELECT (2",
    "true) AS chosen FROM contacts; ATTACH '/tmp/x' --",
    "true) AS chosen, (SELECT 1",
    "true) AS chosen FROM read_csv('/etc/passwd') --",
    "true) AS chosen FROM contacts ORDER BY (1",
    "true, true",
    "nom = (SELECT 'Aubrac')",
    "EXISTS (FROM read_csv('/etc/passwd'))",
    "nom IN (SELECT content FROM read_text('/etc/passwd'))",
    "nom = ANY(['Aubrac'])",
    "read_text('/etc/passwd') = 'x'",
    "getenv('HOME') = 'x'",
    "current_setting('threads') = '1'",
    "current_date > '2020-01-01'",
    "current_user = 'x'",
    "random() < 0.5",
    "now() > '2020-01-01'",
    "nextval('x') > 1",
    "hash(nom) > 1",
    "repeat(nom, 1000000000) = 'x'",
    "nom || nom = 'x'",
    "replace(nom, 'a', 'aaaa') = 'x'",
    "len(range(1000000000)) > 1",
    "list_transform([1], x -> x) = [1]",
    "row_number() OVER () > 1",
    "count(*) > 1",
    "sum(points::int) FILTER (true) > 1",
    "lower(DISTINCT nom) = 'x'",
    "main.lower(nom) = 'x'",
    "nom COLLATE nocase = 'x'",
    "points::timestamptz > '2020-01-01'",
    "points::int[] IS NULL",
    "points::ENUM('10') = '10'",
    "contacts.nom = 'x'",
    "nom.x = 'Aubrac'",
    "points::decimal(10, 2) > 1",
    "not " * 120 + "true",
    "true" + " or true" * 300,
    "nom = $1",
    "nom = ?",
    "* IS NULL",
    "COLUMNS('x') = 'y'",
    "{'a': 1}.a = 1",
    "PRAGMA version",
    "SET threads = 1",
    "INSTALL httpfs",
    "nom = 'Aubrac",
    "nom = 'x' /*",
    "$$",
    "nom = x'00'",
    "not " * 400 + "true",
    "x" * 3000,
    "",
    "  -- nothing",
    "DEFAULT",
    "a:b",
    "\0",
]


@pytest.mark.parametrize("where", HOSTILE)
def test_hostile_filter_is_a_finding(contacts: Path, where: str) -> None:
    """A filter is one expression of listed parts; anything else is refused with a finding and reads nothing."""
    found = problems(contacts, where=where)
    assert found
    assert set(found) <= {"audience/bad-where", "audience/missing-column"}


def test_misspelt_column_is_explained(contacts: Path) -> None:
    """A column that does not exist is named with the nearest, as everywhere."""
    (finding,) = findings(contacts, where="consnt = 'oui' or consnt = 'yes'")
    assert (finding.code, finding.hint) == ("audience/missing-column", "did you mean `consent`?")


def test_failed_conversion_shows_no_value(contacts: Path) -> None:
    """The engine quotes the value that it could not convert; the finding does not."""
    (finding,) = findings(contacts, where="nom::int > 3")
    assert finding.code == "audience/bad-where"
    assert "Aubrac" not in str(finding)


def test_wrong_types_are_found_before_reading(contacts: Path) -> None:
    """Comparing text with a number is explained together with the other findings."""
    assert problems(contacts, where="points > 3", phone="tel") == ["audience/missing-column", "audience/bad-where"]

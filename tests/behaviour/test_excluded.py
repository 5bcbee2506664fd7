"""The rows that get no message can be found and mended, and nobody's number is shown."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import HEADER, PEOPLE, Project

ODD = (
    ("Zorvana", "Brossombe", "06 12 34", "A"),
    ("Quintelle", "Kordavault", "", "B"),
    ("Ysabrine", "Faumestral", "6.12346E+08", "C"),
    ("Tobrenne", "Delavroche", "O612345677", "D"),
    ("Brannelle", "Vantrelloc", "06 12 34 56 01", "E"),
)


@pytest.fixture
def octoplan(project: Project) -> Iterator[Octoplan]:
    command = Octoplan(project.root)
    yield command
    command.close()


def listed(octoplan: Octoplan, *arguments: str) -> list[str]:
    """The lines of the table, without what stands around."""
    said = octoplan("excluded", "spring", *arguments)
    for value in {value for person in (*PEOPLE, *ODD) for value in person if len(value) > 1}:
        assert value not in said.output
    return [" ".join(line.split()) for line in said.stdout.splitlines() if line.startswith("  data/")]


def test_rows_are_named_with_what_is_wrong(octoplan: Octoplan, project: Project) -> None:
    """File, line, column, what the number looks like, and the fault of this very number."""
    project.contacts([*PEOPLE, *ODD])
    project.write("data/contacts.csv", (project.root / "data/contacts.csv").read_text() + "only,two\n")
    assert listed(octoplan) == [
        "data/contacts.csv:10 mobile `x•••••••77` with letters",
        "data/contacts.csv:8 mobile",
        "data/contacts.csv:12 mobile",
        "data/contacts.csv:7 mobile `•• •• 34` too short for FR",
        "data/contacts.csv:9 mobile `•.•••••x+08` a scientific figure: of all digits 6 are left",
    ]
    said = octoplan("excluded", "spring").stdout
    assert said.startswith("spring: 6 of 11 rows of data/contacts.csv get no message.\n")
    assert "Not shown: 1 duplicate (see them with `--reason duplicate`)." in said
    assert listed(octoplan, "--reason", "duplicate") == ["data/contacts.csv:2 mobile `•• •• •• •• 01`"]


def test_as_many_rows_as_are_asked_for(octoplan: Octoplan, project: Project) -> None:
    """The first of each reason, in the order of the list; the others are counted."""
    project.contacts([*PEOPLE, *(("A", "B", "06 12", "C") for _ in range(1_200))])
    assert len(listed(octoplan)) == 20
    assert listed(octoplan, "--count", "2")[1].startswith("data/contacts.csv:8 ")
    assert "… and 200 more" in octoplan("excluded", "spring", "--count", "1000").stdout
    assert len(listed(octoplan, "--count", "1000")) == 1_000
    octoplan("excluded", "spring", "--count", "1001", code=3)


def test_a_list_that_is_good(octoplan: Octoplan) -> None:
    """Nothing is left out, and that is said."""
    assert octoplan("excluded", "spring").stdout == "spring: 0 of 5 rows of data/contacts.csv get no message.\n"


def test_a_campaign_that_cannot_be_planned_for_its_rows(octoplan: Octoplan, project: Project) -> None:
    """The plan points to the command, which shows the rows all the same."""
    project.contacts([*PEOPLE, *ODD])
    project.campaign("spring", recipients={"path": "data/contacts.csv", "phone": "mobile", "on_invalid": "fail"})
    assert "`octoplan excluded`" in octoplan("plan", "--offline", code=3).output
    assert len(listed(octoplan)) == 4


def test_several_files_and_other_kinds(octoplan: Octoplan, project: Project) -> None:
    """A row is named in its own file; of what has no lines, by the number of its record."""
    people = [*PEOPLE, ODD[0]]
    records = [dict(zip(HEADER, person, strict=True)) for person in people]
    for name in ("data/part-a.csv", "data/part-b.csv"):
        project.contacts(people, path=name)
    project.write("data/people.jsonl.gz", gzip.compress("\n".join(map(json.dumps, records)).encode()))
    pq.write_table(pa.Table.from_pylist(records), project.root / "data" / "people.parquet")
    with sqlite3.connect(project.root / "data" / "app.db") as connection:
        connection.execute(f"CREATE TABLE people ({', '.join(HEADER)})")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", people)
    connection.close()
    sources = {
        "data/part-*.csv": (["data/part-a.csv:7", "data/part-b.csv:7"], {}),
        "data/people.jsonl.gz": (["data/people.jsonl.gz:6"], {}),
        "data/people.parquet": (["data/people.parquet:6"], {}),
        "data/app.db": (["data/app.db:6"], {"source": "sql", "query": "SELECT * FROM people"}),
    }
    for path, (places, more) in sources.items():
        project.campaign("spring", recipients={"path": path, "phone": "mobile", **more})
        assert [line.split()[0] for line in listed(octoplan)] == places


def test_a_preview_of_a_line_in_one_of_several_files(octoplan: Octoplan, project: Project) -> None:
    """A line is named as the plan names it, and the preview shows it so."""
    project.contacts(PEOPLE[:2], path="data/part-a.csv")
    project.contacts(PEOPLE[2:], path="data/part-b.csv")
    project.campaign("spring", recipients={"path": "data/part-*.csv", "phone": "mobile"})
    said = octoplan("preview", "spring", "--line", "data/part-b.csv:3").stdout
    assert said.startswith("chosen, line data/part-b.csv:3: +33 ")
    assert PEOPLE[3][0] in said
    assert ", line data/part-" in octoplan("preview", "spring").stdout
    for line in ("3", "data/part-c.csv:3", "data/part-b.csv:9", "data/part-b.csv:x"):
        assert f"no recipient comes from line {line}" in octoplan("preview", "spring", "--line", line, code=3).output
    project.contacts(PEOPLE)
    project.campaign("spring")
    for line in ("3", "data/contacts.csv:3"):
        assert octoplan("preview", "spring", "--line", line).stdout.startswith("chosen, line 3: +33 ")

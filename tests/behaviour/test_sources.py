"""Whatever a list is made of, the plan is the same."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import HEADER, PEOPLE, Project


@pytest.fixture
def octoplan(project: Project) -> Octoplan:
    return Octoplan(project.root)


def write_all(project: Project) -> dict[str, dict[str, Any]]:
    """The same people in every kind of source, and how a campaign names it."""
    records = [dict(zip(HEADER, person, strict=True)) for person in PEOPLE]
    columns = {name: [record[name] for record in records] for name in HEADER}
    pq.write_table(pa.table(columns), project.root / "data" / "people.parquet")
    project.write("data/people.json", json.dumps(records))
    project.write("data/people.jsonl.gz", gzip.compress("\n".join(map(json.dumps, records)).encode()))
    for number, part in enumerate((PEOPLE[:2], PEOPLE[2:])):
        text = io.StringIO()
        csv.writer(text, delimiter=";").writerows([HEADER, *part])
        project.write(
            f"data/part-{number}.csv.zst", pa.compress(text.getvalue().encode("utf-16"), "zstd", asbytes=True)
        )
    connection = sqlite3.connect(project.root / "data" / "app.db")
    connection.execute(f"CREATE TABLE people ({', '.join(HEADER)})")
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", PEOPLE)
    connection.commit()
    connection.close()
    return {
        "csv": {"path": "data/contacts.csv"},
        "parquet": {"path": "data/people.parquet"},
        "json": {"path": "data/people.json"},
        "lines": {"path": "data/people.jsonl.gz"},
        "parts": {"path": "data/part-*.csv.zst"},
        "sqlite": {"source": "sql", "path": "data/app.db", "query": "SELECT * FROM people"},
        "files": {
            "source": "sql",
            "tables": {"p": "data/people.parquet", "n": "data/contacts.csv"},
            "query": "SELECT p.first_name, p.last_name, n.mobile, n.code FROM p JOIN n USING (code) ORDER BY code DESC",
        },
    }


def test_every_kind_of_source_gives_the_same_batches(octoplan: Octoplan, project: Project) -> None:
    """Seven campaigns over one list: the digests of their batches, which cover every value, are equal."""
    (project.root / "campaigns" / "spring.yaml").unlink()
    sources = write_all(project)
    for name, source in sources.items():
        project.campaign(name, recipients={"phone": "mobile", **source})
    plan = octoplan("plan", "--offline", "--output", "json").json()
    batches = {
        each["id"]: [(batch["recipients"], batch["digest"]) for batch in each["batches"]] for each in plan["campaigns"]
    }
    assert len(batches) == len(sources)
    assert len({json.dumps(found) for found in batches.values()}) == 1, batches


def test_suppression_list_is_any_kind_of_source(octoplan: Octoplan, project: Project) -> None:
    """Lists in Parquet and by a query take people off as a text file does."""
    pq.write_table(pa.table({"phone": [PEOPLE[0][2]]}), project.root / "data" / "stop.parquet")
    query = "SELECT mobile FROM c WHERE code = 'QX7IBEX'"
    lists = [{"path": "data/stop.parquet"}, {"source": "sql", "tables": {"c": "data/contacts.csv"}, "query": query}]
    project.settings(suppression=lists)
    plan = octoplan("plan", "--offline", "--output", "json").json()
    assert plan["campaigns"][0]["audience"]["recipients"] == len(PEOPLE) - 2


@pytest.mark.parametrize("policy", [{"on_invalid": "fail"}, {"max_invalid": "10%"}])
def test_too_many_rows_that_cannot_be_used(octoplan: Octoplan, project: Project, policy: dict[str, str]) -> None:
    """A campaign can ask that its list be sound; the plan then stops, names the rows, and shows nobody's number."""
    project.contacts([*PEOPLE, ("Zorvana", "Brossombe", "06 12", "X")])
    project.campaign("spring", recipients={"path": "data/contacts.csv", "phone": "mobile", **policy})
    said = octoplan("plan", "--offline", code=3).output
    assert "audience/too-many-invalid" in said
    assert "1 invalid-number (such as 7)" in said
    assert "06 12" not in said
    project.campaign("spring", recipients={"path": "data/contacts.csv", "phone": "mobile", "max_invalid": "20%"})
    octoplan("plan", "--offline")

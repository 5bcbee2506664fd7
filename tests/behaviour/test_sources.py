"""Whatever a list is made of, the plan is the same."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import s3_server
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
    # They are copies of each other, so all but the first are blocked; the plan shows their batches all the same.
    plan = octoplan("plan", "--offline", "--output", "json", code=5).json()
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


def test_landlines_are_left_out_or_kept(octoplan: Octoplan, project: Project) -> None:
    """A plan counts the rows that get no SMS and leaves them out; a campaign that keeps them is warned, not stopped."""
    project.contacts([*PEOPLE, ("Zorvana", "Brossombe", "01 99 00 12 34", "X")])
    source = {"path": "data/contacts.csv", "phone": "mobile", "on_invalid": "fail"}
    project.campaign("spring", recipients={**source, "on_landline": "exclude"})
    left_out = octoplan("plan", "--offline")
    assert "1 not-mobile" in left_out.output
    project.campaign("spring", recipients=source)
    kept = octoplan("plan", "--offline")
    assert "audience/kept-landlines" in kept.output
    assert "1 of 6 rows" in kept.output
    assert "99 00" not in kept.output


@pytest.fixture
def lists(project: Project) -> Iterator[str]:
    """The address of a server with the project's data, and files beside it that are nobody's business."""
    handler = partial(QuietHandler, directory=str(project.root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Says nothing on standard error."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_list_on_the_web(octoplan: Octoplan, project: Project, lists: str) -> None:
    """Contacts and suppression come from where the environment allows, and what changed there is seen at once."""
    project.write("data/stop.csv", f"numero\n{PEOPLE[0][2]}\n")
    stop = {"path": f"{lists}data/stop.csv", "phone": "numero"}
    allowed = {"sandbox": {"sources": [{"prefix": f"{lists}data/"}]}}
    project.settings(suppression=[stop], environments=allowed)
    project.campaign("spring", recipients={"path": f"{lists}data/contacts.csv", "phone": "mobile"})
    for people in (PEOPLE, PEOPLE[:3]):
        project.contacts(people)
        assert f"{len(people) - 1} messages to send" in octoplan("plan", "--offline").stdout


def test_list_on_the_web_that_no_environment_allows(octoplan: Octoplan, project: Project, lists: str) -> None:
    """Beside the prefix, or without one, nothing is asked for; the place and the environment are named."""
    for sources in ([], [{"prefix": f"{lists}data/x/"}], [{"prefix": "https://files.example.com/"}]):
        project.settings(environments={"sandbox": {"sources": sources}})
        project.campaign("spring", recipients={"path": f"{lists}data/contacts.csv", "phone": "mobile"})
        said = octoplan("plan", "--offline", code=3).output
        assert "audience/source-not-allowed" in said
        assert "the environment `sandbox`" in said


def test_list_on_the_web_says_what_it_needs(octoplan: Octoplan, project: Project, lists: str) -> None:
    """A header whose variable is not set is named by the variable, also offline."""
    source = {"prefix": f"{lists}data/", "headers": {"Authorization": "env/MAPLE_LISTS"}}
    project.settings(environments={"sandbox": {"sources": [source]}})
    project.campaign("spring", recipients={"path": f"{lists}data/contacts.csv", "phone": "mobile"})
    assert "MAPLE_LISTS" in octoplan("plan", "--offline", code=3).output


def test_list_in_object_storage(octoplan: Octoplan, project: Project) -> None:
    """Contacts in several files and a suppression list come from the bucket that the environment allows."""
    store = s3_server.server()
    for number, people in enumerate((PEOPLE[:2], PEOPLE[2:])):
        part = project.contacts(people, path="part.csv")
        store.put(f"lists/maple/part-{number}.csv.gz", gzip.compress(part.read_bytes()))
    store.put("lists/maple/stop.csv", f"numero\n{PEOPLE[0][2]}\n".encode())
    allowed = {"prefix": f"s3://{s3_server.BUCKET}/lists/", "region": "us-east-1", "endpoint": store.endpoint}
    stop = {"path": f"s3://{s3_server.BUCKET}/lists/maple/stop.csv", "phone": "numero"}
    project.settings(suppression=[stop], environments={"sandbox": {"stores": [allowed]}})
    path = f"s3://{s3_server.BUCKET}/lists/maple/part-*.csv.gz"
    project.campaign("spring", recipients={"path": path, "phone": "mobile"})
    for command in ("plan", "apply"):
        arguments = ("--offline",) if command == "plan" else ("--auto-approve",)
        said = octoplan(command, "--env", "sandbox", *arguments, variables=store.variables)
        assert f"{len(PEOPLE) - 1} messages" in said.stdout
        assert not any(value in said.output for value in store.variables.values())
    unset = octoplan("plan", "--env", "sandbox", code=3).output
    assert "AWS_ACCESS_KEY_ID" in unset

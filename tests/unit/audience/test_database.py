"""Contacts from PostgreSQL, against a real server; of MySQL what can be seen without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from octoplan.audience.readers import database
from octoplan.audience.readers.database import Connection
from octoplan.audience.readers.spool import SpooledRecords
from octoplan.diagnostics import Finding
from tests.postgres_server import server
from tests.unit.audience import databases
from tests.unit.audience.databases import CONNECTION_PLACE, rows

CRM = Connection("crm", "postgres", "CRM_URL", CONNECTION_PLACE)
READER = "host={} port=5432 user=reader password=reader dbname=postgres"


@pytest.fixture(scope="module")
def reader() -> Iterator[str]:
    """The address of a role that can only read one table, with 5,000 people in it."""
    with server().connect() as connection:
        connection.execute("DROP TABLE IF EXISTS people; DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
        connection.execute("CREATE TABLE people (id int, mobile text)")
        connection.execute("INSERT INTO people SELECT n, '06' || lpad(n::text, 8, '0') FROM generate_series(1, 5000) n")
        connection.execute("GRANT SELECT ON people TO reader")
    yield READER.format(server().folder)
    with server().connect() as connection:
        connection.execute("DROP TABLE people; DROP ROLE reader")


@pytest.fixture
def crm(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_URL", reader)


def ask(text: str, seconds: float = 20, connection: Connection = CRM) -> SpooledRecords:
    return databases.ask(connection, text, seconds)


def failure(text: str, seconds: float = 20, connection: Connection = CRM) -> Finding:
    return databases.failure(connection, text, seconds)


@pytest.mark.usefixtures("crm")
def test_rows_come_in_pieces_and_in_order() -> None:
    """Several thousand rows, numbered as they came, every value text."""
    found = ask("SELECT mobile, id FROM people ORDER BY id -- all of them")
    assert (found.names, found.rows, found.faulty) == (("mobile", "id"), 5000, 0)
    assert rows(found)[4999] == ["0600005000", "5000"]
    assert found.place_of(3) == 3


@pytest.mark.usefixtures("crm")
def test_values_are_the_server_s_own_text() -> None:
    """Nothing depends on the time zone, the locale or the settings of the role."""
    columns = {
        "1.10::numeric": "1.10",
        "9223372036854775807": "9223372036854775807",
        "true": "true",
        "false": "false",
        "date '2027-03-20'": "2027-03-20",
        "timestamp '2027-03-20 10:00:00'": "2027-03-20 10:00:00",
        "timestamptz '2027-03-20 10:00:00+01'": "2027-03-20 09:00:00+00",
        "'é €'::text": "é €",
        "''": None,
        "NULL": None,
        "'b6b1a0a2-9c8f-4b8e-8f3a-1d6a0c5e7f10'::uuid": "b6b1a0a2-9c8f-4b8e-8f3a-1d6a0c5e7f10",
        "0.1::float8": "0.1",
    }
    assert rows(ask(f"SELECT {', '.join(columns)}")) == [list(columns.values())]
    nested = ask("SELECT 1 AS a, ARRAY[1] AS b, '{}'::json AS c, 'x'::bytea AS d")
    assert [nested.flaw(index) is None for index in range(4)] == [True, False, False, False]


@pytest.mark.usefixtures("crm")
def test_nobody_is_a_list_too() -> None:
    """A query without rows still has columns."""
    found = ask("SELECT mobile FROM people WHERE false")
    assert (found.names, found.rows) == (("mobile",), 0)


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM people",
        "INSERT INTO people VALUES (1, 'x')",
        "CREATE TABLE mine (a int)",
        "SELECT mobile FROM people; DELETE FROM people",
        "COMMIT; DELETE FROM people",
        "SET TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "COPY people TO STDOUT",
        "COPY people TO PROGRAM 'cat'",
        "SELECT * FROM pg_authid",
        "SELECT nothing FROM people",
        "SELEC",
        "LISTEN people",
        "",
    ],
)
def test_a_query_only_reads_what_its_role_may(text: str) -> None:
    """Whatever else it tries is a finding at the query, and the table is as it was."""
    finding = failure(text)
    assert finding.code == "audience/bad-query"
    assert str(finding.place) == "campaigns/a.yaml:7"
    with server().connect() as connection:
        assert connection.execute("SELECT count(*), sum(id) FROM people").fetchall() == [(5000, 12_502_500)]
        assert connection.execute("SELECT to_regclass('mine')").fetchall() == [(None,)]


@pytest.mark.usefixtures("crm")
def test_the_server_ends_what_takes_too_long() -> None:
    """The time-out is the server's, so nothing goes on working there."""
    assert failure("SELECT pg_sleep(60)", seconds=0.5).code == "audience/source-too-slow"


@pytest.mark.usefixtures("crm")
def test_no_value_is_in_an_error() -> None:
    """The server's words about a value would quote it."""
    finding = failure("SELECT ('Aubrac' || mobile)::int FROM people")
    assert "Aubrac" not in repr(finding)
    assert finding.detail == "the database refuses it with error 22P02"


def test_a_role_that_may_do_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A superuser could read the server's files by a query."""
    monkeypatch.setenv("CRM_URL", server().address)
    finding = failure("SELECT 1")
    assert (finding.code, str(finding.place)) == ("audience/bad-connection", "campaigns/a.yaml:9")
    assert "SELECT" in str(finding.hint)


@pytest.mark.usefixtures("crm")
def test_a_role_that_may_read_files_is_refused() -> None:
    """So is a role that was given just that."""
    with server().connect() as connection:
        connection.execute("GRANT pg_read_server_files TO reader")
        try:
            assert failure("SELECT 1").code == "audience/bad-connection"
        finally:
            connection.execute("REVOKE pg_read_server_files FROM reader")


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
@pytest.mark.parametrize(
    "url", ["postgresql://somebody:zorvane@127.0.0.1:1/crm", "nonsense zorvane", "mysql://a:zorvane@127.0.0.1:1/x"]
)
def test_no_error_holds_the_address(monkeypatch: pytest.MonkeyPatch, kind: Any, url: str) -> None:
    """Neither a server that does not answer nor an address that is none gives the password away."""
    monkeypatch.setenv("CRM_URL", url)
    finding = failure("SELECT 1", connection=Connection("crm", kind, "CRM_URL"))
    assert finding.code == "audience/bad-connection"
    assert "zorvane" not in repr(finding)


def test_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the variable is in the finding, for whoever has to set it."""
    monkeypatch.delenv("CRM_URL", raising=False)
    assert "CRM_URL" in failure("SELECT 1").detail


# --- MySQL, without a server -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["DELETE FROM people", "SET @a = 1", "CALL x()", "", "LOAD DATA INFILE 'x' INTO TABLE t"]
)
def test_mysql_is_asked_nothing_but_a_select(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Anything else is refused before a connection is made."""
    monkeypatch.setenv("CRM_URL", "mysql://a:b@127.0.0.1:1/x")
    assert failure(text, connection=Connection("crm", "mysql", "CRM_URL")).code == "audience/bad-query"


@pytest.mark.parametrize(
    ("grant", "refused"),
    [
        ("GRANT USAGE ON *.* TO `reader`@`%`", False),
        ("GRANT SELECT ON `crm`.`people` TO `reader`@`%`", False),
        ("GRANT ALL PRIVILEGES ON `crm`.* TO `reader`@`%`", False),
        ("GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION", True),
        ("GRANT SELECT, FILE ON *.* TO `reader`@`%`", True),
        ("GRANT SELECT, SUPER ON *.* TO `reader`@`%`", True),
    ],
)
def test_mysql_roles_that_reach_files_are_recognised(grant: str, refused: bool) -> None:
    """By what the server says they are granted."""
    assert bool(database._MYSQL_POWERS.search(grant)) is refused

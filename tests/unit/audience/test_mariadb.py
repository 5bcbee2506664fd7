"""Contacts from MySQL's kind of database, against a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from octoplan.audience.readers import spool
from octoplan.audience.readers.database import Connection
from tests.mariadb_server import server
from tests.unit.audience.databases import CONNECTION_PLACE, QUERY_PLACE, ask, failure, rows

CRM = Connection("crm", "mysql", "CRM_URL", CONNECTION_PLACE)


@pytest.fixture(scope="module")
def people() -> Iterator[None]:
    """5,000 people, a role that can read them and nothing else, and a function of the owner's that writes."""
    server().run(
        "CREATE DATABASE crm",
        "USE crm",
        "CREATE TABLE crm.people (id int PRIMARY KEY, mobile varchar(20)) ENGINE=InnoDB",
        "INSERT INTO crm.people SELECT seq, concat('06', lpad(seq, 8, '0')) FROM seq_1_to_5000",
        "CREATE TABLE crm.secrets (token text)",
        "CREATE FUNCTION crm.wipe() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM crm.people; RETURN 1; END",
        "CREATE USER reader@127.0.0.1 IDENTIFIED BY 'reader'",
        "GRANT SELECT ON crm.people TO reader@127.0.0.1",
        "GRANT EXECUTE ON FUNCTION crm.wipe TO reader@127.0.0.1",
    )
    yield
    server().run("DROP DATABASE crm", "DROP USER reader@127.0.0.1")


@pytest.fixture
def crm(people: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_URL", server().url("reader", "reader"))


@pytest.mark.usefixtures("crm")
def test_rows_come_in_pieces_and_in_order() -> None:
    """Several thousand rows, numbered as they came, every value text."""
    found = ask(CRM, "SELECT mobile, id FROM people ORDER BY id -- all of them")
    assert (found.names, found.rows, found.faulty) == (("mobile", "id"), 5000, 0)
    assert rows(found)[4999] == ["0600005000", "5000"]


@pytest.mark.usefixtures("crm")
def test_nobody_is_a_list_too() -> None:
    """A query without rows still has columns."""
    found = ask(CRM, "SELECT mobile FROM people WHERE false")
    assert (found.names, found.rows) == (("mobile",), 0)


@pytest.mark.usefixtures("crm")
def test_values_are_the_server_s_own_text() -> None:
    """Whatever the type: nothing is rounded, lost or put into another time zone."""
    columns = {
        "CAST(1.10 AS decimal(10, 2))": "1.10",
        "18446744073709551615": "18446744073709551615",
        "true": "1",
        "date '2027-03-20'": "2027-03-20",
        "CAST('0000-00-00' AS date)": "0000-00-00",
        "timestamp '2027-03-20 10:00:00.250'": "2027-03-20 10:00:00.250",
        "from_unixtime(0)": "1970-01-01 00:00:00",
        "CAST('-838:59:59' AS time)": "-838:59:59",
        "0.1e0": "0.1",
        "'é € 😀 नि'": "é € 😀 नि",
        "_utf8mb4'👩‍👧' COLLATE utf8mb4_bin": "👩‍👧",
        "CONVERT('é' USING latin1)": "é",
        "''": None,
        "NULL": None,
        "CAST('b6b1a0a2-9c8f-4b8e-8f3a-1d6a0c5e7f10' AS uuid)": "b6b1a0a2-9c8f-4b8e-8f3a-1d6a0c5e7f10",
        "CAST('0612340001' AS binary)": "0612340001",
    }
    assert rows(ask(CRM, f"SELECT {', '.join(columns)}")) == [list(columns.values())]


@pytest.mark.usefixtures("crm")
def test_values_that_are_no_text() -> None:
    """Bytes, bits and shapes make their column unusable; the others stay."""
    found = ask(CRM, "SELECT 1 AS a, x'ff00' AS b, b'101' + 0 AS c, point(1, 2) AS d, 'x' AS e")
    assert [found.flaw(index) is None for index in range(5)] == [True, False, True, False, True]
    assert rows(found) == [["1", "5", "x"]]


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM people",
        "INSERT INTO people VALUES (9, 'x')",
        "WITH a AS (SELECT 1) DELETE FROM people",
        "SELECT wipe()",
        "SELECT mobile FROM people; DELETE FROM people",
        "SELECT mobile FROM people FOR UPDATE",
        "SELECT mobile FROM people INTO OUTFILE '/tmp/octoplan-stolen'",
        "SELECT mobile FROM people /*! INTO OUTFILE '/tmp/octoplan-stolen' */",
        "SELECT mobile FROM people INTO @stolen",
        "SELECT token FROM secrets",
        "SELECT authentication_string FROM mysql.user",
        "SET GLOBAL general_log = 1",
        "SET SESSION TRANSACTION READ WRITE",
        "SET STATEMENT max_statement_time = 0 FOR SELECT sleep(60)",
        "COMMIT",
        "CREATE TEMPORARY TABLE mine (a int)",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE people",
        "SELECT nothing FROM people",
        "SELECT",
        "",
    ],
)
def test_a_query_only_reads_what_its_role_may(text: str) -> None:
    """Whatever else it tries is a finding at the query, and the table is as it was."""
    finding = failure(CRM, text)
    assert (finding.code, finding.place) == ("audience/bad-query", QUERY_PLACE)
    assert server().run("SELECT count(*), sum(id) FROM crm.people") == [(5000, 12_502_500)]


@pytest.mark.usefixtures("crm")
def test_the_session_itself_only_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that may write cannot: it is the transaction that is read-only, not only the role."""
    server().run(
        "CREATE USER writer@127.0.0.1 IDENTIFIED BY 'writer'", "GRANT ALL PRIVILEGES ON crm.* TO writer@127.0.0.1"
    )
    monkeypatch.setenv("CRM_URL", server().url("writer", "writer"))
    try:
        for text in ("SELECT wipe()", "WITH a AS (SELECT 1) DELETE FROM people"):
            assert failure(CRM, text).code == "audience/bad-query"
        assert "only read" in failure(CRM, "SELECT wipe()").detail
        assert server().run("SELECT count(*) FROM crm.people") == [(5000,)]
    finally:
        server().run("DROP USER writer@127.0.0.1")


@pytest.mark.usefixtures("crm")
def test_files_of_the_server_are_not_read() -> None:
    """Without the privilege the function gives nothing."""
    assert rows(ask(CRM, "SELECT load_file('/etc/passwd') AS mobile")) == [[None]]


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize("text", ["SELECT sleep(60)", "SELECT count(*) FROM people a, people b, people c, people d"])
def test_the_server_ends_what_takes_too_long(text: str) -> None:
    """The time-out is the server's, so nothing goes on working there."""
    assert failure(CRM, text, seconds=0.5).code == "audience/source-too-slow"
    working = "SELECT count(*) FROM information_schema.processlist WHERE user = 'reader' AND command = 'Query'"
    assert server().run(working) == [(0,)]


@pytest.mark.usefixtures("crm")
def test_the_rest_of_the_rows_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends early, by Ctrl-C or because it is too much, does not wait for a trillion rows."""
    monkeypatch.setattr(spool, "SPOOL_BYTES_MAX", 1_000_000)
    endless = "SELECT a.mobile, a.id FROM people a, people b, people c"
    assert failure(CRM, endless, seconds=300).code == "audience/source-too-large"
    names = ", ".join(f"id AS c{number}" for number in range(600))
    assert failure(CRM, f"SELECT {names} FROM people a", seconds=300).code == "audience/bad-query"


@pytest.mark.usefixtures("crm")
def test_no_value_is_in_an_error() -> None:
    """The server's words about a value would quote it."""
    finding = failure(CRM, "SELECT (SELECT mobile FROM people)")
    assert finding.detail == "the database refuses it with error 1242"
    quoting = failure(CRM, "SELECT extractvalue(1, concat('/', (SELECT mobile FROM people LIMIT 1), '<'))")
    assert "060" not in repr(quoting)


@pytest.mark.parametrize("grant", ["FILE ON *.*", "SUPER ON *.*", "ALL PRIVILEGES ON *.*"])
@pytest.mark.usefixtures("people")
def test_a_role_that_may_do_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, grant: str) -> None:
    """Files of the server, or whatever there is: a query could use it."""
    server().run("CREATE USER mighty@127.0.0.1 IDENTIFIED BY 'mighty'", f"GRANT {grant} TO mighty@127.0.0.1")
    monkeypatch.setenv("CRM_URL", server().url("mighty", "mighty"))
    try:
        finding = failure(CRM, "SELECT 1")
        assert (finding.code, finding.place) == ("audience/bad-connection", CONNECTION_PLACE)
    finally:
        server().run("DROP USER mighty@127.0.0.1")


@pytest.mark.usefixtures("people")
def test_a_wrong_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor the address; the server's number for it is."""
    monkeypatch.setenv("CRM_URL", server().url("reader", "walnut"))
    finding = failure(CRM, "SELECT 1")
    assert finding.code == "audience/bad-connection"
    assert "1045" in finding.detail
    assert "walnut" not in repr(finding)


@pytest.mark.usefixtures("people")
def test_a_certificate_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `ssl_ca` the connection is encrypted, to the server that the certificate names; else there is none."""
    url, shown = server().url("reader", "reader"), "SELECT 1 FROM people LIMIT 1"
    monkeypatch.setenv("CRM_URL", f"{url}?ssl_ca={server().certificate}")
    assert rows(ask(CRM, shown)) == [["1"]]
    server().run("ALTER USER reader@127.0.0.1 REQUIRE SSL")
    assert rows(ask(CRM, shown)) == [["1"]]
    server().run("ALTER USER reader@127.0.0.1 REQUIRE NONE")
    other = server().url("reader", "reader", host="localhost")
    monkeypatch.setenv("CRM_URL", f"{other}?ssl_ca={server().certificate}")
    assert failure(CRM, shown).code == "audience/bad-connection"
    monkeypatch.setenv("CRM_URL", f"{url}?ssl_ca=/nowhere.pem")
    assert failure(CRM, shown).code == "audience/bad-connection"

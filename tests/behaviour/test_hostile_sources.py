"""Campaigns of a stranger's pull request: each way to reach further than the project's own lists is a finding."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import Project

PATHS = {
    "parent": "../secret.csv",
    "parent-inside": "data/../../secret.csv",
    "absolute": "/etc/passwd",
    "hidden": ".octoplan/key.csv",
    "hidden-by-pattern": ".octoplan/*",
    "link": "data/link.csv",
    "link-to-folder": "outside/secret.csv",
    "pattern-in-link": "outside/*.csv",
    "pattern-finds-link": "data/li*.csv",
    "parent-pattern": "../*.csv",
    "backslash": "..\\secret.csv",
    "any-depth": "**/*.csv",
}
UNREADABLE = {"pipe": "data/pipe", "folder": "data", "nothing": "data/nothing-*.csv"}
QUERIES = {
    "read-text": "SELECT content AS mobile FROM read_text('/etc/passwd')",
    "read-csv": "SELECT * FROM read_csv('data/contacts.csv')",
    "read-other-project-file": "SELECT * FROM 'data/contacts.csv'",
    "read-parquet": "SELECT * FROM read_parquet('x')",
    "glob": "SELECT file AS mobile FROM glob('/etc/*')",
    "secrets": "SELECT name AS mobile FROM duckdb_secrets()",
    "settings": "SELECT value AS mobile FROM duckdb_settings()",
    "system-view": "SELECT table_name AS mobile FROM duckdb_tables",
    "schema": "SELECT table_name AS mobile FROM information_schema.tables",
    "named-like-a-system-view": "WITH sqlite_master AS (SELECT 1) SELECT sql AS mobile FROM sqlite_master",
    "python-variable": "SELECT * FROM query",
    "environment": "SELECT getenv('MAPLE_KEY') AS mobile",
    "variable": "SELECT getvariable('x') AS mobile",
    "setting": "SELECT current_setting('threads') AS mobile",
    "query-of-query": "SELECT * FROM query('SELECT 1')",
    "table-by-text": "SELECT * FROM query_table('t')",
    "serialized": "SELECT * FROM json_execute_serialized_sql('x')",
    "copy": "COPY t TO 'data/copy.csv'",
    "copy-over-the-source": "COPY (SELECT 1) TO 'data/contacts.csv' (USE_TMP_FILE false)",
    "export": "EXPORT DATABASE 'data/dump'",
    "attach": "ATTACH 'data/new.db'",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "set": "SET enable_external_access = true",
    "reset": "RESET lock_configuration",
    "pragma": "PRAGMA database_list",
    "call": "CALL pragma_version()",
    "secret": "CREATE SECRET s (TYPE s3)",
    "macro": "CREATE MACRO m() AS 1",
    "two-statements": "SELECT 1 AS mobile; COPY t TO 'data/copy.csv'",
    "out-of-brackets": "SELECT 1 AS mobile) x, (SELECT 2",
    "nested": f"SELECT {'abs(' * 900}1{')' * 900} AS mobile",
    "long-text": "SELECT repeat('x', 10000000000) AS mobile",
    "web": "SELECT * FROM 'https://example.org/list.csv'",
    "random": "SELECT mobile FROM t WHERE random() < 0.5",
    "clock": "SELECT mobile FROM t WHERE now() > '2027-01-01'",
    "sleep": "SELECT pg_sleep(1000)",
    "sampling": "SELECT mobile FROM t USING SAMPLE 1",
    "parameter": "SELECT $1 AS mobile",
}
SQLITE = {
    "attach": "ATTACH '/tmp/other.db' AS other",
    "extension": "SELECT load_extension('/tmp/evil.so') AS mobile",
    "write": "INSERT INTO people VALUES ('x')",
    "drop": "DROP TABLE people",
    "pragma": "PRAGMA user_version = 3",
    "pragma-function": "SELECT * FROM pragma_database_list",
    "copy": "VACUUM INTO 'data/copy.db'",
    "two": "SELECT mobile FROM people; DROP TABLE people",
    "begin": "BEGIN EXCLUSIVE",
    "random": "SELECT mobile FROM people ORDER BY random()",
    "huge": "SELECT hex(zeroblob(1000000000)) AS mobile",
}


@pytest.fixture
def octoplan(project: Project) -> Octoplan:
    return Octoplan(project.root)


def traces(root: Path) -> dict[str, str]:
    """Every file of the project and its neighbours but for our own memory, by content."""
    return {
        str(path.relative_to(root.parent)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.parent.rglob("*"))
        if path.is_file() and ".octoplan" not in path.parts
    }


def require_refused(octoplan: Octoplan, project: Project, sources: dict[str, dict[str, Any]], field: str) -> str:
    """
    Plan a project that has a campaign for each of `sources`: each gets a finding at the line of `field`, the plan ends
    with code 3, and nothing has changed on the disk.
    """
    for path in (project.root / "campaigns").iterdir():
        path.unlink()
    lines = {}
    for name, source in sources.items():
        path = project.campaign(name, recipients={"phone": "mobile", **source})
        text = path.read_text(encoding="utf-8").splitlines()
        lines[name] = next(number for number, line in enumerate(text, 1) if line.strip().startswith(field))
    before = traces(project.root)
    said = octoplan("plan", "--offline", code=3).output
    assert traces(project.root) == before
    missing = [name for name, line in lines.items() if f"campaigns/{name}.yaml:{line}:" not in said]
    assert missing == [], said
    return said


def test_paths_that_leave_the_project(octoplan: Octoplan, project: Project) -> None:
    """By no spelling, pattern or link is a file read that the project does not hold, or that it hides."""
    secret = "Vantrellec-secret"
    (project.root.parent / "secret.csv").write_text(f"{secret}\n", encoding="utf-8")
    (project.root / "data" / "link.csv").symlink_to("../../secret.csv")
    (project.root / "outside").symlink_to(project.root.parent)
    said = require_refused(octoplan, project, {name: {"path": path} for name, path in PATHS.items()}, "path:")
    assert secret not in said


def test_paths_that_are_no_files(octoplan: Octoplan, project: Project) -> None:
    """A pipe, which would block for ever, a device, a folder, and a pattern that no file has."""
    os.mkfifo(project.root / "data" / "pipe")
    (project.root / "data" / "null").symlink_to("/dev/null")
    kinds = ("csv", "parquet", "json", "xlsx")
    sources = {f"{name}-{kind}": {"source": kind, "path": path} for name, path in UNREADABLE.items() for kind in kinds}
    require_refused(octoplan, project, sources, "path:")
    require_refused(octoplan, project, {"device": {"path": "data/null"}}, "path:")


def test_queries_that_reach_further(octoplan: Octoplan, project: Project) -> None:
    """A query reads the named tables: it opens nothing, changes nothing, and asks the machine for nothing."""
    tables = {"t": "data/contacts.csv"}
    sources = {name: {"source": "sql", "query": query, "tables": tables} for name, query in QUERIES.items()}
    require_refused(octoplan, project, sources, "query:")


def test_tables_that_leave_the_project(octoplan: Octoplan, project: Project) -> None:
    """A table is a file of the project, as a list is."""
    (project.root / "outside").symlink_to(project.root.parent)
    sources = {
        name: {"source": "sql", "query": "SELECT * FROM t", "tables": {"t": path}}
        for name, path in {"parent": "../x.csv", "absolute": "/etc/passwd", "link": "outside/*"}.items()
    }
    require_refused(octoplan, project, sources, "t:")


def test_queries_over_sqlite_that_reach_further(octoplan: Octoplan, project: Project) -> None:
    """SQLite reads the one file: no other database, no extension, nothing written."""
    connection = sqlite3.connect(project.root / "data" / "app.db")
    connection.execute("CREATE TABLE people (mobile TEXT)")
    connection.close()
    sources = {name: {"source": "sql", "query": query, "path": "data/app.db"} for name, query in SQLITE.items()}
    require_refused(octoplan, project, sources, "query:")


def test_query_over_several_files_of_sqlite(octoplan: Octoplan, project: Project) -> None:
    """It is over one: a pattern that stands for several, or for none, is a finding."""
    for name in ("a.db", "b.db"):
        project.write(f"data/{name}", b"")
    paths = {"several": "data/*.db", "none": "data/none-*.db"}
    sources = {name: {"source": "sql", "query": "SELECT 1", "path": path} for name, path in paths.items()}
    assert "stands for 2 files" in require_refused(octoplan, project, sources, "path:")


def test_connection_that_no_environment_describes(octoplan: Octoplan, project: Project) -> None:
    """A campaign knows the name of a database at most; an address is not even a name."""
    sources = {"unknown": {"source": "sql", "query": "SELECT 1", "connection": "crm"}}
    require_refused(octoplan, project, sources, "connection:")
    url = {"source": "sql", "query": "SELECT 1", "connection": "postgresql://localhost/crm"}
    require_refused(octoplan, project, {"address": url}, "connection:")


def test_object_storage_that_no_environment_allows(octoplan: Octoplan, project: Project) -> None:
    """A campaign names files below an allowed folder of a bucket, and neither a store nor a key."""
    allowed = {"prefix": "s3://acme-lists/customers/", "region": "us-east-1", "endpoint": "http://localhost:9"}
    project.settings(environments={"sandbox": {"stores": [allowed]}})
    outside = {
        "bucket": "s3://acme-other/customers/a.csv",
        "folder": "s3://acme-lists/private/a.csv",
        "beginning": "s3://acme-lists/customers-old/a.csv",
        "all": "s3://acme-lists/*",
        "machine": "https://acme-lists.s3.us-east-1.amazonaws.com/customers/a.csv",
    }
    said = require_refused(octoplan, project, {name: {"path": path} for name, path in outside.items()}, "path:")
    assert "the environment `sandbox`" in said
    odd = {
        "parent": "s3://acme-lists/customers/../private/a.csv",
        "escaped": "s3://acme-lists/customers/%2e%2e/private/a.csv",
        "asking": "s3://acme-lists/customers/a.csv?acl",
        "capitals": "S3://acme-lists/customers/a.csv",
    }
    require_refused(octoplan, project, {name: {"path": path} for name, path in odd.items()}, "path:")
    for field in ("endpoint", "secret", "stores"):
        source = {"path": "s3://acme-lists/customers/a.csv", field: "http://localhost:9"}
        require_refused(octoplan, project, {field: source}, f"{field}:")

"""Asking a database as a campaign does, for the tests of each kind."""

from __future__ import annotations

from typing import Any, Final

import pytest

from octoplan.audience.engine import Engine
from octoplan.audience.readers.database import Connection, query_database
from octoplan.audience.readers.query import Query
from octoplan.audience.readers.spool import SpooledRecords
from octoplan.diagnostics import Finding, InvalidInput, Place

QUERY_PLACE: Final = Place("campaigns/a.yaml", 7)
CONNECTION_PLACE: Final = Place("campaigns/a.yaml", 9)


def ask(connection: Connection, text: str, seconds: float = 20) -> SpooledRecords:
    return query_database(Query(text, connection.name, QUERY_PLACE, seconds), connection)


def failure(connection: Connection, text: str, seconds: float = 20) -> Finding:
    with pytest.raises(InvalidInput) as caught:
        ask(connection, text, seconds)
    return caught.value.findings[0]


def rows(records: SpooledRecords) -> list[list[Any]]:
    """The values of every column that can be used."""
    columns = [index for index in range(len(records.names)) if records.flaw(index) is None]
    with Engine(records.files()) as engine:
        batches = [batch for batch in records.stream(engine, columns) for batch in batch.to_pylist()]
    return [[row[f"c{index}"] for index in columns] for row in batches]

"""
`source: sql` over a connection that the environment names: PostgreSQL and MySQL (or MariaDB).

Invariants:
- Where to connect comes from an environment variable that the environment's settings name; a campaign can neither give
  nor learn it. No error holds it, nor a value of a row.
- The session only reads: a read-only transaction, one statement, a time-out kept by the server. A role that could read
  or write the server's files is refused, for a query could use it.
- Rows come in pieces and are put aside; memory does not grow with them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from octoplan.audience import rules
from octoplan.audience.readers.port import unreadable
from octoplan.audience.readers.query import Query
from octoplan.audience.readers.spool import SpooledRecords, batches_of, spool
from octoplan.diagnostics import InvalidInput, Place
from octoplan.limits import CONNECT_TIME_MAX_S, CONTACT_COLUMNS_MAX

ROWS_PER_PIECE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Connection:
    """A database by the name that campaigns call it; its URL is in the environment variable `variable`."""

    name: str
    kind: Literal["postgres", "mysql"]
    variable: str
    place: Place | None = None


def query_database(query: Query, connection: Connection) -> SpooledRecords:
    """
    The rows of a query, put aside.

    :raises InvalidInput: if the variable is not set, the database cannot be reached, its role may do too much, or the
        query is refused, fails or takes too long.
    """
    url = os.environ.get(connection.variable)
    if not url:
        detail = f"the variable {connection.variable}, which should hold the URL of `{connection.name}`, is not set"
        raise unreadable(rules.BAD_CONNECTION.at(connection.place, detail))
    rows = {"postgres": _postgres_rows, "mysql": _mysql_rows}[connection.kind](query, connection, url)
    with contextlib.closing(rows):
        names, flaws = next(rows)
        if not 1 <= len(names) <= CONTACT_COLUMNS_MAX:
            detail = f"it gives {len(names)} columns; 1 to {CONTACT_COLUMNS_MAX} are read"
            raise unreadable(rules.BAD_QUERY.at(query.place, detail))
        numbered = ((number, False, values) for number, values in enumerate(rows, 1))
        return spool(query.shown, names, batches_of(numbered, len(names)), query.place, flaws)


Rows = Generator[Any, None, None]
"""First the names and flaws of the columns, then the values of each row."""
_NO_PLAIN_VALUE: Final = "it is of a type that is no plain value; convert it in the query"


def _unreachable(connection: Connection, code: object) -> InvalidInput:
    detail = f"`{connection.name}` cannot be reached or refuses to let anybody in ({code or 'no answer'})"
    return unreadable(rules.BAD_CONNECTION.at(connection.place, detail))


def _too_powerful(connection: Connection, what: str) -> InvalidInput:
    detail = f"the role of `{connection.name}` {what}"
    hint = "give it a role that can do nothing but SELECT from the tables it needs"
    return unreadable(rules.BAD_CONNECTION.at(connection.place, detail, hint))


def _missing_package(package: str, extra: str) -> InvalidInput:
    return InvalidInput(f"this source needs the package {package}", hint=f"run `pip install 'octoplan[{extra}]'`")


def _slow(query: Query) -> InvalidInput:
    return unreadable(rules.SOURCE_TOO_SLOW.at(query.place, f"the query took longer than {query.time_max_s:g} s"))


# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_PLAIN_CATEGORIES: Final = ("B", "D", "E", "N", "S")
"""Of pg_type: flags, dates and times, enums, numbers, strings. UUID, which is none of them, is plain as well."""
_UUID_OID: Final = 2950
_BOOL_OID: Final = 16
_POWERS: Final = """
    SELECT rolsuper OR EXISTS (
        SELECT FROM pg_roles p WHERE p.rolname IN
            ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
        AND pg_has_role(current_user, p.oid, 'MEMBER'))
    FROM pg_roles WHERE rolname = current_user"""


def _postgres_rows(query: Query, connection: Connection, url: str) -> Rows:
    try:
        import psycopg
    except ImportError:
        raise _missing_package("psycopg", "postgres") from None
    try:
        session = psycopg.connect(url, connect_timeout=CONNECT_TIME_MAX_S, application_name="octoplan")
    except (psycopg.Error, ValueError) as error:
        raise _unreachable(connection, getattr(error, "sqlstate", None)) from None
    with contextlib.closing(session):
        try:
            yield from _read_postgres(session, query, connection)
        except psycopg.errors.QueryCanceled:
            raise _slow(query) from None
        except psycopg.errors.ReadOnlySqlTransaction:
            raise unreadable(rules.BAD_QUERY.at(query.place, "the query would write; it may only read")) from None
        except psycopg.OperationalError as error:
            raise _unreachable(connection, error.sqlstate) from None
        except psycopg.Error as error:
            raise unreadable(rules.BAD_QUERY.at(query.place, _postgres_words(error))) from None


def _read_postgres(session: Any, query: Query, connection: Connection) -> Rows:
    from psycopg.types.string import TextLoader

    session.read_only = True
    with session.cursor() as cursor:
        settings = {
            "statement_timeout": str(round(query.time_max_s * 1000)),
            "TimeZone": "UTC",
            "DateStyle": "ISO",
            "IntervalStyle": "iso_8601",
            "extra_float_digits": "1",
        }
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
        if cursor.execute(_POWERS).fetchone()[0]:
            raise _too_powerful(connection, "could read or write files of the server")
        kinds = dict(cursor.execute("SELECT oid, typcategory FROM pg_type").fetchall())
    for oid in kinds:
        session.adapters.register_loader(oid, TextLoader)  # the server's own text of every value
    with session.cursor() as cursor:
        first = True
        # The extended protocol, which `stream` uses, takes one statement only.
        for values in cursor.stream(query.text.encode(), size=ROWS_PER_PIECE):
            if first:
                oids = [column.type_code for column in cursor.description]
                yield [column.name for column in cursor.description], _postgres_flaws(oids, kinds)
                first = False
            yield [_flag(value) if oid == _BOOL_OID else value for value, oid in zip(values, oids, strict=True)]
        if first:  # no row came, nor then a description
            cursor.execute(query.text.encode(), prepare=True)
            oids = [column.type_code for column in cursor.description or ()]
            yield [column.name for column in cursor.description or ()], _postgres_flaws(oids, kinds)


def _postgres_flaws(oids: Sequence[int], kinds: dict[int, str]) -> dict[int, str]:
    return {
        index: _NO_PLAIN_VALUE
        for index, oid in enumerate(oids)
        if oid != _UUID_OID and kinds.get(oid) not in _PLAIN_CATEGORIES and oid != _UNKNOWN_OID
    }


_UNKNOWN_OID: Final = 705
"""A literal without a type."""


def _flag(value: str | None) -> str | None:
    return None if value is None else {"t": "true", "f": "false"}[value]


def _postgres_words(error: Any) -> str:
    """The server's words about the query itself (class 42); others could quote a value."""
    if (error.sqlstate or "").startswith("42"):
        return str(error.diag.message_primary)[:300]
    return f"the database refuses it with error {error.sqlstate}"


# --- MySQL -----------------------------------------------------------------------------------------------------------

_SELECT: Final = re.compile(r"\s*(?:\(\s*)*(?:select|with|table|values)\b", re.IGNORECASE)
_MYSQL_QUERY_ERRORS: Final = frozenset([1044, 1054, 1064, 1142, 1143, 1146, 1305])
"""Errors whose words are of tables, columns, functions and syntax only."""
_MYSQL_SLOW: Final = frozenset([1317, 1969, 3024])
_MYSQL_POWERS: Final = re.compile(r"ALL PRIVILEGES ON \*\.\*|\b(?:FILE|SUPER)\b")


def _mysql_rows(query: Query, connection: Connection, url: str) -> Rows:
    try:
        import pymysql
    except ImportError:
        raise _missing_package("pymysql", "mysql") from None
    if not _SELECT.match(query.text):
        raise unreadable(rules.BAD_QUERY.at(query.place, "only a SELECT can be asked"))
    session = _connect_mysql(connection, url)
    with contextlib.closing(session):
        try:
            yield from _read_mysql(session, query, connection)
        except pymysql.MySQLError as error:
            raise _mysql_failure(error, query, connection) from None


def _connect_mysql(connection: Connection, url: str) -> Any:
    """
    `mysql://user:password@host:port/database`, with `?ssl_ca=/path` for an encrypted connection to the server that a
    certificate of this authority names.
    """
    import pymysql

    encoders: dict[Any, Any] = pymysql.converters.encoders  # and no decoders: values come as the server's own text
    try:
        parts = urlsplit(url)
        authority = parse_qs(parts.query).get("ssl_ca", [None])[0]
        return pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.lstrip("/")),
            charset="utf8mb4",
            connect_timeout=CONNECT_TIME_MAX_S,
            local_infile=False,
            ssl_ca=authority,
            ssl_verify_identity=authority is not None,
            conv=encoders,
        )
    except (pymysql.MySQLError, ValueError, OSError) as error:
        raise _unreachable(connection, error.args[0] if isinstance(error, pymysql.MySQLError) else None) from None


def _read_mysql(session: Any, query: Query, connection: Connection) -> Rows:
    from pymysql.constants import FIELD_TYPE
    from pymysql.cursors import SSCursor

    with session.cursor() as cursor:
        _limit_mysql_time(cursor, query.time_max_s)
        for statement in ("SET SESSION time_zone = '+00:00'", "START TRANSACTION READ ONLY", "SHOW GRANTS"):
            cursor.execute(statement)
        if any(_MYSQL_POWERS.search(grant) for (grant,) in cursor.fetchall()):
            raise _too_powerful(connection, "could read or write files of the server")
    with contextlib.closing(SSCursor(session)) as cursor, _without_the_rest(cursor):
        cursor.execute(query.text)
        columns = cursor.description or ()
        nested = {FIELD_TYPE.JSON, FIELD_TYPE.GEOMETRY, FIELD_TYPE.BIT}
        flaws = {index: _NO_PLAIN_VALUE for index, column in enumerate(columns) if int(column[1]) in nested}
        yield [column[0] for column in columns], flaws
        while rows := cursor.fetchmany(ROWS_PER_PIECE):
            for values in rows:
                yield list(_texts(values, flaws))


@contextlib.contextmanager
def _without_the_rest(cursor: Any) -> Iterator[None]:
    """Cut the connection if not all rows were taken: to close its cursor pymysql would read every one of them."""
    try:
        yield
    finally:
        result = cursor._result  # noqa: SLF001 - there is no other way
        if result is not None and result.unbuffered_active:
            result.unbuffered_active = False
            cursor.connection._force_close()  # noqa: SLF001


def _limit_mysql_time(cursor: Any, seconds: float) -> None:
    """MariaDB counts in seconds, MySQL in milliseconds, under different names."""
    cursor.execute("SELECT VERSION()")
    ((version,),) = cursor.fetchall()
    if "mariadb" in version.lower():
        cursor.execute(f"SET SESSION max_statement_time = {seconds:g}")
    else:
        cursor.execute(f"SET SESSION max_execution_time = {round(seconds * 1000)}")


def _texts(values: Sequence[str | bytes | None], flaws: dict[int, str]) -> Iterator[str | None]:
    """The server's own text of each value. Bytes that are none make a flaw of their column."""
    for index, value in enumerate(values):
        try:
            yield value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            flaws[index] = _NO_PLAIN_VALUE
            yield None


def _mysql_failure(error: Any, query: Query, connection: Connection) -> InvalidInput:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if code in _MYSQL_SLOW:
        return _slow(query)
    if code in _MYSQL_QUERY_ERRORS:
        return unreadable(rules.BAD_QUERY.at(query.place, str(error.args[1])[:300]))
    if code == 1792:  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
        return unreadable(rules.BAD_QUERY.at(query.place, "the query would write; it may only read"))
    if 2000 <= code < 3000:  # errors of the client: the connection
        return _unreachable(connection, code)
    return unreadable(rules.BAD_QUERY.at(query.place, f"the database refuses it with error {code}"))

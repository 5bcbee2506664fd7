"""From what a campaign says about a source to its records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from octoplan.audience import rules
from octoplan.audience.encoding import inspect_text
from octoplan.audience.readers.database import Connection, query_database
from octoplan.audience.readers.download import Remote
from octoplan.audience.readers.json_file import read_json
from octoplan.audience.readers.object_store import Stored
from octoplan.audience.readers.parquet import inspect_parquet
from octoplan.audience.readers.port import Records, unreadable
from octoplan.audience.readers.query import Query, query_files, query_sqlite
from octoplan.audience.readers.spool import spool, unpack
from octoplan.audience.readers.text import read_layout
from octoplan.audience.readers.together import join_records
from octoplan.audience.readers.workbook import read_workbook
from octoplan.diagnostics import Finding, InvalidInput, Place, Rule

FileKind = Literal["csv", "parquet", "json", "xlsx"]

ENDINGS: Final[dict[str, FileKind]] = {
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".xlsx": "xlsx",
}
"""What a file is by its name; anything else is csv."""
PACKED_ENDINGS: Final = (".gz", ".zst")


def no_place(_field: str) -> Place | None:
    """For callers that know no places."""
    return None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """
    A file: `path` is absolute and known to be inside the project, `shown` is what findings call it.

    `keep` is whatever must live as long as a file that is put aside.
    """

    path: Path
    shown: str
    keep: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """
    Where contacts come from: `files` of one kind, or a `query` over `tables`, over an SQLite file (the only one of
    `files`), or over a `connection`. `remote` stands for files that have to be fetched first.

    `if_empty` is what a file without even a header is to be called, if that is no error; it then has no rows.
    `kind` is `None` for "by the file's ending". `shown` is what findings call the source as a whole; `places` gives
    the place of a field such as `path`.
    """

    shown: str
    files: tuple[SourceFile, ...] = ()
    kind: FileKind | Literal["sql"] | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    query: str | None = None
    tables: dict[str, tuple[SourceFile, ...]] = field(default_factory=dict)
    connection: Connection | None = None
    remote: Remote | Stored | None = None
    if_empty: Rule | None = None
    places: Callable[[str], Place | None] = field(default=no_place, repr=False, compare=False)

    @classmethod
    def of_file(cls, path: Path, shown: str, **fields: str) -> Source:
        """One file."""
        return cls(shown, (SourceFile(path, shown),), **fields)  # type: ignore[arg-type]


def open_source(source: Source) -> tuple[Records, tuple[Finding, ...]]:
    """
    Look at a source, and put aside what cannot be read where it is.

    :raises InvalidInput: with every finding, if it cannot be used.
    """
    if source.remote is not None:
        fetched = source.remote.fetch(source.places("path"))
        files = tuple(SourceFile(path, name, fetched.folder) for path, name in fetched.files)
        source = replace(source, files=files, remote=None)
    return _open_query(source) if source.kind == "sql" else _open_files(source)


def _open_files(source: Source) -> tuple[Records, tuple[Finding, ...]]:
    place = source.places("path")
    if not source.files:
        raise unreadable(rules.MISSING_FILE.at(place, f"no file is called `{source.shown}`"))
    parts: list[Records] = []
    findings: list[Finding] = []
    broken: list[Finding] = []
    for file in source.files:
        try:
            records, found = _open_file(source, file)
        except InvalidInput as error:
            if source.if_empty is not None and _is_empty(error):
                detail = f"`{file.shown}` holds nothing, not even a header"
                hint = "if that is right, a header alone says so without a warning"
                findings.append(source.if_empty.at(place, detail, hint))
            else:
                broken.extend(error.findings)
        else:
            parts.append(records)
            findings.extend(found)
    if broken:
        raise unreadable(*findings, *broken)
    if not parts:
        return spool(source.shown, (), (), place), tuple(findings)
    return join_records(source.shown, parts, place), tuple(findings)


def _is_empty(error: InvalidInput) -> bool:
    return all(finding.code == rules.EMPTY_FILE.code for finding in error.findings)


def _open_file(source: Source, file: SourceFile) -> tuple[Records, tuple[Finding, ...]]:
    place = source.places("path")
    match source.kind or kind_of(file.shown):
        case "parquet":
            return replace(inspect_parquet(file.path, file.shown, place), keep=file.keep), ()
        case "xlsx":
            return read_workbook(file.path, file.shown, source.sheet, place), ()
        case kind:
            path, keep = unpack(file.path, file.shown, place)
            declared = source.places("encoding") if source.encoding else place
            text, findings = inspect_text(path, file.shown, source.encoding, declared)
            text = replace(text, keep=keep or file.keep)
            if kind == "json":
                return read_json(text, place), findings
            delimiter = source.places("delimiter") if source.delimiter else place
            return read_layout(text, source.delimiter, delimiter), findings


def kind_of(name: str) -> FileKind:
    """The kind of a file by its name."""
    plain = name.lower()
    for ending in PACKED_ENDINGS:
        plain = plain.removesuffix(ending)
    return ENDINGS.get(Path(plain).suffix, "csv")


def _only_file(source: Source) -> SourceFile:
    match source.files:
        case (file,):
            return file
        case files:
            detail = f"`{source.shown}` stands for {len(files) or 'no'} files; a query is over one SQLite file"
            raise unreadable(rules.MISSING_FILE.at(source.places("path"), detail))


def _open_query(source: Source) -> tuple[Records, tuple[Finding, ...]]:
    query = Query(source.query or "", source.shown, source.places("query"))
    if source.connection is not None:
        return query_database(query, source.connection), ()
    if not source.tables:
        file = _only_file(source)
        return query_sqlite(query, file.path, file.shown, source.places("path")), ()
    tables: dict[str, Records] = {}
    findings: list[Finding] = []
    broken: list[Finding] = []
    for name, files in source.tables.items():
        part = Source(name, files, places=lambda _field, name=name: source.places(f"tables.{name}"))  # type: ignore[misc]
        try:
            tables[name], found = open_source(part)
            findings.extend(found)
        except InvalidInput as error:
            broken.extend(error.findings)
    if broken:
        raise unreadable(*findings, *broken)
    return query_files(query, tables), tuple(findings)

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from octoplan.audience.engine import Engine, quote_text

from .conftest import Write


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('{folder}/other.csv')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM 'https://example.org/x.csv'",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "ATTACH '{folder}/new.db'",
        "EXPORT DATABASE '{folder}/dump'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET allowed_paths = ['/etc/passwd']",
        "SELECT * FROM visible",
        "CREATE PERSISTENT SECRET s (TYPE s3)",
    ],
)
def test_nothing_but_the_given_files_can_be_reached(write: Write, tmp_path: Path, sql: str) -> None:
    """Files, network, extensions, settings and Python's variables are out of reach, on every connection."""
    visible = pa.table({"a": [1]})
    write("secret", "other.csv")
    with Engine([write("a\n1\n")]) as engine:
        with pytest.raises(duckdb.Error):
            engine.rows(sql.format(folder=tmp_path))
        with pytest.raises(duckdb.Error):
            list(engine.stream(sql.format(folder=tmp_path)))
    assert visible.num_rows == 1
    assert {path.name for path in tmp_path.iterdir()} == {"contacts.csv", "other.csv"}


def test_given_file_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    """A name with quotes, brackets and stars is one file, not a pattern and not SQL."""
    path = tmp_path / "a'b [1]*.csv"
    path.write_text("x\n")
    with Engine([path, path]) as engine:
        assert engine.value(f"SELECT content FROM read_text({quote_text(engine.links[path])})") == "x\n"


def test_directory_goes_with_the_engine(write: Write) -> None:
    """Nobody else can enter the directory while the engine lives; `close` removes it, and not the given file."""
    path = write("a\n")
    with Engine([path]) as engine:
        folder = Path(engine.links[path]).parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    assert path.exists()
    engine.close()


def test_streams_do_not_disturb_each_other() -> None:
    """Two streams and a query may be under way at once; a stream that is left early closes."""
    with Engine(()) as engine:
        first = engine.stream("SELECT * FROM range(200000) t(a) ORDER BY a", 1000)
        second = engine.stream("SELECT * FROM range(10) t(a)")
        assert next(first).column(0)[0].as_py() == 0
        assert len(next(second)) == 10
        assert engine.value("SELECT 1") == 1
        assert next(first).num_rows > 0


def test_late_error_is_the_engine_s() -> None:
    """A query that fails after its first batch raises what one raises that fails at once."""
    values = pa.table({"a": [*("1" for _ in range(300_000)), "x"]})
    sql = "SELECT CAST(a AS INTEGER) AS a FROM incoming"
    with Engine((), threads=1) as engine:
        batches = engine.pipe(values.to_reader(1_000), sql)
        assert len(next(batches))
        with pytest.raises(duckdb.Error, match="Could not convert"):
            list(batches)
        batches = engine.stream("SELECT CASE WHEN a > 299999 THEN error('late') ELSE '' END FROM range(300001) t(a)")
        assert len(next(batches))
        with pytest.raises(duckdb.Error, match="late"):
            list(batches)

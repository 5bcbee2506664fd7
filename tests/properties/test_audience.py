from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import phonenumbers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from octoplan.audience import rules
from octoplan.audience.contacts import read_layout, read_records
from octoplan.audience.encoding import TextFile
from octoplan.audience.engine import Engine
from octoplan.audience.phones import read_phone
from tests.data.generate import as_csv, customers
from tests.unit.audience.support import see

FIELDS = {"columns": {"first_name": "prenom", "shop": "magasin"}, "where": "consent = 'oui'"}
REGIONS = st.sampled_from(["FR", "GB", "US", "DE", "IT", "BR", "AU", "JP", "AR", "MX", "KZ", "BS", None])
DIGITS = st.text("0123456789", min_size=3, max_size=14)
NUMBERS = st.one_of(
    st.text("0123456789+()-. /x#~٠１", max_size=20),
    st.builds("{}{}".format, st.sampled_from(["", "0", "+", "00", "+33", "0033", "+1", "+49 0", "011", "+39"]), DIGITS),
    st.text(max_size=12),
)


@settings(max_examples=800, deadline=None)
@given(text=NUMBERS, region=REGIONS)
@example(text="+33 (0)6 12 34 00 01", region="FR")
@example(text="0612340001;ext=5", region="FR")
def test_numbers_are_the_library_s(text: str, region: str | None) -> None:
    """Whatever is written, the number is libphonenumber's or none; and a valid one is only left out for doubt."""
    phone, country, reason = read_phone(text, region)
    try:
        parsed = phonenumbers.parse(text.strip(), region)
    except phonenumbers.NumberParseException:
        assert phone is None
        return
    if phonenumbers.is_valid_number(parsed) and reason != rules.SPREADSHEET_NUMBER:
        assert phone == phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        assert country == phonenumbers.region_code_for_number(parsed)
        assert reason in (None, rules.AMBIGUOUS_NUMBER)
    else:
        assert reason is not None


FIELD = st.text(st.characters(exclude_characters='"\r\n\x00', exclude_categories=["Cc", "Cs"]), max_size=6)
ROW = st.lists(FIELD, min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, max_size=12), line_end=st.sampled_from(["\n", "\r\n"]))
def test_both_readers_agree(rows: list[list[str]], line_end: str) -> None:
    """A file that the engine reads itself gives the very records that the careful reader gives."""
    content = line_end.join(["a;b;c", *(";".join(row) for row in rows)])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        path.write_bytes(content.encode())
        with Engine([path]) as engine:
            seen = [
                [tuple(row.values()) for batch in read_records(engine, layout, [0, 2]) for row in batch.to_pylist()]
                for layout in (
                    read_layout(TextFile(path, "list.csv", "utf-8", clean), None, None) for clean in (True, False)
                )
            ]
    assert seen[0] == seen[1]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), threads=st.sampled_from([1, 2, 4]))
def test_only_the_rows_matter(seed: int, threads: int) -> None:
    """Shuffled rows, another file name, line ends, delimiter and number of threads give the same bytes."""
    random = Random(seed)
    header, *rows = customers(random, 400, 120)
    with TemporaryDirectory() as folder:
        first, second = Path(folder) / "a.csv", Path(folder) / "renamed.txt"
        first.write_bytes(as_csv([header, *rows], ";", "\n").encode())
        random.shuffle(rows)
        second.write_bytes(as_csv([header, *rows], "\t", "\r\n").encode("utf-16"))
        one, other = see(first, threads=1, **FIELDS), see(second, threads=threads, **FIELDS)
    assert one.without_rows == other.without_rows
    assert (one.digest, one.reasons, one.audience.countries) == (other.digest, other.reasons, other.audience.countries)


PROGRAM = """
import hashlib, sys
from pathlib import Path
import pyarrow as pa
from tests.unit.audience.support import see
seen = see(Path(sys.argv[1]), columns={"first_name": "prenom", "shop": "magasin"}, where="consent = 'oui'")
with pa.BufferOutputStream() as sink:
    with pa.ipc.new_stream(sink, seen.table.schema) as stream:
        stream.write_table(seen.table)
    print(hashlib.sha256(sink.getvalue()).hexdigest(), seen.digest)
"""


def test_another_machine_gives_the_same_bytes(tmp_path: Path) -> None:
    """Processes with another locale, time zone, hash seed and working directory give the same bytes."""
    root = Path(__file__).parents[2]
    path = root / "data" / "customers.csv"
    settings_of = [
        {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "1"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "2", "PYTHONUTF8": "1"},
    ]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            env={**os.environ, "PYTHONPATH": str(root), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for environment in settings_of
    }
    assert len(outputs) == 1

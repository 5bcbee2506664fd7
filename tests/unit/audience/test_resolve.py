from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from octoplan.audience import engine
from octoplan.audience.readers.source import Source
from octoplan.audience.resolve import AudienceSpec, resolve_audience
from octoplan.audience.rules import EXPLANATIONS
from octoplan.audience.schemas import RECIPIENTS, VALUE
from octoplan.diagnostics import Place
from octoplan.digests import DigestKey, number_hash
from tests.data.generate import committed_files, world_files, write_large

from .conftest import Write
from .support import KEY, findings, problems, see, source_of, stop

MESSY = """Mobile ;Prénom;nom;consent
06 12 34 00 01;Zoé;Aubrac;oui
;Paul;Bellorme;oui
0612340001;Zoé;Aubrac;oui
3,36E+10;Lina;Castagnol;oui
06 12 34;Adam;Dervieux;oui
O612340002;Rose;Estoril;oui
0692123456;Louis;Fontanelle;oui
0612340003;Alice;Grivaud;non
0612340004;Jules
0612340005;Emma;Hautpré;oui
+12025550123;Tom;Isnardon;oui
0612340006;Marc;Jolivel;oui
"""
FIELDS = {"columns": {"first_name": "prenom"}, "variables": ("nom",), "where": "consent = 'oui'"}


def test_everybody_is_a_recipient_or_has_a_reason(write: Write) -> None:
    """Each record is counted once: as a recipient, or under one reason with the lines of the first few."""
    allow = ("06 12 34 00 01", "+1 202 555 0123", "0612340005")
    suppressions = (stop(write("0612340005\n", "stop.csv")),)
    seen = see(write(MESSY), suppressions=suppressions, allow_numbers=allow, **FIELDS)
    assert seen.examples == {
        "ambiguous-number": (7,),
        "duplicate": (4,),
        "empty-number": (3,),
        "faulty-row": (10,),
        "invalid-number": (6,),
        "not-allowed": (13,),
        "not-selected": (9,),
        "overseas-number": (8,),
        "spreadsheet-number": (5,),
        "suppressed": (11,),
    }
    assert seen.phones == {"+33612340001", "+12025550123"}
    assert (seen.audience.rows, seen.audience.recipients, seen.audience.unique) == (12, 2, 4)
    assert seen.audience.rows == seen.audience.recipients + sum(seen.reasons.values())
    assert seen.audience.countries == {"FR": 1, "US": 1}


def test_every_reason_is_explained(write: Write) -> None:
    """An exclusion carries the explanation of its reason, and examples are few."""
    seen = see(write("mobile\n" + "x\n" * 20))
    (exclusion,) = seen.audience.exclusions
    assert (exclusion.count, exclusion.examples) == (20, (2, 3, 4, 5, 6))
    assert exclusion.explanation == EXPLANATIONS["invalid-number"]


def test_columns_of_a_recipient(write: Write) -> None:
    """The columns of `RECIPIENTS`, then the variables in name order, with exactly the characters of the file."""
    path = write("mobile;b;a\n0612340001; Zoé ;\n")
    seen = see(path, columns={"z": "b"}, variables=("a",))
    assert seen.table.schema == pa.schema([*RECIPIENTS, pa.field("v_a", VALUE), pa.field("v_z", VALUE)])
    assert seen.people == [
        {
            "hash": int(hashlib.sha256(b"+33612340001").hexdigest()[:16], 16),
            "phone": "+33612340001",
            "country": "FR",
            "row": 2,
            "v_a": None,
            "v_z": " Zoé ",
        }
    ]


def test_variables_that_differ_in_case_alone(write: Write) -> None:
    """`Name` and `name` are two variables, though the engine's names ignore case."""
    seen = see(write("mobile;x;y\n0612340001;1;2\n"), columns={"name": "x", "Name": "y"})
    assert (seen.people[0]["v_Name"], seen.people[0]["v_name"]) == ("2", "1")


def test_order_is_that_of_the_hash(write: Write) -> None:
    """Recipients come sorted by the SHA-256 of their number, which any other program computes alike."""
    seen = see(write("mobile\n" + "".join(f"06123400{n:02d}\n" for n in range(100))))
    hashes = [row["hash"] for row in seen.people]
    assert hashes == sorted(int(hashlib.sha256(row["phone"].encode()).hexdigest()[:16], 16) for row in seen.people)
    assert len(hashes) == 100


def test_batches_can_be_read_again_and_at_once(write: Write) -> None:
    """Each call of `batches` starts anew, whatever else is under way."""
    path = write("mobile\n0612340001\n0612340002\n")
    spec = AudienceSpec(source_of(path, {}), phone="mobile", region="FR")
    with resolve_audience(spec) as audience:
        first, second = audience.batches(), audience.batches()
        assert next(first) == next(second)
        assert audience.set_digest(KEY).startswith("s1_")
        assert sum(len(batch) for batch in audience.batches()) == 2


def test_nobody_is_an_audience_too(write: Write) -> None:
    """A header alone gives no recipient, no exclusion and no error."""
    seen = see(write("mobile;x\n"), columns={"x": "x"})
    assert (seen.audience.rows, seen.people, seen.reasons, seen.audience.countries) == (0, [], {}, {})


def test_winner_is_the_smallest_key(write: Write) -> None:
    """Of several rows with one number the smallest text of the key column wins; a row without key loses to any."""
    path = write("id;mobile;n\n;0612340001;none\n9;06 12 34 00 01;nine\n10;+33612340001;ten\n")
    seen = see(path, key="id", columns={"n": "n"})
    assert [row["v_n"] for row in seen.people] == ["ten"]
    assert seen.reasons == {"duplicate": 2}


def test_without_a_key_the_values_decide(write: Write) -> None:
    """Of rows with one number the smallest values win, in the order of the variables' names; no value comes last."""
    path = write("mobile;a;b\n0612340001;;a\n06 12 34 00 01;x;b\n+33612340001;x;a\n0612340001;y;\n")
    (person,) = see(path, columns={"a": "a", "b": "b"}).people
    assert (person["v_a"], person["v_b"], person["row"]) == ("x", "a", 4)


def test_set_digest_is_of_the_numbers_alone(write: Write) -> None:
    """It ignores order, spelling, values and suppression, and differs with one number or another key."""
    one = see(write("mobile;x\n0612340001;a\n0612340002;b\n"))
    other = write("mobile;x\n06 12 34 00 02;c\n+33612340001;d\n0612340002;e\n", "other.csv")
    assert see(other).digest == one.digest
    assert see(other, suppressions=(stop(write("0612340001\n", "stop.csv")),)).digest == one.digest
    assert see(write("mobile\n0612340001\n", "less.csv")).digest != one.digest
    with resolve_audience(AudienceSpec(source_of(other, {}), "mobile", "FR")) as audience:
        assert audience.set_digest(DigestKey(bytes(32))) != one.digest


def test_allow_list_of_nobody_allows_nobody(write: Write) -> None:
    """An empty allow-list is not the same as none."""
    path = write("mobile\n0612340001\n")
    assert see(path, allow_numbers=()).reasons == {"not-allowed": 1}
    assert see(path, allow_numbers=None).reasons == {}


def test_all_findings_at_once_with_their_places(write: Write, tmp_path: Path) -> None:
    """One run names everything that is wrong, each at the field that asks for it."""
    seen = findings(
        write(MESSY),
        phone="tel",
        key="id",
        region="fr",
        columns={"first_name": "given"},
        variables=("shop",),
        where="consnt = 'oui'",
        allow_numbers=("nobody",),
        suppressions=(stop(tmp_path / "gone.csv", place=Place("octoplan.yaml", 9)),),
        places=Place,
    )
    assert [(finding.code, str(finding.place)) for finding in seen] == [
        ("audience/unknown-region", "recipients.region"),
        ("audience/bad-allow-list", "environment.allow_numbers"),
        ("audience/missing-file", "octoplan.yaml:9"),
        ("audience/missing-column", "recipients.phone"),
        ("audience/missing-column", "recipients.key"),
        ("audience/missing-column", "recipients.columns.first_name"),
        ("audience/missing-column", "message.template"),
        ("audience/missing-column", "recipients.where"),
    ]


def test_file_problems_have_the_place_of_their_field(write: Write, tmp_path: Path) -> None:
    """A missing file, a wrong encoding and a wrong delimiter point at the field to change."""

    def place(path: str) -> Place:
        return Place(path)

    (missing,) = findings(tmp_path / "gone.csv", places=place)
    (encoding,) = findings(write(MESSY), encoding="klingon", places=place)
    (delimiter,) = findings(write(MESSY), delimiter="::", places=place)
    assert [str(item.place) for item in (missing, encoding, delimiter)] == [
        "recipients.path",
        "recipients.encoding",
        "recipients.delimiter",
    ]


def test_nothing_personal_is_shown(write: Write) -> None:
    """Neither `repr` nor exclusions nor findings hold a number or a name of the file."""
    path = write(MESSY)
    spec = AudienceSpec(
        source_of(path, {}), "mobile", "FR", {"x": "prenom"}, allow_numbers=("0612340009",), where="consent = 'oui'"
    )
    with resolve_audience(spec) as audience:
        shown = repr(audience) + repr(spec) + repr(audience.exclusions)
    assert not [text for text in ("061234", "Zoé", "Aubrac", "+336", "3,36E") if text in shown]
    (failed,) = findings(path, where="nom::int > 1", columns={})
    assert "Aubrac" not in repr(failed)


def test_nothing_is_left_behind(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The private directory is gone after success, after a finding, and after an error in the middle of the file."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    path = write(MESSY)
    see(path)
    assert problems(path, phone="nothing")
    assert problems(path, where="Prénom::int > 1") == ["audience/bad-where"]
    assert list((tmp_path / "private").iterdir()) == []


@pytest.mark.parametrize("name", sorted(set(world_files()) - {"quoted-line-breaks.csv"}))
def test_one_list_in_every_shape_of_the_world(name: str) -> None:
    """Encoding, byte-order mark, delimiter, line ends, blank lines and spaces in the header change nothing."""
    world = Path(__file__).parents[2] / "data" / "world"
    fields = {"columns": {"first_name": "Prénom", "city": "Ville"}}
    seen, plain = see(world / name, **fields), see(world / "commas-utf8.csv", **fields)
    assert seen.without_rows == plain.without_rows
    assert seen.reasons == plain.reasons == {"duplicate": 1, "empty-number": 1, "spreadsheet-number": 1}
    assert seen.digest == plain.digest
    assert len(seen.people) == 5


def test_line_breaks_in_quotes_do_not_shift_the_lines() -> None:
    """A value keeps its line break, and the line of a row is the one that an editor shows."""
    path = Path(__file__).parents[2] / "data" / "world" / "quoted-line-breaks.csv"
    seen = see(path, columns={"city": "Ville"})
    assert {row["row"]: row["v_city"] for row in seen.people}[8] == "Nantes\r\n(Erdre)"
    lines = path.read_bytes().decode().split("\r\n")
    assert "3,36123E+10" in lines[int(seen.examples["spreadsheet-number"][0]) - 1]


def test_committed_files_are_those_of_the_generator() -> None:
    """The lists in the repository are exactly what the committed script writes."""
    root = Path(__file__).parents[3]
    stale = [name for name, content in committed_files().items() if (root / name).read_bytes() != content]
    assert stale == []


def test_demo_list_has_every_kind_of_trouble() -> None:
    """The list of the demo shows what the world does to a list, and enough is left to send to."""
    data = Path(__file__).parents[3] / "data"
    seen = see(
        data / "customers.csv",
        columns={"first_name": "prenom", "shop": "magasin"},
        where="consent = 'oui' and magasin is not null",
        suppressions=(stop(data / "stop-list.csv"),),
    )
    assert set(seen.reasons) >= {
        "duplicate",
        "empty-number",
        "invalid-number",
        "not-selected",
        "spreadsheet-number",
        "suppressed",
    }
    assert seen.audience.recipients > 1_000
    assert seen.warnings == []
    assert len(see(data / "orders.csv", phone="phone").people) == 40


def test_fifty_thousand_rows(tmp_path: Path) -> None:
    """A list of 50,000 rows is resolved with everybody accounted for."""
    seen = see(write_large(tmp_path / "large.csv"), columns={"first_name": "prenom"})
    assert seen.audience.rows == 50_000
    assert seen.audience.recipients + sum(seen.reasons.values()) == 50_000
    assert seen.audience.recipients == seen.audience.unique == seen.table.num_rows > 10_000


def test_sample_and_limit(write: Write) -> None:
    """A share is of the hashes, a number of the list; both take the first, and the shorter one counts."""
    path = write("mobile\n" + "\n".join(f"061234{number:04d}" for number in range(1_000)))
    everybody = [row["phone"] for row in see(path).people]
    hashes = {phone: number_hash(phone) for phone in everybody}
    tenth = [phone for phone in everybody if hashes[phone] < 2**64 // 10]
    assert 60 < len(tenth) < 140

    def taken(**fields: Any) -> tuple[list[str], dict[str, int]]:
        seen = see(path, **fields)
        return [row["phone"] for row in seen.people], seen.reasons

    assert taken(sample=Decimal("0.1")) == (tenth, {"not-sampled": 1_000 - len(tenth)})
    assert taken(sample=20) == (everybody[:20], {"not-sampled": 980})
    assert taken(limit=200) == (everybody[:200], {"over-limit": 800})
    assert taken(sample=20, limit=5) == (everybody[:5], {"not-sampled": 980, "over-limit": 15})
    assert taken(sample=5, limit=20) == (everybody[:5], {"not-sampled": 995})
    assert taken(sample=Decimal(1), limit=1_000) == (everybody, {})


def test_set_digest_is_of_the_whole_list(write: Write) -> None:
    """How much of the list is taken does not change which list it is."""
    path = write("mobile\n0612340001\n0612340002\n")
    assert see(path, limit=1).digest == see(path).digest


def test_a_closed_audience_has_no_rows_to_give(write: Write) -> None:
    """To ask it all the same is a mistake of ours and told; an empty batch would pass for an empty list."""
    spec = AudienceSpec(Source.of_file(write("mobile\n0612340001\n"), "contacts.csv"), "mobile", "FR")
    audience = resolve_audience(spec)
    assert [len(batch) for batch in audience.batches()] == [1]
    audience.close()
    audience.close()
    with pytest.raises(AssertionError, match="given up"):
        list(audience.batches())


def test_a_list_that_does_not_fit_is_told_as_that(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """When memory and disk do not suffice, neither the filter nor a row is blamed, and there is something to do."""
    monkeypatch.setitem(engine._CONFIG, "memory_limit", "2MB")
    list_ = write("mobile,a\n" + f"0612340001,{'x' * 300}\n" * 20_000)
    (finding,) = findings(list_, where="a LIKE 'x%'")
    assert (finding.code, finding.place) == ("audience/out-of-room", None)
    assert "TMPDIR" in str(finding.hint)

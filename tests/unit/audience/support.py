"""Small files and what is seen of an audience, for the tests of this stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from octoplan.audience.readers.source import Source, SourceFile, no_place
from octoplan.audience.resolve import Audience, AudienceSpec, resolve_audience
from octoplan.audience.suppression import SuppressionSpec
from octoplan.diagnostics import InvalidInput
from octoplan.digests import DigestKey

KEY = DigestKey(bytes(range(32)))


@dataclass(frozen=True)
class Seen:
    """What a closed audience said."""

    audience: Audience
    table: pa.Table
    digest: str

    @property
    def people(self) -> list[dict[str, Any]]:
        """The recipients as dictionaries, in order."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    @property
    def phones(self) -> set[str]:
        return {row["phone"] for row in self.people}

    @property
    def reasons(self) -> dict[str, int]:
        return {item.reason: item.count for item in self.audience.exclusions}

    @property
    def examples(self) -> dict[str, tuple[int | str, ...]]:
        return {item.reason: item.examples for item in self.audience.exclusions}

    @property
    def warnings(self) -> list[str]:
        return [finding.code for finding in self.audience.findings]

    @property
    def without_rows(self) -> pa.Table:
        """Everything that may depend only on the contents of the rows."""
        return self.table.drop_columns(["row"])


def see(contacts: Path, **fields: Any) -> Seen:
    """Resolve, read everything, close; the phone column is `mobile` and the region `FR` unless `fields` differs."""
    spec = AudienceSpec(**{"contacts": source_of(contacts, fields), "phone": "mobile", "region": "FR", **fields})
    with resolve_audience(spec) as audience:
        table = pa.Table.from_batches(audience.batches(), audience.schema)
        return Seen(audience, table.combine_chunks(), audience.set_digest(KEY))


def problems(contacts: Path, **fields: Any) -> list[str]:
    """The codes of the findings with which `see` fails; empty if it does not."""
    return [finding.code for finding in findings(contacts, **fields)]


def findings(contacts: Path, **fields: Any) -> Sequence[Any]:
    try:
        see(contacts, **fields)
    except InvalidInput as error:
        return error.findings
    return ()


def source_of(path: Path, fields: dict[str, Any]) -> Source:
    """The file as a source; takes what concerns it out of `fields`."""
    about = {name: fields.pop(name) for name in ("kind", "delimiter", "encoding", "sheet") if name in fields}
    places = fields.get("places", no_place)
    return Source(path.name, (SourceFile(path, path.name),), places=lambda name: places(f"recipients.{name}"), **about)


def stop(path: Path, **fields: Any) -> SuppressionSpec:
    place = fields.get("place")
    return SuppressionSpec(Source(path.name, (SourceFile(path, path.name),), places=lambda _: place), **fields)

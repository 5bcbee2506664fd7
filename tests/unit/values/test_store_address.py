"""An address in object storage that begins with an allowed prefix is inside it, for whoever reads it."""

from __future__ import annotations

import pytest

from octoplan.values.store_address import check_store_address, check_store_prefix, is_store_address

PREFIX = "s3://acme-lists/customers/"


@pytest.mark.parametrize(
    "text",
    [
        "s3://acme-lists/a.csv",
        "s3://acme-lists/customers/2027/spring list.csv.gz",
        "s3://lists.acme.example/dt=2027-03-01/part-0+1@2,3~4.parquet",
        "s3://acme-lists/customers/part-*.parquet",
        "s3://acme-lists/customers/été.csv",
    ],
)
def test_plain_addresses(text: str) -> None:
    """The key as the store shows it."""
    assert is_store_address(text)
    assert check_store_address(text) is None


HOSTILE = [
    "s3://acme-lists/customers/../other/a.csv",
    "s3://acme-lists/customers/./a.csv",
    "s3://acme-lists/customers//a.csv",
    "s3://acme-lists/customers/.env",
    "s3://acme-lists/customers/.*",
    "s3://acme-lists/customers/%2e%2e/other.csv",
    "s3://acme-lists/customers/a.csv?versionId=1",
    "s3://acme-lists/customers/a.csv?",
    "s3://acme-lists/customers/a.csv#b",
    "s3://acme-lists/customers/..\\other.csv",
    "s3://acme-lists/customers/*/a.csv",
    "s3://acme-lists/customers/[a-z].csv",
    "s3://acme-lists/customers/a.csv\n",
    "s3://acme-lists/customers/a\tb.csv",
    "s3://acme-lists/customers/\u2025/a.csv",
    "s3://acme-lists/customers/\uff0e\uff0e/a.csv",
    "s3://acme-lists/customers/\u202egnp.csv",
    "s3://acme-lists/customers/e\u0301te\u0301.csv",
    "s3://acme-lists/customers/",
    "s3://acme-lists",
    "s3:///customers/a.csv",
    "s3://key:secret@acme-lists/customers/a.csv",
    "s3://acme-lists:443/customers/a.csv",
    "s3://acme..lists/customers/a.csv",
    "s3://../customers/a.csv",
    "s3://ACME/customers/a.csv",
    "s3a://acme-lists/customers/a.csv",
    "S3://acme-lists/customers/a.csv",
    "s3://acme-lists/customers/" + "a" * 1024,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_addresses_with_another_reading(text: str) -> None:
    """Whatever a store, or a server before it, could take for something else is refused and not put right."""
    assert check_store_address(text) is not None


@pytest.mark.parametrize("text", [PREFIX, "s3://acme-lists/", "s3://lists.acme.example/a b/"])
def test_plain_prefixes(text: str) -> None:
    """A bucket or a folder of it."""
    assert check_store_prefix(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "s3://acme-lists",
        "s3://acme-lists/customers",
        "s3://",
        "s3://acme-lists/*/",
        "https://acme.example/",
        *HOSTILE[:4],
    ],
)
def test_prefixes_that_would_allow_more_than_they_show(text: str) -> None:
    """Without `/` at its end, `s3://acme-lists/customers` would begin the names of other folders too."""
    assert check_store_prefix(text) is not None

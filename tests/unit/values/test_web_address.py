"""An address that begins with an allowed prefix is inside it, for whoever reads it."""

from __future__ import annotations

import pytest

from octoplan.values.web_address import check_address, check_prefix, is_web_address

PREFIX = "https://files.example.com/lists/"


@pytest.mark.parametrize(
    "text",
    [
        "https://files.example.com/lists/spring.csv",
        "https://files.example.com:8443/lists/2027/a%20b.csv.gz",
        "https://xn--caf-dma.example/%C3%A9t%C3%A9.parquet",
        "http://127.0.0.1:8000/list.csv",
        "http://localhost/list.csv",
    ],
)
def test_plain_addresses(text: str) -> None:
    """The spelling that a browser shows is the one to write."""
    assert is_web_address(text)
    assert check_address(text) is None


HOSTILE = [
    "https://files.example.com/lists/../keys.csv",
    "https://files.example.com/lists/%2e%2e/keys.csv",
    "https://files.example.com/lists/%2E%2E/keys.csv",
    "https://files.example.com/lists/.%2e/keys.csv",
    "https://files.example.com/lists/%C0%AE%C0%AE/keys.csv",
    "https://files.example.com/lists/%EF%BC%8E%EF%BC%8E/keys.csv",
    "https://files.example.com/lists/..%2fkeys.csv",
    "https://files.example.com/lists/..%5ckeys.csv",
    "https://files.example.com/lists/..\\keys.csv",
    "https://files.example.com/lists/%252e%252e/keys.csv",
    "https://files.example.com/lists/..;/keys.csv",
    "https://files.example.com/lists/./keys.csv",
    "https://files.example.com/lists//keys.csv",
    "https://files.example.com/lists/.env",
    "https://files.example.com/lists/a.csv?next=/keys.csv",
    "https://files.example.com/lists/a.csv#b",
    "https://files.example.com/lists/a.csv\n",
    "https://files.example.com/lists/a\tb.csv",
    "https://files.example.com/lists/*.csv",
    "https://files.example.com/lists/",
    "https://files.example.com@evil.example/lists/a.csv",
    "https://me:key@files.example.com/lists/a.csv",
    "https://files.example.com\\@evil.example/lists/a.csv",
    "https://files.example.com:443/lists/a.csv",
    "https://files.example.com:0443/lists/a.csv",
    "https://files.example.com:/lists/a.csv",
    "https://files.example.com:99999/lists/a.csv",
    "https://files.example.com./lists/a.csv",
    "https://FILES.example.com/lists/a.csv",
    "https://files.example.com%2eevil.example/lists/a.csv",
    "https://files。example.com/lists/a.csv",
    "HTTPS://files.example.com/lists/a.csv",
    "https:////files.example.com/lists/a.csv",
    "https://[::1]/lists/a.csv",
    "http://files.example.com/lists/a.csv",
    "http://127.0.0.1.evil.example/a.csv",
    "http://localhost@evil.example/a.csv",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "ftp://files.example.com/a.csv",
    "s3://lists/a.csv",
    "gopher://127.0.0.1:25/a",
    "https://files.example.com/" + "a" * 600,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_other_spellings_are_refused(text: str) -> None:
    """What could be read in two ways is read in none."""
    assert is_web_address(text)
    assert check_address(text) is not None


@pytest.mark.parametrize("text", [PREFIX, "https://files.example.com/", "http://localhost:8000/a/"])
def test_prefixes(text: str) -> None:
    """A prefix is a folder, or a whole host."""
    assert check_prefix(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "https://files.example.com",
        "https://files.example.com/lists",
        "https://",
        "https://*.example.com/",
        PREFIX + "../",
    ],
)
def test_no_prefixes(text: str) -> None:
    """Without its last slash `…com` would allow `…com.evil.example`, and `/lists` `/lists-of-keys`."""
    assert check_prefix(text) is not None

"""
Lists in object storage (Amazon S3, and stores that speak its language), fetched into a private folder.

Amazon's own client is not used: it follows redirects to other hosts, and hands them the session token.

Invariants, besides those of `download`:
- Only the bucket and folder of the address are asked: their names are part of the address that is signed, and a bucket
  has to be allowed outside the repository as a host has.
- The credentials are those that the environment names; none are looked for on the machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.parsers import expat

import httpx

from octoplan.audience import rules
from octoplan.audience.readers.download import Errand, Fetched, header_from, private_folder, require_allowed_host
from octoplan.audience.readers.port import unreadable
from octoplan.audience.readers.signature import Credentials, signed_headers, store_url
from octoplan.clock import SystemClock
from octoplan.diagnostics import Place
from octoplan.limits import (
    DOWNLOAD_TIME_MAX_S,
    SOURCE_BYTES_MAX,
    SOURCE_FILES_MAX,
    STORE_LISTED_MAX,
    STORE_LISTING_BYTES_MAX,
)
from octoplan.values.secret import Secret
from octoplan.values.store_address import SCHEME

_ERROR_BYTES: Final = 16 * 1024
"""How much of an error's page is looked at for its code."""
_CODE: Final = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
HINTS: Final = {
    "AccessDenied": "the key may not read it: it needs s3:GetObject, and for a name with `*` s3:ListBucket too",
    "AuthorizationHeaderMalformed": "the bucket is in another region: check `region` of the store",
    "ExpiredToken": "the lent credentials have run out: get new ones",
    "InvalidAccessKeyId": "the store does not know this key: check the variable, and `endpoint`",
    "InvalidToken": "the token does not belong to this key: unset its variable for a key that is not lent",
    "NoSuchBucket": "check the bucket's name, and `endpoint`",
    "NoSuchKey": "there is no such file in the bucket",
    "PermanentRedirect": "the bucket is in another region: check `region` and `endpoint` of the store",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": "the secret does not belong to this key: check both variables",
}
"""What a store says went wrong, as Amazon's page on error responses lists it -> what to do."""


@dataclass(frozen=True, slots=True)
class Stored:
    """
    Files in object storage: an address in the one spelling that `store_address` accepts, with `*` in its last name for
    several, and what the environment says of the bucket. `endpoint` is `None` for Amazon's. `key`, `secret` and `token`
    are names of environment variables, of which that of the token need not be set.
    """

    address: str
    region: str
    endpoint: str | None = None
    key: str = "AWS_ACCESS_KEY_ID"
    secret: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the variable's name
    token: str = "AWS_SESSION_TOKEN"  # noqa: S105 - the variable's name
    bytes_max: int = SOURCE_BYTES_MAX
    time_max_s: float = DOWNLOAD_TIME_MAX_S

    def fetch(self, place: Place | None) -> Fetched:
        """
        Fetch the file, or the files that the pattern stands for, in the order of their names.

        :raises InvalidInput: if the bucket is not allowed, a variable is not set, there is no such file, the store does
            not give the whole of one, there are more than are read, or a bound is passed.
        """
        base = self._base()
        require_allowed_host(_allowed_as(base), place)
        asking = _Asking(self, base, self._credentials(place), place)
        with private_folder() as folder:
            files = []
            for number, key in enumerate(asking.keys(folder.path)):
                path = folder.path / f"download-{number}"
                asking.get(key, path)
                files.append((path, key.rpartition("/")[2]))
            return Fetched(folder, tuple(files))

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.address.removeprefix(SCHEME).partition("/")[0]

    @property
    def pattern(self) -> str:
        """The key, or the pattern of keys."""
        return self.address.removeprefix(SCHEME).partition("/")[2]

    def _base(self) -> str:
        """
        Where the bucket is. Amazon's certificates are for names without further dots, and other stores understand the
        bucket as the first folder best.
        """
        if self.endpoint is None and "." not in self.bucket:
            return f"https://{self.bucket}.s3.{self.region}.amazonaws.com"
        return f"{self.endpoint or f'https://s3.{self.region}.amazonaws.com'}/{self.bucket}"

    def _credentials(self, place: Place | None) -> Credentials:
        token = Secret(header_from(self.token, place)) if os.environ.get(self.token) else None
        return Credentials(header_from(self.key, place), Secret(header_from(self.secret, place)), token)


def _allowed_as(base: str) -> str:
    """What has to be in the variable with allowed hosts: the host, and the bucket if that is no part of it."""
    parts = urlsplit(base)
    return f"{parts.hostname}{parts.path}"


class _Asking:
    """Signed requests for one source."""

    def __init__(self, stored: Stored, base: str, credentials: Credentials, place: Place | None) -> None:
        self._stored = stored
        self._base = base
        self._credentials = credentials
        self._place = place
        self._listing = Errand(stored.address, place, STORE_LISTING_BYTES_MAX, stored.time_max_s, _explain)
        self._fetching = Errand(stored.address, place, stored.bytes_max, stored.time_max_s, _explain)

    def keys(self, folder: Path) -> list[str]:
        """The keys to fetch, sorted; `folder` is for what is put aside on the way."""
        pattern = self._stored.pattern
        if "*" not in pattern:
            return [pattern]
        keys: list[str] = []
        for seen, key in enumerate(self._listed(pattern.partition("*")[0], folder), 1):
            if _matches(key, pattern):
                keys.append(key)
            if len(keys) > SOURCE_FILES_MAX or seen > STORE_LISTED_MAX:
                detail = f"`{self._stored.address}` stands for more than {SOURCE_FILES_MAX} files"
                hint = "or its beginning for very many others: narrow it down"
                raise unreadable(rules.SOURCE_TOO_LARGE.at(self._place, detail, hint))
        if not keys:
            raise unreadable(rules.MISSING_FILE.at(self._place, f"no file is called `{self._stored.address}`"))
        return sorted(keys)

    def get(self, key: str, path: Path) -> None:
        """Fetch one file."""
        self._ask(self._fetching, store_url(self._base, key), path)

    def _listed(self, beginning: str, folder: Path) -> Iterator[str]:
        """The keys of one folder that have this beginning, page by page."""
        query = {"list-type": "2", "prefix": beginning, "delimiter": "/"}
        for number in count():
            path = folder / f"listing-{number}"
            self._ask(self._listing, store_url(self._base, "", query), path)
            page = self._parsed(path)
            yield from page.keys
            if not page.next_token:
                return
            query["continuation-token"] = page.next_token

    def _parsed(self, path: Path) -> _Page:
        try:
            return _Page.read(path)
        except expat.ExpatError:
            detail = f"the store's list of files for `{self._stored.address}` cannot be understood"
            raise unreadable(rules.UNREADABLE_SOURCE.at(self._place, detail)) from None
        finally:
            path.unlink()

    def _ask(self, errand: Errand, url: str, path: Path) -> None:
        headers = signed_headers(url, self._stored.region, self._credentials, SystemClock().now())
        errand.fetch(url, headers, path)


def _matches(key: str, pattern: str) -> bool:
    """Whether a key is one that the pattern stands for; `*` stands for no hidden name, and no folder."""
    folder, _, name = pattern.rpartition("/")
    found, _, last = key.rpartition("/")
    return found == folder and bool(last) and not last.startswith(".") and fnmatchcase(last, name)


def _explain(response: httpx.Response) -> str | None:
    """What to do about an error that is known. Of the store's own words only the code is looked at."""
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= _ERROR_BYTES:
            break
    found = _CODE.search(body[:_ERROR_BYTES])
    fallback = HINTS["PermanentRedirect"] if response.is_redirect else None
    return HINTS.get(found[1].decode(), fallback) if found else fallback


@dataclass(slots=True)
class _Page:
    """A page of a bucket's list: keys, and the token of the next page, empty on the last one."""

    keys: list[str] = field(default_factory=list)
    next_token: str = ""
    _inside: list[str] = field(default_factory=list)
    _text: str = ""

    @classmethod
    def read(cls, path: Path) -> _Page:
        """:raises expat.ExpatError: if it is no such page."""
        page = cls()
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_declaration
        parser.StartElementHandler = page._start
        parser.EndElementHandler = page._end
        parser.CharacterDataHandler = page._data
        with path.open("rb") as file:
            parser.ParseFile(file)
        return page

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._inside.append(name.rpartition(" ")[2])
        self._text = ""

    def _data(self, text: str) -> None:
        self._text += text

    def _end(self, _name: str) -> None:
        match self._inside:
            case [_, "Contents", "Key"]:
                self.keys.append(self._text)
            case [_, "NextContinuationToken"]:
                self.next_token = self._text
        self._inside.pop()


def _refuse_declaration(*_: object) -> None:
    raise expat.ExpatError("its XML holds declarations, which no store writes")

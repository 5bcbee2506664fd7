"""
Files from elsewhere, fetched into a private folder and then read as files.

Invariants:
- Who calls has proved that the environment allows the address. A pull request can change the environment too, so the
  host has to be allowed outside the repository as well.
- Nothing else is asked: no redirect is followed, and no proxy or certificate is taken from variables of the machine.
  TLS is verified.
- A fetch ends within its time, however slowly bytes drip, and writes no more than a bound.
- A list that was cut off on its way is an error: it must not pass for a shorter one.
- No error holds a header's value, or a byte of the answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx

from octoplan import __version__
from octoplan.audience import rules
from octoplan.audience.readers.port import unreadable
from octoplan.audience.readers.spool import Folder
from octoplan.diagnostics import Place
from octoplan.gateway.connection import FreshTransport, Timeouts
from octoplan.limits import DOWNLOAD_TIME_MAX_S, SOURCE_BYTES_MAX
from octoplan.values.web_address import HOSTS_VARIABLE, LOOPBACK

OK: Final = 200


@dataclass(frozen=True, slots=True)
class Fetched:
    """Files in a private folder, each with the name that says what it is. They go with the folder."""

    folder: Folder
    files: tuple[tuple[Path, str], ...]


@dataclass(frozen=True, slots=True)
class Remote:
    """
    A file on the web: its address in the one spelling that `web_address` accepts, and its headers by the names of the
    environment variables that hold them.
    """

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    bytes_max: int = SOURCE_BYTES_MAX
    time_max_s: float = DOWNLOAD_TIME_MAX_S

    def fetch(self, place: Place | None) -> Fetched:
        """
        Fetch the file.

        :raises InvalidInput: if the host is not allowed, a variable is not set, the server does not give the whole
            file, or a bound is passed.
        """
        require_allowed_host(urlsplit(self.address).hostname or "", place)
        headers = {name: header_from(variable, place) for name, variable in self.headers.items()}
        with private_folder() as folder:
            path = folder.path / "download"
            Errand(self.address, place, self.bytes_max, self.time_max_s, _explain).fetch(self.address, headers, path)
            return Fetched(folder, ((path, unquote(self.address.rpartition("/")[2])),))


def _explain(response: httpx.Response) -> str | None:
    return "write the address where the file is" if response.is_redirect else None


@contextmanager
def private_folder() -> Iterator[Folder]:
    """A folder that goes at once if what follows fails or is interrupted, else with its object."""
    folder = Folder()
    try:
        yield folder
    except BaseException:
        folder.remove()
        raise


def require_allowed_host(allowed: str, place: Place | None) -> None:
    """
    Refuse to ask a host that is neither this machine nor named in `HOSTS_VARIABLE`, where it stands as `allowed`.

    :raises InvalidInput: if it may not be asked.
    """
    if allowed.partition("/")[0] not in LOOPBACK and allowed not in os.environ.get(HOSTS_VARIABLE, "").split():
        detail = f"lists are not fetched from {allowed}"
        hint = f"if this host is right, allow it outside the repository: {HOSTS_VARIABLE}={allowed}"
        raise unreadable(rules.NOT_ALLOWED_SOURCE.at(place, detail, hint))


def header_from(variable: str, place: Place | None) -> str:
    """
    What an environment variable holds for a header.

    :raises InvalidInput: if it is not set, or could not stand in a header.
    """
    value = os.environ.get(variable, "")
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        detail = f"the variable {variable}, which this source needs, is not set, or its value cannot stand in a header"
        raise unreadable(rules.BAD_CONNECTION.at(place, detail))
    return value


@dataclass(slots=True)
class Errand:
    """
    Fetches what belongs to the source `shown`: all of it together in `time_max_s`, with at most `bytes_max`.

    `explain` says what may help where an answer is no file.
    """

    shown: str
    place: Place | None
    bytes_max: int
    time_max_s: float
    explain: Callable[[httpx.Response], str | None]
    _written: int = field(init=False, default=0)
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.time_max_s

    def fetch(self, url: str, headers: Mapping[str, str], path: Path) -> None:
        """
        Write what `url` gives to the new file `path`.

        :raises InvalidInput: if that is not the whole of a file, or too much, or takes too long.
        """
        left = max(self._until - time.monotonic(), 0.0)
        try:
            with FreshTransport(None, left) as transport:
                response = transport.handle_request(_request(url, headers, left))
                try:
                    self._require_whole_file(response)
                    self._write(response, path)
                finally:
                    response.close()
        except httpx.TimeoutException:
            detail = f"`{self.shown}` took longer than is waited for ({self.time_max_s:g} s in all)"
            raise unreadable(rules.SOURCE_TOO_SLOW.at(self.place, detail)) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            detail = f"`{self.shown}` cannot be fetched ({type(error).__name__})"
            raise unreadable(rules.UNREADABLE_SOURCE.at(self.place, detail)) from None

    def _require_whole_file(self, response: httpx.Response) -> None:
        if response.is_redirect:
            detail = f"`{self.shown}` sends elsewhere ({response.status_code}), which is not followed"
            raise unreadable(rules.NOT_ALLOWED_SOURCE.at(self.place, detail, self.explain(response)))
        if response.status_code != OK:
            detail = f"`{self.shown}` answers {response.status_code}"
            raise unreadable(rules.UNREADABLE_SOURCE.at(self.place, detail, self.explain(response)))
        if "content-length" not in response.headers and response.headers.get("transfer-encoding") != "chunked":
            detail = f"`{self.shown}` does not say how long it is, so nobody could tell if it was cut off"
            raise unreadable(rules.UNREADABLE_SOURCE.at(self.place, detail))

    def _write(self, response: httpx.Response, path: Path) -> None:
        with path.open("xb") as file:
            for chunk in response.iter_raw():
                self._written += len(chunk)
                if self._written > self.bytes_max:
                    detail = f"`{self.shown}` has more than {self.bytes_max // 1024**2} MiB"
                    raise unreadable(rules.SOURCE_TOO_LARGE.at(self.place, detail))
                file.write(chunk)


def _request(url: str, headers: Mapping[str, str], time_max_s: float) -> httpx.Request:
    own = {"Accept-Encoding": "identity", "User-Agent": f"octoplan/{__version__}", "Connection": "close"}
    timeouts = Timeouts(request_s=time_max_s).as_extension()
    return httpx.Request("GET", url, headers={**headers, **own}, extensions={"timeout": timeouts})

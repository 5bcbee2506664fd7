"""
A list on the web, fetched into a private folder and then read as a file.

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
from collections.abc import Mapping
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
class Remote:
    """
    A file on the web: its address in the one spelling that `web_address` accepts, and its headers by the names of the
    environment variables that hold them.
    """

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    bytes_max: int = SOURCE_BYTES_MAX
    time_max_s: float = DOWNLOAD_TIME_MAX_S

    @property
    def name(self) -> str:
        """The file's own name, whose ending says what it is."""
        return unquote(self.address.rpartition("/")[2])


def download(remote: Remote, place: Place | None) -> tuple[Path, Folder]:
    """
    Fetch a file; it goes with the folder.

    :raises InvalidInput: if the host is not allowed, a variable is not set, the server does not give the whole file, or
        a bound is passed.
    """
    _require_allowed_host(remote, place)
    headers = {name: _header(variable, place) for name, variable in remote.headers.items()}
    folder = Folder()
    path = folder.path / "download"
    try:
        with FreshTransport(None, remote.time_max_s) as transport:
            response = transport.handle_request(_request(remote, headers))
            try:
                _require_whole_file(response, remote, place)
                _write(response, path, remote, place)
            finally:
                response.close()
    except httpx.TimeoutException:
        folder.remove()
        detail = f"`{remote.address}` took longer than is waited for ({remote.time_max_s:g} s in all)"
        raise unreadable(rules.SOURCE_TOO_SLOW.at(place, detail)) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        folder.remove()
        detail = f"`{remote.address}` cannot be fetched ({type(error).__name__})"
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, detail)) from None
    except BaseException:
        folder.remove()
        raise
    return path, folder


def _require_allowed_host(remote: Remote, place: Place | None) -> None:
    host = urlsplit(remote.address).hostname or ""
    if host not in (*LOOPBACK, *os.environ.get(HOSTS_VARIABLE, "").split()):
        hint = f"if this host is right, allow it outside the repository: {HOSTS_VARIABLE}={host}"
        raise unreadable(rules.NOT_ALLOWED_SOURCE.at(place, f"lists are not fetched from {host}", hint))


def _request(remote: Remote, headers: Mapping[str, str]) -> httpx.Request:
    own = {"Accept-Encoding": "identity", "User-Agent": f"octoplan/{__version__}", "Connection": "close"}
    timeouts = Timeouts(request_s=remote.time_max_s).as_extension()
    return httpx.Request("GET", remote.address, headers={**headers, **own}, extensions={"timeout": timeouts})


def _header(variable: str, place: Place | None) -> str:
    value = os.environ.get(variable, "")
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        detail = f"the variable {variable}, which should hold a header of this source, is not set or is no header"
        raise unreadable(rules.BAD_CONNECTION.at(place, detail))
    return value


def _require_whole_file(response: httpx.Response, remote: Remote, place: Place | None) -> None:
    if response.is_redirect:
        detail = f"`{remote.address}` sends elsewhere ({response.status_code}), which is not followed"
        raise unreadable(rules.NOT_ALLOWED_SOURCE.at(place, detail, "write the address where the file is"))
    if response.status_code != OK:
        detail = f"`{remote.address}` answers {response.status_code}"
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, detail))
    if "content-length" not in response.headers and response.headers.get("transfer-encoding") != "chunked":
        detail = f"`{remote.address}` does not say how long it is, so nobody could tell if it was cut off"
        raise unreadable(rules.UNREADABLE_SOURCE.at(place, detail))


def _write(response: httpx.Response, path: Path, remote: Remote, place: Place | None) -> None:
    written = 0
    with path.open("xb") as file:
        for chunk in response.iter_raw():
            written += len(chunk)
            if written > remote.bytes_max:
                detail = f"`{remote.address}` has more than {remote.bytes_max // 1024**2} MiB"
                raise unreadable(rules.SOURCE_TOO_LARGE.at(place, detail))
            file.write(chunk)

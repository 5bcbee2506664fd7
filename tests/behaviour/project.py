"""
A small project on disk: two settings files and a list of people who do not exist.

Numbers are of the textbook block 06 12 34 00 00 to 99 99: the French range reserved for fiction, 06 39 98, is not valid
for libphonenumber.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

HEADER: Final = ("first_name", "last_name", "mobile", "code")
PEOPLE: Final = (
    ("Zorvane", "Vantrellec", "06 12 34 56 01", "QX7HEDRA"),
    ("Quillith", "Brossombe", "0612345602", "QX7IBEX"),
    ("Ysmerine", "Kordivault", "+33 6 12 34 56 03", "QX7JUNIPER"),
    ("Tobrelle", "Faumistral", "06.12.34.56.04", "QX7KESTREL"),
    ("Brannoc", "Delavrouge", "0033612345605", "QX7LARCH"),
)
NUMBERS: Final = tuple(f"+3361234560{last}" for last in range(1, 6))
LOGIN: Final = "MAPLE_LOGIN"
KEY: Final = "MAPLE_KEY"
_SETTINGS: Final[Mapping[str, Any]] = {
    "project": "maple",
    "defaults": {"region": "FR", "timezone": "Europe/Paris", "sender": "MAPLE"},
}
_CAMPAIGN: Final[Mapping[str, Any]] = {
    "type": "sms_premium",
    "purpose": "wholesale",
    "message": {"template": "Bonjour {{ first_name }} {{ last_name }}, code {{ code }}. STOP au XXXXX"},
    "recipients": {"path": "data/contacts.csv", "phone": "mobile"},
    "batch_size": 2,
}


class Project:
    """Writes the files of a project; every call replaces what it wrote before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contacts(PEOPLE)
        self.settings()
        self.campaign("spring")

    def write(self, name: str, text: str | bytes) -> Path:
        """A file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def settings(self, **changes: Any) -> None:
        """`octoplan.yaml`."""
        self.write("octoplan.yaml", _yaml({**_SETTINGS, **changes}))

    def environment(self, endpoint: str, **changes: Any) -> None:
        """`octoplan.yaml` with an account `live` at `endpoint` as the default environment."""
        credentials = {"login": f"env/{LOGIN}", "key": f"env/{KEY}"}
        # The tests run at any time of the day, on the machine's clock; those about sending hours say what they want.
        live = {"endpoint": endpoint, "credentials": credentials, "windows": "off", **changes}
        self.settings(default_environment="live", environments={"live": live})

    def campaign(self, campaign: str, **changes: Any) -> Path:
        """A campaign, in `campaigns/<id>.yaml`."""
        return self.write(f"campaigns/{campaign}.yaml", _yaml({"id": campaign, **_CAMPAIGN, **changes}))

    def contacts(
        self, rows: Iterable[Sequence[str]], *, path: str = "data/contacts.csv", header: Sequence[str] = HEADER
    ) -> Path:
        """A contacts file with the columns of `HEADER`."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        return self.write(path, text.getvalue())

    @property
    def state(self) -> Path:
        """The folder of the local state home."""
        return self.root / ".octoplan"


def _yaml(document: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True)
    return text

"""A new project: small, commented, valid. Every name and number in it is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from octoplan.campaign.schema import schema_texts
from octoplan.diagnostics import InvalidInput

_PROJECT: Final = """\
# yaml-language-server: $schema=schemas/project.schema.json
# What all campaigns share. `octoplan validate` checks it; editors that know YAML schemas complete it.
project: my-project             # part of every request id: choose it once

defaults:
  region: FR                    # country of numbers that are written without a country code
  timezone: Europe/Paris
  sender: ACME                  # 3 to 11 letters and digits

suppression:                    # these people get nothing, whatever a campaign says
  - path: data/stop.csv
    phone: phone

limits:                         # the strictest of project, environment and campaign counts
  max_cost: "100.00"
  max_segments: 2

# `sandbox`, a local API that costs nothing, is built in and the default.
environments:
  production:
    endpoint: https://api.octopush.com/v1/public
    credentials:                # names of environment variables, never the secrets themselves
      login: env/OCTOPUSH_API_LOGIN
      key: env/OCTOPUSH_API_KEY
    limits: {max_recipients: 1000}
"""

_CAMPAIGN: Final = """\
# yaml-language-server: $schema=../schemas/campaign.schema.json
id: welcome                     # for ever: what was sent is remembered by it; the file may be renamed
description: A first message to new customers
type: sms_premium               # sms_premium | sms_low_cost
purpose: wholesale              # wholesale (marketing) | alert (transactional)
message:
  # A Jinja template over the columns of the contacts file. Marketing messages end with a STOP mention.
  template: "Bonjour {{ first_name }}, bienvenue chez {{ shop | title }} ! STOP au XXXXX"
recipients:
  source: csv
  path: data/contacts.csv
  phone: mobile                 # the column with the number
  columns: {shop: store}        # template variable: column; others are reachable under their own name
# schedule:                     # without it, messages leave as soon as `octoplan apply` runs
#   at: "2027-03-20T10:00"
#   not_after: "2027-03-20T18:00"
limits: {max_recipients: 100}
"""

# 06 12 34 00 00 to 06 12 34 99 99 is the block that textbooks use. The ranges that France reserves for fiction
# (06 39 98 xx xx) are not valid to libphonenumber, so they would be excluded.
_CONTACTS: Final = """\
first_name,mobile,store
Camille,06 12 34 00 01,lyon
Sacha,0612340002,lyon
Noa,+33 6 12 34 00 03,nantes
"""

_TEST: Final = """\
# yaml-language-server: $schema=../schemas/test.schema.json
# What the campaign does for people who do not exist; `octoplan test` runs it. Never put real people here.
campaign: welcome
prices: {FR: "0.061"}           # of one part
tests:
  - name: A new customer is welcomed to the store by name
    contacts:
      - row: {first_name: Alix, mobile: 06 12 34 00 10, store: lyon}
        text: Bonjour Alix, bienvenue chez Lyon ! STOP au XXXXX
        parts: 1
    expect: {recipients: 1, cost: "0.061", findings: []}

  - name: Who asked to be left alone, or has no usable number, gets nothing
    suppressed: ["+33612340011"]
    contacts:
      - row: {first_name: Sacha, mobile: "0612340011", store: lyon}
        left_out: suppressed
      - row: {first_name: Noa, mobile: "12", store: nantes}
        left_out: invalid-number
    expect: {recipients: 0}
"""

_STOP: Final = """\
phone
06 12 34 00 99
"""

_GITIGNORE: Final = """\
# octoplan's memory of this machine: journal, ledger, digest key
.octoplan/
# what the sandbox accepted concerns nobody else
octoplan.sandbox.lock
"""

_GITATTRIBUTES: Final = """\
# every line of a lock file stands alone, so two branches can be merged by keeping both
octoplan.*.lock merge=union
"""


def init_files() -> dict[str, str]:
    """Path from the project's folder, with `/`, and content of every file of a new project."""
    return {
        "octoplan.yaml": _PROJECT,
        "campaigns/welcome.yaml": _CAMPAIGN,
        "tests/welcome.yaml": _TEST,
        "data/contacts.csv": _CONTACTS,
        "data/stop.csv": _STOP,
        **{f"schemas/{name}": text for name, text in schema_texts().items()},
        ".gitignore": _GITIGNORE,
        ".gitattributes": _GITATTRIBUTES,
    }


def write_init(target: Path) -> list[Path]:
    """
    Write a new project into the folder `target`, which is made if needed: everything or nothing.

    :raises InvalidInput: if one of the files is there already, or one cannot be written.
    """
    files = {target / name: text for name, text in init_files().items()}
    if taken := sorted(path.relative_to(target).as_posix() for path in files if path.exists() or path.is_symlink()):
        names = ", ".join(f"`{name}`" for name in taken)
        raise InvalidInput(f"Nothing was written; already there: {names}.", hint="choose an empty folder")
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as stream:
                written.append(path)
                stream.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise InvalidInput(f"Nothing was written: {error.strerror or 'a file could not be made'}.") from error
    return written

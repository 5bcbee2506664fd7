"""Small real projects on disk, prepared by the real pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from octoplan.campaign.model import Sandbox
from octoplan.campaign.project import load_campaigns, load_project
from octoplan.digests import DigestKey
from octoplan.gateway.port import Accepted, Balance, Outcome, SendRequest
from octoplan.pipeline import Setting, prepare_campaign
from octoplan.plan.build import Prepared

KEY = DigestKey(bytes(range(32)))
PROJECT = "project: acme\ndefaults: {region: FR, sender: ACME, timezone: Europe/Paris}\n"
CAMPAIGN = """
id: sale
type: sms_premium
purpose: alert
message:
  template: "Bonjour {{ name }}"
recipients:
  path: contacts.csv
  phone: phone
"""


def numbers(count: int, start: int = 0) -> list[str]:
    """French mobiles of the textbook block 06 12 34 xx xx, in E.164."""
    return [f"+336123{40000 + start + index:05d}" for index in range(count)]


def write_project(
    root: Path, phones: Sequence[str], *, campaign: str = CAMPAIGN, extra: str = "", name: str = "Zoe"
) -> None:
    (root / "campaigns").mkdir(parents=True, exist_ok=True)
    (root / "octoplan.yaml").write_text(PROJECT + extra, encoding="utf-8")
    (root / "campaigns" / "sale.yaml").write_text(campaign, encoding="utf-8")
    rows = [f"{phone},{name}" for phone in phones]
    (root / "contacts.csv").write_text("\n".join(["phone,name", *rows]) + "\n", encoding="utf-8")


def setting_of(
    root: Path, *, batch_size: int = 500, account: str | None = None, ledger_rows_max: int | None = None
) -> Setting:
    project, findings = load_project(root)
    assert project is not None, findings
    settings = Sandbox(batch_size=batch_size)
    return Setting(project, "production", settings, account, KEY, ledger_rows_max=ledger_rows_max)


def prepare(root: Path, *, batch_size: int = 500) -> Prepared:
    """The project's one campaign; the caller closes its audience."""
    setting = setting_of(root, batch_size=batch_size)
    (campaign,), findings = load_campaigns(setting.project)
    assert not [found for found in findings if found.severity == "error"]
    return prepare_campaign(setting, campaign)


class FixedPrices:
    """A port to the API that prices every part alike and counts the questions."""

    def __init__(self, price: str = "0.05", balance: str = "100") -> None:
        self.price = Decimal(price)
        self.asked: list[SendRequest] = []
        self._balance = Decimal(balance)

    def simulate(self, request: SendRequest) -> Outcome:
        self.asked.append(request)
        return Accepted("", 1, self.price)

    def balance(self) -> Balance:
        return Balance(self._balance, "euros")

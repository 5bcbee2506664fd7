"""Dated prices in a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from octoplan import limits
from octoplan.diagnostics import InvalidInput
from octoplan.plan.price import Figure
from octoplan.plan.price_file import read_price_file
from tests.unit.plan.test_price import _request

YAML = """
date: 2027-01-15
currency: EUR
prices:
  sms_premium: {FR: "0.061", DE: "0.0795", NO: "0.06042"}
  sms_low_cost: {FR: 0.042}
replies: {FR: "0.03"}
"""
CSV = """date,currency,type,country,price,replies
2027-01-15,EUR,sms_premium,FR,0.061,0.03
2027-01-20,EUR,sms_premium,DE,0.0795,

2027-01-16,EUR,sms_premium,NO,0.06042,
2027-01-15,EUR,sms_low_cost,FR,0.042,0.03
"""
AT = datetime(2027, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(("name", "text"), [("prices.yaml", YAML), ("prices/list.CSV", CSV)])
def test_both_forms_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    """A price a part, by product and country, dated by the oldest of them."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    prices = read_price_file(tmp_path, name)
    premium, low_cost = _request(), replace(_request(), type="sms_low_cost")
    assert prices.find(premium, ("FR", 3)) == Figure(Decimal("0.183"), "file", AT)
    assert prices.find(low_cost, ("FR", 1)) == Figure(Decimal("0.042"), "file", AT)
    assert prices.find(premium, ("NO", 1)) == Figure(Decimal("0.06042"), "file", AT)
    assert (prices.currency, prices.dated) == ("EUR", date(2027, 1, 15))


def test_what_the_file_does_not_say_is_unknown(tmp_path: Path) -> None:
    """Another country, another product, or answers collected in a country without a surcharge in the file."""
    (tmp_path / "prices.yaml").write_text(YAML)
    prices = read_price_file(tmp_path, "prices.yaml")
    with_replies = replace(_request(), with_replies=True)
    assert prices.find(with_replies, ("FR", 2)).amount == Decimal("0.182")
    assert prices.find(with_replies, ("DE", 1)) == Figure()
    assert prices.find(_request(), ("ES", 1)) == Figure()
    assert prices.find(replace(_request(), type="sms_low_cost"), ("DE", 1)) == Figure()


def test_old_prices_are_named(tmp_path: Path) -> None:
    """A warning with the age; the figures still count."""
    (tmp_path / "prices.yaml").write_text(YAML)
    prices = read_price_file(tmp_path, "prices.yaml")
    fresh = AT + timedelta(days=limits.PRICE_FILE_FRESH_DAYS)
    assert prices.check_age(fresh) == []
    (found,) = prices.check_age(fresh + timedelta(days=1))
    assert (found.code, found.severity) == ("prices/old", "warning")
    assert "2027-01-15, 91 days ago" in found.detail


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("prices.yaml", YAML.replace("0.061", "cheap"), "FR"),
        ("prices.yaml", YAML.replace("FR:", "FRANCE:"), "country code"),
        ("prices.yaml", YAML.replace("2027-01-15", "15/01/2027"), "2027-01-15"),
        ("prices.yaml", YAML.replace("currency", "curency"), "curency"),
        ("prices.yaml", "prices: [", ""),
        ("prices.csv", CSV.replace("currency", "money"), "currency"),
        ("prices.csv", CSV.replace("0.061", "'0,061'"), "decimal comma"),
        ("prices.csv", CSV.replace(",replies", "").replace("0.042,0.03", "0,042"), "decimal comma"),
        ("prices.csv", CSV.replace("0.061", "0"), "left out"),
        ("prices.yaml", YAML.replace("0.061", "0.00"), "left out"),
        ("prices.csv", CSV.replace("-20,EUR", "-20,USD"), "EUR, USD"),
        ("prices.csv", CSV + "2027-01-15,EUR,sms_premium,FR,0.07,\n", "two prices"),
        ("prices.csv", CSV.splitlines()[0] + "\n", "no price"),
        ("prices.csv", CSV + '2027-01-15,"EU', "CSV"),
        ("gone.yaml", None, "no such file"),
        ("../prices.yaml", None, ""),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    """With findings that have a place; never a price of 0 in its stead."""
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_price_file(tmp_path, name)
    findings = caught.value.findings
    assert findings
    assert all(found.place is not None for found in findings)
    assert any(said in f"{found.detail} {found.hint}" for found in findings), [found.detail for found in findings]

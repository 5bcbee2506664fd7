"""What is sent to whom, and what it costs to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox_process import SandboxProcess, exact
from tests.unit.sandbox.bodies import AMERICAN, FRENCH, GERMAN, campaign, contacts, french


def billed(sandbox: SandboxProcess, body: dict[str, Any]) -> Decimal:
    """The cost of a campaign that must be accepted, checked against the wallet."""
    before = sandbox.balance()
    answer = sandbox.send(body)
    assert answer.status_code == 201, answer.text
    said = exact(answer)
    assert before - sandbox.balance() == said["total_cost"]
    assert said["residual_credit"] == sandbox.balance()
    return Decimal(said["total_cost"])


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        ({}, "0.061"),
        ({"type": "sms_low_cost"}, "0.042"),
        ({"recipients": contacts(AMERICAN)}, "0.00852941"),
        ({"recipients": contacts(FRENCH, AMERICAN, GERMAN)}, "0.14902941"),
        ({"text": "a" * 147 + " STOP au 36111"}, "0.122"),
        ({"text": "ç" + "a" * 56 + " STOP au 36111"}, "0.122"),
        ({"with_replies": True}, "0.091"),
        ({"with_replies": True, "text": "a" * 147 + " STOP au 36111"}, "0.182"),
        ({"with_replies": True, "recipients": contacts(FRENCH, GERMAN)}, "0.1705"),
        ({"auto_remove_blacklisted_numbers": True}, "0.071"),
        ({"text": "ç" * 60 + " STOP au 36111", "auto_optimize_text": True}, "0.061"),
        ({"text": "ç" * 60 + " STOP au 36111"}, "0.122"),
    ],
    ids=[
        "premium",
        "low cost",
        "eight decimals",
        "mixed countries",
        "two parts",
        "two parts of UCS-2",
        "replies",
        "replies for each part",
        "replies cost more in France only",
        "blacklist option",
        "optimised before counting",
        "not optimised",
    ],
)
def test_cost(sandbox: SandboxProcess, changes: dict[str, Any], cost: str) -> None:
    """Cost = parts times the price of country and product, and the extras; simulated, billed and debited alike."""
    body = campaign(**changes)
    simulated = exact(sandbox.send({**body, "simulation_mode": True}))["total_cost"]
    assert (simulated, billed(sandbox, body)) == (Decimal(cost), Decimal(cost))


def test_optimising_is_on_unless_refused(sandbox: SandboxProcess) -> None:
    """Without `auto_optimize_text` Octopush optimises, so the text on the phone is another."""
    body = {key: value for key, value in campaign(text="Ça va. STOP au 36111").items() if key != "auto_optimize_text"}
    sandbox.send({**body, "text": "Fête. STOP au 36111"})
    assert [message["text"] for message in sandbox.accepted()] == ["Fete. STOP au 36111"]


def test_merge_fields_are_filled_for_each_contact(sandbox: SandboxProcess) -> None:
    """Each contact gets its own text, priced by its own length; unknown names and values are left as they are."""
    text = "{first_name} {last_name} {param1}{param2}{param3}{param4}{param5} {other} {Param1} STOP au 36111"
    values = {"last_name": "Durand", "param2": "2", "param3": "3", "param4": "4", "param5": "5"}
    recipients = [
        *contacts(french(1), first_name="Anne", param1="{param2}", **values),
        *contacts(french(2), first_name="Loïc", param1="1", **values),
        *contacts(french(3), first_name="A" * 50, param1="b" * 50, **values),
    ]
    cost = billed(sandbox, campaign(text=text, recipients=recipients))
    messages = sandbox.accepted()
    assert [message["text"] for message in messages] == [
        "Anne Durand {param2}2345 {other} {Param1} STOP au 36111",
        "Loïc Durand 12345 {other} {Param1} STOP au 36111",
        "A" * 50 + " Durand " + "b" * 50 + "2345 {other} {Param1} STOP au 36111",
    ]
    assert [message["parts"] for message in messages] == [1, 1, 1]
    assert sum(message["cost"] for message in messages) == cost == Decimal("0.183")


def test_number_of_sms_is_the_sum_of_parts(sandbox: SandboxProcess) -> None:
    """`number_of_sms_needed` counts parts over all contacts, each text by itself."""
    recipients = [*contacts(french(1), param1="é" * 50), *contacts(french(2), param1="ê" * 50)]
    said = exact(sandbox.send(campaign(text="a" * 20 + "{param1} STOP au 36111", recipients=recipients)))
    assert (said["number_of_contacts"], said["number_of_sms_needed"], said["total_cost"]) == (2, 3, Decimal("0.183"))


def test_blacklisted_numbers_are_removed_on_demand(sandbox: SandboxProcess) -> None:
    """With the option they are neither written to nor billed; the request costs 0.01 more, once."""
    sandbox.blacklist(french(1), french(2))
    recipients = contacts(french(0), french(1), french(2))
    said = exact(sandbox.send(campaign(recipients=recipients, auto_remove_blacklisted_numbers=True)))
    assert (said["number_of_contacts"], said["total_cost"]) == (1, Decimal("0.071"))
    assert [message["number"] for message in sandbox.accepted()] == [french(0)]


def test_blacklisted_numbers_are_billed_otherwise(sandbox: SandboxProcess) -> None:
    """Without the option they are accepted and billed, and their receipt says that nothing arrived."""
    sandbox.blacklist(french(1))
    said = exact(sandbox.send(campaign(recipients=contacts(french(0), french(1)))))
    assert (said["number_of_contacts"], said["total_cost"]) == (2, Decimal("0.122"))
    receipts = sandbox.control("/receipts")["receipts"]
    assert [(one["number"], one["status"]) for one in receipts] == [
        (french(0), "DELIVERED"),
        (french(1), "BLACKLISTED_NUMBER"),
    ]
    assert [message["status"] for message in sandbox.accepted()] == ["delivered", "blacklisted"]


def test_nobody_left_after_removal(sandbox: SandboxProcess) -> None:
    """A request of which only blacklisted numbers remain is refused, and costs nothing."""
    sandbox.blacklist(FRENCH)
    answer = sandbox.send(campaign(auto_remove_blacklisted_numbers=True))
    assert (answer.status_code, exact(answer)["code"], sandbox.balance()) == (400, 103, Decimal(10000))


def test_credit_exhausted(sandbox: SandboxProcess) -> None:
    """A campaign may spend the wallet to the last digit and not one digit more."""
    sandbox.set_balance("0.06099999")
    answer = sandbox.send(campaign(request_id="a1"))
    assert (answer.status_code, exact(answer)["code"]) == (400, 104)
    assert (sandbox.accepted(), sandbox.balance()) == ([], Decimal("0.06099999"))
    sandbox.set_balance("0.061")
    assert sandbox.send(campaign(request_id="a1")).status_code == 201
    assert sandbox.balance() == 0


def test_balance(sandbox: SandboxProcess) -> None:
    """The balance is in euros, exact; or in messages of one product to one country."""
    sandbox.set_balance("12.54")
    assert exact(sandbox.request("GET", "/wallet/check-balance")) == {"amount": Decimal("12.54"), "unit": "euros"}
    for query, amount, unit in [
        ("country_code=FR&product_name=sms_premium", 205, "sms_premium"),
        ("country_code=FR&product_name=sms_low_cost", 298, "sms_low_cost"),
        ("country_code=US&product_name=sms_low_cost", 0, "sms_low_cost"),
        ("country_code=FR&product_name=vocal_sms", 132, "vocal_sms"),
        ("country_code=FR&product_name=hlr", 1320, "hlr"),
    ]:
        assert exact(sandbox.request("GET", f"/wallet/check-balance?{query}")) == {"amount": amount, "unit": unit}


def test_balance_with_details(sandbox: SandboxProcess) -> None:
    """The wallet is one pack that hardly expires."""
    (pack,) = exact(sandbox.request("GET", "/wallet/check-balance?with_details=true"))["wallet_packs"]
    assert (pack["wallet_pack_id"], pack["credit"]) == (1, 10000)


@pytest.mark.parametrize(
    "path",
    [
        "/wallet/check-balance?country_code=FR",
        "/wallet/check-balance?product_name=sms_premium",
        "/wallet/check-balance?country_code=XX&product_name=sms_premium",
        "/wallet/check-balance?country_code=FR&product_name=fax",
        "/wallet/check-credits",
        "/wallet/check-credits?country_codes[]=XX",
    ],
)
def test_questions_about_money_that_make_no_sense(sandbox: SandboxProcess, path: str) -> None:
    """They are refused with code 400."""
    answer = sandbox.request("GET", path)
    assert (answer.status_code, exact(answer)["code"]) == (400, 400)


def test_credits(sandbox: SandboxProcess) -> None:
    """Credits are counts by country, under the names that the API uses there."""
    sandbox.set_balance("10")
    assert exact(sandbox.request("GET", "/wallet/check-credits?country_codes[]=FR&country_codes[]=US")) == {
        "FR": {"premium_sms": 163, "low_cost_sms": 238, "vocal_sms": 105, "hlr": 1052},
        "US": {"premium_sms": 1172, "low_cost_sms": 0, "vocal_sms": 105, "hlr": 1052},
    }

"""Words and senders that operators mind, and warnings that a campaign overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from octoplan.campaign.project import load_campaigns, load_project
from octoplan.campaign.resolve import Campaign
from octoplan.campaign.words import check_by_country
from octoplan.diagnostics import Finding
from tests.unit.campaign.conftest import CAMPAIGN

WHOLESALE = CAMPAIGN.replace("alert", "wholesale")


def load(root: Path, text: str) -> tuple[Campaign, list[Finding]]:
    (root / "campaigns" / "welcome.yaml").write_text(text, encoding="utf-8")
    project, _ = load_project(root)
    assert project is not None
    (campaign,), found = load_campaigns(project)
    return campaign, found


def with_text(text: str, campaign: str = CAMPAIGN) -> str:
    return campaign.replace('"Bonjour {{ first_name }}"', f'"{text}"')


@pytest.mark.parametrize(
    "text",
    [
        "Votre commande est prete. -20% samedi !",
        "Profitez de nos SOLDES, {{ first_name }}",
        "Your code: special offer inside",
        "Offre privee pour vous",
        "Votre réduction vous attend",
    ],
)
def test_marketing_in_a_transactional_message_is_a_warning(root: Path, text: str) -> None:
    """With its place in the template, as operators and people may take it for marketing."""
    _, found = load(root, with_text(text))
    assert [(each.code, each.severity) for each in found] == [("alert/marketing-words", "warning")]
    assert found[0].place is not None
    assert found[0].place.line == 4


@pytest.mark.parametrize(
    "text", ["Votre commande {{ first_name }} est partie.", "Solde de votre compte: 12 EUR", "Offrez-vous du temps"]
)
def test_ordinary_words_are_none_of_marketing(root: Path, text: str) -> None:
    """Words that only look like them, and what Jinja fills in, are left alone."""
    assert load(root, with_text(text))[1] == []


def test_marketing_may_use_words_of_marketing(root: Path) -> None:
    """That is what `wholesale` is for."""
    assert load(root, with_text("Soldes -20%. STOP au XXXXX", WHOLESALE))[1] == []


def test_a_transactional_short_code_is_no_way_to_stop_marketing(root: Path) -> None:
    """French short codes for marketing begin with 36."""
    assert load(root, with_text("Soldes. STOP au 36111", WHOLESALE))[1] == []
    _, found = load(root, with_text("Soldes. STOP au 38111", WHOLESALE))
    assert [each.code for each in found] == ["stop/transactional-code"]


@pytest.mark.parametrize(
    ("sender", "countries", "codes"),
    [
        ("ACME", {"FR": 3}, []),
        ("RDV", {"FR": 3}, ["sender/generic-word"]),
        ("Alert", {"FR": 3, "DE": 1}, ["sender/generic-word"]),
        ("RDV", {"DE": 3}, []),
        ("ACME", {"US": 1, "CA": 2}, ["sender/replaced-in-north-america"]),
        ("ACME", {"ES": 1, "BE": 1}, ["sender/spain-registry", "sender/replaced-in-belgium"]),
    ],
)
def test_senders_by_the_recipients_countries(
    root: Path, sender: str, countries: dict[str, int], codes: list[str]
) -> None:
    """What operators there do with the name on the handset."""
    campaign, _ = load(root, CAMPAIGN + f"sender: {sender}\n")
    found = check_by_country(campaign, countries)
    assert [each.code for each in found] == codes
    assert all(each.severity == "warning" and each.place for each in found)


def test_the_people_concerned_are_counted(root: Path) -> None:
    """Countries of the rule only."""
    campaign, _ = load(root, CAMPAIGN)
    (found,) = check_by_country(campaign, {"FR": 10, "US": 1, "CA": 2})
    assert found.detail.startswith("CA, US, 3 recipients: ")


def test_an_english_mention_to_french_numbers_is_a_warning(root: Path) -> None:
    """Elsewhere it is in order."""
    campaign, found = load(root, with_text("Soldes. STOP at XXXXX", WHOLESALE))
    assert found == []
    assert [each.code for each in check_by_country(campaign, {"FR": 1})] == ["stop/english-in-france"]
    assert check_by_country(campaign, {"GB": 1}) == []


def test_a_warning_can_be_overridden_and_an_error_cannot(root: Path) -> None:
    """The warning is gone; the error stays whatever the campaign says."""
    override = 'overrides: [{rule: alert/marketing-words, reason: "the word is the product\'s name"}]\n'
    assert load(root, with_text("Soldes") + override)[1] == []
    project, _ = load_project(root)
    assert project is not None
    wrong = with_text("Soldes", WHOLESALE) + 'overrides: [{rule: campaign/stop-missing, reason: "no room"}]\n'
    (root / "campaigns" / "welcome.yaml").write_text(wrong, encoding="utf-8")
    campaigns, found = load_campaigns(project)
    assert campaigns == []
    assert [each.code for each in found] == ["campaign/stop-missing"]


def test_an_override_without_a_reason_is_refused(root: Path) -> None:
    """Nobody could review it."""
    (root / "campaigns" / "welcome.yaml").write_text(CAMPAIGN + "overrides: [{rule: window/fr-hours}]\n")
    project, _ = load_project(root)
    assert project is not None
    assert [each.code for each in load_campaigns(project)[1]] == ["campaign/missing-field"]


# --- clock changes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "choice", "expected"),
    [
        ("2027-03-28T02:30", "earlier", "2027-03-28T01:30:00+01:00"),
        ("2027-03-28T02:30", "later", "2027-03-28T03:30:00+02:00"),
        ("2027-10-31T02:30", "earlier", "2027-10-31T02:30:00+02:00"),
        ("2027-10-31T02:30", "later", "2027-10-31T02:30:00+01:00"),
    ],
)
def test_a_rule_resolves_a_time_around_a_clock_change(root: Path, written: str, choice: str, expected: str) -> None:
    """The choice is shown as a warning, with the time that was taken."""
    schedule = f'schedule: {{at: "{written}", clock_change: {choice}}}\n'
    campaign, (found,) = load(root, CAMPAIGN + schedule)
    assert campaign.send_at is not None
    assert campaign.send_at.isoformat() == expected
    assert (found.code, found.severity) == ("campaign/time-chosen", "warning")
    assert f"`{expected}`" in found.detail


def test_an_ordinary_time_needs_no_rule(root: Path) -> None:
    """`clock_change` says nothing where clocks do not change."""
    campaign, found = load(root, CAMPAIGN + 'schedule: {at: "2027-03-28T03:30", clock_change: later}\n')
    assert campaign.send_at is not None
    assert (campaign.send_at.isoformat(), found) == ("2027-03-28T03:30:00+02:00", [])

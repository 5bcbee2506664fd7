"""Senders and words that operators or people mind: the rules of `senders.yaml` and `texts.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from octoplan.campaign.document import Document
from octoplan.campaign.model import CampaignModel
from octoplan.campaign.resolve import Campaign
from octoplan.campaign.stop_mention import blank_jinja, place_in_template
from octoplan.diagnostics import Finding, Rule
from octoplan.rulebook.data import EVERYWHERE, SenderRule, TextRule, load_senders, load_texts


def check_words(model: CampaignModel, document: Document) -> list[Finding]:
    """The rules on words that hold in every country."""
    everywhere = [rule for rule in load_texts().rules if EVERYWHERE in rule.countries]
    return [finding for rule in everywhere for finding in _find_words(rule, model, document)]


def check_by_country(campaign: Campaign, countries: Mapping[str, int]) -> list[Finding]:
    """The rules on words and senders of the recipients' countries; `countries` counts recipients by country."""
    found: list[Finding] = []
    for rule in load_texts().rules:
        if any(country in countries for country in rule.countries):
            found += _find_words(rule, campaign.model, campaign.document, _people(rule, countries))
    if campaign.sender is not None:
        for sender_rule in load_senders().rules:
            found += _check_sender(sender_rule, campaign, campaign.sender, countries)
    return found


def _find_words(rule: TextRule, model: CampaignModel, document: Document, people: str = "") -> Iterator[Finding]:
    if model.purpose != rule.purpose:
        return
    match = re.search(rule.pattern, blank_jinja(model.message.template))
    if match is not None:
        place = place_in_template(model, document, *match.span())
        yield as_rule(rule).at(place, people + rule.detail, rule.hint)


def _check_sender(rule: SenderRule, campaign: Campaign, sender: str, countries: Mapping[str, int]) -> Iterator[Finding]:
    if not any(country in countries for country in rule.countries):
        return
    if rule.words and sender.replace(" ", "").lower() not in rule.words:
        return
    place = campaign.place("sender") if campaign.model.sender else campaign.place("type")
    yield as_rule(rule).at(place, _people(rule, countries) + rule.detail, rule.hint)


def _people(rule: SenderRule | TextRule, countries: Mapping[str, int]) -> str:
    """`ES, 12 recipients: `."""
    chosen = sorted(country for country in countries if country in rule.countries)
    number = sum(countries[country] for country in chosen)
    return f"{', '.join(chosen)}, {number:,} recipient{'' if number == 1 else 's'}: "


def as_rule(rule: SenderRule | TextRule) -> Rule:
    """A rule of the data as findings know it."""
    return Rule(rule.id, rule.summary, rule.level, rule.source)

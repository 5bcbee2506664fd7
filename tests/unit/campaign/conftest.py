"""A small project on disk, to be changed by each test."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = """\
project: acme
defaults: {region: FR, timezone: Europe/Paris, sender: ACME}
"""
CAMPAIGN = """\
id: welcome
type: sms_premium
purpose: alert
message: {template: "Bonjour {{ first_name }}"}
recipients: {path: data/contacts.csv, phone: mobile}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a valid project with one valid campaign."""
    folder = tmp_path / "project"
    (folder / "campaigns").mkdir(parents=True)
    (folder / "octoplan.yaml").write_text(PROJECT, encoding="utf-8")
    (folder / "campaigns" / "welcome.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return folder

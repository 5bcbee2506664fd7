"""A new project is valid, complete, and never written over anything."""

from __future__ import annotations

from pathlib import Path

import phonenumbers
import pytest
from pydantic import BaseModel

from octoplan.campaign import expectations, model
from octoplan.campaign.project import load_campaigns, load_project
from octoplan.campaign.scaffold import init_files, write_init
from octoplan.campaign.schema import write_schemas
from octoplan.cli.schema import all_schemas
from octoplan.diagnostics import InvalidInput

SECTIONS: dict[str, type[BaseModel]] = {
    "A campaign": model.CampaignModel,
    "`message`": model.Message,
    "`recipients`": model.Recipients,
    "`schedule`": model.Schedule,
    "`canary`": model.Canary,
    "`limits`": model.Limits,
    "`octoplan.yaml`": model.ProjectModel,
    "`policy`": model.Policy,
    "`defaults`": model.Defaults,
    "`suppression`": model.Suppression,
    "`environments`": model.Environment,
    "`connections`": model.ConnectionSettings,
    "`credentials`": model.Credentials,
    "`state`": model.StateSettings,
}
TEST_SECTIONS: dict[str, type[BaseModel]] = {
    "A file": expectations.TestFile,
    "A contact": expectations.ContactCase,
    "`expect`": expectations.Expected,
}
REPOSITORY = Path(__file__).parents[3]


def test_new_project_is_valid(tmp_path: Path) -> None:
    """What `init` writes loads without any finding, and its contacts and schemas are where it says."""
    written = write_init(tmp_path / "new")
    project, found = load_project(tmp_path / "new")
    assert project is not None
    (campaign,), more = load_campaigns(project)
    assert found + more == []
    assert all(item.path.is_file() for item in campaign.contacts.files)
    assert all(file.path.is_file() for item in project.suppression for file in item.files.files)
    assert [path.relative_to(tmp_path / "new").as_posix() for path in written] == list(init_files())


def test_contacts_are_fictional_and_valid() -> None:
    """The sample numbers are valid to libphonenumber and from the block that textbooks use."""
    rows = [line.split(",")[1] for line in init_files()["data/contacts.csv"].splitlines()[1:]]
    for row in rows:
        number = phonenumbers.parse(row, "FR")
        assert phonenumbers.is_valid_number(number)
        assert 612340000 <= (number.national_number or 0) <= 612349999


@pytest.mark.parametrize("name", sorted(init_files()))
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """One file that is there already stops everything, is named, and stays as it was."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        write_init(tmp_path)
    assert f"`{name}`" in caught.value.message
    assert [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_link_is_not_written_through(tmp_path: Path) -> None:
    """A link in the place of a file counts as that file, even if it leads nowhere."""
    (tmp_path / "octoplan.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match=r"octoplan\.yaml"):
        write_init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["octoplan.yaml"]


def test_half_a_project_is_never_left(tmp_path: Path) -> None:
    """Where one file cannot be made, those made before it are removed."""
    (tmp_path / "data").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(InvalidInput, match="Nothing was written"):
        write_init(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["data"]


def test_committed_schemas_are_current(tmp_path: Path) -> None:
    """`schemas/` holds exactly what the models make, byte for byte (`octoplan schema --write schemas`)."""
    for path in write_schemas(tmp_path, all_schemas()):
        assert path.read_bytes() == (REPOSITORY / "schemas" / path.name).read_bytes()
    assert sorted(all_schemas()) == sorted(path.name for path in (REPOSITORY / "schemas").glob("*.json"))


@pytest.mark.parametrize(("page", "kinds"), [("campaign-file.md", SECTIONS), ("test-file.md", TEST_SECTIONS)])
def test_reference_names_every_field(page: str, kinds: dict[str, type[BaseModel]]) -> None:
    """Every field of the models has its row in the reference, under the section of its model."""
    text = (REPOSITORY / "docs" / "reference" / page).read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip(): part for part in text.split("\n## ")}
    missing = [
        f"{heading}: {name}"
        for heading, kind in kinds.items()
        for name in kind.model_fields
        if f"| `{name}` |" not in sections[heading]
    ]
    assert missing == []

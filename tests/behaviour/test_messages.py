"""What recipients read is what the template says, whatever it was compiled to."""

from __future__ import annotations

import json

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import PEOPLE, Project
from tests.sandbox_process import SandboxProcess

LONG = "un texte assez long pour ne pas tenir dans un seul champ de fusion"
TEMPLATE = (
    "{% include 'hello.txt' %}{% if first_name > 'T' %}, merci{% endif %} ! "
    "{% if code > 'QX7J' %}" + LONG + "{% else %}court{% endif %} STOP au XXXXX"
)


@pytest.fixture
def compiled(project: Project) -> None:
    """A campaign with an include, a short condition and a long one."""
    project.write("messages/hello.txt", "Bonjour {{ first_name|upper }}\n")
    project.campaign("spring", message={"template": TEMPLATE}, batch_size=500)


def expected(person: tuple[str, ...]) -> str:
    thanks = ", merci" if person[0] > "T" else ""
    return f"Bonjour {person[0].upper()}{thanks} ! {LONG if person[3] > 'QX7J' else 'court'} STOP au XXXXX"


@pytest.mark.usefixtures("compiled")
def test_a_plan_says_what_a_template_became(octoplan: Octoplan) -> None:
    """The plan names the texts, who gets which, why, and what other ways would cost; `--verify` compares every one."""
    result = octoplan("plan", "--verify", "--offline")
    assert "spring: 5 messages verified, each as the template renders it" in result.stderr
    shown = " ".join(result.stdout.split())
    assert "2 different texts, each in requests of its own" in shown
    assert "has up to 66 characters, and a merge field takes 50" in shown
    assert "recipients where code > 'QX7J':" in shown
    assert "recipients where not (code > 'QX7J'):" in shown
    assert "requests 2 (one text a rendering: 5; the least possible: 1)" in shown


@pytest.mark.usefixtures("compiled")
def test_what_arrives_is_what_the_template_says(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """The texts that the API makes of texts and merge fields are those of the template."""
    octoplan("apply", "--auto-approve", code=0)
    arrived = sorted(message["text"].replace("36111", "XXXXX") for message in sandbox.accepted())
    assert arrived == sorted(expected(person) for person in PEOPLE)


@pytest.mark.usefixtures("compiled")
def test_an_edited_include_is_an_edited_campaign(octoplan: Octoplan, project: Project) -> None:
    """What a sent campaign includes cannot change any more without being noticed."""
    octoplan("apply", "--auto-approve", code=0)
    project.write("messages/hello.txt", "Bonsoir {{ first_name }}\n")
    assert "the message is not the one it was sent with" in " ".join(octoplan("plan", code=5).stdout.split())


@pytest.mark.parametrize("name", ["../data/contacts.csv", "/etc/passwd", "absent.txt", "sub/../../octoplan.yaml"])
def test_only_files_of_the_folder_are_included(octoplan: Octoplan, project: Project, name: str) -> None:
    """An include reads nothing outside the folder `messages/`, and says so without showing anything of the file."""
    project.campaign("spring", message={"template": f"{{% include '{name}' %}} STOP au XXXXX"})
    result = octoplan("plan", "--offline", code=3)
    assert f"messages/{name}" in result.stderr
    assert "Zorvane" not in result.stderr
    assert "root:" not in result.stderr


def test_unsafe_values_are_counted_among_those_left_out(octoplan: Octoplan, project: Project) -> None:
    """With `on_unsafe: drop` who has an unsafe value is an exclusion like others: rows and recipients still add up."""
    unsafe = ["Zoé {param1}", "STOP au 36111", "Ana"]
    rows = "".join(f"061234{number:04},{name}\n" for number, name in enumerate(unsafe))
    project.write("data/unsafe.csv", f"mobile,name\n{rows}0612340009,Eva\n0612340009,Eva\n")
    project.campaign(
        "spring",
        message={"template": "Bonjour {{ name }} STOP au XXXXX", "on_unsafe": "drop"},
        recipients={"source": "csv", "path": "data/unsafe.csv", "phone": "mobile"},
    )
    audience = json.loads(octoplan("plan", "--output", "json").stdout)["campaigns"][0]["audience"]
    left_out = {line["reason"]: (line["count"], line["lines"]) for line in audience["exclusions"]}
    assert left_out == {"duplicate": (1, [6]), "unsafe-value": (2, [2, 3])}
    assert (audience["rows"], audience["recipients"], audience["countries"]) == (5, 2, {"FR": 2})
    octoplan("apply", "--auto-approve", code=0)
    assert "Nothing to send" in octoplan("plan").stdout
    project.campaign(
        "spring",
        message={"template": "Bonjour {{ name }} STOP au XXXXX"},
        recipients={"source": "csv", "path": "data/unsafe.csv", "phone": "mobile"},
    )
    refused = octoplan("plan", code=3).stderr
    assert "[message/injection]" in refused
    assert "[message/stop-in-value]" in refused
    assert "`{{ name }}`, from `name`: 1 row." in refused


def test_a_replacement_is_shown_sent_and_part_of_the_text(
    octoplan: Octoplan, project: Project, sandbox: SandboxProcess
) -> None:
    """The plan names what costs parts; with a replacement it lists each character, which the API then gets replaced."""
    names = "".join(f"061234{number:04},{name}\n" for number, name in enumerate(["Loïc", "Ana"]))
    project.write("data/accents.csv", f"mobile,name\n{names}")
    message = {"template": "Bonjour {{ name }} ! Toute l’équipe vous attend " + "x" * 60 + " STOP au XXXXX"}
    contacts = {"source": "csv", "path": "data/accents.csv", "phone": "mobile"}
    project.campaign("spring", message=message, recipients=contacts)
    shown = " ".join(octoplan("plan").stdout.split())
    assert "1 recipient, 1 more part, about 0.061: '’' (U+2019) in the template; level 1 saves it" in shown
    assert "'ï' (U+00EF) in `name` and '’' (U+2019) in the template; level 3 saves it" in shown
    project.campaign("spring", message=message | {"replacement": 3}, recipients=contacts)
    shown = " ".join(octoplan("plan", "--verify").stdout.split())
    assert "replaced '’' (U+2019) in the template by `'`, for 2 recipients" in shown
    assert "'ï' (U+00EF) in `name` by `i`, for 1 recipient" in shown
    assert "saves 2 parts, about 0.122 (level 3)" in shown
    octoplan("apply", "--auto-approve", code=0)
    assert all("l'équipe" in each["text"] and "Loïc" not in each["text"] for each in sandbox.accepted())
    project.campaign("spring", message=message | {"replacement": 1}, recipients=contacts)
    assert "the message is not the one it was sent with" in " ".join(octoplan("plan", code=5).stdout.split())


def test_a_shortened_link_may_be_overridden(octoplan: Octoplan, project: Project) -> None:
    """Links that operators block are refused from data, unless the campaign says why not; the plan then shows it."""
    project.write("data/links.csv", "mobile,link\n0612340001,https://bit.ly/x\n")
    campaign = {
        "message": {"template": "Votre lien : {{ link }} STOP au XXXXX"},
        "recipients": {"source": "csv", "path": "data/links.csv", "phone": "mobile"},
    }
    project.campaign("spring", **campaign)
    assert "[message/shortened-link]" in octoplan("plan", "--offline", code=3).stderr
    overrides = [{"rule": "message/shortened-link", "reason": "the operator agreed"}]
    project.campaign("spring", **campaign, overrides=overrides)
    assert "message/shortened-link: the operator agreed" in octoplan("plan", "--offline").stdout

"""What recipients read is what the template says, whatever it was compiled to."""

from __future__ import annotations

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

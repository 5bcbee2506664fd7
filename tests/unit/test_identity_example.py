"""The worked example of `docs/formats/identity.md`, computed twice: by its own program, and by octoplan."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from octoplan.messages.batches import bucket_bits

PAGE = (Path(__file__).parents[2] / "docs/formats/identity.md").read_text(encoding="utf-8")
PROJECT = {
    "octoplan.yaml": "project: example\ndefaults: {region: FR}\n",
    "campaigns/any-name.yaml": """\
id: welcome
type: sms_premium
purpose: wholesale
sender: ACME
message:
  template: "Bonjour {{ first_name }}, bienvenue chez {{ shop | title }} ! STOP au XXXXX"
recipients: {path: data/contacts.csv, phone: mobile, columns: {shop: store}}
batch_size: 2
""",
    "data/contacts.csv": """\
first_name,mobile,store
Camille,06 12 34 00 01,lyon
Sacha,0612340002,lyon
Noa,+33 6 12 34 00 03,nantes
Camille,+33612340001,nantes
""",
}


def page_block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    """The names that the page's program defines, and what it printed as `printed`."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(page_block("python"), names)
    return names | {"printed": printed.getvalue()}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The plan of the same campaign with the same key, by octoplan's own command."""
    root = tmp_path_factory.mktemp("example")
    for name, content in PROJECT.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "octoplan", "plan", "--env", "sandbox", "--offline", "--output", "json"],
        cwd=root,
        env=os.environ | {"OCTOPLAN_DIGEST_KEY": bytes(range(32)).hex()},
        capture_output=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_page_shows_what_its_program_prints(program: dict[str, Any]) -> None:
    """The values on the page are the ones that its rules give."""
    assert page_block("text") == program["printed"]


def test_octoplan_gives_the_same_bytes(program: dict[str, Any], plan: dict[str, Any]) -> None:
    """Winners, order, cutting, bodies, digests and request ids: an implementation from the page alone agrees."""
    (campaign,) = plan["campaigns"]
    assert [(batch["digest"], batch["request_id"]) for batch in campaign["batches"]] == program["batches"]
    content = campaign["content"]
    for identifier in (plan["digest_key"], content["audience"], content["message"]):
        assert identifier in program["printed"].split()


def test_a_plan_s_own_digest_follows_the_page_too(program: dict[str, Any], plan: dict[str, Any]) -> None:
    """Whoever holds the key can prove from the page alone that a saved plan was not edited."""
    rest = {name: value for name, value in plan.items() if name != "digest"}
    assert program["digest"]("p1", "octoplan/plan/v1", program["canonical"](rest)) == plan["digest"]


@pytest.mark.parametrize("count", [0, 1, 32_768, 32_769, 65_536, 65_537, 10_000_000, 2**40])
def test_the_number_of_buckets_follows_the_page(program: dict[str, Any], count: int) -> None:
    """The boundary values of the rule, up to more people than there are."""
    assert program["bucket_bits"](count) == bucket_bits(count)

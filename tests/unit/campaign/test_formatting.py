"""How files are written: one example a rule. That nothing is lost, over all files, is in `tests/properties`."""

from __future__ import annotations

from typing import Final

import pytest

from octoplan.campaign.formatting import WIDTH, format_source
from octoplan.campaign.model import CampaignModel, ProjectModel
from octoplan.campaign.scaffold import init_files
from octoplan.campaign.source import SourceFile

LONG: Final = "words " * 20 + "end"
CASES: Final = {
    "fields come in the order of the schema, unknown ones last": (
        "wrong: x\nlimits: {}\ntype: sms_premium\nid: a\n",
        "id: a\ntype: sms_premium\nlimits: {}\nwrong: x\n",
    ),
    "names that people chose keep their order": (
        "message:\n  vars: {b: x, a: v}\n  template: t\n",
        "message:\n  template: t\n  vars: {b: x, a: v}\n",
    ),
    "two spaces indent, also items of a list": (
        "overrides:\n- rule: a/b\n  reason:   c\n",
        "overrides:\n  - rule: a/b\n    reason: c\n",
    ),
    "what YAML would take for something else is quoted, whole numbers and true stay": (
        "message:\n  a: no\n  b: 07:30\n  c: 0601\n  e: 2027-03-20\n  f: 0.50\n  g: 9\n  h: true\n",
        'message:\n  a: "no"\n  b: "07:30"\n  c: "0601"\n  e: "2027-03-20"\n  f: "0.50"\n  g: 9\n  h: true\n',
    ),
    "so are keys": ("message: {vars: {on: 1e3, NO: v}}\n", 'message: {vars: {"on": "1e3", "NO": v}}\n'),
    "single quotes become double ones where nothing has to be escaped": (
        "a: 'x'\nb: 'say \"x\"'\nc: 'a\\b'\nd: 'it''s'\n",
        'a: "x"\nb: \'say "x"\'\nc: \'a\\b\'\nd: "it\'s"\n',
    ),
    "escapes that show what cannot be seen stay": ('a: "x\\u200by\\tz"\n', 'a: "x\\u200by\\tz"\n'),
    "a text of several lines is a block": ('a: "x\\ny"\nb: "x\\n\\ny\\n"\n', "a: |-\n  x\n  y\nb: |\n  x\n\n  y\n"),
    "a block keeps its blank lines at the end": ("a: |+\n    x\n\n\nb: v\n", "a: |+\n  x\n\n\nb: v\n"),
    "a block that begins with a space says so": ("a: |2-\n    x\n   y\n", "a: |2-\n    x\n   y\n"),
    "a folded text keeps its lines": ("a: >-\n    x\n    y\n\n    z\n", "a: >-\n  x\n  y\n\n  z\n"),
    "a long text over several lines is folded": (
        f"a: {LONG[:53]}\n  {LONG[54:]}\n",
        "a: >-\n  " + LONG[:95].strip() + "\n  " + LONG[95:].strip() + "\n",
    ),
    "a short one is put together": ("a: x\n  y\n", "a: x y\n"),
    "braces that do not fit become lines": (
        f"limits: {{a: {'x' * 60}, b: {'y' * 60}}}\n",
        f"limits:\n  a: {'x' * 60}\n  b: {'y' * 60}\n",
    ),
    "at most one blank line, none at the start of a block or at the ends": (
        "\n\nid: a\n\n\n\nmessage:\n\n  template: t\n\n\n",
        "id: a\n\nmessage:\n  template: t\n",
    ),
    "a comment moves with what follows it, and with its line": (
        "# of type\ntype: x # beside type\n# of id\nid: a # beside id\n",
        "# of id\nid: a # beside id\n# of type\ntype: x # beside type\n",
    ),
    "comments at the top with a blank line after them stay there, and what editors read": (
        "# yaml-language-server: $schema=x\n# of type\ntype: x\nid: a\n",
        "# yaml-language-server: $schema=x\nid: a\n# of type\ntype: x\n",
    ),
    "a header stays apart": ("# header\n\ntype: x\nid: a\n", "# header\n\nid: a\ntype: x\n"),
    "a comment at the end of a block stays in it if it is indented": (
        "message:\n    template: t\n    # in it\n# of limits\nlimits: {}\n# end\n",
        "message:\n  template: t\n  # in it\n# of limits\nlimits: {}\n# end\n",
    ),
    "comments in braces make lines of them": (
        "limits: {a: b, # why\n  c: d} # all\n",
        "limits: # all\n  a: b # why\n  c: d\n",
    ),
    "aligned comments stay aligned": (
        "id:   a       # x\ntype: bcd     # y\n",
        "id: a         # x\ntype: bcd     # y\n",
    ),
    "where there are aliases nothing moves": ("type: &x v\nid: *x\n", "type: &x v\nid: *x\n"),
    "line ends are line feeds": ("id: a\r\ntype: x\r\n", "id: a\ntype: x\n"),
}


def formatted(text: str) -> str:
    done, findings = format_source(SourceFile.of("x.yaml", text), CampaignModel)
    assert done is not None, findings
    return done.text


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_each_rule_has_its_example(before: str, after: str) -> None:
    """The example becomes what is next to it, and that stays as it is."""
    assert formatted(before) == after
    assert formatted(after) == after
    assert max(map(len, after.splitlines())) <= WIDTH


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("id: !tag a\n", "yaml/tag"),
        ("id: a\nid: b\n", "yaml/duplicate-key"),
        ("<<: {a: b}\n", "yaml/merge-key"),
        ("id: *nobody\n", "yaml/alias"),
        ("id: 'a\n", "yaml/syntax"),
        ("id:\n", "yaml/empty-value"),
        ("a: " + "[" * 40 + "]" * 40 + "\n", "yaml/too-deep"),
    ],
)
def test_what_the_loader_refuses_is_not_formatted(text: str, code: str) -> None:
    """Tags, merge keys, unknown aliases and whatever cannot be read: findings, and nothing to write."""
    done, findings = format_source(SourceFile.of("x.yaml", text), CampaignModel)
    assert done is None
    assert code in [found.code for found in findings]


@pytest.mark.parametrize(("name", "kind"), [("octoplan.yaml", ProjectModel), ("campaigns/welcome.yaml", CampaignModel)])
def test_a_new_project_is_formatted(name: str, kind: type[ProjectModel | CampaignModel]) -> None:
    """`octoplan init` writes what `octoplan fmt` would."""
    text = init_files()[name]
    done, _ = format_source(SourceFile.of(name, text), kind)
    assert done is not None
    assert done.text == text

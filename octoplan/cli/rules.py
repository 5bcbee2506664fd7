"""`octoplan rules`: what octoplan checks, and who says so."""

from __future__ import annotations

import sys

import click

from octoplan.catalogue import catalogue
from octoplan.cli.completing import complete_rules
from octoplan.cli.outputs import Output, emit, output_option, require_one_stdout
from octoplan.cli.terminal import colour_on, width
from octoplan.diagnostics import InvalidInput
from octoplan.values.names import nearest
from octoplan.views.rules_text import render_rule, render_rules, render_rules_json


@click.command(short_help="What is checked, and who says so.")
@click.argument("rule", required=False, metavar="[RULE]", shell_complete=complete_rules)
@output_option
def command(rule: str | None, outputs: tuple[Output, ...]) -> None:
    """
    List every rule with its level and source, or explain RULE, such as `window/fr-hours`.

    Rules on sending hours, senders and words are data, with the day on which each was checked. None of them is legal
    advice. Warnings and sending hours can be overridden in a campaign, with a reason.
    """
    chosen = require_one_stdout(outputs)
    known = catalogue()
    if rule is not None and rule not in known:
        guess = nearest(rule, known)
        hint = f"did you mean `{guess}`?" if guess else "`octoplan rules` lists them all"
        raise InvalidInput(f"there is no rule `{rule}`", hint=hint)
    shown = [known[rule]] if rule is not None else list(known.values())
    render = render_rules if rule is None else render_rule
    emit(
        chosen,
        {
            "text": lambda: render(shown, width=width(), colour=colour_on(sys.stdout)),
            "json": lambda: render_rules_json(shown),
        },
    )

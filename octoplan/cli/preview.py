"""`octoplan preview`: messages as a phone shows them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from octoplan.audience.readers.together import row_at
from octoplan.cli.planning import Selection, select_campaigns
from octoplan.cli.pricing import known_prices
from octoplan.cli.terminal import colour_on, width
from octoplan.cli.wiring import Workspace, account_of, campaign_argument, environment_option, open_workspace
from octoplan.diagnostics import InvalidInput, OctoplanError
from octoplan.pipeline import Setting, prepare_campaign
from octoplan.plan.build import Prepared
from octoplan.plan.samples import Choice, SampleKind, Wanted, choose_samples, dearest, sensible_mix, strata_of
from octoplan.views.preview import render_phone
from octoplan.views.preview_html import render_preview_page

_EXAMPLES = 2


@click.command(short_help="Messages as a phone shows them.")
@campaign_argument
@environment_option
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in SampleKind]),
    help="Show these only: the longest, the shortest, one of each text (branch), one to each country, the most "
    "expensive by the prices of the last plan; may be repeated.",
)
@click.option(
    "--line",
    "lines",
    multiple=True,
    metavar="LINE",
    help="The recipient on this line of the contacts file, as the plan shows it: `17`, of several files `FILE:17`.",
)
@click.option(
    "--count",
    type=click.IntRange(0, 50),
    help=f"How many others besides, the first of the list (default: {_EXAMPLES}; 0 with --kind or --line).",
)
@click.option("--reveal", is_flag=True, help="Show phone numbers in full.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page with the same phones instead, for a browser; it holds what recipients read.",
)
@click.pass_context
def command(
    context: click.Context,
    campaign: str,
    environment: str | None,
    kinds: tuple[str, ...],
    lines: tuple[str, ...],
    count: int | None,
    reveal: bool,
    page: Path | None,
) -> None:
    """
    Draw the messages of CAMPAIGN: sender, parts, encoding, and the characters that make a message longer.

    Without --kind and --line it shows a mix: the longest, the shortest, the most expensive if prices are known, one to
    each of the largest countries and of the most read texts, and a few others. Each says why it is shown.

    Numbers are masked; the texts are what the recipients read. Asks no API.
    """
    if page is not None and not page.parent.is_dir():
        raise InvalidInput(f"there is no folder {page.parent}")
    with open_workspace(context, environment) as workspace:
        chosen, _ = select_campaigns(workspace.project, Selection((campaign,)))
        account = account_of(workspace)
        setting = Setting(workspace.project, workspace.name, workspace.settings, account, workspace.home.key)
        prepared = prepare_campaign(setting, chosen[0])
        with prepared.audience:
            choice = _choose(workspace, prepared, [SampleKind(kind) for kind in kinds], lines, count)
        sender = prepared.dispatch.request.sender
        if page is None:
            _draw(choice, sender, reveal=reveal)
            return
        recipients, now = prepared.audience.recipients, workspace.clock.now()
        text = render_preview_page(campaign, workspace.name, recipients, sender, choice, now, reveal=reveal)
    _write_private(page, text)
    click.echo(f"Wrote {page}; it holds what recipients read, so keep it out of git.", err=True)


def _choose(
    workspace: Workspace, prepared: Prepared, kinds: list[SampleKind], lines: tuple[str, ...], count: int | None
) -> Choice:
    """
    The messages to show.

    :raises InvalidInput: for a line that no recipient comes from, and for prices that are not known.
    """
    message = prepared.dispatch.message
    price_of = known_prices(workspace, prepared.dispatch.request)
    records = prepared.audience.sources.records
    rows = {line: row_at(records, line) for line in lines}
    wanted = Wanted(kinds, [row for row in rows.values() if row is not None], count or 0)
    if not kinds and not lines:
        wanted = sensible_mix(message, _EXAMPLES if count is None else count)
    elif SampleKind.EXPENSIVE in kinds and dearest(strata_of(message), price_of) is None:
        hint = f"`octoplan plan --campaign {prepared.campaign.id}` asks for them, and they are remembered for hours"
        raise InvalidInput("the most expensive message cannot be told: prices are not known here", hint=hint)
    choice = choose_samples(message, wanted, price_of, records.place_of)
    found = {sample.line for sample in choice.samples}
    missing = [line for line, row in rows.items() if row is None or records.place_of(row) not in found]
    if missing:
        raise InvalidInput(
            f"no recipient comes from line {', '.join(missing)}",
            hint="write a line as `octoplan plan` does, which also says which are left out; "
            f"`octoplan excluded {prepared.campaign.id}` shows why",
        )
    return choice


def _draw(choice: Choice, sender: str | None, *, reveal: bool) -> None:
    for sample in choice.samples:
        click.echo(render_phone(sample, sender, width=width(), colour=colour_on(sys.stdout), reveal=reveal))
    for words in choice.left_out:
        click.echo(words)


def _write_private(path: Path, text: str) -> None:
    """
    Write a file that nobody else on the machine can read.

    :raises OctoplanError: if it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            os.fchmod(descriptor, 0o600)  # also a file that was there before
            stream.write(text)
    except OSError as error:
        raise OctoplanError(f"{path} could not be written: {error.strerror}") from None

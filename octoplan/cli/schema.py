"""`octoplan schema`: what editors check files with, and programs what octoplan writes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from octoplan.campaign import schema as written_by_people
from octoplan.diagnostics import InvalidInput
from octoplan.plan import schema as written_by_octoplan
from octoplan.views import apply_stream

NAMES: Final = ("campaign", "project", "test", "plan", "comparison", "apply-stream")


def all_schemas() -> dict[str, str]:
    """File name and content of every schema."""
    return {
        **written_by_people.schema_texts(),
        **written_by_octoplan.schema_texts(),
        **apply_stream.schema_texts(),
    }


@click.command(short_help="Print or write the JSON Schemas.")
@click.argument("name", required=False, type=click.Choice(NAMES))
@click.option(
    "--write", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write all of them into this folder."
)
def command(name: str | None, folder: Path | None) -> None:
    """
    Print a JSON Schema, or write all into a folder.

    Of campaign files, octoplan.yaml and tests, for editors (draft-07); of saved plans, comparisons and the lines of
    `apply --json`, for programs.
    """
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            written = written_by_people.write_schemas(folder, all_schemas())
        except OSError as error:
            raise InvalidInput(f"the schemas cannot be written to {folder}: {error.strerror}") from None
        for path in written:
            click.echo(f"wrote {path}")
        return
    click.echo(all_schemas()[f"{name or 'campaign'}.schema.json"], nl=False)

"""`octoplan schema`: what editors check campaign files with."""

from __future__ import annotations

from pathlib import Path

import click

from octoplan.campaign.schema import schema_texts, write_schemas
from octoplan.diagnostics import InvalidInput


@click.command(short_help="Print or write the JSON Schemas.")
@click.argument("name", required=False, type=click.Choice(["campaign", "project", "test"]))
@click.option("--write", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write all into this folder.")
def command(name: str | None, folder: Path | None) -> None:
    """Print the JSON Schema (draft-07) of campaign files, of octoplan.yaml or of tests, or write all into a folder."""
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            written = write_schemas(folder)
        except OSError as error:
            raise InvalidInput(f"the schemas cannot be written to {folder}: {error.strerror}") from None
        for path in written:
            click.echo(f"wrote {path}")
        return
    click.echo(schema_texts()[f"{name or 'campaign'}.schema.json"], nl=False)

"""`octoplan init`: a project to start from."""

from __future__ import annotations

from pathlib import Path

import click

from octoplan.campaign.scaffold import write_init
from octoplan.state.local import FOLDER, create_key


@click.command(short_help="Write a small project.")
@click.argument("directory", default=".", type=click.Path(path_type=Path))
def command(directory: Path) -> None:
    """
    Write a small, commented, valid project into DIRECTORY (default: here). Nothing is ever overwritten.
    """
    written = write_init(directory)
    create_key(directory / FOLDER)
    for path in written:
        click.echo(f"wrote {path}")
    click.echo(f"made  {directory / FOLDER}/ with the digest key: never committed; keep it as you keep a password")
    enter = "" if directory == Path() else f"cd {directory} && "
    click.echo(f"\nNext: {enter}octoplan validate && octoplan plan")

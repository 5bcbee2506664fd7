"""Which project a command is about."""

from __future__ import annotations

from pathlib import Path

import click

from octoplan.campaign.project import find_project_root


def project_root(context: click.Context) -> Path:
    """
    The folder of `--project`, else the project's around the working directory.

    :raises InvalidInput: if there is none.
    """
    given = context.find_root().obj
    return Path(given) if given else find_project_root(Path.cwd())

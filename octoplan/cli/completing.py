"""
What a shell offers for a campaign's id or an environment.

A person waits for it with a finger on the key: files are only skimmed, nothing is checked, and whatever is wrong with a
project gives fewer offers, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from octoplan.limits import CAMPAIGN_FILE_BYTES_MAX, COMPLETION_FILES_MAX, PROJECT_PARENTS_MAX

_PROJECT_FILE: Final = "octoplan.yaml"
_ID: Final = re.compile(rb"^(id|description):[ \t]*[\"']?([^\"'#\n]*)", re.MULTILINE)
_DEFAULT_PATTERNS: Final = ("campaigns/**/*.yaml",)


def complete_campaigns(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[click.shell_completion.CompletionItem]:
    """The ids in the project's campaign files, with their descriptions."""
    root = _find_root(context)
    found = {} if root is None else dict(islice(_campaigns(root), COMPLETION_FILES_MAX))
    return [_item(name, text) for name, text in sorted(found.items()) if name.startswith(incomplete)]


def complete_environments(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[click.shell_completion.CompletionItem]:
    """The environments of the project, `sandbox` first."""
    declared = _settings(_find_root(context)).get("environments")
    names = dict.fromkeys(["sandbox", *(declared if isinstance(declared, dict) else ())])
    return [_item(name) for name in names if name.startswith(incomplete)]


def complete_rules(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[click.shell_completion.CompletionItem]:
    """The ids of all rules."""
    from octoplan.catalogue import catalogue

    return [_item(entry.id, entry.summary) for entry in catalogue().values() if entry.id.startswith(incomplete)]


def _item(name: str, text: str | None = None) -> click.shell_completion.CompletionItem:
    from click.shell_completion import CompletionItem

    return CompletionItem(name, help=text)


def _find_root(context: click.Context) -> Path | None:
    given = context.find_root().params.get("project")
    first = Path(given or ".").absolute()
    folders = [first] if given else [first, *list(first.parents)[:PROJECT_PARENTS_MAX]]
    return next((folder for folder in folders if (folder / _PROJECT_FILE).is_file()), None)


def _settings(root: Path | None) -> dict[str, Any]:
    """`octoplan.yaml` as plain data; nothing where it cannot be read."""
    import yaml

    if root is None:
        return {}
    try:
        # A BaseLoader: scalars stay text, no tags.
        read = yaml.load(_head(root / _PROJECT_FILE), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506
    except (yaml.YAMLError, OSError):
        return {}
    return read if isinstance(read, dict) else {}


def _campaigns(root: Path) -> Iterator[tuple[str, str]]:
    """Id and description of each campaign file that has an id."""
    patterns = _settings(root).get("campaigns")
    for pattern in patterns if isinstance(patterns, list) else _DEFAULT_PATTERNS:
        try:
            # Hidden folders hold no campaigns, and no pattern leads out of the project.
            for path in root.glob(str(pattern)):
                parts = path.relative_to(root).parts
                if not any(part.startswith(".") for part in parts) and path.is_file():
                    found = {name: text.strip().decode("utf-8", "replace") for name, text in _ID.findall(_head(path))}
                    yield found.get(b"id", ""), found.get(b"description", "")
        except (OSError, ValueError, NotImplementedError):
            continue


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(CAMPAIGN_FILE_BYTES_MAX)

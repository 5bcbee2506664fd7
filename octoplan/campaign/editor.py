"""Whether editors know the schemas of a project's files: are they there, current, and named by the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from posixpath import normpath
from typing import Any, Final

from octoplan.campaign.project import PROJECT_FILE, Project, choose_files, matches_any
from octoplan.campaign.schema import schema_texts
from octoplan.campaign.source import SourceFile, read_source

SCHEMAS: Final = "schemas"
_MODELINE: Final = re.compile(r"^#\s*yaml-language-server:\s*\$schema=(\S+)", re.MULTILINE)
_VSCODE: Final = ".vscode/settings.json"
_SETTINGS_BYTES_MAX: Final = 256 * 1024


def check_editor(project: Project) -> Iterator[str]:
    """Sentences on what is wrong: schemas that are missing or old, and files that do not name theirs."""
    texts = schema_texts()
    for name, text in texts.items():
        path = project.root / SCHEMAS / name
        if not path.is_file():
            yield f"{SCHEMAS}/{name} is missing"
        elif path.read_text(encoding="utf-8", errors="replace") != text:
            yield f"{SCHEMAS}/{name} is not of this version of octoplan"
    patterns = {
        "project.schema.json": (PROJECT_FILE,),
        "campaign.schema.json": project.model.campaigns,
        "test.schema.json": project.model.tests,
    }
    configured = _configured(project.root)
    for schema, globs in patterns.items():
        names, _ = choose_files(project.root, globs)
        without = [name for name in names if not _knows(project.root, name, f"{SCHEMAS}/{schema}", configured)]
        if without:
            more = f" and {len(without) - 1} more" if len(without) > 1 else ""
            yield f"{without[0]}{more}: no line `# yaml-language-server: $schema=…` that leads to {SCHEMAS}/{schema}"


def _knows(root: Path, name: str, schema: str, configured: Mapping[str, Sequence[str]]) -> bool:
    source, _ = read_source(root, name)
    return source is None or _named(source) == schema or matches_any(name, configured.get(schema, ()))


def _named(source: SourceFile) -> str | None:
    """The schema that the file names, as a path from the project's folder."""
    found = _MODELINE.search(source.text)
    folder, _, _ = source.name.rpartition("/")
    return normpath(f"{folder}/{found[1]}" if folder else found[1]) if found else None


def _configured(root: Path) -> dict[str, list[str]]:
    """Schema and patterns of files in the settings of VS Code; nothing where they cannot be read."""
    path = root / _VSCODE
    try:
        text = path.read_bytes()[:_SETTINGS_BYTES_MAX].decode()
        settings: Any = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
        schemas = settings.get("yaml.schemas", {})
        return {normpath(name): [globs] if isinstance(globs, str) else list(globs) for name, globs in schemas.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}

"""
An extension of Python-Markdown, for the site: in code inside a table `\\|` is a `|`, as on forges.

Both need the backslash to see that the cell goes on; only Python-Markdown shows it.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

_AFTER_INLINE: Final = 15
"""Python-Markdown makes `<code>` at priority 20, and higher comes first."""


class TablePipes(Treeprocessor):
    """Takes the backslashes out."""

    def run(self, root: Element) -> None:
        for table in root.iter("table"):
            for code in table.iter("code"):
                code.text = AtomicString((code.text or "").replace("\\|", "|"))


class TablePipesExtension(Extension):
    """What `zensical.toml` names."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 -- the name that Python-Markdown calls
        md.treeprocessors.register(TablePipes(md), "table_pipes", _AFTER_INLINE)


def makeExtension(**options: object) -> TablePipesExtension:  # noqa: N802 -- the name that Python-Markdown calls
    """Made by name; there are no options."""
    return TablePipesExtension(**options)

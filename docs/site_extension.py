r"""
An extension of Python-Markdown for the site, so that pages written for a forge read the same there.

- In code inside a table `\|` is a `|`: both places need the backslash, but only Python-Markdown shows it.
- A link to a file of the repository outside of `docs/` becomes plain text: the site does not have that file.
"""

from __future__ import annotations

import posixpath
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString
from zensical.extensions.context import ContextPreprocessor

_AFTER_INLINE: Final = 15
"""Python-Markdown makes code and links at priority 20, and higher comes first."""


class AsOnForges(Treeprocessor):
    """Changes what was made of one page."""

    def run(self, root: Element) -> None:
        """Change the page in place."""
        for table in root.iter("table"):
            for code in table.iter("code"):
                code.text = AtomicString((code.text or "").replace("\\|", "|"))
        context = ContextPreprocessor.from_markdown(self.md)
        folder = posixpath.dirname(context.page.path) if context else ""
        for link in list(root.iter("a")):
            if _leads_out(folder, link.get("href", "")):
                link.tag = "span"
                del link.attrib["href"]


def _leads_out(folder: str, link: str) -> bool:
    parts = urlsplit(link)
    return not parts.scheme and posixpath.normpath(posixpath.join(folder, parts.path)).startswith("..")


class SiteExtension(Extension):
    """What `zensical.toml` names."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 -- the name that Python-Markdown calls
        """Register the change."""
        md.treeprocessors.register(AsOnForges(md), "as_on_forges", _AFTER_INLINE)


def makeExtension(**options: object) -> SiteExtension:  # noqa: N802 -- the name that Python-Markdown calls
    """Made by name; there are no options."""
    return SiteExtension(**options)

"""
Pages that need nothing but themselves: one HTML file with its style, no script, no network.

Invariants:
- Every value is hostile: it is escaped where it is put (`autoescape`), and cannot turn the direction of what follows.
- The page forbids itself everything but its one style sheet, named by hash: what got past the escaping does nothing.
- No `style` attribute and no link that holds a value: charts are SVG whose numbers are ours.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from octoplan import __version__
from octoplan.values.amount import render_amount
from octoplan.views.text import count, instant, tame

_FOLDER: Final = "html"


def render_page(template: str, **values: Any) -> str:
    """
    The page that `octoplan/views/html/<template>` makes of `values`.

    :raises jinja2.UndefinedError: if the template names a value that is not given: a bug of ours.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("octoplan.views", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (files("octoplan.views") / _FOLDER / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # The style sheet is ours, and in HTML nothing in it is escaped.
    environment.globals |= {"style": Markup(style), "style_hash": f"sha256-{digest}", "version": __version__}  # noqa: S704
    environment.filters |= {"amount": render_amount, "count": count, "instant": instant}
    return environment


def _finalize(value: Any) -> Any:
    """What a value may not bring along: control characters, and those that turn the direction of the text."""
    return tame(value) if type(value) is str else value

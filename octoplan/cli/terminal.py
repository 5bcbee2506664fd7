"""What kind of terminal is at the other end."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO


def colour_on(stream: TextIO) -> bool:
    """Whether to colour: a terminal that is not dumb, or FORCE_COLOR; never with NO_COLOR (https://no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def width() -> int:
    """Columns to fill: the terminal's, within reason; 100 where there is none."""
    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 120))


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()

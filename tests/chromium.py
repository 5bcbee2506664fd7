"""
The browser in which the tests look at pages: the machine's own Chromium or Chrome, none that is downloaded.

    python -m tests.chromium      # ends with 1 if there is none
"""

from __future__ import annotations

import shutil
import sys
from typing import Final

NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find_chromium() -> str | None:
    """The path of the first that is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


if __name__ == "__main__":
    sys.exit(0 if find_chromium() else 1)

"""The words of a comment on a pull or merge request: the page of a plan, or why there is none."""

from __future__ import annotations

import re
from typing import Final

from octoplan.diagnostics import ExitCode
from octoplan.views.markdown import RED, code

_LINK: Final = re.compile(r"https?://[\w.:/?=&%~+-]{1,500}", re.ASCII)
_FINE: Final = (ExitCode.DONE, ExitCode.CHANGES)


def is_failure(exit_code: int | None) -> bool:
    """Whether a plan that ended so shows nothing that could be applied."""
    return exit_code is not None and exit_code not in _FINE


def render_comment(page: str | None, exit_code: int | None, *, commit: str, run_url: str, bytes_max: int) -> str:
    """
    `page` is what `plan -o markdown` made, `None` where it made none; a plan that failed gets a red heading.

    `commit` and `run_url` may be empty.
    """
    red = f"## {RED} "
    parts = []
    if is_failure(exit_code) and not (page or "").startswith(red):
        parts.append(f"{red}octoplan failed (exit code {exit_code})\n\n{_where(run_url, 'It says why in')}\n")
    if page is not None and len(page.encode()) > bytes_max:
        parts.append(f"The plan is too long for a comment here. {_where(run_url, 'It is in')}\n")
    elif page is not None:
        parts.append(page)
    about = [f"Commit {code(commit[:12])}"] if commit else []
    about += [f"[this run]({run_url})"] if _LINK.fullmatch(run_url) else []
    return "\n".join([*parts, *([f"\n<sub>{', '.join(about)}</sub>\n"] if about else [])])


def _where(run_url: str, words: str) -> str:
    return f"{words} [the log of the run]({run_url})." if _LINK.fullmatch(run_url) else f"{words} the log of the run."

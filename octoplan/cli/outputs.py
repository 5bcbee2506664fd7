"""`--output KIND` and `--output KIND=PATH`, several at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from octoplan.diagnostics import InvalidInput, OctoplanError, ReportFailed

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Renderers = Mapping[str, Callable[[], str]]
KINDS = ("text", "json")
PLAN_KINDS = (*KINDS, "html", "markdown")
REPORT_KINDS = ("text", "csv", "json", "markdown", "html")


@dataclass(frozen=True, slots=True)
class Output:
    """One result to write; `path` is `None` for standard output."""

    kind: str
    path: Path | None


class OutputType(click.ParamType[Output]):
    """One of `kinds` such as `text`, or one of them with a file, `text=FILE`."""

    name = "output"

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds = kinds

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        """Check kind and folder now, so that a long run does not end in a typing mistake."""
        if isinstance(value, Output):
            return value
        kind, has_path, path = str(value).partition("=")
        if kind not in self.kinds or (has_path and not path):
            self.fail(f"`{value}` is none of: {', '.join(self.kinds)}, or one of them with `=FILE`", param, ctx)
        if has_path and not Path(path).parent.is_dir():
            self.fail(f"there is no folder {Path(path).parent}", param, ctx)
        return Output(kind, Path(path) if has_path else None)


def option_for(kinds: Sequence[str]) -> Decorator:
    """`--output` of these kinds."""
    return click.option(
        "--output",
        "-o",
        "outputs",
        type=OutputType(kinds),
        multiple=True,
        metavar="KIND[=FILE]",
        help=f"{', '.join(kinds[:-1])} or {kinds[-1]}, to standard output or a file; may be repeated (default: text).",
    )


output_option = option_for(KINDS)
plan_output_option = option_for(PLAN_KINDS)


def require_one_stdout(outputs: Sequence[Output], *, is_taken: bool = False) -> Sequence[Output]:
    """
    The outputs, `text` if none was asked for and standard output is not taken by something else.

    :raises InvalidInput: if two would be mixed on standard output.
    """
    if is_taken + sum(output.path is None for output in outputs) > 1:
        raise InvalidInput(
            "only one output can go to standard output", hint="give the others a file: `--output json=plan.json`"
        )
    return outputs or (() if is_taken else (Output("text", None),))


def emit(
    outputs: Sequence[Output], renderers: Renderers, *, sent: bool = False, failed_before: str | None = None
) -> None:
    """
    Write every output. `failed_before` is why another one could not be written.

    :raises OctoplanError: if one cannot be written; `ReportFailed` if messages were `sent` before.
    """
    failures = [failure for output in outputs if (failure := _write(output, renderers[output.kind]()))]
    failures += [failed_before] if failed_before else []
    if failures and sent:
        raise ReportFailed(
            f"everything is sent and recorded, but a report failed: {'; '.join(failures)}",
            hint="see `octoplan status`; applying again sends nothing twice",
        )
    if failures:
        raise OctoplanError(f"an output could not be written: {'; '.join(failures)}")


def _write(output: Output, text: str) -> str | None:
    """The reason, if it failed."""
    try:
        if output.path is None:
            click.echo(text, nl=False)
            sys.stdout.flush()
        else:
            output.path.write_text(text, encoding="utf-8")
    except BrokenPipeError:
        raise
    except OSError as error:
        return f"{output.path or 'standard output'}: {error.strerror}"
    return None

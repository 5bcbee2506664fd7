"""
The command line's frame: which commands there are, and how an error becomes an exit code.

Commands are imported when they are called, so that `octoplan --help` answers at once: this module may import click and
the light modules only (a test measures it).
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from octoplan import __version__
from octoplan.cli.ending import tell_end
from octoplan.diagnostics import ExitCode, OctoplanError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Final[Mapping[str, str]] = {
    "init": "Write a small, commented project to start from",
    "validate": "Check the project's files and show every finding",
    "fmt": "Write the project's files in one way",
    "test": "Test campaigns with made-up contacts",
    "preview": "Show messages as a phone shows them",
    "excluded": "Show the rows that get no message, and why",
    "plan": "Show what apply would do, to whom and for how much",
    "diff": "What is different between two git revisions",
    "comment": "Put the plan on the pull request",
    "apply": "Do what the plan shows: send, and record tickets",
    "status": "What was sent, what is open, who holds the lease",
    "report": "What was sent and billed, by campaign and month",
    "show": "Everything that is known of one campaign",
    "recover": "Settle batches whose outcome is unknown",
    "stop": "Forbid sending, also to an apply that runs",
    "resume": "Allow sending again",
    "adopt": "Record what was sent by hand or by another tool",
    "cancel": "Take back what is scheduled, where the API can",
    "state": "Break a stale lease, forget a campaign",
    "lock": "Check, rebuild or merge the lock file",
    "rules": "What octoplan checks, and who says so",
    "schema": "Print or write the JSON Schemas for editors",
    "sandbox": "Run the local API that sends nothing",
    "doctor": "Check credentials, account, clock, state, editor",
    "completion": "Print the completion script of a shell",
    "demo": "See the whole way once, against the sandbox",
}
"""Name -> one line of help. The command itself is `command` in `octoplan/cli/<name>.py`."""


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of a first day's work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command; its tracebacks are bugs."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"octoplan.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers, without importing a command."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say which command was meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else " See `octoplan --help`."
            ctx.fail(f"There is no command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="First steps: `octoplan demo`. Exit codes: docs/reference/exit-codes.md.",
)
@click.option(
    "--project", "-C", metavar="DIR", envvar="OCTOPLAN_PROJECT", help="The project's folder (default: found upwards)."
)
@click.version_option(__version__, prog_name="octoplan")
@click.pass_context
def cli(context: click.Context, project: str | None) -> None:
    """Plan, review and apply SMS campaigns from files in git. Never sends a message twice."""
    context.obj = project


def main(arguments: list[str] | None = None) -> NoReturn:
    """
    Run the command line and end the process with the exit code of `ExitCode`.

    A traceback can reach the user only for a bug of ours.
    """
    arrived: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        arrived.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        # What whoever started us wants to be ignored stays ignored.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, interrupt)
    code: int = ExitCode.UNCLASSIFIED
    error: BaseException | None = None
    try:
        code, error = _run(arguments, arrived)
    except BaseException as bug:
        error = bug
        raise
    finally:
        tell_end(code, error)
    sys.exit(code)


def _call(arguments: list[str] | None, arrived: Sequence[int]) -> Any:
    try:
        return cli.main(arguments, prog_name="octoplan", standalone_mode=False)
    except OctoplanError:
        raise
    except Exception as error:
        if arrived:  # an engine made an error of its own of it: DuckDB says "Query interrupted"
            raise KeyboardInterrupt from error
        raise


def _run(arguments: list[str] | None, arrived: Sequence[int]) -> tuple[int, BaseException | None]:
    """The exit code, and the error that led to it, which was shown."""
    try:
        result = _call(arguments, arrived)
        sys.stdout.flush()
        return int(result) if isinstance(result, int) else ExitCode.DONE, None
    except OctoplanError as error:
        _show(error)
        return error.exit_code, error
    except click.UsageError as error:
        error.show()
        return ExitCode.INVALID, error
    except click.ClickException as error:
        error.show()
        return ExitCode.UNCLASSIFIED, error
    except (click.exceptions.Abort, KeyboardInterrupt) as error:
        click.echo("Interrupted.", err=True)
        return ExitCode.TERMINATED if signal.SIGTERM in arrived else ExitCode.INTERRUPTED, error
    except BrokenPipeError as error:
        # Whoever read our output has gone; Python would complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.UNCLASSIFIED, error


def _show(error: OctoplanError) -> None:
    from octoplan.cli.terminal import colour_on
    from octoplan.views.problems import render_error

    click.echo(render_error(error, colour=colour_on(sys.stderr)), err=True, nl=False)

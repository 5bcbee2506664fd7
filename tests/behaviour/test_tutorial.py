"""
The tutorial and the guides, executed: every block of a page is run or written, in order, in an empty folder.

- A line with `$ ` in a ```console block is a command; the lines after it are what it shows, in order. `…` stands for
  anything within a line; lines between those shown may be left out. A command succeeds, unless `echo $?` comes next.
- A ```yaml or ```csv block is the content of the file that is named last, in backquotes, before the block.
- `octoplan sandbox` is the second terminal: it runs until the end. Its port is replaced by a free one.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
GUIDES: Final = (
    "over-time",
    "costs",
    "pages",
    "reviewing",
    "sent-and-billed",
    "ci",
    "testing-campaigns",
    "policy",
    "recovery",
)
PAGES: Final = ("docs/tutorial.md", *(f"docs/guides/{name}.md" for name in GUIDES))
PORT: Final = "8042"
BLOCK: Final = re.compile(r"^```(console|yaml|csv)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED: Final = re.compile(r"`([\w./-]+\.(?:yaml|csv))`")
SHOWN_MAX_S: Final = 30.0
CURL: Final = """\
#!{python}
import sys, urllib.request
data = sys.argv[sys.argv.index("-d") + 1].encode() if "-d" in sys.argv else None
url = next(word for word in sys.argv if word.startswith("http"))
print(urllib.request.urlopen(url, data, timeout=10).read().decode(), end="")
"""
"""For machines without curl."""


@dataclass(slots=True)
class Command:
    """A command, what the tutorial shows of its output, and whether it may fail."""

    line: str
    shown: list[str] = field(default_factory=list)
    may_fail: bool = False


def read_steps(text: str) -> Iterator[Command | tuple[str, str]]:
    """Commands, and files as name and content, in the order of the tutorial."""
    for block in BLOCK.finditer(text):
        if block[1] == "console":
            yield from read_commands(block[2])
        else:
            yield NAMED.findall(text[: block.start()])[-1], block[2]


def read_commands(block: str) -> list[Command]:
    """The commands of one console block."""
    commands: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if commands and line == "$ echo $?":
                commands[-1].may_fail = True
            commands.append(Command(line[2:]))
        elif line.strip() not in ("", "…"):
            commands[-1].shown.append(line)
    return commands


class Terminal:
    """A shell whose folder, variables and last exit code live on from one command to the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "state.sh"
        self._port = str(free_port())
        self._servers: list[subprocess.Popen[str]] = []
        self._environment = environment(folder)
        self._state.write_text(f"cd {shlex.quote(str(folder))}\n", encoding="utf-8")

    def run(self, command: Command) -> None:
        """Run it, and compare what it says with what the tutorial shows."""
        line = command.line.replace(PORT, self._port)
        code, output = self._serve(line, len(command.shown)) if "octoplan sandbox" in line else self._call(line)
        assert code == 0 or command.may_fail, f"$ {line}\n{output}"
        require_shown([shown.replace(PORT, self._port) for shown in command.shown], output, line)

    def write(self, name: str, content: str) -> None:
        """Make a file in the current folder."""
        _, folder = self._call("pwd")
        (Path(folder.strip()) / name).write_text(content.replace(PORT, self._port), encoding="utf-8")

    def close(self) -> None:
        """End what still runs, as Ctrl-C would."""
        for server in self._servers:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=SHOWN_MAX_S)

    def _call(self, line: str) -> tuple[int, str]:
        state = shlex.quote(str(self._state))
        keep = f'code=$?; {{ export -p; printf "cd %q\\n" "$PWD"; echo "(exit $code)"; }} > {state}; exit $code'
        with self._process(f". {state}\n{line}\n{keep}") as shell:
            output, _ = shell.communicate(timeout=SHOWN_MAX_S)
            return shell.returncode, output

    def _serve(self, line: str, lines: int) -> tuple[int, str]:
        server = self._process(f". {shlex.quote(str(self._state))}\nexec {line}")
        self._servers.append(server)
        assert server.stdout is not None
        watchdog = threading.Timer(SHOWN_MAX_S, server.kill)
        watchdog.start()
        output = "".join(server.stdout.readline() for _ in range(lines))
        watchdog.cancel()
        return 0, output

    def _process(self, script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", script],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )


def require_shown(shown: list[str], output: str, line: str) -> None:
    """Every shown line is in the output, in this order; the amount of white space does not matter."""
    rest = iter(" ".join(said.split()) for said in output.splitlines())
    for wanted in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in " ".join(wanted.split()).split("…")))
        assert any(pattern.fullmatch(said) for said in rest), f"$ {line}\nmissing: {wanted}\nin:\n{output}"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(folder: Path) -> dict[str, str]:
    """A newcomer's environment: nothing of this machine's but where programs are."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    if shutil.which("curl") is None:
        (bin_folder / "curl").write_text(CURL.format(python=sys.executable), encoding="utf-8")
        (bin_folder / "curl").chmod(0o755)
    path = [str(Path(sys.executable).parent), str(bin_folder), os.environ["PATH"]]
    person = {
        f"GIT_{role}_{what}": "dana@example.invalid" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return (
        kept
        | person
        | {
            "PATH": os.pathsep.join(path),
            "HOME": str(folder),
            "COLUMNS": "100",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    )


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(terminal: Terminal, page: str) -> None:
    """Whoever types the commands of the tutorial or of a guide sees what it shows."""
    steps = list(read_steps((ROOT / page).read_text(encoding="utf-8")))
    for step in steps:
        if isinstance(step, Command):
            terminal.run(step)
        else:
            terminal.write(*step)
    assert len(steps) > 5


def test_the_readme_shows_a_real_plan(terminal: Terminal, tmp_path: Path) -> None:
    """The campaign that the README shows is planned as it says, from the repository's own files."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("octoplan.yaml", "campaigns", "data"):
        copy = shutil.copy if (ROOT / name).is_file() else shutil.copytree
        copy(ROOT / name, tmp_path / name)
    shown = readme[readme.index("+ send      spring-sale-2027") : readme.index("\n$ octoplan apply")]
    terminal.run(Command("octoplan plan --env sandbox", [line for line in shown.splitlines() if line]))

"""From flags and environment variables to the objects that commands work with."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import click

from octoplan import limits
from octoplan.campaign.model import SANDBOX, Environment, EnvironmentSettings, StateSettings
from octoplan.campaign.project import PROJECT_FILE, Project, load_project
from octoplan.cli.completing import complete_campaigns, complete_environments
from octoplan.cli.folder import project_root
from octoplan.clock import Clock, SystemClock, in_words, to_text
from octoplan.diagnostics import (
    AuthenticationFailed,
    Blocked,
    Finding,
    InvalidInput,
    OctoplanError,
    StateUnavailable,
    require_no_errors,
)
from octoplan.digests import DigestKey, content_digest
from octoplan.gateway.octopush import PriceGateway
from octoplan.state.home import Home, Session
from octoplan.state.local import FOLDER, KEY_FILE, create_key, local_home, read_key
from octoplan.state.lock import Lock, lock_path, read_lock
from octoplan.state.store import Holder
from octoplan.values.secret import Secret
from octoplan.values.web_address import HOSTS_VARIABLE

KEY_VARIABLE: Final = "OCTOPLAN_DIGEST_KEY"
API_HOST: Final = "api.octopush.com"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
GatewayKind = TypeVar("GatewayKind", bound=PriceGateway)

campaign_argument = click.argument("campaign", shell_complete=complete_campaigns)
environment_option = click.option(
    "--env",
    "environment",
    metavar="NAME",
    envvar="OCTOPLAN_ENV",
    shell_complete=complete_environments,
    help="The environment (default: the project's; `sandbox` needs no account).",
)
campaign_option = click.option(
    "--campaign",
    "campaigns",
    multiple=True,
    metavar="ID",
    shell_complete=complete_campaigns,
    help="Only this campaign; may be repeated.",
)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project, one of its environments, and that environment's memory."""

    project: Project
    findings: tuple[Finding, ...]
    name: str
    settings: EnvironmentSettings
    home: Home
    lock: Lock
    clock: Clock

    @property
    def lock_path(self) -> Path:
        """Where this environment's lock file is."""
        return lock_path(self.project.root, self.name)

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the built-in environment, which sends nothing to anybody."""
        return self.name == SANDBOX


def open_project(context: click.Context) -> tuple[Project, tuple[Finding, ...]]:
    """
    The project of `--project`, or the one around the working directory.

    :raises InvalidInput: if there is none, or `octoplan.yaml` has errors.
    """
    root = project_root(context)
    if not (root / PROJECT_FILE).is_file():
        raise InvalidInput(f"there is no {PROJECT_FILE} in {root}", hint="make a project there with `octoplan init`")
    project, findings = load_project(root)
    warnings = require_no_errors(findings, f"{PROJECT_FILE} has errors")
    if project is None:
        raise InvalidInput(f"{PROJECT_FILE} cannot be used")
    return project, warnings


@contextlib.contextmanager
def open_workspace(context: click.Context, environment: str | None) -> Iterator[Workspace]:
    """
    Open a project's environment for the length of a command.

    The digest key is made on first use; where the lock file shows that another key was used before, it is not.

    :raises InvalidInput: for an unreadable project or lock file, or an environment that is not declared.
    :raises StateUnavailable: if the state home cannot be used.
    """
    project, findings = open_project(context)
    name = environment or project.model.default_environment
    settings = project.environment(name)
    lock = read_lock(lock_path(project.root, name), name)
    clock = SystemClock()
    home = open_home(project, name, settings, lock, clock)
    try:
        yield Workspace(project, findings, name, settings, home, lock, clock)
    finally:
        home.close()


def open_home(project: Project, name: str, settings: EnvironmentSettings, lock: Lock, clock: Clock) -> Home:
    """
    The state home of an environment, as `state:` says; the sandbox's is local.

    :raises AuthenticationFailed: if the variable with a database's URL is not set.
    :raises StateUnavailable: if it cannot be opened, or the digest key is missing.
    """
    state = settings.state if isinstance(settings, Environment) else StateSettings()
    key = open_key(project.root, lock, may_create=state.home == "local")
    if state.home == "git":
        from octoplan.state.git import GitStore

        return Home(GitStore(project.root, name, clock, remote=state.remote), key, clock)
    if state.home == "postgres" and state.url is not None:
        from octoplan.state.postgres import PostgresStore

        scope = f"{project.model.project}/{name}"
        return Home(PostgresStore(_secret(state.url), scope, clock, schema=state.db_schema), key, clock)
    return local_home(project.root / FOLDER, name, key, clock)


def open_key(root: Path, lock: Lock, *, may_create: bool) -> DigestKey:
    """
    The digest key: from OCTOPLAN_DIGEST_KEY, else from `.octoplan/`, else a new one if nothing was ever sent.

    A home that several machines share needs the same key on all of them, so there none is made by itself.

    :raises InvalidInput: if the variable holds no key.
    :raises StateUnavailable: if the key is missing or another one than the lock file was written with.
    """
    text = os.environ.get(KEY_VARIABLE)
    if text:
        try:
            key: DigestKey | None = DigestKey.from_text(text)
        except ValueError:
            raise InvalidInput(f"{KEY_VARIABLE} does not hold a digest key (64 hexadecimal digits)") from None
    else:
        key = read_key(root / FOLDER)
    if key is None and not may_create:
        raise StateUnavailable(
            f"a shared state home needs the project's digest key, and {KEY_VARIABLE} is not set",
            hint=f"put the text of {FOLDER}/{KEY_FILE} from the machine of `octoplan init` into {KEY_VARIABLE}",
        )
    if key is None and not lock.lines:
        key = create_key(root / FOLDER)
        click.echo(f"Made a digest key in {FOLDER}/ (never commit it; keep it as you keep a password).", err=True)
    if key is None or (lock.digest_key not in (None, key.fingerprint)):
        have = "there is none here" if key is None else f"here is {key.fingerprint}"
        raise StateUnavailable(
            f"the lock file was written with digest key {lock.digest_key}; {have}",
            hint=f"bring the state home ({FOLDER}/) of the machine that sent, or its key in {KEY_VARIABLE}",
        )
    return key


@contextlib.contextmanager
def open_gateway(workspace: Workspace, kind: type[GatewayKind]) -> Iterator[GatewayKind]:
    """
    A client of the environment's API; for `sandbox`, of a local server that is started if none runs.

    `kind` is what the command may do: `PriceGateway` cannot send, only apply asks for an `OctopushGateway`.

    :raises AuthenticationFailed: if a credential is missing, or belongs to another account than declared.
    :raises InvalidInput: if the endpoint's host is not allowed.
    """
    settings = workspace.settings
    if not isinstance(settings, Environment):
        from octoplan.cli.sandboxed import API_PATH, KEY, LOGIN, running_sandbox

        with running_sandbox(workspace.project.root) as url:
            yield kind(url + API_PATH, LOGIN, KEY)
        return
    _require_allowed_host(settings.endpoint)
    account_of(workspace)
    login, key = _secret(settings.credentials.login), _secret(settings.credentials.key)
    yield kind(settings.endpoint, login, key, proxy=_proxy(settings))


def read_api_clock(workspace: Workspace) -> datetime | None:
    """
    The time on the API's clock, whole seconds, by the header of any answer; `None` if it does not say. Needs no key.

    :raises InvalidInput: if the endpoint's host is not allowed.
    :raises OctoplanError: if it cannot be reached.
    """
    settings = workspace.settings
    if isinstance(settings, Environment):
        _require_allowed_host(settings.endpoint)
        return _read_date(settings.endpoint, _proxy(settings))
    from octoplan.cli.sandboxed import running_sandbox

    with running_sandbox(workspace.project.root) as url:
        return _read_date(url, None)


def _read_date(url: str, proxy: str | None) -> datetime | None:
    import httpx

    try:
        with httpx.Client(trust_env=False, proxy=proxy, timeout=limits.CONNECT_TIMEOUT_S) as client:
            said = client.get(url).headers.get("date")
    except (httpx.HTTPError, httpx.InvalidURL):
        raise OctoplanError("the API cannot be reached", hint="check the network, the endpoint and the proxy") from None
    try:
        return None if said is None else parsedate_to_datetime(said).astimezone(UTC)
    except ValueError:
        return None


def _proxy(settings: Environment) -> str | None:
    """The proxy's URL, also where a variable holds it."""
    proxy = settings.proxy
    return _secret(proxy).reveal() if proxy is not None and proxy.startswith("env/") else proxy


def account_of(workspace: Workspace) -> str | None:
    """
    The keyed fingerprint of the account in use; `None` for the sandbox, or while no login is set.

    :raises AuthenticationFailed: if the environment declares another one.
    """
    settings = workspace.settings
    if not isinstance(settings, Environment):
        return None
    variable = settings.credentials.login.removeprefix("env/")
    login = os.environ.get(variable)
    if not login:
        return None
    message = login.strip().lower().encode()
    found = content_digest(workspace.home.key, "a1", "octoplan/account/v1", message)
    if settings.account is not None and settings.account != found:
        raise AuthenticationFailed(
            f"the login in {variable} belongs to account {found}; `{workspace.name}` declares {settings.account}",
            hint="set the credentials of the declared account; nothing was sent",
        )
    return found


def require_durable_home(workspace: Workspace) -> None:
    """
    Refuse to send from a memory that dies with the CI runner.

    :raises StateUnavailable: with the choices.
    """
    settings = workspace.settings
    if not isinstance(settings, Environment) or settings.state.home != "local" or settings.state.durable:
        return
    if os.environ.get("CI", "").lower() in ("true", "1"):
        raise StateUnavailable(
            f"this looks like CI, and {FOLDER}/ would die with the runner: the next run would not know what was sent",
            hint="use `state: {home: git}` or `{home: postgres, url: env/NAME}`; or, if the folder is on storage that "
            "outlives the runner, say `state: {durable: true}`",
        )


def require_no_stop(workspace: Workspace) -> None:
    """
    Refuse to begin while a stop notice is posted.

    :raises Blocked: with who posted it, and why.
    """
    notice = workspace.home.stop_notice()
    if notice is not None:
        raise Blocked(
            f"sending to {workspace.name} was stopped by {notice.owner} at {to_text(notice.at)}: {notice.reason}",
            hint=f"when the reason is gone: `octoplan resume --env {workspace.name}`",
        )


@contextlib.contextmanager
def hold_lease(
    workspace: Workspace, *, timeout_s: float = 0.0, on_wait: Callable[[Holder], None] = lambda _: None
) -> Iterator[Session]:
    """
    Hold the environment's lease for the length of the context; a lease that was a dead run's is announced on stderr.

    `on_wait` is told once who holds it, if it is not free, beside the word on stderr.

    :raises LeaseHeld: if somebody else still holds it after `timeout_s`.
    :raises StateUnavailable: if the state home cannot be used.
    """
    wait = _say_waiting(timeout_s, on_wait)
    with workspace.home.session(new_run(workspace.clock), timeout_s=timeout_s, on_wait=wait) as session:
        before = session.holder().took_over
        if before is not None:
            age = in_words(workspace.clock.now() - (before.heartbeat or before.since))
            click.echo(
                f"The lease was still in the name of {before}. That run has died, {age} ago or later, without giving "
                "it back; this run has taken the lease over. What that run left open is settled or repeated first.",
                err=True,
            )
        yield session


def _say_waiting(timeout_s: float, on_wait: Callable[[Holder], None]) -> Callable[[Holder], None]:
    def say(holder: Holder) -> None:
        click.echo(f"waiting up to {timeout_s:.0f} s for the lease, held by {holder}", err=True)
        on_wait(holder)

    return say


def owner_name() -> str:
    """The person or account behind this process, for leases and notices."""
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or getpass.getuser()


def run_url() -> str | None:
    """Where a person sees this run of a CI system."""
    variables = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, job = (os.environ.get(name) for name in variables)
    github = f"{server}/{repository}/actions/runs/{job}" if server and repository and job else None
    return os.environ.get("CI_JOB_URL") or github


def new_run(clock: Clock) -> Holder:
    """Name this run, as the lease and the journal will show it."""
    return Holder(
        run=f"r_{secrets.token_hex(6)}",
        owner=owner_name(),
        host=socket.gethostname(),
        pid=os.getpid(),
        since=clock.now(),
        url=run_url(),
    )


def _secret(reference: str) -> Secret:
    variable = reference.removeprefix("env/")
    value = os.environ.get(variable)
    if not value:
        raise AuthenticationFailed(
            f"the environment variable {variable} is not set",
            hint=f"set {variable}, or use `--env {SANDBOX}` to try things out",
        )
    return Secret(value)


def _require_allowed_host(endpoint: str) -> None:
    """A pull request can change the endpoint; it must not be able to send the credentials somewhere else."""
    host = urlsplit(endpoint).hostname or ""
    allowed = {API_HOST, *_LOOPBACK, *os.environ.get(HOSTS_VARIABLE, "").split()}
    if host not in allowed:
        raise InvalidInput(
            f"credentials are sent to {API_HOST} only, not to {host}",
            hint=f"if this host is right, allow it outside the repository: {HOSTS_VARIABLE}={host}",
        )

"""Nothing that a user or a stranger's pull request can cause ends in a traceback (every call here checks that)."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.behaviour.command import Octoplan
from tests.behaviour.project import KEY, LOGIN, Project
from tests.sandbox_process import SandboxProcess


def test_campaign_files_that_cannot_be_read(project: Project, octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """Garbage, half of a YAML file, one that explodes and a list that leads outside: each is named, all at once."""
    project.write("campaigns/garbage.yaml", bytes(range(256)) * 40)
    project.write("campaigns/half.yaml", "id: [unclosed\n\t: - }{")
    anchors = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    project.write("campaigns/explodes.yaml", f"a0: &a0 [x]\n{anchors}\n")
    project.campaign("outside", recipients={"path": "data/link.csv", "phone": "mobile"})
    (project.root / "data/link.csv").symlink_to("/etc/passwd")
    said = octoplan("apply", "--auto-approve", code=3).stderr
    assert all(f"campaigns/{name}.yaml" in said for name in ("garbage", "half", "explodes", "outside"))
    assert sandbox.stats()["real_sends"] == 0


def test_campaigns_that_reach_for_what_is_not_theirs(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess
) -> None:
    """Templates that do not end or reach for Python, filters that read files, contacts of any kind: all at once."""
    loops = "{% for a in range(999) %}{% for b in range(999) %}x{% endfor %}{% endfor %}"
    project.campaign("endless", message={"template": f"{loops} STOP au XXXXX"})
    project.campaign("python", message={"template": "{{ ''.__class__.__mro__ }} STOP au XXXXX"})
    where = "code in (select content from read_text('/etc/passwd'))"
    project.campaign("reader", recipients={"path": "data/contacts.csv", "phone": "mobile", "where": where})
    for name, content in (("garbage", bytes(range(256)) * 40), ("empty", b"")):
        project.write(f"data/{name}.csv", content)
        project.campaign(name, recipients={"path": f"data/{name}.csv", "phone": "mobile"})
    project.campaign("missing", recipients={"path": "data/none.csv", "phone": "mobile"})
    project.campaign("folder", recipients={"path": "data", "phone": "mobile"})
    result = octoplan("apply", "--auto-approve", code=3)
    for name in ("endless", "python", "reader", "missing"):
        assert f"campaigns/{name}.yaml" in result.stderr
    for name in ("garbage", "empty"):
        assert f"{name}.csv" in result.stderr or f"campaigns/{name}.yaml" in result.stderr
    assert "root:" not in result.output
    assert sandbox.stats()["real_sends"] == 0


def settings_are_missing(project: Project) -> None:
    (project.root / "octoplan.yaml").unlink()


def settings_are_a_list(project: Project) -> None:
    project.write("octoplan.yaml", "- a\n- b\n")


def endpoint_is_somebody_elses(project: Project) -> None:
    project.environment("https://api.octopush.example/v1/public")


def digest_key_is_damaged(project: Project) -> None:
    project.write(".octoplan/digest.key", "not a key")


BROKEN: list[tuple[Callable[[Project], None], int]] = [
    (settings_are_missing, 3),
    (settings_are_a_list, 3),
    (endpoint_is_somebody_elses, 3),
    (digest_key_is_damaged, 7),
]


@pytest.mark.parametrize(("broken", "code"), BROKEN, ids=[broken.__name__ for broken, _ in BROKEN])
def test_what_is_broken_is_said_in_words(
    project: Project, octoplan: Octoplan, sandbox: SandboxProcess, broken: Callable[[Project], None], code: int
) -> None:
    """A documented exit code, and an error that says what is wrong."""
    broken(project)
    assert "Error: " in octoplan("apply", "--auto-approve", code=code).stderr
    assert sandbox.stats()["real_sends"] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "nobody"), 3),
        (("preview", "nobody"), 3),
        (("excluded", "nobody"), 3),
        (("excluded", "spring", "--reason", "nothing"), 3),
        (("preview", "spring", "--line", "99"), 3),
        (("-C", "/no/such/folder", "plan"), 3),
        (("plan", "campaigns/none.yaml"), 3),
        (("plan", "--out", "no/such/folder/plan.json"), 1),
        (("apply", "data"), 3),
        (("lock", "check", "--env", "../../etc"), 3),
        (("init", "octoplan.yaml"), 3),
        (("schema", "--write", "octoplan.yaml/x"), 3),
    ],
)
def test_arguments_that_lead_nowhere(octoplan: Octoplan, arguments: tuple[str, ...], code: int) -> None:
    """Names and paths that do not exist are errors in words."""
    assert "rror: " in octoplan(*arguments, code=code).stderr


def test_a_port_that_is_taken(octoplan: Octoplan, sandbox: SandboxProcess) -> None:
    """A second server on one port is told so."""
    port = sandbox.url.rpartition(":")[2]
    assert f"Cannot listen on 127.0.0.1 port {port}" in octoplan("sandbox", "--port", port, code=1).stderr


def test_an_answer_that_is_not_the_apis_is_said_in_words(project: Project, octoplan: Octoplan) -> None:
    """Something else that listens at the endpoint: nothing can be asked of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        project.environment(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/public")
        running = octoplan.start("plan", variables={LOGIN: "a", KEY: "b"})
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            client.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
        assert "gave no answer" in octoplan.finish(running, 1).stderr


def test_a_reader_that_has_gone_is_no_error_of_ours(octoplan: Octoplan) -> None:
    """`octoplan schema | head -1` ends quietly when its reader does."""
    running = octoplan.start("schema")
    assert running.stdout is not None
    running.stdout.close()
    _, stderr = running.communicate()
    assert stderr == ""

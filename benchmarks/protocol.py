"""
What the protocol costs: a request with ledger and journal beside the same request without any.

    python -m benchmarks.protocol [--homes local,postgres,git] [--recipients N] [--answer-ms N]

Both sides post the same bodies through octoplan's own gateway, from as many threads, to a server in a process of its
own that answers every request at once: so the protocol is measured and not an API. One side only posts; the other
writes recipients and intent before each request and its outcome after, durable, and looks for a stop notice. They take
turns, so a machine that changes speed changes both. Times are per request: the time of a round divided by its
requests. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from octoplan.apply.deliver import Delivery, Ports, Status, deliver
from octoplan.apply.execute import CampaignRun, Rules, execute
from octoplan.apply.lanes import ThreadLanes
from octoplan.apply.pace import Pace
from octoplan.clock import SystemClock
from octoplan.digests import DigestKey, batch_digest, request_id
from octoplan.gateway.body import encode_body, hashed_body
from octoplan.gateway.octopush import OctopushGateway
from octoplan.gateway.port import Accepted, SendRequest
from octoplan.limits import RECIPIENTS_PER_BATCH_MAX
from octoplan.plan.outgoing import Outgoing
from octoplan.state.home import Home
from octoplan.state.store import Holder
from octoplan.values.secret import Secret
from tests.contract.stores import OpenStore, git_place, local_place, postgres_place

AT_ONCE = (1, 8, 32)
ENVIRONMENT = "production"
CAMPAIGN = "spring"
COST = Decimal("30.5")
PLACES: dict[str, Callable[[Path], AbstractContextManager[OpenStore]]] = {
    "local": local_place,
    "postgres": postgres_place,
    "git": git_place,
}
"""Each home in an empty place of its own."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is sent in a round, and how often."""

    requests: int
    rounds: int


SIZES = {"local": Size(100, 5), "postgres": Size(100, 5), "git": Size(20, 3)}
"""A write to the `git` home takes long, and its ledger is bounded."""


# --- the server -------------------------------------------------------------------------------------------------------


def serve(answer_ms: int) -> None:
    """Answer every POST with a ticket, until standard input ends; prints the port."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            time.sleep(answer_ms / 1000)
            said = b'{"code":"000","sms_ticket":"sms_0123456789abcdef"}'
            self.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Answer) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        server.shutdown()


@contextmanager
def answering(answer_ms: int) -> Iterator[OctopushGateway]:
    """A gateway to such a server."""
    command = [sys.executable, "-m", "benchmarks.protocol", "--serve", "--answer-ms", str(answer_ms)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        endpoint = f"http://127.0.0.1:{int(child.stdout.readline())}"
        try:
            yield OctopushGateway(endpoint, Secret("login"), Secret("key"))
        finally:
            assert child.stdin is not None
            child.stdin.close()


# --- the two sides ----------------------------------------------------------------------------------------------------


def make_batches(key: DigestKey, requests: int, recipients: int) -> list[Outgoing]:
    """Full requests of an ordinary campaign, to numbers that no country has."""
    batches = []
    for number in range(requests):
        phones = [f"+0{number * recipients + each:011}" for each in range(recipients)]
        contacts = ",".join(f'{{"param1":"Zorvane","phone_number":"{phone}"}}' for phone in phones)
        request = SendRequest(
            text="Bonjour {param1}, -20% chez MAPLE jusqu'a dimanche. STOP au XXXXX",
            contacts=contacts.encode(),
            type="sms_premium",
            purpose="wholesale",
            sender="MAPLE",
            send_at=None,
            with_replies=False,
            auto_optimize_text=False,
            auto_remove_blacklisted_numbers=False,
        )
        digest = batch_digest(key, hashed_body(request))
        name = request_id(key, ENVIRONMENT, CAMPAIGN, digest, 1)
        people = pa.array(phones, pa.string())
        batches.append(
            Outgoing(ENVIRONMENT, CAMPAIGN, digest, 1, name, recipients, recipients, {}, request, people, cost=COST)
        )
    return batches


def post_only(batches: Sequence[Outgoing], gateway: OctopushGateway, lanes: int) -> None:
    """The same client without a memory."""

    def send(batch: Outgoing) -> Delivery:
        answer = gateway.send(encode_body(batch.request, request_id=batch.request_id, simulation=False))
        assert isinstance(answer, Accepted), answer
        return Delivery(batch.campaign, batch.digest, batch.recipients, batch.segments, Status.SENT)

    room = ThreadLanes(send, lanes)
    waiting = iter(batches)
    following = next(waiting, None)
    while following is not None or not room.is_idle():
        while following is not None and room.has_room():
            room.start(following)
            following = next(waiting, None)
        room.finished()


def apply(batches: Sequence[Outgoing], gateway: OctopushGateway, lanes: int, home: Home) -> None:
    """The client as it is."""
    clock = SystemClock()
    run = CampaignRun(batches[0].campaign, {}, lambda: iter(batches), len(batches), 0)
    with home.session(Holder("r_1", "dana", "here", 1, datetime.now(UTC))) as session:
        ports = Ports(gateway, session, clock, Pace(clock))
        report = execute([run], ports, ThreadLanes(lambda batch: deliver(batch, ports), lanes), Rules())
    assert len(report.deliveries(Status.SENT)) == len(batches), report.halt


# --- the measurement --------------------------------------------------------------------------------------------------


def per_request_ms(work: Callable[[], None], requests: int) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000 / requests


def measure(home: Home, gateway: OctopushGateway, lanes: int, size: Size, recipients: int) -> dict[str, float]:
    """Medians over the rounds, of which the first only warms up; each is a campaign that the home has not heard of."""
    batches = make_batches(home.key, size.requests, recipients)
    bare, whole = [], []
    for number in range(size.rounds + 1):
        fresh = [replace(batch, campaign=f"{CAMPAIGN}-{number}") for batch in batches]
        bare.append(per_request_ms(lambda fresh=fresh: post_only(fresh, gateway, lanes), size.requests))  # type: ignore[misc]
        whole.append(per_request_ms(lambda fresh=fresh: apply(fresh, gateway, lanes, home), size.requests))  # type: ignore[misc]
    without, with_it = statistics.median(bare[1:]), statistics.median(whole[1:])
    return {
        "without_ms": round(without, 2),
        "with_ms": round(with_it, 2),
        "overhead_ms": round(with_it - without, 2),
        "ratio": round(with_it / without, 2),
    }


def measure_home(kind: str, gateway: OctopushGateway, recipients: int) -> dict[str, dict[str, float]]:
    figures = {}
    for lanes in AT_ONCE:
        with tempfile.TemporaryDirectory() as folder, PLACES[kind](Path(folder)) as open_store:
            store = open_store(SystemClock())
            with closing(Home(store, DigestKey.generate(), SystemClock())) as home:
                figures[str(lanes)] = row = measure(home, gateway, lanes, SIZES[kind], recipients)
        print(
            f"{kind:<9}{lanes:3} at once: {row['without_ms']:7.2f} ms a request without the protocol, "
            f"{row['with_ms']:7.2f} ms with it (+{row['overhead_ms']:.2f} ms, x{row['ratio']:.2f})",
            flush=True,
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--homes", default="local,postgres", help="local, postgres, git (slow)")
    parser.add_argument("--recipients", type=int, default=RECIPIENTS_PER_BATCH_MAX, help="in each request")
    parser.add_argument("--answer-ms", type=int, default=0, help="how long the server thinks about a request")
    parser.add_argument("--serve", action="store_true", help="be that server")
    wanted = parser.parse_args()
    if wanted.serve:
        return serve(wanted.answer_ms)
    with answering(wanted.answer_ms) as gateway:
        figures = {kind: measure_home(kind, gateway, wanted.recipients) for kind in wanted.homes.split(",")}
    print(json.dumps({"recipients": wanted.recipients, "answer_ms": wanted.answer_ms, **figures}))
    return None


if __name__ == "__main__":
    main()

"""
Mishaps to rehearse: each meets one of the next requests to send.

They cover what a client cannot tell apart: a request lost before it arrived, an answer lost after it was obeyed. The
queue lives in memory and is gone after a restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal

from octoplan.sandbox.exact import read_json

QUEUE_MAX: Final = 10_000

OPTIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "pass": frozenset(),
        "reset_before": frozenset(),
        "reset_after": frozenset(),
        "status": frozenset({"status", "retry_after", "body", "process"}),
        "truncate": frozenset(),
        "delay": frozenset({"delay_s"}),
        "wrong_count": frozenset(),
        "wrong_cost": frozenset(),
        "refuse": frozenset({"status", "code", "message"}),
    }
)
"""Every kind of fault with the options that it has besides `kind`, `on` and `times`."""
TYPES: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {
        "kind": (str,),
        "on": (str,),
        "times": (int,),
        "status": (int,),
        "retry_after": (int, str),
        "body": (str,),
        "process": (bool,),
        "delay_s": (int, Decimal),
        "code": (int,),
        "message": (str,),
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One mishap. `on` says which requests it may meet: real ones, simulated ones, or any.

    `status` is the HTTP status: 503 for an error page and 400 for a refusal unless it says. `process` is whether the
    request is obeyed before the error page is answered; `delay_s` how long an obeyed request waits for its answer.
    """

    kind: str
    on: Literal["real", "simulated", "any"] = "real"
    times: int = 1
    status: int | None = None
    retry_after: int | str | None = None
    body: str = "<html><body><h1>Service Unavailable</h1></body></html>"
    process: bool = False
    delay_s: int | Decimal = 60
    code: int = 153
    message: str = "The route is congested."

    def meets(self, simulated: bool) -> bool:
        """Whether a request of that sort is one that this fault waits for."""
        return self.on == "any" or simulated == (self.on == "simulated")


def parse_fault(given: Any) -> Fault:
    """
    A fault as the control endpoint takes it.

    :raises ValueError: naming the option that is unknown or of the wrong type.
    """
    if not isinstance(given, dict) or given.get("kind") not in OPTIONS:
        raise ValueError(f"a fault is an object whose kind is one of {', '.join(OPTIONS)}")
    for name, value in given.items():
        if name not in {"kind", "on", "times"} | OPTIONS[given["kind"]] or type(value) not in TYPES[name]:
            raise ValueError(f"{name} is no option of {given['kind']}, or has the wrong type")
    fault = Fault(**given)
    if fault.on not in ("real", "simulated", "any"):
        raise ValueError("on is one of real, simulated, any")
    if not (1 <= fault.times <= QUEUE_MAX and 200 <= (fault.status or 200) <= 599 and 0 <= fault.delay_s <= 3600):
        raise ValueError("times, status or delay_s is out of its range")
    return fault


class FaultQueue:
    """The mishaps that are still to come, and the one mode that lasts: ignoring `simulation_mode`."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()
        self.ignore_simulation = False

    def add(self, fault: Fault) -> None:
        """
        Let the fault meet its next `times` requests.

        :raises ValueError: if the queue would grow over `QUEUE_MAX`.
        """
        if len(self._waiting) + fault.times > QUEUE_MAX:
            raise ValueError(f"more than {QUEUE_MAX} faults are waiting")
        self._waiting.extend([fault] * fault.times)

    def take(self, body: bytes) -> Fault | None:
        """The next fault that waits for such a request, if there is one."""
        if not self._waiting:
            return None
        simulated = is_simulated(body)
        for position, fault in enumerate(self._waiting):
            if fault.meets(simulated):
                del self._waiting[position]
                return fault
        return None

    def waiting(self) -> list[str]:
        """The kinds still to come, in order."""
        return [fault.kind for fault in self._waiting]

    def clear(self) -> None:
        """No more mishaps."""
        self._waiting.clear()
        self.ignore_simulation = False


def is_simulated(body: bytes) -> bool:
    """Whether a request asks to be simulated; one that cannot be read does not."""
    try:
        given = read_json(body)
    except ValueError:
        return False
    return isinstance(given, dict) and given.get("simulation_mode") is True

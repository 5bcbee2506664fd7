"""What becomes of a run's requests, on standard error, for who watches or reads a log."""

from __future__ import annotations

from typing import Final

from octoplan.apply.deliver import Delivery, Status, Waiting
from octoplan.apply.execute import Event
from octoplan.cli.progress import SENDING, Progress

LISTED_MAX: Final = 50
"""A run of more requests has no line for each that went well."""
_LONG_WAIT_S: Final = 10.0


class Sending:
    """
    A line a request while they are few, and always for one that was not sent as planned; for the others the progress.
    """

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        progress.tell(SENDING, 0, total)

    def tell(self, event: Event) -> None:
        """Something happened."""
        match event:
            case Delivery():
                self._done += 1
                self._progress.tell(SENDING, self._done, self._total)
                if self._total <= LISTED_MAX or event.status is not Status.SENT or event.anomaly:
                    self._progress.say(f"[{self._done}/{self._total}] {_words(event)}")
            case Waiting() if event.seconds >= _LONG_WAIT_S:
                waits = f"waits {event.seconds:.0f} s before {event.digest} is sent again"
                self._progress.say(f"{event.campaign}: {waits} ({event.reason})")


def _words(delivery: Delivery) -> str:
    more = [delivery.ticket, *(f"({words})" for words in (delivery.detail, delivery.anomaly) if words)]
    return " ".join([delivery.campaign + ":", f"{delivery.recipients:,}", delivery.status, *filter(None, more)])

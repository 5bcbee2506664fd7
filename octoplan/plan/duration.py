"""How long a run takes at the configured rate."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal


def estimate_duration_s(
    batches: Iterable[int], *, requests_per_second: Decimal | None, messages_per_second: Decimal | None
) -> Decimal | None:
    """
    Seconds from the first start of a request to the end of the last one's turn; `batches` are numbers of recipients.

    The same rule as the pace of apply: after a request of n messages the next may start 1/requests and n/messages
    seconds later, whichever is longer. `None` without a rate: then the API's own speed decides, which nobody knows.
    """
    if not requests_per_second and not messages_per_second:
        return None
    per_request = 1 / requests_per_second if requests_per_second else Decimal(0)
    per_message = 1 / messages_per_second if messages_per_second else Decimal(0)
    return sum((max(per_request, per_message * messages) for messages in batches), Decimal(0))

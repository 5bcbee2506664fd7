"""What the plan stage can find wrong with the time of a campaign; rules on hours of single countries are data."""

from __future__ import annotations

from typing import Final

from octoplan.diagnostics import Rule

ZONE_UNKNOWN: Final = Rule(
    "window/zone-unknown",
    "Marketing to numbers whose time zone is not known",
    source="libphonenumber's data; an unknown clock is taken to be outside every window",
)
TOO_LITTLE_TIME: Final = Rule("schedule/too-little-time", "The run would not end in time")
MOVED: Final = Rule("plan/moved", "The campaign is not as it was planned")
NO_REVISION: Final = Rule("plan/no-revision", "The plan cannot say of which commit it is", "warning")

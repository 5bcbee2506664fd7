"""
`octoplan test`: a campaign planned for made-up contacts, by the same code as any plan, and held against expectations.

Invariants:
- Nothing is asked, nothing is sent, and no list of the project is read: contacts, suppressed numbers, prices and the
  time are those of the test.
- A case starts from an empty memory, with a digest key that exists only here.
- What a plan cannot tell for certain fails; it never passes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa

from octoplan.campaign.document import Document
from octoplan.campaign.expectations import Case, ContactCase, TestFile
from octoplan.campaign.fields import bound_findings, build_model
from octoplan.campaign.model import Suppression
from octoplan.campaign.project import Project, SuppressionList, load_document
from octoplan.campaign.resolve import Campaign, FoundFile, FoundFiles
from octoplan.campaign.rules import UNKNOWN_CAMPAIGN
from octoplan.clock import Mark
from octoplan.diagnostics import Finding, InvalidInput, Place
from octoplan.digests import DigestKey
from octoplan.gateway.port import SendRequest
from octoplan.messages.batches import Stratum
from octoplan.pipeline import Setting, build_plan, prepare_campaign
from octoplan.plan.build import Prepared
from octoplan.plan.model import Action, ActionKind
from octoplan.plan.price import Figure, Pricing
from octoplan.state.journal import CampaignState, Entry
from octoplan.state.store import Holder, StopNotice
from octoplan.values.amount import render_amount
from octoplan.values.local_time import parse_written_time
from octoplan.values.names import nearest

QUIET_DAY: Final = "2027-01-12T12:00"
"""A Tuesday without a holiday, at a time at which everything may be sent; in the campaign's zone."""
_AHEAD: Final = timedelta(hours=1)
_EARLIEST: Final = timedelta(hours=14)
"""No clock on earth is further ahead of UTC."""
_CONTACTS: Final = "the test's contacts"
_SUPPRESSED: Final = "the test's suppressed"
_OWN_SOURCE: Final[Mapping[str, object]] = {
    "source": "json",
    "delimiter": None,
    "encoding": None,
    "sheet": None,
    "query": None,
    "tables": {},
    "connection": None,
}
"""What replaces everything that a campaign says about where its contacts come from."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One expectation that does not hold. `what` names it, such as `contact 2: text`."""

    what: str
    place: Place
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test. `findings` are why the campaign could not be planned, if that was not expected."""

    name: str
    place: Place
    mismatches: tuple[Mismatch, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether all that was expected is so."""
        return not self.mismatches and not self.findings


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file of tests. `findings` are what is wrong with the file itself: then no test of it was run."""

    file: str
    cases: tuple[CaseResult, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the file can be used and every test in it passed."""
        return not any(found.severity == "error" for found in self.findings) and all(case.passed for case in self.cases)


def run_file(project: Project, campaigns: Sequence[Campaign], findings: Sequence[Finding], name: str) -> FileResult:
    """
    Run the tests of the file `name`, a path from the project's folder.

    `campaigns` are the project's sound ones, `findings` what was found in loading them.
    """
    document, found = load_document(project.root, name)
    if document is None:
        return FileResult(name, findings=tuple(found))
    built = build_model(TestFile, document)
    found = bound_findings([*found, *built.findings])
    if built.model is None or any(each.severity == "error" for each in found):
        return FileResult(name, findings=tuple(found))
    campaign = next((each for each in campaigns if each.id == built.model.campaign), None)
    if campaign is None:
        return FileResult(name, findings=(*found, _unknown_campaign(document, built.model.campaign, campaigns)))
    of_file = [each for each in findings if each.place is not None and each.place.file == campaign.file]
    stage = _Stage(project, campaign, of_file, document, built.model)
    return FileResult(name, tuple(map(stage.run, range(len(built.model.tests)))), tuple(found))


def _unknown_campaign(document: Document, name: str, campaigns: Sequence[Campaign]) -> Finding:
    guess = nearest(name, [each.id for each in campaigns])
    hint = f"did you mean `{guess}`?" if guess else "`octoplan validate` says which files are sound"
    detail = f"No sound campaign file has the id `{name}`."
    return UNKNOWN_CAMPAIGN.at(document.place("campaign"), detail, hint)


@dataclass(frozen=True, slots=True)
class _Stage:
    """All that the tests of one file share."""

    project: Project
    campaign: Campaign
    loaded: Sequence[Finding]
    document: Document
    file: TestFile

    def run(self, number: int) -> CaseResult:
        """Run one test, from 0."""
        case = self.file.tests[number]
        place = self.document.place("tests", number, "name")
        began = time.monotonic()
        try:
            outcome = self._plan(case)
        except InvalidInput as error:
            codes = {each.code for each in [*self.loaded, *error.findings]}
            if case.expect.findings is not None and set(case.expect.findings) == codes:
                return CaseResult(case.name, place, seconds=time.monotonic() - began)
            findings = error.findings or (_as_finding(error, place),)
            return CaseResult(case.name, place, findings=findings, seconds=time.monotonic() - began)
        mismatches = tuple(_Judge(outcome, case, self.document, number).judge())
        return CaseResult(case.name, place, mismatches, seconds=time.monotonic() - began)

    def _plan(self, case: Case) -> _Outcome:
        """:raises InvalidInput: with every finding, if the campaign cannot be planned for these contacts."""
        with TemporaryDirectory(prefix="octoplan-test-") as folder:
            suppressed = case.suppressed or self.file.suppressed
            environment = case.environment or self.file.environment or self.project.model.default_environment
            setting = Setting(
                project=_without_lists(self.project, Path(folder), suppressed),
                environment=environment,
                settings=self.project.environment(environment),
                account=None,
                key=DigestKey.generate(),
                pricing=Pricing("none", _GivenPrices(case.prices or self.file.prices)),
            )
            now = self._now(case)
            prepared = prepare_campaign(setting, self._with_contacts(case, Path(folder)))
            with prepared.audience:
                reader = _NothingSent(setting.key)
                plan = build_plan(setting, [prepared], reader, None, balance=None, endpoint="", clock=_Still(now))
                return _Outcome.of(prepared, plan.actions[0], [*self.loaded, *plan.findings])

    def _now(self, case: Case) -> datetime:
        written = case.now or self.file.now
        if written is None and (first := _first_time(self.campaign)) is not None:
            return first.astimezone(UTC) - _AHEAD
        moment = parse_written_time(written or QUIET_DAY)
        zone = self.campaign.timezone or ZoneInfo("UTC")
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)

    def _with_contacts(self, case: Case, folder: Path) -> Campaign:
        """The campaign over the test's rows instead of its own source; line n is contact n."""
        columns = dict.fromkeys(name for each in self.file.tests for contact in each.contacts for name in contact.row)
        rows = [dict.fromkeys(columns, "") | contact.row for contact in case.contacts]
        recipients = self.campaign.model.recipients.model_copy(update={**_OWN_SOURCE, "path": _CONTACTS})
        model = self.campaign.model.model_copy(update={"recipients": recipients})
        return replace(self.campaign, model=model, contacts=_write_rows(folder, _CONTACTS, rows))


def _first_time(campaign: Campaign) -> datetime | None:
    """When a campaign first sends, or the last moment for it; `None` for one that is sent as soon as it is applied."""
    if campaign.recipient_time is not None:
        return campaign.recipient_time.written.replace(tzinfo=UTC) - _EARLIEST
    return campaign.send_at or campaign.not_after


def _as_finding(error: InvalidInput, place: Place) -> Finding:
    return Finding("campaign/unusable", "The campaign cannot be used", "error", error.message, place, error.hint)


# --- what the pipeline is handed --------------------------------------------------------------------------------------


def _without_lists(project: Project, folder: Path, suppressed: Sequence[str]) -> Project:
    """The project with the test's suppressed numbers instead of its lists."""
    if not suppressed:
        return replace(project, suppression=())
    files = _write_rows(folder, _SUPPRESSED, [{"phone": number} for number in suppressed])
    model = Suppression(source="json", path=_SUPPRESSED, phone="phone")
    return replace(project, suppression=(SuppressionList(model, files, project.model.defaults.region, 0),))


def _write_rows(folder: Path, shown: str, rows: Sequence[Mapping[str, str]]) -> FoundFiles:
    """A file of objects, one a line."""
    path = folder / f"{shown.split()[-1]}.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return FoundFiles((FoundFile(path, shown),))


@dataclass(frozen=True, slots=True)
class _GivenPrices:
    """The test's price of one part, by country."""

    prices: Mapping[str, Decimal]

    def find(self, request: SendRequest, stratum: Stratum) -> Figure:  # noqa: ARG002 - one campaign is of one type
        """The price of one message; unknown where the test does not say."""
        country, parts = stratum
        price = self.prices.get(country)
        return Figure() if price is None else Figure(parts * price, "file")


@dataclass(frozen=True, slots=True)
class _Still:
    """A clock that stands."""

    at: datetime

    def now(self) -> datetime:
        """The time of the test."""
        return self.at

    def mark(self) -> Mark | None:
        """Nothing has to be held against it."""
        return None

    def monotonic(self) -> float:
        """No time passes."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Nobody waits."""


@dataclass(frozen=True, slots=True)
class _NothingSent:
    """The memory of an environment on its first day."""

    key: DigestKey

    def campaigns(self) -> Mapping[str, CampaignState]:
        """None was begun."""
        return {}

    def entries(self, campaign: str | None = None) -> Iterator[Entry]:  # noqa: ARG002
        """The journal is empty."""
        return iter(())

    def written(self, campaign: str, phones: pa.StringArray) -> pa.StringArray:  # noqa: ARG002
        """Nobody has anything."""
        return pa.nulls(len(phones), pa.string())

    def holder(self) -> Holder | None:
        """Nobody applies."""
        return None

    def stop_notice(self) -> StopNotice | None:
        """Sending is allowed."""
        return None


# --- what came of it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Received:
    """What one contact gets."""

    text: str = field(repr=False)
    parts: int
    encoding: str
    country: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    """
    The plan of one case. `received` by the contact's number, from 1. `reasons` are why rows are left out, by number;
    `uncertain` those of rows of which the plan does not name every one.
    """

    action: Action
    received: Mapping[int, _Received]
    reasons: Mapping[int, str]
    uncertain: tuple[str, ...]
    left_out: Mapping[str, int]
    findings: frozenset[str]

    @classmethod
    def of(cls, prepared: Prepared, action: Action, findings: Sequence[Finding]) -> _Outcome:
        """Read it off while the audience is open."""
        received = {
            row["row"]: _Received(row["filled"], row["segments"], "UCS-2" if row["ucs2"] else "GSM-7", row["country"])
            for batch in prepared.dispatch.message.filled_texts()
            for row in batch.to_pylist()
        }
        exclusions = prepared.audience.exclusions
        return cls(
            action=action,
            received=received,
            reasons={int(row): each.reason for each in exclusions for row in each.examples},
            uncertain=tuple(each.reason for each in exclusions if each.count > len(each.examples)),
            left_out={each.reason: each.count for each in exclusions},
            findings=frozenset(found.code for found in findings),
        )

    def reason_of(self, number: int) -> str:
        """Why a contact gets nothing."""
        return self.reasons.get(number) or " or ".join(self.uncertain)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Holds one outcome against one case."""

    outcome: _Outcome
    case: Case
    document: Document
    number: int

    def judge(self) -> Iterator[Mismatch]:
        """Every expectation that does not hold, in the order of the file."""
        for index, contact in enumerate(self.case.contacts):
            yield from self._contact(index, contact)
        for name, actual in self._totals().items():
            expected = getattr(self.case.expect, name)
            if expected is not None and _shown(expected) != actual:
                place = self.document.place("tests", self.number, "expect", name)
                yield Mismatch(name, place, _shown(expected), actual)

    def _contact(self, index: int, contact: ContactCase) -> Iterator[Mismatch]:
        received = self.outcome.received.get(index + 1)
        wanted = {name: getattr(contact, name) for name in ("text", "parts", "encoding", "country")}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        if received is None:
            reason = self.outcome.reason_of(index + 1)
            if wanted:
                yield self._differs(index, next(iter(wanted)), "a message", f"left out: {reason}")
            if contact.left_out not in (None, reason):
                yield self._differs(index, "left_out", str(contact.left_out), reason)
            return
        if contact.left_out is not None:
            yield self._differs(index, "left_out", contact.left_out, f"it gets: {received.text}")
        for name, value in wanted.items():
            if getattr(received, name) != value:
                yield self._differs(index, name, str(value), str(getattr(received, name)))

    def _differs(self, index: int, name: str, expected: str, actual: str) -> Mismatch:
        place = self.document.place("tests", self.number, "contacts", index, name)
        return Mismatch(f"contact {index + 1}: {name}", place, expected, actual)

    def _totals(self) -> dict[str, str]:
        """What the plan says to each field of `expect`, in the words of `_shown`."""
        action = self.outcome.action
        blocking = [reason.code for reason in action.reasons] if action.kind is ActionKind.BLOCKED else []
        actual = {
            "action": action.kind.value,
            "recipients": action.recipients,
            "parts": action.segments,
            "requests": len(action.batches),
            "cost": action.cost.total,
            "left_out": self.outcome.left_out,
            "findings": tuple(self.outcome.findings),
            "blocked_by": tuple(blocking),
        }
        return {name: _shown(value) for name, value in actual.items()}


def _shown(value: Any) -> str:
    """An expectation, or what came of it, in words that are the same for equal ones."""
    show: dict[type, Callable[[Any], str]] = {
        dict: lambda each: ", ".join(f"{reason} {count}" for reason, count in sorted(each.items()) if count) or "none",
        tuple: lambda each: ", ".join(sorted(set(each))) or "none",
        Decimal: render_amount,
        type(None): lambda _: "unknown",
    }
    return show.get(type(value), str)(value)

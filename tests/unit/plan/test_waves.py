"""Waves: everybody at the same time on the own clock, from real projects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from octoplan.apply.deadlines import deadlines_of
from octoplan.campaign.model import Sandbox
from octoplan.campaign.project import load_campaigns, load_project
from octoplan.diagnostics import ExitCode, InvalidInput
from octoplan.pipeline import Setting, build_plan, prepare_campaigns
from octoplan.plan.build import Prepared, is_past
from octoplan.plan.model import Action, ActionKind, Plan
from octoplan.plan.needs import find_needs
from octoplan.plan.outgoing import Outgoing, fresh_batches, reopened_batches
from octoplan.plan.waves import name_zones
from octoplan.state.home import Intent, Session
from octoplan.state.journal import Kind
from octoplan.state.local import local_home
from octoplan.views.plan_text import render_plan
from tests.clocks import HOLDER, ManualClock
from tests.unit.plan.projects import CAMPAIGN, KEY, FixedPrices, numbers, prepare, write_project

SCHEDULE = 'schedule: {at: "%s", recipient_local: true%s}\n'
TEN = CAMPAIGN + SCHEDULE % ("2027-03-22T10:00", "")
MARKETING = CAMPAIGN.replace("alert", "wholesale").replace("{{ name }}", "{{ name }} STOP au XXXXX")
NOW = datetime(2027, 3, 20, 9, tzinfo=UTC)
# On one day in March: eleven hours ahead of UTC, one ahead, four behind, ten behind.
NOUMEA = ("+687751234", "+687751235")
PARIS = tuple(numbers(5))
NEW_YORK = ("+12025550123", "+12025550124", "+12025550125")
HONOLULU = ("+18085550123",)
WORLD = (*PARIS, *NEW_YORK, *HONOLULU, *NOUMEA)
INSTANTS = {
    NOUMEA: datetime(2027, 3, 21, 23, tzinfo=UTC),
    PARIS: datetime(2027, 3, 22, 9, tzinfo=UTC),
    NEW_YORK: datetime(2027, 3, 22, 14, tzinfo=UTC),
    HONOLULU: datetime(2027, 3, 22, 20, tzinfo=UTC),
}
SATELLITE = "+870773111632"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    home = local_home(tmp_path / "state", "production", KEY, ManualClock(NOW))
    with home.session(HOLDER) as held:
        yield held
    home.close()


def planned(
    root: Path,
    session: Session,
    phones: Sequence[str] = WORLD,
    *,
    campaign: str = TEN,
    now: datetime = NOW,
    **more: str,
) -> Plan:
    write_project(root, phones, campaign=campaign)
    project, findings = load_project(root)
    assert project is not None, findings
    campaigns, found = load_campaigns(project)
    assert [each for each in found if each.severity == "error"] == []
    settings = Sandbox.model_validate({"windows": "enforce", "batch_size": "2", **more})
    setting = Setting(project, "production", settings, None, KEY)
    with prepare_campaigns(setting, campaigns) as prepared:
        clock = ManualClock(now)
        return build_plan(setting, prepared, session, FixedPrices(), balance=None, endpoint="", clock=clock)


def action_of(root: Path, session: Session, phones: Sequence[str] = WORLD, **more: object) -> Action:
    return planned(root, session, phones, **more).actions[0]  # type: ignore[arg-type]


def fresh(root: Path, session: Session, batch_size: int = 2) -> tuple[Prepared, list[Outgoing]]:
    prepared = prepare(root, batch_size=batch_size)
    with prepared.audience:
        return prepared, list(fresh_batches(prepared.dispatch, session.campaigns().get("sale"), session))


def hand_over(session: Session, batch: Outgoing, outcome: Kind | None = Kind.SENT) -> None:
    intent = Intent("sale", batch.digest, batch.request_id, 1, batch.recipients, 1, "0.1", batch.request.send_at)
    session.intend(intent, batch.phones)
    if outcome is not None:
        session.record(outcome, "sale", batch.digest, {"cost": "0.1"})


def codes(action: Action) -> list[str]:
    return [reason.code for reason in action.reasons]


# --- who gets it when -------------------------------------------------------------------------------------------------


def test_everybody_is_in_the_wave_of_the_own_clock(tmp_path: Path, session: Session) -> None:
    """One instant a request, in their order, and each recipient in exactly one; never more requests than that takes."""
    write_project(tmp_path, WORLD, campaign=TEN)
    _, batches = fresh(tmp_path, session)
    got = {phone: batch.send_at for batch in batches for phone in batch.phones.to_pylist()}
    assert got == {phone: instant for phones, instant in INSTANTS.items() for phone in phones}
    assert [batch.recipients for batch in batches] == [2, 2, 2, 1, 2, 1, 1]
    moments = [batch.send_at for batch in batches]
    assert moments == sorted(filter(None, moments))
    assert {batch.request.send_at for batch in batches} >= {"2027-03-21T23:00:00+00:00"}


def test_zones_with_one_instant_are_one_wave(tmp_path: Path, session: Session) -> None:
    """Paris, Berlin and Lagos agree in winter; they share requests."""
    write_project(tmp_path, [*numbers(1), "+491713920012", "+2348031234567"], campaign=TEN)
    _, (batch,) = fresh(tmp_path, session, batch_size=500)
    assert batch.recipients == 3


def test_texts_of_one_wave_stay_apart(tmp_path: Path, session: Session) -> None:
    """A long value makes texts of their own; a request has one text and one instant, and waves follow each other."""
    long = "n" * 400
    write_project(tmp_path, WORLD, campaign=TEN)
    rows = [f"{phone},{long}{index % 2}" for index, phone in enumerate(WORLD)]
    (tmp_path / "contacts.csv").write_text("\n".join(["phone,name", *rows]) + "\n", encoding="utf-8")
    prepared, batches = fresh(tmp_path, session, batch_size=500)
    assert len(prepared.dispatch.message.texts) == 2
    keys = [(batch.send_at, batch.request.text) for batch in batches]
    assert keys == sorted(set(keys), key=lambda key: (key[0] or NOW, key[1]))
    got = {phone: batch.send_at for batch in batches for phone in batch.phones.to_pylist()}
    assert got == {phone: instant for phones, instant in INSTANTS.items() for phone in phones}
    assert sum(batch.recipients for batch in batches) == len(WORLD)


def test_one_time_for_all_has_the_bytes_that_it_always_had(tmp_path: Path, session: Session) -> None:
    """Digests and request ids of a campaign without waves, as they were before there were any."""
    write_project(tmp_path, numbers(5), campaign=CAMPAIGN + 'schedule: {at: "2027-03-22T10:00"}\n')
    prepared, batches = fresh(tmp_path, session)
    assert [(batch.digest, batch.request_id) for batch in batches] == [
        ("b1_9d82de2ec8b1913fa41aa9e9c5c6a7f6d17df0e2", "52377vvirrprx2fio3cb5lsvccz3xuf2"),
        ("b1_6c83134046402ec57bdb00f102bee5cdb9c1efa3", "iclgadfvlcjwgbortv2zzg5zbxrknnfl"),
        ("b1_d2fcb7343b628c622f76af6da4a0e6cac9f3f5d9", "yzt5itoryz24bhdfjfrdhneh4dgtcsex"),
    ]
    assert sorted(prepared.content) == [
        "audience",
        "auto_optimize_text",
        "auto_remove_blacklisted_numbers",
        "message",
        "purpose",
        "send_at",
        "sender",
        "type",
        "with_replies",
    ]


def test_who_is_left_is_in_the_same_requests(tmp_path: Path, session: Session) -> None:
    """Whatever was handed over before: a resumed run makes the plan's requests, and an unknown one as it was."""
    write_project(tmp_path, WORLD, campaign=TEN)
    prepared, before = fresh(tmp_path, session)
    session.open_campaign("sale", prepared.content)
    hand_over(session, before[0])
    hand_over(session, before[3], outcome=None)
    _, left = fresh(tmp_path, session)
    assert [batch.request_id for batch in left] == [each.request_id for i, each in enumerate(before) if i not in (0, 3)]
    reopening = prepare(tmp_path, batch_size=2)
    with reopening.audience:
        (reopened,) = reopened_batches(reopening.dispatch, session.campaigns()["sale"], session)
    assert (reopened.request, reopened.request_id) == (before[3].request, before[3].request_id)


def test_the_plan_lists_six_waves_and_counts_the_others(tmp_path: Path, session: Session) -> None:
    """A plan stays readable; a saved one has all of them. Zones of one wave beyond three are counted too."""
    elsewhere = ("+13125550123", "+14155550123", "+19075550123", "+351912345678", "+919876543210")
    plan = planned(tmp_path, session, [*WORLD, *elsewhere])
    assert len(plan.actions[0].waves) == 9
    shown = " ".join(render_plan(plan).split())
    assert "waves 2027-03-21 23:00 UTC = 10:00 in Pacific/Noumea: 2 recipients, 1 request" in shown
    assert "… 3 more waves, 3 recipients" in shown
    assert name_zones(["a", "b", "c"]) == "a, b, c"
    assert name_zones(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(root: Path, phones: Sequence[str], schedule: str) -> list[tuple[str, str]]:
    write_project(root, phones, campaign=CAMPAIGN + schedule)
    with pytest.raises(InvalidInput) as caught:
        prepare(root)
    return [(found.code, found.detail) for found in caught.value.findings if found.severity == "error"]


def test_a_number_that_tells_no_zone_is_an_error_with_a_way_out(tmp_path: Path, session: Session) -> None:
    """Counted, and named in the campaign by the field that would mend it; with it they are in the wave of that zone."""
    (found,) = refused(tmp_path, [*PARIS, SATELLITE], SCHEDULE % ("2027-03-22T10:00", ""))
    assert found[0] == "campaign/recipient-zone"
    assert found[1].startswith("1 recipient: nothing tells the time zone")
    there = CAMPAIGN + SCHEDULE % ("2027-03-22T10:00", ", elsewhere: America/New_York")
    action = action_of(tmp_path, session, [*PARIS, SATELLITE], campaign=there)
    assert [(wave.send_at, wave.zones) for wave in action.waves] == [
        (INSTANTS[PARIS], ("Europe/Paris",)),
        (INSTANTS[NEW_YORK], ("America/New_York",)),
    ]


def test_a_time_that_clocks_skip_for_some_is_refused_for_those(tmp_path: Path) -> None:
    """New York skips it on that day, Paris does not: two recipients, one zone, one finding."""
    (found,) = refused(tmp_path, [*PARIS, *NEW_YORK[:2]], SCHEDULE % ("2027-03-14T02:30", ""))
    assert found == (
        "campaign/time-skipped",
        "2 recipients in America/New_York: clocks are put forward and skip this time.",
    )


def test_a_time_that_clocks_show_twice_is_refused_too(tmp_path: Path) -> None:
    """In Paris, once in autumn."""
    (found,) = refused(tmp_path, [*PARIS, *NEW_YORK], SCHEDULE % ("2027-10-31T02:30", ""))
    assert found == (
        "campaign/time-twice",
        "5 recipients in Europe/Paris: clocks are put back and show this time twice.",
    )


def test_a_rule_for_clock_changes_is_applied_zone_by_zone_and_shown(tmp_path: Path, session: Session) -> None:
    """A warning with the time that was taken for the zone concerned; the others get it when it was written."""
    campaign = CAMPAIGN + SCHEDULE % ("2027-03-14T02:30", ", clock_change: later")
    plan = planned(tmp_path, session, [*PARIS, *NEW_YORK[:2]], campaign=campaign, now=NOW - timedelta(days=10))
    (warning,) = [found for found in plan.findings if found.code == "campaign/time-chosen"]
    assert warning.detail == (
        "2 recipients in America/New_York: clocks change around it; `clock_change: later` makes it "
        "2027-03-14 03:30 (UTC-0400)."
    )
    assert [wave.local for wave in plan.actions[0].waves] == ["Sun 2027-03-14 02:30", "Sun 2027-03-14 03:30"]


def test_every_wave_leaves_before_not_after(tmp_path: Path) -> None:
    """The last of them counts; at that very moment, which is 21:00 in Paris, it is too late."""
    (found,) = refused(tmp_path, WORLD, SCHEDULE % ("2027-03-22T10:00", ', not_after: "2027-03-22T21:00"'))
    assert found == (
        "campaign/time-order",
        "The last wave leaves at 2027-03-22 20:00 UTC, and `not_after` has to be later.",
    )


# --- when it may be sent ----------------------------------------------------------------------------------------------


def test_a_wave_whose_time_has_passed_blocks_and_never_means_now(tmp_path: Path, session: Session) -> None:
    """Exit code 8 at the very instant of the first wave; a moment before nothing is wrong."""
    first = INSTANTS[NOUMEA]
    action = action_of(tmp_path, session, now=first - timedelta(minutes=5))
    assert action.kind is ActionKind.SEND
    plan = planned(tmp_path, session, now=first)
    assert (plan.exit_code, codes(plan.actions[0])) == (ExitCode.WINDOW, ["campaign/time-passed"])
    assert "The first wave that is not handed over was to leave at 2027-03-21 23:00 UTC." in (
        plan.actions[0].reasons[0].detail
    )


def test_a_wave_that_was_handed_over_whole_does_not_matter_any_more(tmp_path: Path, session: Session) -> None:
    """After the first wave's time the others go on, until the next wave's."""
    write_project(tmp_path, WORLD, campaign=TEN)
    prepared, batches = fresh(tmp_path, session)
    session.open_campaign("sale", prepared.content)
    hand_over(session, batches[0])
    action = action_of(tmp_path, session, now=INSTANTS[NOUMEA] + timedelta(hours=1))
    assert (action.kind, [wave.send_at for wave in action.waves]) == (
        ActionKind.RESUME,
        [INSTANTS[PARIS], INSTANTS[NEW_YORK], INSTANTS[HONOLULU]],
    )
    assert codes(action_of(tmp_path, session, now=INSTANTS[PARIS])) == ["campaign/time-passed"]


def test_hand_over_counts_from_the_first_wave(tmp_path: Path, session: Session) -> None:
    """All waves are handed over by one apply, so that nobody is forgotten."""
    held = CAMPAIGN + SCHEDULE % ("2027-03-22T10:00", ", hand_over: 2h")
    action = action_of(tmp_path, session, campaign=held)
    assert action.kind is ActionKind.SCHEDULED
    assert action.reasons[0].detail == (
        "held back until 2027-03-21 21:00 UTC; an apply between then and 23:00 hands all its waves over"
    )
    action = action_of(tmp_path, session, campaign=held, now=INSTANTS[NOUMEA] - timedelta(hours=2))
    assert (action.kind, action.recipients) == (ActionKind.SEND, len(WORLD))


def test_what_was_handed_over_is_scheduled_until_its_last_wave(tmp_path: Path, session: Session) -> None:
    """The plan says when the first and the last of the waves leave that are still ahead."""
    write_project(tmp_path, WORLD, campaign=TEN)
    prepared, batches = fresh(tmp_path, session)
    session.open_campaign("sale", prepared.content)
    for batch in batches:
        hand_over(session, batch)
    action = action_of(tmp_path, session, now=INSTANTS[PARIS])
    assert action.kind is ActionKind.SCHEDULED
    assert action.reasons[0].detail == (
        "handed over to the API for 2027-03-22T14:00:00+00:00, the last of 2 waves for 2027-03-22T20:00:00+00:00"
    )
    assert action_of(tmp_path, session, now=INSTANTS[HONOLULU]).kind is ActionKind.SENT


@pytest.mark.parametrize(
    ("schedule", "code"),
    [
        (SCHEDULE % ("2027-03-22T11:00", ""), "changed-send-at"),
        ('schedule: {at: "2027-03-22T10:00"}\n', "changed-recipient-local"),
        (SCHEDULE % ("2027-03-22T10:00", ", elsewhere: Europe/Paris"), "changed-elsewhere"),
        (SCHEDULE % ("2027-03-22T10:00", ", clock_change: later"), "changed-clock-change"),
    ],
)
def test_an_edited_time_of_a_sent_campaign_is_a_conflict(
    tmp_path: Path, session: Session, schedule: str, code: str
) -> None:
    """All that makes an instant of the written time is content of the campaign."""
    write_project(tmp_path, WORLD, campaign=TEN)
    prepared, batches = fresh(tmp_path, session)
    session.open_campaign("sale", prepared.content)
    hand_over(session, batches[0])
    action = action_of(tmp_path, session, campaign=CAMPAIGN + schedule)
    assert action.kind is ActionKind.CONFLICT
    assert code in codes(action)


def test_each_request_has_to_be_made_before_its_own_wave(tmp_path: Path, session: Session) -> None:
    """A deadline a wave, which the others do not ask about."""
    deadlines = deadlines_of(action_of(tmp_path, session))
    assert [deadline.at for deadline in deadlines] == sorted(INSTANTS.values())
    assert all(deadline.is_own for deadline in deadlines)


def test_the_time_to_hand_over_is_held_against_each_wave(tmp_path: Path, session: Session) -> None:
    """The requests before it in the order count: those of Paris end too late, though there is time until the last."""
    now = INSTANTS[NOUMEA] - timedelta(hours=5)
    action = action_of(tmp_path, session, now=now, requests_per_second="0.0000694")
    assert [(reason.code, reason.detail) for reason in action.reasons] == [
        (
            "schedule/too-little-time",
            "the requests take about 16 h, and there are 15 h until the wave of 2027-03-22 09:00 UTC",
        )
    ]
    assert action_of(tmp_path, session, now=now, requests_per_second="0.000139").kind is ActionKind.SEND


# --- sending hours ----------------------------------------------------------------------------------------------------


def test_each_wave_is_held_against_the_hours_of_its_own_instant(tmp_path: Path, session: Session) -> None:
    """Ten o'clock suits France and New York alike, though no single instant of the morning would."""
    morning = MARKETING + SCHEDULE % ("2027-03-23T10:00", "")
    action = action_of(tmp_path, session, [*PARIS, *NEW_YORK], campaign=morning)
    assert action.hours is not None
    assert (action.kind, action.hours.broken) == (ActionKind.SEND, ())
    assert action.hours.next_local == "Tue 2027-03-23 10:00 on each recipient's clock"
    assert action.hours.next_slot == datetime(2027, 3, 23, 9, tzinfo=UTC)


def test_a_wave_at_night_blocks_and_the_next_time_on_their_clocks_is_named(tmp_path: Path, session: Session) -> None:
    """22:10 is too late in both countries: the next morning at nine suits both, warnings included."""
    night = MARKETING + SCHEDULE % ("2027-03-23T22:10", "")
    plan = planned(tmp_path, session, [*PARIS, *NEW_YORK], campaign=night)
    action = plan.actions[0]
    assert (action.kind, plan.exit_code) == (ActionKind.BLOCKED, ExitCode.WINDOW)
    assert codes(action) == ["window/fr-hours", "window/us-hours"]
    assert "US, 3 recipients: Tue 2027-03-23 22:10 in America/New_York" in action.reasons[1].detail
    assert action.hours is not None
    assert action.hours.next_local == "Wed 2027-03-24 09:00 on each recipient's clock"
    assert action.hours.next_slot == datetime(2027, 3, 24, 8, tzinfo=UTC)
    shown = " ".join(render_plan(plan).split())
    assert "next Wed 2027-03-24 09:00 on each recipient's clock (first at 2027-03-24 08:00 UTC), permitted" in shown


def test_the_next_time_is_ahead_on_every_clock(tmp_path: Path, session: Session) -> None:
    """At noon UTC the morning is over in Paris: the next quarter of an hour there, which is the afternoon of both."""
    night = MARKETING + SCHEDULE % ("2027-03-23T22:10", "")
    noon = datetime(2027, 3, 24, 12, tzinfo=UTC)
    action = action_of(tmp_path, session, [*PARIS, *NEW_YORK], campaign=night, now=noon)
    assert action.hours is not None
    assert action.hours.next_local == "Wed 2027-03-24 13:15 on each recipient's clock"


def test_all_zones_of_a_number_are_inside_the_hours(tmp_path: Path, session: Session) -> None:
    """19:30 on the Canary Islands is 20:30 in Madrid, where a Spaniard may be as well: a warning there."""
    evening = MARKETING + SCHEDULE % ("2027-03-23T19:30", "")
    action = action_of(tmp_path, session, ["+34612345678"], campaign=evening)
    assert action.hours is not None
    assert [(each.rule, each.zones, each.local) for each in action.hours.broken] == [
        ("window/es-hours", ("Europe/Madrid",), "Tue 2027-03-23 20:30")
    ]


# --- what looks at a campaign without its recipients ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "codes"),
    [
        (datetime(2027, 3, 20, 19, 59, tzinfo=UTC), []),
        (datetime(2027, 3, 20, 20, 0, tzinfo=UTC), ["due"]),
        (datetime(2027, 3, 22, 20, 59, tzinfo=UTC), ["due"]),
        (datetime(2027, 3, 22, 21, 0, tzinfo=UTC), ["missed"]),
    ],
)
def test_status_speaks_of_it_from_the_first_clock_to_the_last(tmp_path: Path, now: datetime, codes: list[str]) -> None:
    """Nobody is looked up: the first that it could leave for are on Kiritimati and Tonga, the last on Samoa."""
    write_project(tmp_path, WORLD, campaign=TEN)
    project, _ = load_project(tmp_path)
    assert project is not None
    needs = find_needs(load_campaigns(project)[0], {}, notice=None, holder=None, now=now)
    assert [need.code for need in needs] == codes
    assert all(need.exit_code is ExitCode.WINDOW for need in needs)


def test_a_plan_is_not_taken_from_the_cache_after_a_wave(tmp_path: Path) -> None:
    """What a decision asks of the time changes at every instant at which a wave could leave, and not in between."""
    write_project(tmp_path, WORLD, campaign=TEN)
    project, _ = load_project(tmp_path)
    assert project is not None
    ((campaign,), _) = load_campaigns(project)
    for instant in INSTANTS.values():
        before, at = (is_past(campaign, None, instant + timedelta(seconds=s)) for s in (-1, 0))
        assert before != at
        assert is_past(campaign, None, instant + timedelta(seconds=1)) == at

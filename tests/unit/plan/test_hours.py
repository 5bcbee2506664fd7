"""What a plan says about sending hours: whole campaigns, real audiences, a clock that is moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from octoplan import limits
from octoplan.campaign.model import Sandbox
from octoplan.campaign.project import effective_windows, load_campaigns, load_project
from octoplan.diagnostics import ExitCode
from octoplan.pipeline import Setting, build_plan, prepare_campaigns
from octoplan.plan.model import Action, ActionKind, Plan
from octoplan.plan.outgoing import fresh_batches
from octoplan.state.home import Intent
from octoplan.state.journal import Kind
from octoplan.state.local import local_home
from octoplan.views.hours_text import hours_lines
from tests.clocks import HOLDER, ManualClock
from tests.unit.plan.projects import KEY, PROJECT, FixedPrices, numbers, write_project

SALE = """
id: sale
type: sms_premium
purpose: wholesale
message:
  template: "Bonjour {{ name }}. STOP au XXXXX"
recipients:
  path: contacts.csv
  phone: phone
"""
NEW_YORK = ["+12025550123"]
HONOLULU = ["+18085550123"]
GUAM = ["+16714720123"]
SPAIN = ["+34612345678"]
REUNION = ["+262692123456"]
# Tuesday 23 March 2027: an ordinary day, in winter time.
DAY = datetime(2027, 3, 23, 9, tzinfo=UTC)
NIGHT = datetime(2027, 3, 23, 21, 10, tzinfo=UTC)


def plan_of(
    root: Path,
    phones: Sequence[str],
    now: datetime,
    *,
    extra: str = "",
    campaign: str = SALE,
    settings: Sandbox | None = None,
    sent: int = 0,
    outcome: Kind | None = Kind.SENT,
) -> Plan:
    """The plan of a project; `sent` batches of its one campaign were sent before, with that `outcome`."""
    write_project(root, phones, campaign=campaign + extra)
    project, findings = load_project(root)
    assert project is not None, findings
    campaigns, found = load_campaigns(project)
    assert [each for each in found if each.severity == "error"] == []
    chosen = settings or Sandbox.model_validate({"windows": "enforce", "batch_size": "2"})
    setting = Setting(project, "production", chosen, None, KEY)
    clock = ManualClock(now)
    home = local_home(root / "state", "production", KEY, clock)
    try:
        with prepare_campaigns(setting, campaigns) as prepared, home.session(HOLDER) as session:
            plan = build_plan(setting, prepared, session, FixedPrices(), balance=None, endpoint="", clock=clock)
            if not sent:
                return plan
            session.open_campaign("sale", plan.actions[0].content)
            for batch in list(fresh_batches(prepared[0].dispatch, None, session))[:sent]:
                intent = Intent("sale", batch.digest, batch.request_id, 1, batch.recipients, 1, "0.1", None)
                session.intend(intent, batch.phones)
                if outcome is not None:
                    session.record(outcome, "sale", batch.digest, {"cost": "0.1"})
            return build_plan(setting, prepared, session, FixedPrices(), balance=None, endpoint="", clock=clock)
    finally:
        home.close()


def action_of(root: Path, phones: Sequence[str], now: datetime, **more: object) -> Action:
    return plan_of(root, phones, now, **more).actions[0]  # type: ignore[arg-type]


def rules_of(action: Action) -> list[tuple[str, bool]]:
    assert action.hours is not None
    return [(broken.rule, broken.blocks) for broken in action.hours.broken]


def test_inside_the_hours_it_is_sent_and_the_plan_says_until_when(tmp_path: Path) -> None:
    """Nothing is broken; errors close the day at 21:30 in Paris."""
    action = action_of(tmp_path, numbers(4), DAY)
    assert action.kind is ActionKind.SEND
    assert action.hours is not None
    assert action.hours.broken == ()
    assert action.hours.next_slot == DAY
    assert action.hours.closes_at == datetime(2027, 3, 23, 20, 30, tzinfo=UTC)


def test_outside_the_hours_it_is_blocked_with_the_next_slot(tmp_path: Path) -> None:
    """Exit code 8, who is concerned, on which clock, and when it may leave."""
    plan = plan_of(tmp_path, numbers(4), NIGHT)
    action = plan.actions[0]
    assert (action.kind, plan.exit_code) == (ActionKind.BLOCKED, ExitCode.WINDOW)
    assert rules_of(action) == [("window/fr-hours", True), ("window/fr-evening", False)]
    assert action.reasons[0].code == "window/fr-hours"
    assert "FR, 4 recipients: Tue 2027-03-23 22:10 in Europe/Paris" in action.reasons[0].detail
    assert action.hours is not None
    assert action.hours.next_local == "Wed 2027-03-24 08:00 Europe/Paris"
    shown = dict(hours_lines(action))
    assert shown["next"] == "Wed 2027-03-24 08:00 Europe/Paris (2027-03-24 07:00 UTC), permitted for all recipients"


def test_a_warning_does_not_block(tmp_path: Path) -> None:
    """On a Sunday France tolerates marketing; the plan says so, and names the next day without a warning."""
    action = action_of(tmp_path, numbers(2), DAY - timedelta(days=2))
    assert action.kind is ActionKind.SEND
    assert rules_of(action) == [("window/fr-sunday", False)]
    assert action.hours is not None
    assert action.hours.next_local == "Mon 2027-03-22 08:00 Europe/Paris"


def test_transactional_messages_have_no_hours(tmp_path: Path) -> None:
    """An alert goes out at night."""
    alert = SALE.replace("wholesale", "alert").replace(" STOP au XXXXX", "")
    action = action_of(tmp_path, numbers(2), NIGHT, campaign=alert)
    assert (action.kind, action.hours, action.zones) == (ActionKind.SEND, None, ())


@pytest.mark.parametrize(
    ("windows", "sunday", "night"),
    [
        ("enforce", ActionKind.SEND, ActionKind.BLOCKED),
        ("strict", ActionKind.BLOCKED, ActionKind.BLOCKED),
        ("warn", ActionKind.SEND, ActionKind.SEND),
        ("off", ActionKind.SEND, ActionKind.SEND),
    ],
)
def test_how_strict_is_a_setting(tmp_path: Path, windows: str, sunday: ActionKind, night: ActionKind) -> None:
    """Errors block, warnings too, nothing, or nothing is looked at."""
    settings = Sandbox.model_validate({"windows": windows})
    on_sunday = action_of(tmp_path / "sunday", numbers(2), DAY - timedelta(days=2), settings=settings)
    at_night = action_of(tmp_path / "night", numbers(2), NIGHT, settings=settings)
    assert (on_sunday.kind, at_night.kind) == (sunday, night)
    assert (at_night.hours is None) == (windows == "off")
    assert windows == "off" or rules_of(at_night)


def test_the_setting_of_the_environment_wins_and_the_sandbox_only_warns(tmp_path: Path) -> None:
    """`enforce` unless somebody says otherwise; the sandbox sends to nobody."""
    text = """
environments:
  live: &live
    endpoint: https://api.octopush.com/v1/public
    credentials: {login: env/LOGIN, key: env/KEY}
  strict: {<<: *live}
"""
    write_project(tmp_path, numbers(1), extra=text.replace("  strict: {<<: *live}\n", ""))
    plain, _ = load_project(tmp_path)
    assert plain is not None
    live, sandbox = plain.environment("live"), plain.environment("sandbox")
    assert effective_windows(plain.model, live) == "enforce"
    assert effective_windows(plain.model, sandbox) == "warn"
    (tmp_path / "octoplan.yaml").write_text(PROJECT.replace("sender: ACME", "sender: ACME, windows: strict"))
    strict, _ = load_project(tmp_path)
    assert strict is not None
    assert effective_windows(strict.model, live) == "strict"
    assert effective_windows(strict.model, sandbox) == "warn"
    assert effective_windows(strict.model, live.model_copy(update={"windows": "off"})) == "off"


# --- whose clock ------------------------------------------------------------------------------------------------------


def test_every_recipient_has_a_clock(tmp_path: Path) -> None:
    """At ten in Paris it is five in New York: its two recipients block, nobody else is named."""
    action = action_of(tmp_path, [*numbers(3), *NEW_YORK, "+12025550124"], DAY)
    assert action.kind is ActionKind.BLOCKED
    assert [(each.country, each.recipients, each.zones) for each in action.hours.broken if each.blocks] == [  # type: ignore[union-attr]
        ("US", 2, ("America/New_York",))
    ]
    assert action.hours is not None
    assert action.hours.next_local == "Tue 2027-03-23 14:00 Europe/Paris"


def test_where_no_time_suits_everybody_the_plan_says_so(tmp_path: Path) -> None:
    """Paris, New York, Honolulu and Guam are never all awake."""
    action = action_of(tmp_path, [*numbers(1), *NEW_YORK, *HONOLULU, *GUAM], DAY)
    assert action.kind is ActionKind.BLOCKED
    assert action.hours is not None
    assert action.hours.next_slot is None
    assert "several campaigns" in dict(hours_lines(action))["next"]


def test_a_clock_change_can_open_a_slot(tmp_path: Path) -> None:
    """Without New York there is an hour, once clocks in Paris have gone forward: 08:00 there, 20:00 in Honolulu."""
    action = action_of(tmp_path, [*numbers(1), *HONOLULU, *GUAM], DAY)
    assert action.hours is not None
    assert action.hours.next_local == "Sun 2027-03-28 08:00 Europe/Paris"


def test_a_slot_that_only_warns_is_better_than_none(tmp_path: Path) -> None:
    """Paris and Honolulu share two and a half hours, all of them in the French evening."""
    action = action_of(tmp_path, [*numbers(1), *HONOLULU], DAY)
    assert action.hours is not None
    assert (action.hours.next_local, action.hours.next_warns) == ("Tue 2027-03-23 19:00 Europe/Paris", True)


def test_where_warnings_block_a_slot_with_warnings_is_none(tmp_path: Path) -> None:
    """`strict` would refuse it."""
    strict = Sandbox.model_validate({"windows": "strict"})
    action = action_of(tmp_path, [*numbers(1), *HONOLULU], DAY, settings=strict)
    assert action.hours is not None
    assert action.hours.next_slot is None


def test_both_clocks_of_spain_count(tmp_path: Path) -> None:
    """At half past nine in Madrid it is half past eight on the Canary Islands: a warning, for that zone alone."""
    action = action_of(tmp_path, SPAIN, datetime(2027, 3, 23, 8, 30, tzinfo=UTC))
    assert action.hours is not None
    assert [(each.rule, each.zones) for each in action.hours.broken] == [("window/es-hours", ("Atlantic/Canary",))]


def test_overseas_holidays_count(tmp_path: Path) -> None:
    """20 December is a holiday on Réunion and an ordinary Monday in Paris."""
    abolition = datetime(2027, 12, 20, 8, tzinfo=UTC)
    found = action_of(tmp_path, [*REUNION, *numbers(1)], abolition)
    assert rules_of(found) == [("window/fr-overseas-sunday", False)]


def test_a_number_without_a_known_zone_is_never_inside(tmp_path: Path) -> None:
    """Fail closed; an override with a reason lets it pass."""
    action = action_of(tmp_path / "a", ["+870773111632", *numbers(1)], DAY)
    assert action.kind is ActionKind.BLOCKED
    assert rules_of(action) == [("window/zone-unknown", True)]
    assert action.hours is not None
    assert action.hours.next_slot is None
    extra = 'overrides: [{rule: window/zone-unknown, reason: "ships, which are awake at noon"}]\n'
    assert action_of(tmp_path / "b", ["+870773111632", *numbers(1)], DAY, extra=extra).kind is ActionKind.SEND


def test_who_was_written_to_already_does_not_count(tmp_path: Path) -> None:
    """Hours are those of the recipients that are left: once the one in New York has it, France can go on."""
    everybody = [*NEW_YORK, *numbers(1)]
    settings = Sandbox.model_validate({"windows": "enforce", "batch_size": "1"})
    first = plan_of(tmp_path / "0", everybody, DAY, settings=settings).actions[0]
    assert first.kind is ActionKind.BLOCKED
    rest = plan_of(tmp_path / "1", everybody, DAY, settings=settings, sent=1).actions[0]
    left = {each.country for each in rest.zones}
    assert len(left) == 1
    assert (rest.kind is ActionKind.BLOCKED) == (left == {"US"})


def test_a_request_that_would_be_repeated_counts(tmp_path: Path) -> None:
    """It may not have been accepted the first time, so people would get it now."""
    settings = Sandbox.model_validate({"windows": "enforce", "batch_size": "4"})
    action = action_of(tmp_path, numbers(4), NIGHT, settings=settings, sent=1, outcome=None)
    assert [batch.repeat for batch in action.batches] == [True]
    assert (action.kind, [each.recipients for each in action.zones]) == (ActionKind.BLOCKED, [4])


# --- the whole run ----------------------------------------------------------------------------------------------------


def test_a_run_that_would_not_end_inside_is_blocked(tmp_path: Path) -> None:
    """Ten messages at one a minute, begun five minutes before the hours end."""
    settings = Sandbox.model_validate({"windows": "enforce", "batch_size": "1", "messages_per_second": "0.0167"})
    now = datetime(2027, 3, 23, 20, 25, tzinfo=UTC)
    action = action_of(tmp_path / "slow", numbers(10), now, settings=settings)
    assert action.kind is ActionKind.BLOCKED
    assert ("window/fr-hours", True) in rules_of(action)
    assert "Tue 2027-03-23 21:30 in Europe/Paris" in action.reasons[0].detail
    fast = Sandbox.model_validate({"windows": "enforce", "batch_size": "1"})
    assert action_of(tmp_path / "fast", numbers(10), now, settings=fast).kind is ActionKind.SEND


def test_campaigns_leave_one_after_another(tmp_path: Path) -> None:
    """The second begins when the first has ended: it is the one that comes too late."""
    write_project(tmp_path, numbers(4))
    (tmp_path / "campaigns" / "other.yaml").write_text(
        SALE.replace("id: sale", "id: other").replace("Bonjour", "Bonsoir"), encoding="utf-8"
    )
    settings = Sandbox.model_validate({"windows": "enforce", "batch_size": "1", "messages_per_second": "0.0167"})
    plan = plan_of(tmp_path, numbers(4), datetime(2027, 3, 23, 20, 24, tzinfo=UTC), settings=settings)
    assert [(action.campaign, action.kind) for action in plan.actions] == [
        ("other", ActionKind.SEND),
        ("sale", ActionKind.BLOCKED),
    ]


SCHEDULED = 'schedule: {at: "%s", timezone: Europe/Paris%s}\n'


def test_a_scheduled_campaign_leaves_when_it_is_scheduled(tmp_path: Path) -> None:
    """Handed over at night it may be, as long as it leaves by day; and the other way round not."""
    by_day = action_of(tmp_path / "day", numbers(2), NIGHT, extra=SCHEDULED % ("2027-03-24T10:00", ""))
    assert (by_day.kind, rules_of(by_day)) == (ActionKind.SEND, [])
    by_night = action_of(tmp_path / "night", numbers(2), DAY, extra=SCHEDULED % ("2027-03-24T07:59", ""))
    assert by_night.kind is ActionKind.BLOCKED
    assert by_night.hours is not None
    assert by_night.hours.next_local == "Wed 2027-03-24 08:00 Europe/Paris"


def test_a_campaign_that_is_held_back_is_looked_at_too(tmp_path: Path) -> None:
    """Its author hears of the hours when it is written, not on the day it is handed over."""
    extra = SCHEDULED % ("2027-03-28T23:00", ", hand_over: 2h")
    assert action_of(tmp_path, numbers(2), DAY, extra=extra).kind is ActionKind.BLOCKED


def test_handing_over_has_to_be_done_before_the_time_of_sending(tmp_path: Path) -> None:
    """Four requests at one a minute cannot be handed over within two minutes."""
    settings = Sandbox.model_validate({"batch_size": "1", "requests_per_second": "0.0167"})
    extra = SCHEDULED % ("2027-03-23T10:02", "")
    plan = plan_of(tmp_path, numbers(4), DAY, extra=extra, settings=settings)
    assert [reason.code for reason in plan.actions[0].reasons] == ["schedule/too-little-time"]
    assert plan.exit_code is ExitCode.WINDOW


def test_the_run_has_to_end_before_not_after(tmp_path: Path) -> None:
    """For transactional messages as well; enough time is no reason to say anything."""
    alert = SALE.replace("wholesale", "alert").replace(" STOP au XXXXX", "")
    settings = Sandbox.model_validate({"batch_size": "1", "requests_per_second": "0.0167"})
    for minute, codes in (("02", ["schedule/too-little-time"]), ("30", [])):
        extra = f'schedule: {{not_after: "2027-03-23T10:{minute}"}}\n'
        action = action_of(tmp_path / minute, numbers(4), DAY, campaign=alert, extra=extra, settings=settings)
        assert [reason.code for reason in action.reasons] == codes


# --- overrides --------------------------------------------------------------------------------------------------------


def test_an_override_lets_a_rule_be_broken_and_is_shown(tmp_path: Path) -> None:
    """The error is gone, the warning beside it stays, and the plan repeats the reason."""
    extra = 'overrides: [{rule: window/fr-hours, reason: "night of the premiere, guests asked for it"}]\n'
    action = action_of(tmp_path, numbers(2), NIGHT, extra=extra)
    assert action.kind is ActionKind.SEND
    assert rules_of(action) == [("window/fr-evening", False)]
    assert dict(hours_lines(action))["overrides"] == "window/fr-hours: night of the premiere, guests asked for it"


def test_a_slot_after_not_after_is_named_as_such(tmp_path: Path) -> None:
    """The author has to change the file, not only to wait."""
    extra = 'schedule: {not_after: "2027-03-23T23:30"}\n'
    action = action_of(tmp_path, numbers(1), NIGHT, extra=extra)
    assert dict(hours_lines(action))["next"].endswith("; that is after `not_after`")


def test_the_search_for_a_slot_ends(tmp_path: Path) -> None:
    """A month ahead at most: the longest run of holidays is days."""
    action = action_of(tmp_path, numbers(1), NIGHT)
    assert action.hours is not None
    assert action.hours.next_slot is not None
    assert action.hours.next_slot - NIGHT < timedelta(days=limits.WINDOW_SEARCH_DAYS)

"""
Random campaigns, planned by the client and billed by the sandbox, in one process.

    python -m tests.properties.costs --cases 5000 --seed 1

Every request goes through the real encoder, the sandbox's service and the real reader of answers; only the socket is
left out. Countries, types, lengths, alphabets, batch sizes, answers asked for, text optimised, Octopush's blacklist:
all mixed. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import phonenumbers
import pyarrow as pa

from octoplan.audience.schemas import RECIPIENTS
from octoplan.diagnostics import InvalidInput
from octoplan.digests import number_hash
from octoplan.gateway.body import encode_body
from octoplan.gateway.outcomes import classify_response
from octoplan.gateway.port import Accepted, Balance, Outcome, SendRequest
from octoplan.messages.compose import ComposedMessage, MessageSource, compose_message
from octoplan.messages.template import parse_template
from octoplan.plan.build import Prepared, build_action
from octoplan.plan.model import Action
from octoplan.plan.outgoing import Dispatch, fresh_batches
from octoplan.plan.price import Pricing, Simulate
from octoplan.sandbox.clock import MovableClock
from octoplan.sandbox.exact import write_json
from octoplan.sandbox.service import Octopush
from octoplan.sandbox.store import Store
from octoplan.sandbox.tables import BY_CALLING_CODE, calling_code
from octoplan.state.home import Home
from octoplan.state.local import local_home
from tests.clocks import ManualClock
from tests.unit.messages.samples import batches_of
from tests.unit.plan.projects import KEY, numbers, prepare, write_project

ALPHABETS: Final = ("aeiou ns tr", "aeé è$£ü", "ab^~€[]|", "ïœê’“ con", "ab\U0001f600c", "A b")
RICH: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Number:
    """A number that nobody has, where libphonenumber says it is, and whether low cost messages go there."""

    text: str
    country: str
    has_low_cost: bool


def fictional_numbers() -> list[Number]:
    """
    Numbers kept for fiction in France, the United States, Germany and Britain, and the library's own example of
    every country that the sandbox serves: also of those that share their neighbour's calling code.
    """
    texts = [*numbers(40), *(f"+1212555{last:04d}" for last in range(100, 140))]
    texts += [*(f"+491713920{last:03d}" for last in range(40)), *(f"+447700900{last:03d}" for last in range(40))]
    regions = [region for code in BY_CALLING_CODE for region in phonenumbers.region_codes_for_country_code(int(code))]
    mobile = phonenumbers.PhoneNumberType.MOBILE
    examples = [phonenumbers.example_number_for_type(region, mobile) for region in regions]
    texts += [phonenumbers.format_number(each, phonenumbers.PhoneNumberFormat.E164) for each in examples if each]
    return [_number(text) for text in sorted(set(texts)) if _is_served(text)]


def _is_served(text: str) -> bool:
    country = BY_CALLING_CODE[str(calling_code(text))]
    fewest, most = country.digits
    return fewest <= len(text) - 1 - len(country.calling) <= most


def _number(text: str) -> Number:
    region = phonenumbers.region_code_for_number(phonenumbers.parse(text))
    return Number(text, str(region), BY_CALLING_CODE[str(calling_code(text))].low_cost is not None)


@dataclass(frozen=True, slots=True)
class Case:
    """A campaign, how it is priced, and which of its numbers have opted out at Octopush."""

    request: SendRequest
    message: ComposedMessage
    batch_size: int
    simulate: Simulate
    blacklist: tuple[str, ...]
    countries: int

    @property
    def is_exact(self) -> bool:
        """Whether everything that the bill depends on can be known: one recipient does not tell who has opted out."""
        asked_whole = self.simulate == "all" or self.request.auto_optimize_text
        return asked_whole or not (self.request.auto_remove_blacklisted_numbers and self.blacklist)


def random_case(random: Random, known: list[Number]) -> Case | None:
    """A campaign; `None` if its text came out too long, or empty."""
    kind = random.choice(("sms_premium", "sms_premium", "sms_low_cost"))
    purpose = random.choice(("wholesale", "alert"))
    able = [number for number in known if kind == "sms_premium" or number.has_low_cost]
    chosen = random.sample(able, random.randint(1, random.choice((3, 12, 40))))
    request = SendRequest(
        text="",
        contacts=b"",
        type=kind,
        purpose=purpose,
        sender=random.choice(("ACME", None)),
        send_at=None,
        with_replies=random.random() < 0.3,
        auto_optimize_text=random.random() < 0.2,
        auto_remove_blacklisted_numbers=random.random() < 0.4,
    )
    template = _template(random) + (" STOP au XXXXX" if purpose == "wholesale" else "")
    try:
        message = compose_message(MessageSource(parse_template(template)), batches_of(_recipients(random, chosen)))
    except InvalidInput:
        return None
    out = [number.text for number in chosen if random.random() < random.choice((0.0, 0.0, 0.3))]
    countries = len({number.country for number in chosen})
    return Case(request, message, random.randint(1, 15), random.choice(("strata", "all")), tuple(out), countries)


def _template(random: Random) -> str:
    static = _words(random, random.choice((10, 60, 150, 300)))
    ways = (
        "{{ a }}",
        "{{ a }} {{ b }}",
        "{{ b|upper }}{{ a }}{{ a }}",
        "{% if a > 'b' %}{{ b }} " + _words(random, 80) + "{% endif %}",
        "",
    )
    return f"Bonjour {static}{random.choice(ways)}"


def _words(random: Random, most: int) -> str:
    return "".join(random.choices(random.choice(ALPHABETS), k=random.randint(1, most)))


def _recipients(random: Random, chosen: list[Number]) -> pa.Table:
    """Values of very different lengths, so that one campaign has messages of one part and of several."""
    data = {
        "hash": [number_hash(each.text) for each in chosen],
        "phone": [each.text for each in chosen],
        "country": [each.country for each in chosen],
        "row": list(range(len(chosen))),
        "v_a": [f"a{_words(random, 45)}" for _ in chosen],
        "v_b": [f"b{_words(random, 45)}" for _ in chosen],
    }
    schema = RECIPIENTS.append(pa.field("v_a", pa.string())).append(pa.field("v_b", pa.string()))
    return pa.table(data, schema=schema).sort_by([("hash", "ascending"), ("phone", "ascending")])


class World:
    """The sandbox's service as the port that a plan and an apply use, and the parts of a plan that never vary."""

    def __init__(self, prepared: Prepared, home: Home) -> None:
        self.store = Store(":memory:")
        self.api = Octopush(self.store, MovableClock(self.store))
        self._prepared = prepared
        self._home = home
        self._sent = 0

    def simulate(self, request: SendRequest) -> Outcome:
        return self._post(encode_body(request, request_id=None, simulation=True), simulated=True)

    def balance(self) -> Balance:
        return Balance(self.store.balance(), "euros")

    def _post(self, body: bytes, *, simulated: bool) -> Outcome:
        answer = self.api.send(body)
        return classify_response(answer.status, {}, write_json(answer.body), simulated=simulated)

    def check(self, case: Case) -> Action:
        """Plan a campaign, send it, and hold the bill against the plan; the action tells what it was."""
        self.store.clear()
        self.store.set_balance(RICH)
        self.store.add_to_blacklist(case.blacklist)
        dispatch = Dispatch("production", "sale", case.batch_size, case.request, case.message)
        prepared = replace(self._prepared, dispatch=dispatch)
        action = build_action(prepared, None, self._home, self, ManualClock(), Pricing(case.simulate))
        assert self.store.balance() == RICH, "a plan must not cost anything"
        billed = self._send(case, dispatch, action)
        self._compare(case, action, billed)
        return action

    def _send(self, case: Case, dispatch: Dispatch, action: Action) -> Decimal:
        planned = {batch.digest: batch.cost for batch in action.batches}
        for batch in fresh_batches(dispatch, None, self._home):
            self._sent += 1
            body = encode_body(batch.request, request_id=f"r{self._sent}", simulation=False)
            outcome = self._post(body, simulated=False)
            if not isinstance(outcome, Accepted):
                assert planned[batch.digest] is None or not case.is_exact, "refused, though the plan knew a price"
            elif case.is_exact:
                assert outcome.cost == planned[batch.digest], "a request was billed otherwise than planned"
        return RICH - self.store.balance()

    def _compare(self, case: Case, action: Action, billed: Decimal) -> None:
        cost = action.cost
        assert cost.least <= billed
        assert cost.most is None or billed <= cost.most
        if cost.total is None:
            assert action.reasons, "an unknown cost has a reason"
        elif case.is_exact:
            assert billed == cost.total


@contextmanager
def open_world() -> Iterator[World]:
    """A world in memory and a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="octoplan-") as folder:
        root = Path(folder)
        write_project(root / "project", numbers(1))
        home = local_home(root / "state", "production", KEY, ManualClock())
        prepared = prepare(root / "project")
        world = World(prepared, home)
        try:
            yield world
        finally:
            world.store.close()
            prepared.audience.close()
            home.close()


def check_costs(cases: int, seed: int) -> Counter[str]:
    """Check so many campaigns; answers how many had what in them. :raises AssertionError: at the first difference."""
    random, known = Random(seed), fictional_numbers()
    counts: Counter[str] = Counter()
    with open_world() as world:
        while counts["cases"] < cases:
            case = random_case(random, known)
            if case is not None:
                counts.update(_features(case, world.check(case)))
    return counts


def _features(case: Case, action: Action) -> Iterator[str]:
    request = case.request
    yield "cases"
    yield request.type
    yield f"simulate_{case.simulate}"
    yield from ["exact"] * (case.is_exact and action.cost.total is not None)
    yield from ["bounded"] * (not case.is_exact)
    yield from ["refused"] * (action.cost.total is None)
    yield from ["mixed_countries"] * (case.countries > 1)
    yield from ["mixed_parts"] * (len({unit.segments for unit in action.cost.unit_prices}) > 1)
    yield from ["with_replies"] * request.with_replies
    yield from ["optimised"] * request.auto_optimize_text
    yield from ["blacklist_option"] * request.auto_remove_blacklisted_numbers
    yield from ["blacklisted_numbers"] * bool(case.blacklist)
    yield from ["grouped"] * (case.message.mode == "grouped")
    yield from ["several_requests"] * (len(action.batches) > 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold planned costs against billed costs.")
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.stdout.write(
        json.dumps({"seed": given.seed, **dict(sorted(check_costs(given.cases, given.seed).items()))}) + "\n"
    )


if __name__ == "__main__":
    main()

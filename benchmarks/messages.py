"""
How many requests ten realistic templates need, and how fast the parts of messages are counted.

    python benchmarks/messages.py [--recipients N]

Requests: as octoplan compiles the template, with one text for each different rendering, and with one text for all,
which nothing can beat. Every message to the first 2,000 recipients is verified against Jinja's rendering.
Counting: the vectorised count on one core, the slow packer that it has to equal, and the npm packages
`sms-segments-calculator` and `split-sms` on the same texts, if node and npm are there. The former keeps what a person
takes for one character (an emoji family, a letter and its accent) in one part; operators do not, so there it may count
one part more. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from octoplan.audience.schemas import recipients_schema
from octoplan.digests import number_hash
from octoplan.messages.batches import bucket_bits, pack_batches
from octoplan.messages.compiler import requests_for
from octoplan.messages.compose import ComposedMessage, MessageSource, compose_message
from octoplan.messages.evaluate import Values
from octoplan.messages.measure import Piece, measure_pieces
from octoplan.messages.template import parse_template
from octoplan.values.sms_size import measure

RECIPIENTS: Final = 100_000
VERIFIED: Final = 2_000
BATCH: Final = 500
PACKAGES: Final = {
    "sms-segments-calculator": ("1.3.0", "text => new p.SegmentedMessage(text, 'auto', false).segmentsCount"),
    "split-sms": ("0.1.7", "text => p.split(text).parts.length"),
}
"""npm packages with their version, and how each counts the parts of a text; `p` is the package."""
ODD: Final = (
    "€",
    "]",
    "[",
    "中",
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "e\u0301",
    "ç",
    "’",
    "\n",
)
"""What falls on the boundaries of parts, beside plain letters."""
TEMPLATES: Final = {
    "static": "Soldes: -20% partout jusqu'à dimanche. STOP au 36111",
    "name": "Bonjour {{ first_name }}, -20% jusqu'à dimanche. STOP au 36111",
    "name and shop": "Bonjour {{ first_name|title }}, -20% chez {{ shop|title }}. STOP au 36111",
    "optional greeting": "Bonjour{% if plan == 'gold' %} cher membre{% endif %} {{ first_name }} ! STOP au 36111",
    "short branches": (
        "{{ first_name }}, {% if points|int > 800 %}votre cadeau vous attend{% elif points|int > 400 %}plus que "
        "{{ 801 - points|int }} points{% else %}vous avez {{ points }} points{% endif %}. STOP au 36111"
    ),
    "long branches": (
        "{{ first_name }}: {% if plan == 'gold' %}accès privé à toute la collection dès ce soir, et la livraison "
        "vous est offerte{% else %}découvrez toute la nouvelle collection en avant-première au magasin{% endif %}, "
        "à {{ shop }}. STOP au 36111"
    ),
    "macro and set": (
        "{% macro civil(name) %}{% if title == 'F' %}Madame{% else %}Monsieur{% endif %} {{ name|title }}{% endmacro %}"
        "{% set balance = points ~ ' points' %}{{ civil(last_name) }}, {{ balance }} à {{ shop }}. STOP au 36111"
    ),
    "loop": "{{ first_name }}, vos codes: {% for n in range(3) %}{{ code }}{{ n }} {% endfor %}. STOP au 36111",
    "long value": "{{ first_name }}, rendez-vous au {{ address }} avec le code {{ code }}. STOP au 36111",
    "nine fields": (
        "{{ title }} {{ first_name }} {{ last_name }}, {{ points }} pts, {{ plan }}, {{ shop }}, {{ code }}, "
        "{{ day }}, {{ hour }}h. STOP au 36111"
    ),
}
NAMES: Final = ("Ana", "Loïc", "Noémie", "Jean-Luc", "Zoé", "Inès", "Hugo", "Chloé", "Paul", "Maëlys")
SHOPS: Final = tuple(f"magasin {number}" for number in range(40))


def audience(count: int) -> pa.Table:
    """Invented people with numbers of the textbook block and beyond, in the order of an audience."""
    chance = random.Random(5)
    phones = [f"+3361{number:07d}" for number in range(count)]
    columns: dict[str, Callable[[], str]] = {
        "address": lambda: f"{chance.randrange(200)} rue {'de la République ' * chance.choice((1, 1, 4))}Lyon",
        "code": lambda: f"{chance.randrange(36**6):x}",
        "day": lambda: chance.choice(("lundi", "mardi", "jeudi")),
        "first_name": lambda: f"{chance.choice(NAMES)}{chance.choice(('', ' M', ' B'))}",
        "hour": lambda: str(chance.randrange(9, 19)),
        "last_name": lambda: f"Martin{chance.randrange(20_000)}",
        "plan": lambda: chance.choice(("gold", "basic", "basic")),
        "points": lambda: str(chance.randrange(1_000)),
        "shop": lambda: chance.choice(SHOPS),
        "title": lambda: chance.choice("FM"),
    }
    schema = recipients_schema(sorted(columns))
    rows: list[pa.Array] = [
        pa.array([number_hash(phone) for phone in phones], pa.uint64()),
        pa.array(phones),
        pa.array(["FR"] * count),
        pa.array(range(1, count + 1), pa.int64()),
    ]
    rows += [pa.array([columns[name]() for _ in range(count)]).dictionary_encode() for name in sorted(columns)]
    table = pa.table([each.cast(field.type) for each, field in zip(rows, schema, strict=True)], schema=schema)
    return table.sort_by([("hash", "ascending"), ("phone", "ascending")]).unify_dictionaries()


def reading(table: pa.Table) -> Callable[[], Iterator[pa.RecordBatch]]:
    return lambda: iter(table.combine_chunks().to_batches(max_chunksize=65_536))


def requests_of(message: ComposedMessage) -> int:
    bits = [bucket_bits(count) for count in message.recipients_per_text]
    return sum(1 for _ in pack_batches(message.batches(), texts=message.texts, bucket_bits=bits, batch_size=BATCH))


def compare_requests(count: int) -> tuple[int, int, int]:
    table = audience(count)
    minimum = -(-count // BATCH)
    totals = [0, 0, 0]
    print(f"{'template':<20}{'octoplan':>10}{'naive':>10}{'minimum':>10}  form, seconds")
    for name, text in TEMPLATES.items():
        source = MessageSource(parse_template(text))
        start = time.perf_counter()
        message = compose_message(source, reading(table))
        ours = requests_of(message)
        took = time.perf_counter() - start
        naive = sum(number * requests_for(size, BATCH) for size, number in (message.renderings or {}).items())
        few = compose_message(source, reading(table.slice(0, VERIFIED))).verify()
        assert not few.different, name
        print(f"{name:<20}{ours:>10,}{naive:>10,}{minimum:>10,}  {message.mode} {len(message.texts)}, {took:.2f}")
        totals = [total + each for total, each in zip(totals, (ours, naive, minimum), strict=True)]
    return totals[0], totals[1], totals[2]


def compare_counting(count: int) -> float:
    """Texts a second on one core, for a text with two fields in which a few names force UCS-2."""
    pa.set_cpu_count(1)
    chance = random.Random(6)
    names = [f"{chance.choice(NAMES)}{chance.randrange(3_000)}" for _ in range(count)]
    shops = [chance.choice(SHOPS) for _ in range(count)]
    columns = [Values.of(pa.array(each).dictionary_encode()) for each in (names, shops)]
    static = (
        "Bonjour ",
        ", la nouvelle collection est là : -20% sur tout avec votre carte, chez ",
        " jusqu'à dimanche",
    )
    pieces: list[Piece] = [static[0], columns[0], static[1], columns[1], f"{static[2]}. STOP au 36111"]
    fast = min(_timed(lambda: measure_pieces(pieces, count)) for _ in range(5))
    texts = [f"{static[0]}{a}{static[1]}{b}{static[2]}. STOP au 36111" for a, b in zip(names, shops, strict=True)]
    sizes = measure_pieces(pieces, count).size
    slow = _timed(lambda: [measure(text).segments for text in texts])
    assert sizes.segments.to_pylist() == [measure(text).segments for text in texts]
    print(
        f"\ncounting, one core: {count / fast:,.0f} texts/s; the slow packer {count / slow:,.0f} texts/s, equal on all"
    )
    compare_packages([*texts[:10_000], *_odd_texts(10_000)])
    return count / fast


def _odd_texts(count: int) -> list[str]:
    """Texts of up to four parts with what implementations differ on."""
    chance = random.Random(7)
    return [
        "".join(chance.choice(ODD) if chance.random() < share else "a" for _ in range(chance.randrange(40, 500)))
        for share in (chance.choice((0.02, 0.1, 0.5)) for _ in range(count))
    ]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


_SCRIPT: Final = """
const p = require(process.argv[1]);
const parts = eval(process.argv[2]);
const texts = JSON.parse(require('fs').readFileSync('texts.json', 'utf8'));
const start = process.hrtime.bigint();
const counts = texts.map(parts);
console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - start) / 1e9, counts }));
"""


def compare_packages(texts: list[str]) -> None:
    """Print for each npm package how fast it counts, and on how many texts it differs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("npm packages: skipped, node and npm are not on this machine")
        return
    with tempfile.TemporaryDirectory() as folder:
        wanted = [f"{name}@{version}" for name, (version, _) in PACKAGES.items()]
        install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *wanted]
        if subprocess.run(install, cwd=folder, check=False, capture_output=True).returncode:
            print("npm packages: skipped, npm could not install them")
            return
        Path(folder, "texts.json").write_text(json.dumps(texts))
        for name, (_, parts) in PACKAGES.items():
            command = [node, "-e", _SCRIPT, name, parts]
            output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
            found = json.loads(output)
            print(f"{name}: {len(texts) / found['seconds']:,.0f} texts/s, {_differences(texts, found['counts'])}")


def _differences(texts: list[str], counts: list[int]) -> str:
    """On how many texts a package counts other parts than octoplan, with and without joined characters in them."""
    different = [text for text, parts in zip(texts, counts, strict=True) if measure(text).segments != parts]
    joined = sum("\u200d" in text or "\u0301" in text for text in different)
    many = f"of {len(texts):,} texts {len(different):,} with other parts"
    return f"{many}, {joined:,} of them with characters that are joined to the one before" if different else many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=RECIPIENTS)
    count = parser.parse_args().recipients
    ours, naive, minimum = compare_requests(count)
    rate = compare_counting(1_000_000)
    figures = {"requests": ours, "naive_requests": naive, "minimum_requests": minimum, "texts_per_second": round(rate)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

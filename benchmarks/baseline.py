"""
What people write today to prepare a campaign: one pass over the file with the usual libraries, as quick as it gets
without leaving plain Python. octoplan is measured against it.

    python benchmarks/baseline.py CONTACTS SUPPRESSED

It does less than octoplan: the first of several rows with one number wins, so the order of the file decides; there are
no reasons with examples, no checks of what is filled in, and the text is counted as a whole. The last line is JSON.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import sys
import time
from collections import Counter
from pathlib import Path

import jinja2
import phonenumbers

# Its patterns do not fit the 512 compiled ones that `re` keeps: over many countries it would compile again and again,
# and take twice as long.
re._MAXCACHE = 100_000  # type: ignore[attr-defined]  # noqa: SLF001

TEMPLATE = "Bonjour {{ first_name }}, -20% chez {{ shop | upper }} jusqu'a dimanche. STOP au XXXXX"
API_TEXT = "Bonjour {first_name}, -20% chez {param1} jusqu'a dimanche. STOP au XXXXX"
REGION = "FR"
BATCH_SIZE = 500
NOT_GSM7 = re.compile(
    r"[^@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà\f^{}\\\[~\]|€]"
)
EXTENSION = re.compile(r"[\f^{}\\\[~\]|€]")


def read_number(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def count_segments(text: str) -> int:
    if NOT_GSM7.search(text):
        units, single, part = len(text.encode("utf-16-le")) // 2, 70, 67
    else:
        units, single, part = len(text) + len(EXTENSION.findall(text)), 160, 153
    return 1 if units <= single else math.ceil(units / part)


def read_suppressed(path: Path) -> set[str]:
    """The list was exported by a system that writes E.164, which the script's author knows: nothing to parse."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["number"] for row in csv.DictReader(file)}


def digest_batch(contacts: list[dict[str, str]]) -> str:
    body = {"recipients": contacts, "text": API_TEXT, "type": "sms_premium", "purpose": "wholesale", "sender": "BENCH"}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def prepare(contacts: Path, suppressed: set[str]) -> tuple[Counter[str], list[str]]:
    """Rows by what became of them, and the digests of the batches."""
    render = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(TEMPLATE).render
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    digests: list[str] = []
    batch: list[dict[str, str]] = []
    with contacts.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            counts["rows"] += 1
            number = read_number(row["phone"])
            if number is None:
                counts["invalid"] += 1
            elif number in seen:
                counts["duplicate"] += 1
            else:
                seen.add(number)
                if number in suppressed:
                    counts["suppressed"] += 1
                    continue
                counts["recipients"] += 1
                counts["segments"] += count_segments(render(row))
                first_name, shop = row["first_name"], row["shop"].upper()
                batch.append({"first_name": first_name, "param1": shop, "phone_number": number})
                if len(batch) == BATCH_SIZE:
                    digests.append(digest_batch(batch))
                    batch = []
    if batch:
        digests.append(digest_batch(batch))
    return counts, digests


def main() -> None:
    began = time.perf_counter()
    suppressed = read_suppressed(Path(sys.argv[2]))
    loaded = time.perf_counter()
    counts, digests = prepare(Path(sys.argv[1]), suppressed)
    done = time.perf_counter()
    figures = {"batches": len(digests), "list_seconds": loaded - began, "pass_seconds": done - loaded}
    print(json.dumps({**counts, **figures}))


if __name__ == "__main__":
    main()

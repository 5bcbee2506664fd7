"""
The floor: the engine reads the file and looks at every field of it, and does nothing else.

    python benchmarks/bare_scan.py CONTACTS
"""

from __future__ import annotations

import sys

import duckdb

from octoplan.limits import ENGINE_MEMORY

COLUMNS = ("id", "phone", "first_name", "last_name", "shop", "plan")


def scan(path: str) -> int:
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    looked_at = ", ".join(f"max({name})" for name in COLUMNS)
    with duckdb.connect(config={"memory_limit": ENGINE_MEMORY}) as engine:
        engine.execute("SET enable_progress_bar = false")
        query = f"SELECT count(*), {looked_at} FROM read_csv('{path}', header = true, columns = {{{types}}})"
        return int(engine.execute(query).fetchall()[0][0])


if __name__ == "__main__":
    print(scan(sys.argv[1]))

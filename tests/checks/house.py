#!/usr/bin/env python3
"""The rules of the house that no linter knows: one file, one subject; no loose ends; SQL in the catalogue alone.

usage: tests/checks/house.py
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
LONGEST = 600  # lines; a file past some 500 is about to hold two subjects
LOOSE_END = re.compile(r"\b(TODO|FIXME|XXX)\b|\b(todo|unimplemented|dbg)!\(|#\[ignore\b")
SQL = re.compile(r"\b(sqlx::(query|query_as|query_scalar|QueryBuilder|raw_sql)|rusqlite::|sql::query)\b")


def faults():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=TOP, check=True, capture_output=True)
    for name in sorted(filter(None, listed.stdout.decode().split("\0"))):
        path = TOP / name
        if path.suffix not in (".rs", ".py", ".sh", ".js", ".css", ".html", ".sql") or not path.is_file():
            continue
        if path == Path(__file__):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > LONGEST:
            yield f"{name}: {len(lines)} lines, split it"
        outside = name.startswith("server/src/") and not name.startswith("server/src/catalog/") and "/tests/" not in name
        for number, line in enumerate(lines, start=1):
            if LOOSE_END.search(line):
                yield f"{name}:{number}: a loose end: {line.strip()}"
            if outside and SQL.search(line):
                yield f"{name}:{number}: SQL outside server/src/catalog"


found = list(faults())
print("\n".join(found) or "no file too long, no loose end, SQL in its room")
sys.exit(bool(found))

#!/usr/bin/env python3
"""Both engines have the same numbered migrations, without gaps, each with a way up and a way down.

usage: tests/checks/migrations.py            check, and say what is wrong
       tests/checks/migrations.py new NAME   make the four files of the next number
"""
import re
import sys
from pathlib import Path

FOLDERS = [Path(__file__).parents[2] / "migrations" / engine for engine in ("sqlite", "postgres")]
NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.(up|down)\.sql")


def numbered(folder):
    """{(number, name): {"up", "down"}}, and the files that do not look like a migration."""
    found, strange = {}, []
    for file in sorted(folder.iterdir()):
        match = NAME.fullmatch(file.name)
        if match:
            found.setdefault((match[1], match[2]), set()).add(match[3])
        else:
            strange.append(file.name)
    return found, strange


def faults():
    both = []
    for folder in FOLDERS:
        found, strange = numbered(folder)
        both.append(found)
        yield from (f"{folder.name}/{name}: not NNNN_name.up.sql or .down.sql" for name in strange)
        for number, (key, ways) in enumerate(sorted(found.items()), start=1):
            if int(key[0]) != number:
                yield f"{folder.name}/{key[0]}_{key[1]}: expected number {number:04d}"
            for way in {"up", "down"} - ways:
                yield f"{folder.name}/{key[0]}_{key[1]}: no {way}.sql"
    for key in sorted(set(both[0]) ^ set(both[1])):
        missing = "postgres" if key in both[0] else "sqlite"
        yield f"{missing}/{key[0]}_{key[1]}: missing, the other engine has it"


def new(name):
    number = max((int(key[0]) for folder in FOLDERS for key in numbered(folder)[0]), default=0) + 1
    for folder in FOLDERS:
        for way in ("up", "down"):
            file = folder / f"{number:04d}_{name}.{way}.sql"
            file.write_text(f"-- {name.replace('_', ' ')}: \n", encoding="utf-8")
            print(file.relative_to(FOLDERS[0].parents[1]))


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "new" and re.fullmatch("[a-z0-9_]+", sys.argv[2]):
        new(sys.argv[2])
    elif len(sys.argv) == 1:
        found = list(faults())
        print("\n".join(found) or f"{len(numbered(FOLDERS[0])[0])} migrations, the same on both engines")
        sys.exit(bool(found))
    else:
        sys.exit(__doc__)


main()

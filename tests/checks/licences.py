#!/usr/bin/env python3
"""Every crate that is built into Holdfast has a licence of the allow-list in deny.toml.

usage: tests/checks/licences.py

Reads `cargo metadata` and nothing else, so that it runs everywhere; `cargo deny check` (where it is installed) reads the
same list and looks at advisories, sources and duplicates too.
"""
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).parents[2]


def allowed(expression, licences):
    """Whether an SPDX expression can be satisfied: OR needs one side, AND both; "MIT/Apache-2.0" is the old OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both():
        value = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = one() and value
        return value

    def one():
        token = tokens.pop(0)
        if token == "(":
            value = either()
            tokens.pop(0)
            return value
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            return f"{token} WITH {tokens.pop(0)}" in licences
        return token in licences

    return either() and not tokens


def main():
    rules = tomllib.loads((TOP / "deny.toml").read_text(encoding="utf-8"))["licenses"]
    exceptions = {rule["crate"]: rule["allow"] for rule in rules.get("exceptions", [])}
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]
    packages = json.loads(subprocess.run(command, cwd=TOP, check=True, capture_output=True).stdout)["packages"]
    faults = [
        f"{package['name']} {package['version']}: {package['license'] or 'no licence expression'}"
        for package in packages
        if not package["license"] or not allowed(package["license"], rules["allow"] + exceptions.get(package["name"], []))
    ]
    print("\n".join(faults) or f"{len(packages)} crates, all under licences of the list")
    sys.exit(bool(faults))


main()

#!/usr/bin/env python3
"""Turns the walk of README.md into a bash script that checks every line the reader is promised to see.

usage: walk_blocks.py README.md KIND..     (which code blocks: "sh", "sh mount")

Each command is one line. "#=> text" after it is one line of its output; a command without it may print what it likes.
"""
import re
import shlex
import sys


def blocks(text, kinds):
    walk = text[text.index("\n## A walk\n"):]
    walk = walk[:walk.index("\n## ", 1)]
    for kind, body in re.findall(r"^```([a-z ]+)\n(.*?)^```$", walk, re.M | re.S):
        if kind in kinds:
            yield body


def steps(body):
    """(commands, promised lines) in order."""
    commands, promised = [], []
    for line in body.splitlines():
        if line.startswith("#=>"):
            promised.append(line[3:].removeprefix(" "))
            continue
        if promised:
            yield commands, promised
            commands, promised = [], []
        commands.append(line)
    yield commands, promised


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    for body in blocks(text, sys.argv[2:]):
        for commands, promised in steps(body):
            if promised:
                print("{\n:\n" + "\n".join(commands[:-1]) + "\n} > \"$OUT\"")
                print("{\n" + commands[-1] + "\n} > \"$OUT\"")
                expected = "".join(line + "\n" for line in promised)
                print(f"same {shlex.quote(commands[-1])} {shlex.quote(expected)}")
            else:
                print("{\n:\n" + "\n".join(commands) + "\n} > \"$OUT\"")


main()

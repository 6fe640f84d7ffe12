#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Never two active servers: compares what two recorders wrote.

Each file holds the events of one server as `ctiha -j monitor` prints them, on
one clock, and marks of the test: between "end" and "begin" the server's process
was dead or stopped and could not act. Prints when each server acted, and fails
if they ever did so together.
"""

import json
import sys


def read_events(path):
    """In the order in which they were told: that is the order of what they say."""
    try:
        with open(path, encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines]
    except FileNotFoundError:
        return []   # this server has not been started yet
    return [event for event in events if "time_ns" in event]


def terms(path):
    """Intervals (begin, end) in ns in which this server acted."""
    result, since, runs = [], None, True
    for event in read_events(path):
        if event["object"] == "mark":
            runs = event["mark"] == "begin"
            acts = False
        elif event["object"] == "node":
            acts = runs and event["node"]["role"] == "active"
        else:
            continue
        if acts and since is None:
            since = event["time_ns"]
        elif not acts and since is not None:
            result.append((since, event["time_ns"]))
            since = None
    if since is not None:
        result.append((since, float("inf")))
    return result


def overlap(one, other):
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def show(name, intervals):
    for begin, end in intervals:
        print(f"# {name} acted from {begin / 1e9:.6f} to {end / 1e9:.6f}")


def main():
    a, b = terms(sys.argv[1]), terms(sys.argv[2])
    show("a", a)
    show("b", b)
    both = sum(overlap(x, y) for x in a for y in b)
    if both:
        print(f"# both acted for {both / 1e6:.3f} ms")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

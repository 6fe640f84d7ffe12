#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Exact times, asserted in virtual time: beats, lease end, verdict; idle and beside a
SCHED_FIFO hog. usage: timing_test.py KERNEL. Prints KTAP. The bed is that of
bench-context.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import context  # noqa: E402  (found by the line above)

LOADS = ["idle", "hog-40"]
LINKS = ["crossover", "lan"]
BOUND_US = {"idle": 200, "hog-40": 1000}


def pick(rows, load, link, key):
    found = [row[key] for row in rows
             if row["load"] == load and row["link"] == link and key in row]
    assert found, f"the guest did not measure {key} of {link} beside {load}"
    return max(found)


def beats(rows, load):
    """On a real driver none is missed, none is late; on veth under a hog they may be."""
    assert pick(rows, load, "crossover", "missed") == 0
    late = pick(rows, load, "crossover", "pause_max_us")
    assert late < BOUND_US[load], f"a beat came {late} us late"


def lease(rows, load):
    assert pick(rows, load, "dead", "lease_n") > 0
    late = pick(rows, load, "dead", "lease_max_us")
    assert late < BOUND_US[load], f"the lease's timer ran {late} us late"


def no_false_verdict(rows, load):
    for link in LINKS:
        lost = pick(rows, load, link, "changes")
        assert lost == 0, f"{lost} sessions on {link} were given up between live servers"


def verdict(rows, load):
    """Not before the deadline, and right behind it."""
    late = pick(rows, load, "crossover", "verdict_us")
    assert 0 <= late < BOUND_US[load], f"the verdict came {late} us after the deadline"


TESTS = [(test, load) for load in LOADS for test in (beats, lease, no_false_verdict, verdict)]


def main():
    rows = list(context.rows_of(sys.argv[1], context.measure(sys.argv[1], 4, 250, LOADS)))
    failed = 0
    print(f"TAP version 13\n1..{len(TESTS)}")
    for number, (test, load) in enumerate(TESTS, 1):
        try:
            test(rows, load)
            print(f"ok {number} {test.__name__} {load}")
        except AssertionError as error:
            failed = 1
            print(f"# {error}\nnot ok {number} {test.__name__} {load}")
    return failed


if __name__ == "__main__":
    sys.exit(main())

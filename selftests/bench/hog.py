#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a SCHED_FIFO hog on the active server's only CPU does to its heartbeats.

Boots the pair of the demo, starts a hog that never sleeps on the active server, and
compares the counters of both servers before and after. Run by `make bench-hog`;
writes build/bench-hog.json.
"""

import argparse
import json
import os
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "selftests", "pair"))
import pair as pairlib  # noqa: E402  (found by the line above)
import vmlib  # noqa: E402  (found by pair)


def counters(server):
    """By link: its statistics, and how often its session was lost."""
    links = json.loads(server.run("ctiha -j -s link show"))
    return {link["name"]: dict(link["stats"], lost_sessions=link["changes"])
            for link in links}


def growth(before, after):
    return {name: {key: after[name][key] - value for key, value in link.items()}
            for name, link in before.items()}


def hog(pair, seconds):
    """(time, growth of the active server's counters, growth of the standby's)"""
    active, standby = pair.wait("the pair is whole", pair.whole, 90)
    time.sleep(3)
    began = time.monotonic()
    before = [counters(server) for server in (active, standby)]
    active.run(f"(timeout {seconds} chrt -f 50 sh -c 'while :; do :; done' &)")
    time.sleep(seconds + 3)
    after = [counters(server) for server in (active, standby)]
    return (time.monotonic() - began,
            *[growth(*pair_of) for pair_of in zip(before, after)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--out", default=os.path.join(TOP, "build", "bench-hog.json"))
    arguments = parser.parse_args()
    with vmlib.RunDir(None) as rundir, pairlib.Pair(rundir) as pair:
        for server in pair.servers:
            server.start()
        pair.start_arbiter()
        for server in pair.servers:
            server.ready()
        took, active, standby = hog(pair, arguments.seconds)
    rows = [{"link": name, "seconds": round(took, 1), "hog_seconds": arguments.seconds,
             "beats_sent": active[name]["tx"], "beats_missed": active[name]["missed"],
             "beats_deferred": active[name]["deferred"],
             "standby_lost_sessions": standby[name]["lost_sessions"],
             "active_lost_sessions": active[name]["lost_sessions"]}
            for name in sorted(active)]
    with open(arguments.out, "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()

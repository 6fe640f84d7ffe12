#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How late heartbeats and verdicts run beside loads, kernel by kernel, in
virtual time. Run by `make bench-context`; writes build/bench-context.json.
See context_guest.sh for the bed.
"""

import argparse
import json
import os
import sys

sys.dont_write_bytecode = True  # leave no __pycache__ in the tree
import bed  # noqa: E402  (below what must come first)

# Interrupt threads and ours have priority 50 on PREEMPT_RT.
LOADS = ["idle", "cpu", "hog-40", "flood-40"]
LOADS_RT = LOADS + ["hog-60"]


def measure(version, seconds, limit, loads):
    """Yields the lines that the guest prints, as they come."""
    with bed.vmlib.RunDir() as rundir:
        image = bed.vmlib.initramfs(
            os.path.join(rundir, "i.cpio"), bed.vmlib.kernel(version)["MODULES"],
            os.path.join(bed.HERE, "context_guest.sh"),
            load=["veth", *bed.CUT, bed.stripped_module(version, rundir)],
            binaries=[*bed.PROGRAMS, "chrt", "tc"], files=[bed.SERVER])
        yield from bed.console(version, image, [str(seconds), *loads], cables=1,
                               limit=limit)


def behind_deadline_us(event):
    """How long after the deadline of silence the verdict was given."""
    link = event["link"]
    return (event["time_ns"] - link["heard_ns"]) / 1000 - link["detect_us"]


def verdicts(version, load, cut_ns, events):
    """A row for the first verdict on each link after the cut."""
    seen = set()
    for event in events:
        link = event["link"]
        if event["time_ns"] < cut_ns or link["name"] in seen:
            continue
        seen.add(link["name"])
        yield {"kernel": version, "load": load, "link": link["name"],
               "verdict_us": round(behind_deadline_us(event), 1),
               "stalls": link["stats"]["stalls"],
               "withheld": link["stats"]["withheld"]}


def rows_of(version, lines):
    silences = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "silence":
            load, cut_ns, text = rest.split(" ", 2)
            silences.append(json.loads(text))
        elif word == "row":
            row = {"kernel": version, **json.loads(rest)}
            if row["link"] == "dead" and silences:
                yield from verdicts(version, load, int(cut_ns), silences)
                silences = []
            yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--limit", type=int, default=3600,
                        help="seconds of the host's time for a kernel")
    parser.add_argument("--loads", help="by default all")
    parser.add_argument("--out", default=os.path.join(bed.BUILD, "bench-context.json"))
    parser.add_argument("kernels", nargs="*", default=["6.1", "6.12", "6.1-rt"])
    args = parser.parse_args()
    rows = []
    for version in args.kernels:
        loads = args.loads.split() if args.loads else (
            LOADS_RT if version.endswith("-rt") else LOADS)
        for row in rows_of(version, measure(version, args.seconds, args.limit, loads)):
            rows.append(row)
            print(json.dumps(row), flush=True)
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)


if __name__ == "__main__":
    try:
        main()
    except bed.vmlib.VmError as err:
        sys.exit(f"bench-context: {err}")

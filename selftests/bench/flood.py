#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a flood of forged heartbeats costs: heartbeats and CPU.

Boots both servers in one guest in virtual time (scripts/icount-run), see
flood/guest.sh. Each kind of frame that flood/forge.c makes is sent at the same rate;
what they cost is compared with frames of an EtherType that nobody listens to. Run by
`make bench-flood`; writes build/bench-flood.json and prints it as a table.

    flood.py [--rate N] [--seconds N] [KIND...]
"""

import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True  # leave no __pycache__ in the tree
import bed  # noqa: E402  (below what must come first)
import table  # noqa: E402

KINDS = ["unclaimed", "version", "key", "stranger", "insider"]
PLAIN = "unclaimed"     # what the others are compared with
COUNTERS = ("sent", "beats", "rx", "lost", "missed", "changes", "version", "key", "forged",
            "unverified", "stalls")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100000, help="frames a second")
    parser.add_argument("--seconds", type=int, default=2, help="simulated, for each kind")
    parser.add_argument("--shift", type=int, default=0,
                        help="an instruction of the guest takes 2^SHIFT ns")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("--limit", type=float, default=3600, help="of the host's time")
    parser.add_argument("--out", default=os.path.join(bed.BUILD, "bench-flood.json"))
    parser.add_argument("kinds", nargs="*", default=KINDS, metavar="KIND")
    return parser.parse_args()


def measure(args):
    """Yields the rows as the guest prints them."""
    with bed.vmlib.RunDir() as rundir:
        image = bed.vmlib.initramfs(
            os.path.join(rundir, "flood.cpio"), bed.vmlib.kernel(args.kernel)["MODULES"],
            os.path.join(bed.HERE, "flood", "guest.sh"),
            load=[bed.stripped_module(args.kernel, rundir)],
            binaries=[*bed.PROGRAMS, os.path.join(bed.BUILD, "bench", "forge")],
            files=[bed.SERVER])
        for line in bed.console(args.kernel, image,
                                [str(args.rate), str(args.seconds), *args.kinds],
                                shift=args.shift, limit=args.limit):
            if line.startswith("row "):
                yield json.loads(line[4:])


def finish(row, idle, plain):
    """Adds rates and shares. idle: the row without frames; plain: those that nobody
    listens to, or None. Rates differ where the CPU has no time left for the flood, so
    what a frame costs is compared."""
    share = 1 - row["idle_ns"] / row["ns"]
    rate = row["sent"] / row["ns"]
    row["frames_per_s"] = round(rate * 1e9)
    row["cpu_percent"] = round(100 * share, 1)
    row["frame_ns"] = round((share - idle) / rate) if rate else None
    row["module_percent"] = None
    if rate and plain:
        row["module_percent"] = round(100 * (row["frame_ns"] - plain["frame_ns"]) * rate, 1)
    return row


def main():
    args = arguments()
    began, rows = time.monotonic(), []
    for row in measure(args):
        rows.append(row)
        print(f"bench-flood: {time.monotonic() - began:5.0f} s: {json.dumps(row)}",
              file=sys.stderr, flush=True)
    idle = 1 - rows[0]["idle_ns"] / rows[0]["ns"]
    plain = next((finish(row, idle, None) for row in rows if row["kind"] == PLAIN), None)
    rows = [finish(row, idle, plain) for row in rows]
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
    table.show(rows, ("kind", "frames_per_s", "cpu_percent", "frame_ns",
                      "module_percent", *COUNTERS))
    return 0 if all(row["sent"] for row in rows if row["kind"] != "none") else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except bed.vmlib.VmError as err:
        sys.exit(f"bench-flood: {err}")

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
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
BED = os.path.join(TOP, "selftests", "bench", "flood")
sys.dont_write_bytecode = True  # leave no __pycache__ in the tree
sys.path.insert(0, os.path.join(TOP, "scripts"))
import vmlib  # noqa: E402  (found by the line above)

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
    parser.add_argument("--out", default=os.path.join(BUILD, "bench-flood.json"))
    parser.add_argument("kinds", nargs="*", default=KINDS, metavar="KIND")
    return parser.parse_args()


def initrd(kernel, rundir):
    """The module without what it has for debuggers: slow to unpack in the guest."""
    module = os.path.join(rundir, "ctiha.ko")
    built = os.path.join(BUILD, "module", os.path.basename(kernel["KDIR"]), "ctiha.ko")
    subprocess.run(["strip", "-g", "-o", module, built], check=True)
    programs = [os.path.join(BUILD, name)
                for name in ("bin/ctihad", "bin/ctiha", "bench/forge")]
    return vmlib.initramfs(os.path.join(rundir, "flood.cpio"), kernel["MODULES"],
                           os.path.join(BED, "guest.sh"), load=[module],
                           binaries=programs)


def run_guest(args, image):
    """Yields the rows as the guest prints them; raises if it does not end well."""
    command = [os.path.join(TOP, "scripts", "icount-run"), "-k", args.kernel, "-t",
               str(args.limit), "-c", "2", "-s", str(args.shift), "-i", image, "--",
               str(args.rate), str(args.seconds), *args.kinds]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                          errors="replace") as guest:
        for line in guest.stdout:
            lines.append(line)
            if line.startswith("row "):
                yield json.loads(line[4:])
    if guest.returncode:
        raise vmlib.VmError("the guest failed:\n" + "".join(lines[-30:]))


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


def print_table(rows):
    columns = ("kind", "frames_per_s", "cpu_percent", "frame_ns", "module_percent", *COUNTERS)
    print("|", " | ".join(columns), "|")
    print("|", " | ".join("---" for _ in columns), "|")
    for row in rows:
        print("|", " | ".join(str(row[name]) for name in columns), "|")


def main():
    args = arguments()
    began, rows = time.monotonic(), []
    with vmlib.RunDir() as rundir:
        image = initrd(vmlib.kernel(args.kernel), rundir)
        for row in run_guest(args, image):
            rows.append(row)
            print(f"bench-flood: {time.monotonic() - began:5.0f} s: {json.dumps(row)}",
                  file=sys.stderr, flush=True)
    idle = 1 - rows[0]["idle_ns"] / rows[0]["ns"]
    plain = next((finish(row, idle, None) for row in rows if row["kind"] == PLAIN), None)
    rows = [finish(row, idle, plain) for row in rows]
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
    print_table(rows)
    return 0 if all(row["sent"] for row in rows if row["kind"] != "none") else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except vmlib.VmError as err:
        sys.exit(f"bench-flood: {err}")

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How late heartbeats and verdicts run beside loads, kernel by kernel, in
virtual time. Run by `make bench-context`; writes build/bench-context.json.
See context_guest.sh for the bed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "scripts"))
import vmlib  # noqa: E402  (found by the line above)

# Interrupt threads and ours have priority 50 on PREEMPT_RT.
LOADS = ["idle", "cpu", "hog-40", "flood-40"]
LOADS_RT = LOADS + ["hog-60"]


def initrd(kernel, out):
    module = os.path.join(TOP, "build", "module", os.path.basename(kernel["KDIR"]),
                          "ctiha.ko")
    programs = [os.path.join(TOP, "build", "bin", name) for name in ("ctihad", "ctiha")]
    return vmlib.initramfs(
        out, kernel["MODULES"], os.path.join(TOP, "selftests", "bench",
                                             "context_guest.sh"),
        load=["veth", module], binaries=[*programs, "chrt", "timeout"])


def measure(version, seconds, limit, loads):
    """Yields the lines that the guest prints, as they come."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="ctiha.") as rundir:
        image = initrd(vmlib.kernel(version), os.path.join(rundir, "i.cpio"))
        command = [os.path.join(TOP, "scripts", "icount-run"), "-k", version, "-t",
                   str(limit), "-c", "1", "-i", image, "--", str(seconds), *loads]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                              errors="replace") as guest:
            for line in guest.stdout:
                lines.append(line)
                yield line.rstrip("\n")
    if guest.returncode:
        print("".join(lines[-30:]))
        sys.exit(f"bench-context: the guest with {version} failed")


def behind_deadline_us(event):
    """How long after the deadline of silence the verdict was given."""
    link = event["link"] if isinstance(event.get("link"), dict) else event
    return (event["time_ns"] - link["heard_ns"]) / 1000 - link["detect_us"]


def rows_of(version, lines):
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "row":
            yield {"kernel": version, **json.loads(rest)}
        elif word == "silence":
            load, _, text = rest.partition(" ")
            event = json.loads(text)
            yield {"kernel": version, "load": load, "link": event["link"]["name"],
                   "verdict_us": round(behind_deadline_us(event), 1),
                   "stalls": event["link"]["stats"]["stalls"],
                   "withheld": event["link"]["stats"]["withheld"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--limit", type=int, default=3600,
                        help="seconds of the host's time for a kernel")
    parser.add_argument("--loads", help="by default all")
    parser.add_argument("--out", default=os.path.join(TOP, "build", "bench-context.json"))
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
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon a dead peer is noticed, and how often a living one is taken for dead.

Boots a guest in virtual time (scripts/icount-run) for each system; both ends of a
pair run in it, joined by a virtual cable that is cut without anyone being told. The
host's load does not show and a run repeats. Run by `make bench-detect`; writes
build/bench-detect.json, a row per system and load, and prints it as a table.

    detect.py [--quick] [--system NAME]... [--load NAME]...
"""

import argparse
import concurrent.futures
import json
import math
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # leave no __pycache__ in the tree
import bed  # noqa: E402  (below what must come first)
from bed import BUILD, vmlib  # noqa: E402
import table  # noqa: E402

GUEST = os.path.join(bed.HERE, "detect")
SYSTEMS = ("ctiha-module", "ctiha-packet", "ctiha-packet-rt",
           "keepalived-vrrp", "keepalived-vrrp-rt", "keepalived-bfd",
           "keepalived-bfd-rt", "bfdd", "bfdd-rt", "corosync", "corosync-nort")
NOTHING = "none"        # the guest without a system, which its cost is compared with
# By load: simulated seconds without a cut, and cuts.
LOADS = {"idle": (10, 30), "cpu": (5, 5), "fifo": (5, 5), "flood": (5, 5)}
QUICK = {"idle": (10, 10), "cpu": (2, 2), "fifo": (2, 2), "flood": (2, 2)}
# An instruction of the guest takes 2^SHIFT ns. At 8 ns two corosyncs with its shortest
# timeout leave the CPU no time.
SHIFT, SHIFTS = 3, {"corosync": 1}
INTERVAL_MS, MULTIPLIER = 10, 3
FLOOD = 4000            # datagrams a second
NS_PER_MS, NS_PER_S = 10 ** 6, 10 ** 9
BEGUN = time.monotonic()
PEERS = {"keepalived": "usr/sbin/keepalived", "corosync": "usr/sbin/corosync",
         "bfdd": "usr/lib/frr/bfdd"}
COLUMNS = ("system", "load", "p50_ms", "p99_ms", "max_ms", "cuts", "false_failovers_per_h",
           "quiet_s", "cpu_us_per_heartbeat", "frames_per_s")
LINE = re.compile(r"bench: (\d+) (\w+)(?: (\d+))?$")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds and cuts")
    parser.add_argument("--system", action="append", choices=SYSTEMS)
    parser.add_argument("--load", action="append", choices=LOADS)
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("--module", help="ctiha.ko (default: of build/, for that kernel)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="guests at once")
    parser.add_argument("--shift", type=int,
                        help="an instruction of the guest takes 2^SHIFT ns "
                        f"(default: {SHIFT}, for some systems less)")
    parser.add_argument("--resume", action="store_true",
                        help="keep what a run of the same plan left in build/")
    parser.add_argument("--limit", type=float, default=7200, help="seconds for a guest")
    parser.add_argument("--out", default=os.path.join(BUILD, "bench-detect.json"))
    return parser.parse_args()


# --- the guests ---------------------------------------------------------------

def say(what):
    """How far it is, with the time since the start."""
    print(f"bench-detect: {time.monotonic() - BEGUN:5.0f} s: {what}", file=sys.stderr,
          flush=True)


def family_of(system):
    return system.partition("-")[0]


def shift_of(args, system):
    return SHIFTS.get(family_of(system), SHIFT) if args.shift is None else args.shift


def peers_root():
    done = subprocess.run([os.path.join(bed.TOP, "scripts", "peers"), "get"], check=True,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().partition("=")[2]


def write_init(path, library_path):
    with open(path, "w", encoding="ascii") as script:
        script.write("#!/bin/bash\n"
                     f"export LD_LIBRARY_PATH={library_path}\n"
                     "echo frrvty:x:85:root >> /etc/group\n"
                     'exec bash /bench/guest.sh "$@"\n')
    return path


def initramfs(args, rundir, family):
    """With the libraries at the paths that they have here, of the family alone."""
    peers = peers_root()
    os.environ["LD_LIBRARY_PATH"] = ":".join(
        os.path.join(peers, place, "x86_64-linux-gnu", part)
        for place in ("lib", "usr/lib") for part in ("", "frr"))
    init = write_init(os.path.join(rundir, "init"), os.environ["LD_LIBRARY_PATH"])
    modules = list(bed.CUT)
    programs = [os.path.join(BUILD, "bench", name) for name in ("observe", "flood")]
    if family == "ctiha":
        modules.append(bed.stripped_module(args.kernel, rundir, args.module))
        programs += bed.PROGRAMS
    files = [(GUEST, "/bench")]
    if family in PEERS:
        files.append((os.path.join(peers, PEERS[family]), f"/usr/bin/{family}"))
    return vmlib.initramfs(
        os.path.join(rundir, f"{family}.cpio"), vmlib.kernel(args.kernel)["MODULES"],
        init, modules, ["chrt", "nice", "tc", "ping", *programs], files)


def run_guest(args, initrd, plan, shift, path, head):
    """Its console, kept in path as it comes, and whether the guest came to its end:
    what a load showed is worth keeping even if it did not."""
    lines, whole = [], True
    with open(path, "w", encoding="utf-8", buffering=1) as log:
        log.write(head)
        try:
            for line in bed.console(args.kernel, initrd, plan, shift=shift,
                                    limit=args.limit):
                log.write(line)
                lines.append(line)
                if line.startswith("bench: load "):
                    say(f"{plan[0]}: {line.split()[2]} measured")
        except vmlib.VmError:
            whole = False
    return "".join(lines), whole


def earlier(path, head):
    """What a run of the same plan left there, if it was complete."""
    try:
        with open(path, encoding="utf-8") as log:
            text = log.read()
    except FileNotFoundError:
        return None
    return text if text.startswith(head) and "ctiha-guest: exit 0" in text else None


def boot(args, initrds, system, shift, loads):
    """The guest's console; it is also kept in build/."""
    plan = [system, str(FLOOD)]
    plan += [f"{load}:{quiet}:{cuts}" for load, (quiet, cuts) in loads.items()]
    path = os.path.join(BUILD, f"bench-detect-{system}.{shift}.log")
    head = f"bench: plan {args.kernel} {shift} {' '.join(plan)}\n"
    console = earlier(path, head) if args.resume else None
    if console:
        return console
    console, whole = run_guest(args, initrds[family_of(system)], plan, shift, path, head)
    say(f"{system}: {'done' if whole else 'failed, see ' + path}")
    return console


def read_loads(console):
    """By load: a list of (ns, word, value) in the order of time."""
    loads, events = {}, []
    for line in console.splitlines():
        if line.startswith("bench: load "):
            events = loads.setdefault(line.split()[2], [])
        elif found := LINE.match(line):
            ns, word, value = found.groups()
            events.append((int(ns), word, int(value or 0)))
    return {load: sorted(events, key=lambda event: event[0])
            for load, events in loads.items()}


# --- the figures --------------------------------------------------------------

def rank(values, share):
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def detections_ms(events):
    """From each cut to the first "down" after it."""
    found, cut = [], None
    for ns, word, _ in events:
        if word == "cut":
            cut = ns
        elif word == "down" and cut:
            found.append((ns - cut) / NS_PER_MS)
            cut = None
    return found


def quiet_time(events):
    """(begin, end) of the time without cuts, or None."""
    times = {word: ns for ns, word, _ in events if word in ("quiet", "loud")}
    return (times["quiet"], times["loud"]) if len(times) == 2 else None


def false_alarms(events):
    begin, end = quiet_time(events)
    return sum(word == "down" and begin <= ns < end for ns, word, _ in events)


def used(events):
    """(busy ns of the CPU, frames, ns) in the time without cuts."""
    idle = [(ns, value) for ns, word, value in events if word == "idle"]
    frames = [value for _, word, value in events if word == "frames"]
    span = idle[1][0] - idle[0][0]
    return span - (idle[1][1] - idle[0][1]), frames[1] - frames[0], span


def cost_us(events, nothing):
    """CPU time of both nodes and the kernel for a heartbeat, sent and received."""
    busy, frames, span = used(events)
    base, _, base_span = used(nothing)
    return (busy - base * span / base_span) / frames / 1000 if frames else None


def rounded(value, digits=2):
    return None if value is None else round(value, digits)


def row(system, load, events, nothing, shift):
    found = detections_ms(events)
    quiet = quiet_time(events)
    result = {"system": system, "load": load, "shift": shift, "interval_ms": INTERVAL_MS,
              "multiplier": MULTIPLIER,
              "p50_ms": rounded(rank(found, 0.5)), "p99_ms": rounded(rank(found, 0.99)),
              "max_ms": rounded(max(found, default=None)), "cuts": len(found),
              "false_failovers_per_h": None, "false_failovers": None,
              "quiet_s": None, "cpu_us_per_heartbeat": None,
              "instructions_per_heartbeat": None, "frames_per_s": None}
    if not quiet:
        return result
    seconds = (quiet[1] - quiet[0]) / NS_PER_S
    alarms = false_alarms(events)
    result.update(false_failovers=alarms, quiet_s=round(seconds),
                  false_failovers_per_h=rounded(alarms * 3600 / seconds, 0))
    if load == "idle" and nothing:
        cost = cost_us(events, nothing)
        _, frames, span = used(events)
        result.update(cpu_us_per_heartbeat=rounded(cost),
                      instructions_per_heartbeat=rounded(cost and cost * 1000 / 2 ** shift, 0),
                      frames_per_s=rounded(frames * NS_PER_S / span, 0))
    return result


def measure(args, loads):
    """Yields (system, shift, its events by load); NOTHING comes first."""
    plans = [(system, shift_of(args, system), loads)
             for system in args.system or SYSTEMS]
    idle = {"idle": (loads.get("idle", (0, 0))[0], 0)}
    plans = [*((NOTHING, shift, idle) for shift in sorted({plan[1] for plan in plans})),
             *plans]
    with vmlib.RunDir() as rundir, \
            concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        initrds = {family: initramfs(args, rundir, family)
                   for family in {family_of(plan[0]) for plan in plans}}
        consoles = pool.map(lambda plan: boot(args, initrds, *plan), plans)
        for (system, shift, _), console in zip(plans, consoles):
            yield system, shift, read_loads(console)


def main():
    args = arguments()
    loads = {load: plan for load, plan in (QUICK if args.quick else LOADS).items()
             if not args.load or load in args.load}
    rows, nothing = [], {}
    for system, shift, measured in measure(args, loads):
        if system == NOTHING:
            nothing[shift] = measured.get("idle")
            continue
        rows += [row(system, load, measured.get(load, []), nothing[shift], shift)
                 for load in loads]
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
    table.show(rows, COLUMNS)
    return 0 if all(one["cuts"] for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

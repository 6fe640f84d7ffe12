#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the state sync is, beside Redis's replication of the same records.

Two servers in network namespaces; an application on one of them (sync/main.c) lets calls
begin, change and end, and the other is to have them. Run by `make bench-sync`, which
gives it namespaces of its own; writes build/bench-sync.json, a row per system and number
of calls (medians of the rounds), and prints it as a table.

    sync.py [--quick] [--system NAME]... [--calls N]... [--rounds N]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
sys.dont_write_bytecode = True  # leave no __pycache__ in the tree
sys.path.insert(0, os.path.join(TOP, "selftests", "bench", "sync"))
import namespaces  # noqa: E402  (found by the line above)
import pairs  # noqa: E402
import table  # noqa: E402

SYSTEMS = ("ctiha", "ctiha-insecure", "redis")
RIVAL = "redis"
CALLS = (1_000, 36_000, 1_000_000)
RATE = 10_000           # updates a second, where the lag and the bytes are measured
BACKGROUND = 1_000      # while everything is transferred
COLUMNS = ("system", "calls", "updates_per_s", "updates_per_cpu_s", "lag_p50_ms", "lag_p99_ms",
           "wire_bytes_per_update", "full_transfer_s", "rss_bytes_per_record")
MORE = ("cpu_us_per_update", "paced_cpu_us_per_update", "busy_wire_bytes_per_update",
        "application_us_per_update", "restart_to_sync_s", "lag_max_ms", "late_p99_ms",
        "idle_wire_bytes_per_s")
BEGUN = time.monotonic()


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a second for each figure")
    parser.add_argument("--system", action="append", choices=SYSTEMS)
    parser.add_argument("--calls", action="append", type=int)
    parser.add_argument("--rounds", type=int, help="default 3, quick 1")
    parser.add_argument("--seconds", type=float, help="for each figure; default 5")
    parser.add_argument("--window", type=int, default=1000,
                        help="updates under way at most when as many as possible are made")
    parser.add_argument("--limit", type=float, default=3600, help="seconds for all of it")
    parser.add_argument("--keep", help="folder that is to keep the logs")
    parser.add_argument("--out", default=os.path.join(BUILD, "bench-sync.json"))
    args = parser.parse_args()
    args.system = args.system or list(SYSTEMS)
    args.calls = args.calls or list(CALLS[:2] if args.quick else CALLS)
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.seconds = args.seconds or (1 if args.quick else 5)
    return args


def say(what):
    """How far it is, with the time since the start."""
    print(f"bench-sync: {time.monotonic() - BEGUN:5.0f} s: {what}", file=sys.stderr, flush=True)


class Driver:
    """The application on a."""

    def __init__(self, pair, calls, window):
        self.popen = subprocess.Popen(
            ["ip", "netns", "exec", "a", os.path.join(BUILD, "bench", "sync"), pair.kind,
             pair.socket, str(calls), str(window)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, *words):
        self.popen.stdin.write(" ".join(map(str, words)) + "\n")
        self.popen.stdin.flush()

    def result(self):
        line = self.popen.stdout.readline()
        if not line:
            raise RuntimeError("the driver has ended")
        return json.loads(line)

    def run(self, *words):
        self.begin(*words)
        return self.result()

    def end(self):
        self.popen.stdin.close()
        self.popen.wait()


def cpu_s(pair):
    return sum(process.cpu_s() for process in pair.processes())


def measured(pair, driver, *words):
    """The driver's result, with what it cost the servers."""
    cpu, wire = cpu_s(pair), namespaces.wire_bytes()
    result = driver.run(*words)
    return {**result, "servers_cpu_s": cpu_s(pair) - cpu,
            "wire_bytes": namespaces.wire_bytes() - wire}


def idle_wire(seconds):
    before = namespaces.wire_bytes()
    time.sleep(seconds)
    return (namespaces.wire_bytes() - before) / seconds


def on_the_wire(pair, driver, seconds):
    """Bytes for an update, at RATE and at full speed, with frames as they travel."""
    namespaces.offload(False)
    paced = measured(pair, driver, "paced", RATE, seconds)
    busy = measured(pair, driver, "closed", seconds)
    namespaces.offload(True)
    return [run["wire_bytes"] / run["updates"] for run in (paced, busy)]


def transfer(pair, driver):
    """The standby comes back with nothing while updates go on; then both are compared."""
    driver.begin("paced", BACKGROUND, 600)
    time.sleep(0.5)
    times = pair.rejoin()
    driver.begin("stop")
    driver.result()
    driver.result()
    namespaces.wait_until("both have the same", lambda: len(set(pair.contents())) == 1)
    return times


def measure(pair, driver, calls, args):
    """A row."""
    seconds = args.seconds
    empty = sum(pair.memory())
    idle = idle_wire(seconds)
    filled = driver.run("fill")
    driver.run("closed", seconds)       # until what grows at first has grown
    busy = measured(pair, driver, "closed", seconds)
    paced_bytes, busy_bytes = on_the_wire(pair, driver, seconds)
    lag = measured(pair, driver, "probed", RATE, seconds)
    held = sum(pair.memory())
    transfer_s, restart_s = transfer(pair, driver)
    own = driver.run("nothing", 100_000)
    if pair.kind == "ctiha" and busy["safe"] != busy["updates"]:
        raise RuntimeError("updates were acknowledged without the standby")
    return {
        "calls": calls, "updates_per_s": busy["updates"] / busy["seconds"],
        "updates_per_cpu_s": busy["updates"] / busy["servers_cpu_s"],
        "lag_p50_ms": lag["lag_p50_ms"], "lag_p99_ms": lag["lag_p99_ms"],
        "wire_bytes_per_update": paced_bytes, "full_transfer_s": transfer_s,
        "rss_bytes_per_record": (held - empty) / calls,
        "cpu_us_per_update": 1e6 * busy["servers_cpu_s"] / busy["updates"],
        "paced_cpu_us_per_update": 1e6 * lag["servers_cpu_s"] / lag["updates"],
        "busy_wire_bytes_per_update": busy_bytes,
        "application_us_per_update": 1e6 * (busy["cpu_s"] / busy["updates"] -
                                            own["cpu_s"] / 100_000),
        "restart_to_sync_s": restart_s, "lag_max_ms": lag["lag_max_ms"],
        "late_p99_ms": lag["late_p99_ms"], "idle_wire_bytes_per_s": idle,
        "paced_rate": lag["updates"] / lag["seconds"], "samples": lag["samples"],
        "fill_s": filled["seconds"]}


def make_pair(system, work, store, peers):
    if system == RIVAL:
        return pairs.RedisPair(work, peers)
    return pairs.CtihaPair(work, store, os.path.join(BUILD, "bin"),
                           system == "ctiha-insecure")


def run_system(system, calls, store, peers, args):
    """A row; nothing of the system is left."""
    work = tempfile.mkdtemp(prefix="bench-sync-")
    pair, driver = make_pair(system, work, store, peers), None
    try:
        pair.start_serving()
        driver = Driver(pair, calls, args.window)
        pair.start_standby()
        return {"system": system, **measure(pair, driver, calls, args)}
    finally:
        if driver:
            driver.end()
        pair.end()
        if args.keep:
            shutil.copytree(work, os.path.join(args.keep, f"{system}-{calls}"),
                            ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True)
        shutil.rmtree(work)
        for server in os.listdir(store):
            shutil.rmtree(os.path.join(store, server))


def median(rows):
    """One row of several of the same."""
    return {name: value if name in ("system", "calls") else
            round(statistics.median(row[name] for row in rows), 4)
            for name, value in rows[0].items()}


def text_of(value):
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def print_ratios(rows):
    """What the aims are about: this system's figure divided by Redis's."""
    names = ("updates_per_s", "updates_per_cpu_s", "wire_bytes_per_update",
             "busy_wire_bytes_per_update", "full_transfer_s", "rss_bytes_per_record")
    rivals = {row["calls"]: row for row in rows if row["system"] == RIVAL}
    ratios = [{"system": row["system"], "calls": row["calls"],
               **{name: row[name] / rivals[row["calls"]][name] for name in names}}
              for row in rows if row["system"] != RIVAL and row["calls"] in rivals]
    if ratios:
        print(f"\nDivided by what {RIVAL} has:\n")
        table.show(ratios, ("system", "calls", *names), text_of)


def run_all(args, store, peers):
    """By (system, calls): a row for each round. The order turns with each."""
    rows = {}
    for turn in range(args.rounds):
        for calls in args.calls:
            for system in args.system[::-1 if turn % 2 else 1]:
                if time.monotonic() - BEGUN > args.limit:
                    say("no time for more")
                    return rows
                row = run_system(system, calls, store, peers, args)
                rows.setdefault((system, calls), []).append(row)
                say(f"round {turn + 1}: {system} with {calls:,} calls: "
                    f"{row['updates_per_s']:,.0f} updates/s, "
                    f"{row['updates_per_cpu_s']:,.0f} for a CPU second, "
                    f"load {os.getloadavg()[0]:.1f}")
    return rows


def main():
    args = arguments()
    done = subprocess.run([os.path.join(TOP, "scripts", "peers"), "get", "sync"], check=True,
                          stdout=subprocess.PIPE, text=True)
    peers = done.stdout.strip().partition("=")[2]
    say(f"beside Redis {pairs.RedisPair('', peers).version()}")
    namespaces.make_network()
    store = tempfile.mkdtemp(prefix="bench-sync-store-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12g", "store", store], check=True)
    try:
        rows = run_all(args, store, peers)
    finally:
        subprocess.run(["umount", "-l", store], check=True)
        os.rmdir(store)
    rows = [median(rows[system, calls]) for calls in args.calls for system in args.system
            if (system, calls) in rows]
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
    table.show(rows, COLUMNS, text_of)
    print()
    table.show(rows, ("system", "calls", *MORE), text_of)
    print_ratios(rows)
    return 0 if len(rows) == len(args.calls) * len(args.system) else 1


if __name__ == "__main__":
    sys.exit(main())

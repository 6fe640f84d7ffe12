#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: a pair in two virtual machines carries thousands of live calls; the
active server's power is cut; the standby goes on; the dead one comes back.

Run by scripts/demo. Writes build/demo.json. Exit code 1 if a call was lost or
both servers were active at any time, 2 if the demo itself could not be run, 3 if
this machine is too slow for these timers (scripts/demo then relaxes them).
"""

import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pair as pairlib  # noqa: E402  (beside this file)
import vmlib  # noqa: E402  (found by pair)

MS = 1e6
# From the quickest on; the last ones are for a machine that is busy.
TIMERS = {"fast": pairlib.TIMES, "medium": pairlib.MEDIUM_TIMES,
          "slow": pairlib.SLOW_TIMES}
ROLE_LOSSES_MAX = 2

FAULTS = ("calls_lost", "calls_wrong", "calls_duplicated", "calls_resurrected")


def say(text):
    print(text, flush=True)


def progress(text):
    """One line that is overwritten on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)


class Callers:
    """ctiha-load drive on the LAN: makes the calls, and knows each of them."""

    def __init__(self, pair, calls, rate):
        self.path = os.path.join(pair.rundir, "calls.events")
        log = open(os.path.join(pair.rundir, "calls.log"), "ab")
        self.out = open(self.path, "ab")
        self.child = pair.native(
            "caller", os.path.join(pairlib.BIN, "ctiha-load"), "drive",
            "--service", f"{pairlib.SERVICE}:{pairlib.PORT}",
            "--calls", str(calls), "--rate", str(rate), "--control", "-", "--retry-ms", "5",
            "--json", os.path.join(pair.rundir, "calls.json"),
            stdin=subprocess.PIPE, stdout=self.out, stderr=log)

    def say(self, command):
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()

    def events(self, name):
        return [line for line in pairlib.read_lines(self.path)
                if line.get("event") == name]


class Peace:
    """Nothing has been broken yet: whoever loses the role now has only stalled."""

    def __init__(self, pair):
        self.pair = pair
        self.before = self.count()

    def count(self):
        return sum(step == "role lost" for server in self.pair.servers
                   for _, step in server.steps())

    def check(self):
        losses = self.count() - self.before
        if losses > ROLE_LOSSES_MAX:
            raise pairlib.PairError(
                f"the role was lost {losses} times though nothing is broken")


def wait_for_pair(pair):
    began = time.monotonic()

    def whole():
        progress(f"  {time.monotonic() - began:4.0f} s: " + ", ".join(
            f"{server.name} {server.status().get('phase', 'starting')}"
            for server in pair.servers))
        return pair.whole()

    found = pair.wait("one serves and the other follows, identical", whole, 90)
    progress("")
    return found


def fill(pair, callers, peace):
    def filled():
        peace.check()
        with open(os.path.join(pair.rundir, "calls.log"), "rb") as log:
            lines = log.read().replace(b"\r", b"\n").splitlines()
        progress("  " + (lines[-1].decode("utf-8", "replace") if lines else ""))
        if callers.child.poll() is not None:
            raise pairlib.PairError(f"ctiha-load ended: {lines[-3:]}")
        return callers.events("filled")

    pair.wait("all calls are set up", filled, 150, 0.5)
    progress("")


def first(items, after, default=None):
    found = [item for item in items if item[0] >= after]
    return min(found)[0] if found else default


def survivor_story(survivor, killed):
    """(time, what) of the survivor's steps after the cut."""
    downs = [event for event in survivor.events("link")
             if event["time_ns"] >= killed and event["link"]["state"] == "down"]
    story = [(down["time_ns"],
              f"session {down['link']['name']} down ({down['link']['diag']})")
             for down in downs[:2]]
    if downs:
        heard = max(down["link"]["heard_ns"] for down in downs[:2])
        story.append((heard - survivor.offset, "last heartbeat heard"))
    steps = [step for step in survivor.steps() if step[0] >= killed]
    wanted = ["arbiter asked", "arbiter granted", "role active",
              "address announced", "work started"]
    for name in wanted:
        times = [when for when, step in steps if step == name]
        if times:
            story.append((times[0], name))
    return story


def overlap_ns(terms, others, error_ns=0):
    """For how long both acted, beyond what the clocks' error can feign."""
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0]) - error_ns)
               for a in terms for b in others)


def dual_active_ns(cut, dead, survivor):
    """The dead one's last term ended with the cut; then it has a new clock."""
    until = vmlib.now_ns()
    before = [(begin, min(end, cut["after"])) for begin, end in cut["terms"]]
    return (overlap_ns(before, survivor.terms(until)) +
            overlap_ns(dead.terms(until), survivor.terms(until),
                       dead.error + survivor.error))


def show_timeline(story, zero, error_ns):
    say("\nTimeline, ms after the power cut "
        f"(one clock; the survivor's is known to ±{error_ns / MS:.2f} ms):")
    for when, what in story:
        say(f"  {(when - zero) / MS:9.2f}  {what}")


def audit(pair, callers, name):
    before = len(callers.events("audit"))
    callers.say("audit")
    pair.wait(name, lambda: len(callers.events("audit")) > before, 60)
    return callers.events("audit")[-1]


def worst(early, late):
    """The early audit, with what was lost or wrong in either of them."""
    return {key: max(value, late[key]) if key in FAULTS else value
            for key, value in early.items()}


def cut_power(pair, callers, active, survivor):
    dead_terms = active.terms(vmlib.now_ns())
    before, after = active.kill()
    say(f"power of {active.name} cut")
    served = pair.wait(
        "calls are served again", lambda: next(
            (event["to_ns"] for event in callers.events("takeover")
             if event["to_ns"] > before), None), 30, 0.02)
    time.sleep(3)
    story = survivor_story(survivor, before - survivor.error)
    story.append((served, "first call operation served"))
    story.append((before, "power cut"))
    return {"before": before, "after": after, "terms": dead_terms,
            "served": served, "story": sorted(story)}


def rejoin(pair, dead):
    began = dead.start()
    # Servers share no CPU: what boots here must not stall the one that serves.
    dead.vm.renice(15)
    dead.ready()
    dead.vm.renice(0)

    def back():
        progress(f"  {(vmlib.now_ns() - began) / 1e9:4.0f} s: {dead.name} "
                 f"{dead.status().get('sync', {}).get('state', 'starting')}")
        return pair.whole()

    active, _ = pair.wait("the dead server is standby and identical", back, 90)
    done = vmlib.now_ns()
    progress("")
    # An emulated server that stalls for longer than its lease loses its role, and
    # the one that is back has all calls by then: that is said, and audited.
    swapped = active is dead
    digests = [json.loads(server.run("ctiha -j sync show"))["digest"]
               for server in pair.servers]
    ups = [event["time_ns"] for event in dead.events("link")
           if event["link"]["state"] == "up"]
    return {"total_ns": done - began, "sync_ns": done - min(ups) if ups else 0,
            "equal": digests[0] == digests[1], "swapped": swapped}


def story_json(cut, survivor):
    return [{"ms": round((when - cut["before"]) / MS, 3), "step": what,
             "clock": "host" if what in ("power cut",
                                         "first call operation served")
             else survivor.name}
            for when, what in cut["story"]]


def make_whole(pair, arguments):
    """(callers, active, survivor), with all calls live and both servers in step."""
    peace = Peace(pair)
    callers = Callers(pair, arguments.calls, arguments.rate)
    fill(pair, callers, peace)

    def whole():
        peace.check()
        return pair.whole()

    pair.wait("the standby is in step", whole, 60)
    say(f"calls are live; {arguments.rate} operations a second go on")
    time.sleep(arguments.settle)
    return callers, *pair.wait("the pair is whole before the cut", whole, 60)


def run(pair, arguments):
    say("== Booting two CTI servers, arbiter and callers beside them")
    for server in pair.servers:
        server.start()
    pair.start_arbiter()
    for server in pair.servers:
        server.ready()
    active, survivor = wait_for_pair(pair)
    say(f"{active.name} is active, {survivor.name} follows")

    say(f"== Setting up {arguments.calls} calls")
    callers, active, survivor = make_whole(pair, arguments)
    say("\n== Cutting the power")
    cut = cut_power(pair, callers, active, survivor)
    show_timeline(cut["story"], cut["before"], survivor.error)
    result = audit(pair, callers, "audit of the survivor")
    say(f"\n== Powering {active.name} on again")
    back = rejoin(pair, active)
    say(f"{active.name} is standby again after {back['total_ns'] / MS:.0f} ms "
        f"(boot included; {back['sync_ns'] / MS:.0f} ms after the first "
        "heartbeats), " +
        ("identical" if back["equal"] else "while calls go on"))
    if back["swapped"]:
        say(f"... and active again: {survivor.name} stalled for longer than its lease "
            "while the other one booted beside it")
    result = worst(result, audit(pair, callers, "audit at the end"))
    dual = dual_active_ns(cut, active, survivor)
    return {
        "takeover_ms": round((cut["served"] - cut["before"]) / MS, 3),
        "session_down_ms": next(
            (round((when - cut["before"]) / MS, 3)
             for when, what in reversed(cut["story"]) if "down" in what), None),
        "calls_before": result["calls_before"],
        "calls_after": result["calls_after"],
        "calls_lost": result["calls_lost"],
        "calls_wrong": result["calls_wrong"],
        "calls_duplicated": result["calls_duplicated"],
        "calls_resurrected": result["calls_resurrected"],
        "writes_in_flight": result["writes_in_flight"],
        "writes_acked_standby": result["writes_acked_standby"],
        "writes_acked_alone": result["writes_acked_alone"],
        "dual_active_ms": round(dual / MS, 3),
        "rejoin_ms": round(back["total_ns"] / MS, 3),
        "roles_swapped_back": back["swapped"],
        "clock_error_ms": round(survivor.error / MS, 3),
        "accelerator": active.vm.accel,
        "timers": arguments.timers,
        "timeline": story_json(cut, survivor),
    }


def verdict(result):
    bad = [key for key in FAULTS + ("dual_active_ms",) if result[key]]
    say(f"""
Calls before {result['calls_before']}, after {result['calls_after']}, """
        f"""lost {result['calls_lost']}, wrong {result['calls_wrong']}, """
        f"""duplicated {result['calls_duplicated']}, """
        f"""resurrected {result['calls_resurrected']}
Writes in flight at the cut: {result['writes_in_flight']}
Both servers active: {result['dual_active_ms']} ms
Power cut to first operation served: {result['takeover_ms']} ms""")
    say("FAILED: " + ", ".join(bad) if bad else "No call was lost.")
    return 1 if bad else 0


def cannot(error):
    say(f"\nThe demo could not be run: {error}\n"
        "Again with 'scripts/demo --keep DIR' to keep all logs in DIR.")
    return 2


def too_slow(arguments, error):
    if arguments.timers == list(TIMERS)[-1]:
        return cannot(error)
    say(f"\nThis machine is too slow for a lease of "
        f"{TIMERS[arguments.timers]['lease']}: {error}")
    return 3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10050)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--settle", type=float, default=5)
    parser.add_argument("--timers", choices=TIMERS, default="fast",
                        help="slower ones are for a machine that is busy")
    parser.add_argument("--out", default=os.path.join(pairlib.TOP, "build",
                                                      "demo.json"))
    parser.add_argument("--keep", help="folder to keep logs in")
    arguments = parser.parse_args()
    # Each attempt has a folder of its own: logs are read while they grow.
    keep = arguments.keep and os.path.join(arguments.keep, arguments.timers)
    with vmlib.RunDir(keep) as rundir:
        try:
            with pairlib.Pair(rundir, TIMERS[arguments.timers]) as pair:
                result = run(pair, arguments)
        except pairlib.PairError as error:
            return too_slow(arguments, error)
        except vmlib.VmError as error:
            return cannot(error)
    with open(arguments.out, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    say(f"The same as JSON: {os.path.relpath(arguments.out)}")
    return verdict(result)


if __name__ == "__main__":
    sys.exit(main())

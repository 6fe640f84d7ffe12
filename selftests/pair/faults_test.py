#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the active server, in a pair of virtual machines with the module.

Each scenario begins with a whole pair and ends with an audit: never two active
servers, and no frame with the service address from the one that may not act. The
frames are seen where the machine is plugged into the LAN, so by the machine that
sent them. Runs itself under scripts/in-netns; `make check-pair`.
"""

import argparse
import os
import socket
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import pair as pairlib  # noqa: E402  (beside this file)
import demo  # noqa: E402
import vmlib  # noqa: E402  (found by pair)

MS = 1e6
SERVICE = socket.inet_aton(pairlib.SERVICE)
SO_TIMESTAMPNS = 35
LIMIT = 120	# seconds; a busy host boots a machine in more

# The last second of a dying machine is for what it has just sent.
PANIC = "panic=1"


class Tap:
    """What a machine sends to the LAN with the service address as its source."""

    def __init__(self, name):
        self.frames = []
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                   socket.htons(3))
        self._sock.bind((name, 0))
        self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def _claims_service(frame):
        kind = frame[12:14]
        return (kind == b"\x08\x00" and frame[26:30] == SERVICE or
                kind == b"\x08\x06" and frame[28:32] == SERVICE)

    def _listen(self):
        wall = time.time_ns() - vmlib.now_ns()
        while True:
            frame, extra, _, sender = self._sock.recvmsg(2048, 64)
            if sender[2] == socket.PACKET_OUTGOING or not self._claims_service(frame):
                continue
            seconds, ns = struct.unpack("qq", extra[0][2][:16])
            self.frames.append(seconds * 1000000000 + ns - wall)

    def since(self, begin):
        return [when for when in list(self.frames) if when >= begin]


class Bed:
    """A pair, its taps, and somebody who asks the service all the time."""

    def __init__(self, rundir):
        self.pair = pairlib.Pair(rundir, pairlib.SLOW_TIMES)
        self.taps = {}
        for server in self.pair.servers:
            server.vm.append = PANIC
            self.taps[server] = Tap(f"tap-{server.node}")
            server.start()
        self.pair.start_arbiter()
        for server in self.pair.servers:
            server.ready(300)
        self.pair.native("caller", "ping", "-q", "-i", "0.02", pairlib.SERVICE,
                         stdout=-3, stderr=-3)

    def whole(self):
        """(active, standby), as of now."""
        found = self.pair.wait("the pair is whole", self.pair.whole, LIMIT)
        for server in found:
            server.offset, server.error = server.vm.clock_offset()
        return found

    def restart(self, server):
        server.kill()
        server.start()
        server.ready(300)
        self.whole()

    def serves(self, server):
        self.pair.wait(f"{server.name} serves",
                       lambda: server.status().get("role") == "active", LIMIT, 0.2)


def after(events, begin):
    return [event for event in events if event["time_ns"] >= begin]


def activated(server, begin):
    """When it began to act after that."""
    return next(event["time_ns"] for event in after(server.events("node"), begin)
                if event["node"]["role"] == "active")


def no_overlap(victim_terms, survivor, error):
    terms = survivor.terms(vmlib.now_ns())
    both = demo.overlap_ns(victim_terms, terms, error)
    assert not both, f"both were active for {both / MS:.3f} ms"


def told(survivor, begin, words):
    """Its first peer event with these last words."""
    events = [event for event in after(survivor.events("peer"), begin)
              if event["peer"].get("last_words")]
    assert events, "no last words were heard"
    assert events[0]["peer"]["last_words"] == words, events[0]["peer"]
    return events[0]["time_ns"]


def dies(bed, command, words, powered_off=True):
    victim, survivor = bed.whole()
    begin = vmlib.now_ns() - survivor.error
    terms = victim.terms(vmlib.now_ns())
    victim.vm.trouble_expected = True
    victim.order(command)
    bed.serves(survivor)
    gasp = told(survivor, begin, words)
    acts = activated(survivor, begin)
    downs = [event["link"]["diag"] for event in after(survivor.events("link"), begin)
             if event["link"]["state"] == "down"]
    detection = 1e6 * int(pairlib.SLOW_TIMES["interval"][:-2]) * \
        pairlib.SLOW_TIMES["multiplier"]
    print(f"# {words}: served {(acts - gasp) / MS:.2f} ms after the last words; "
          f"detection by silence takes {detection / MS:.0f} ms")
    assert downs[:2] == ["peer-died", "peer-died"], downs
    if powered_off:
        victim.vm.wait_off(60)
    late = bed.taps[victim].since(gasp + victim.error + survivor.error)
    assert not late, f"{len(late)} frames of the service after the last words"
    no_overlap([(start, min(end, gasp)) for start, end in terms], survivor,
               victim.error + survivor.error)
    bed.restart(victim)


def panic(bed):
    dies(bed, "echo c > /proc/sysrq-trigger", "panic")


def reboot(bed):
    dies(bed, "reboot -f", "reboot")


def power_off(bed):
    dies(bed, "poweroff -f", "power-off")


def unload_of_standby(bed):
    active, standby = bed.whole()
    begin = vmlib.now_ns() - active.error
    standby.run("kill -KILL $(pidof ctihad); until rmmod ctiha; do sleep 0.1; done")
    bed.pair.wait("the last words are heard", lambda: [
        event for event in after(active.events("peer"), begin)
        if event["peer"].get("last_words") == "unload"], LIMIT)
    assert active.status()["role"] == "active"
    bed.restart(standby)


HOG = ("kill -STOP $(pidof ctihad ctiha-load); "
       "(timeout 6 chrt -f 50 sh -c 'while :; do :; done' &)")


def stopped(bed, cut):
    """Nothing of its userspace runs. Return: when its term ended."""
    victim, survivor = bed.whole()
    begin = vmlib.now_ns()
    victim.order(HOG)
    for nic in cut:
        for server in bed.pair.servers if nic == 0 else [victim]:
            server.vm.set_link(nic, False)
    bed.serves(survivor)
    for nic in cut:
        for server in bed.pair.servers if nic == 0 else [victim]:
            server.vm.set_link(nic, True)
    victim.answer()
    left = bed.pair.wait("it tells how its term ended", lambda: [
        event for event in after(victim.events("node"), begin)
        if event["node"]["role"] != "active"], LIMIT)[0]
    error = victim.error + survivor.error
    acts = activated(survivor, begin)
    print(f"# left by {left['cause']}, the other acts {(acts - left['time_ns']) / MS:.2f}"
          f" ms later (clocks known to {error / MS:.2f} ms)")
    assert acts >= left["time_ns"] - error
    late = bed.taps[victim].since(left["time_ns"] + error)
    assert not late, f"{len(late)} frames of the service after the end of its term"
    victim.run("kill -CONT $(pidof ctihad ctiha-load)")
    bed.whole()
    assert not bed.taps[victim].since(left["time_ns"] + error)
    return left


def stopped_with_links(bed):
    stopped(bed, ())


def stopped_without_crossover(bed):
    stopped(bed, (0,))


def stopped_cut_off(bed):
    left = stopped(bed, (0, 1))
    assert left["cause"] == "lease-expired", left["cause"]


def paused(bed):
    victim, survivor = bed.whole()
    victim.vm.stop()
    bed.serves(survivor)
    time.sleep(1)
    begin = vmlib.now_ns()
    epoch = victim.events("node")[-1]["node"]["epoch"]
    seen = len(victim.events("node"))
    victim.vm.cont()
    active, _ = bed.whole()
    frames = bed.taps[victim].since(begin)
    roles = [event["node"] for event in victim.events("node")[seen:]]
    print(f"# {len(frames)} frames of the service after the pause, at "
          f"{[round((when - begin) / MS, 1) for when in frames[:5]]} ms")
    assert active is survivor
    assert not [node for node in roles if node["role"] == "active" and
                node["epoch"] == epoch], roles
    assert not frames, f"{len(frames)} frames of the service after the pause"


TESTS = [panic, paused, reboot, stopped_cut_off, unload_of_standby,
         stopped_with_links, stopped_without_crossover, power_off]


def run_tests(bed, tests):
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test(bed)
        except (AssertionError, StopIteration) as error:
            failed = 1
            print("# " + str(error).replace("\n", "\n# "))
            print(f"not ok {number} {test.__name__}", flush=True)
            for server in bed.pair.servers:
                if not server.vm.running():
                    server.start()
                    server.ready(300)
        else:
            print(f"ok {number} {test.__name__}", flush=True)
    return failed


def main():
    pairlib.run_inside()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", help="folder to keep logs in")
    parser.add_argument("names", nargs="*", help="scenarios, all if none is named")
    arguments = parser.parse_args()
    tests = [test for test in TESTS
             if not arguments.names or test.__name__ in arguments.names]
    print(f"TAP version 13\n1..{len(tests)}", flush=True)
    with vmlib.RunDir(arguments.keep) as rundir:
        try:
            bed = Bed(rundir)
            with bed.pair:
                return run_tests(bed, tests)
        except (pairlib.PairError, vmlib.VmError) as error:
            print("Bail out! " + str(error).replace("\n", " "))
            return 1


if __name__ == "__main__":
    sys.exit(main())

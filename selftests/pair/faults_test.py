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
import signal
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
        self.caller = self.pair.native("caller", "ping", "-q", "-i", "0.02",
                                       pairlib.SERVICE, stdout=-3, stderr=-3)

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

    def stop(self, server):
        """Stands it still when nothing is on its way out: what a NIC was given
        before, leaves after it. Then it is asked for the service again."""
        self.caller.send_signal(signal.SIGSTOP)
        self.pair.wait("nobody asks", lambda: not self.taps[server].since(
            vmlib.now_ns() - 300 * MS), LIMIT)
        server.vm.stop()
        self.caller.send_signal(signal.SIGCONT)

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


def resume(bed, victim, survivor):
    """The other one has taken over. Return: frames of the service after that."""
    seen = len(victim.events("node"))
    begin = vmlib.now_ns()
    victim.vm.cont()
    active, _ = bed.whole()
    assert active is survivor
    frames = [when - begin for when in bed.taps[victim].since(begin)]
    acts = [event["node"]["role"] == "active"
            for event in victim.events("node")[seen:]]
    ended = [event["cause"] for event in victim.events("node")[seen:]
             if event["node"]["role"] != "active"]
    print(f"# left by {ended[0]}; {len(frames)} frames of the service after the pause"
          f" {[round(when / MS, 1) for when in frames[:5]]}")
    # By command: the arbiter was heard first, and told of the higher epoch.
    assert ended[0] in ("pause", "higher-epoch", "command", "lease-expired"), ended[0]
    assert acts == sorted(acts, reverse=True), "it acted again"
    return frames


def paused(bed):
    """Longer than a second: not one frame, see Documentation/timing.rst."""
    for seconds in (2, 5):
        victim, survivor = bed.whole()
        bed.stop(victim)
        bed.serves(survivor)
        time.sleep(seconds)
        frames = resume(bed, victim, survivor)
        assert not frames, f"{len(frames)} frames of the service after the pause"
        assert "real-time clock" in victim.run("dmesg | grep 'stood still'")


def stops_shortly(bed, victim, survivor):
    """Return: seconds until the other one acted, and the victim may go on."""
    seen = len(survivor.events("node"))
    bed.stop(victim)
    begin = vmlib.now_ns()
    bed.pair.wait(f"{survivor.name} acts", lambda: [
        event for event in survivor.events("node")[seen:]
        if event["node"]["role"] == "active"], LIMIT, 0.005)
    return (vmlib.now_ns() - begin) / 1e9


def paused_shortly(bed):
    """As long as it takes the other one to take over. May not be noticed by the
    clock: then frames leave until the peer is heard, or until the lease ends."""
    lease = int(bed.pair.times["lease"][:-2]) * MS
    for _ in range(5):
        victim, survivor = bed.whole()
        print(f"# paused for {stops_shortly(bed, victim, survivor):.3f} s")
        late = [when for when in resume(bed, victim, survivor)
                if when > lease + 500 * MS]
        assert not late, f"frames of the service {late[0] / MS:.0f} ms after the pause"


def stands(bed):
    return [(status.get("role"), status.get("epoch"))
            for status in (server.status() for server in bed.pair.servers)]


def undisturbed(bed, do, undo):
    """Whatever is done, the same one serves, in the same epoch."""
    bed.whole()
    before = stands(bed)
    seen = [len(server.events("node")) for server in bed.pair.servers]
    for deed in (do, undo):
        deed()
        time.sleep(3)
        assert stands(bed) == before, f"{before} became {stands(bed)}"
    bed.whole()
    for server, count in zip(bed.pair.servers, seen):
        roles = {event["node"]["role"] for event in server.events("node")[count:]}
        assert len(roles) < 2, f"{server.name} changed its role: {roles}"


def handed_over(bed, do, undo):
    """The active one leaves the role, and then the other one acts. Return: how."""
    victim, survivor = bed.whole()
    seen = len(victim.events("node"))
    begin = vmlib.now_ns()
    error = victim.error + survivor.error
    do()
    bed.serves(survivor)
    left = bed.pair.wait("it tells how its term ended", lambda: [
        event for event in victim.events("node")[seen:]
        if event["node"]["role"] != "active"], LIMIT)[0]
    acts = activated(survivor, begin)
    print(f"# left by {left['cause']}, the other acts {(acts - left['time_ns']) / MS:.2f}"
          f" ms later (clocks known to {error / MS:.2f} ms)")
    assert acts >= left["time_ns"] - error
    undo()
    active, _ = bed.whole()
    assert active is survivor
    late = bed.taps[victim].since(left["time_ns"] + error)
    assert not late, f"{len(late)} frames of the service after the end of its term"
    return left["cause"]


def wall_clock(bed):
    for server in bed.whole():
        for days in (1, -1):
            undisturbed(bed, lambda: server.run(
                f"date -s @$(($(date +%s) + {days * 86400}))"), lambda: None)


def real_time_clock(bed):
    """Set ahead it looks as if the machine had stood still: once."""
    def step(server, days):
        server.run(f"date -s @$(($(date +%s) + {days * 86400})); hwclock -w -u")

    active, standby = bed.whole()
    undisturbed(bed, lambda: step(standby, 1), lambda: step(standby, -1))
    undisturbed(bed, lambda: step(active, -1), lambda: None)
    active, _ = bed.whole()
    epoch = active.status()["epoch"]
    seen = len(active.events("node"))
    step(active, 1)
    bed.pair.wait("it leaves the role", lambda: [
        event for event in active.events("node")[seen:]
        if event["cause"] == "pause" and event["node"]["role"] == "standby"], LIMIT)
    server, _ = bed.whole()
    assert server.status()["epoch"] > epoch
    begin = vmlib.now_ns()
    bed.pair.wait("the fence is open", lambda: bed.taps[server].since(begin), LIMIT)
    causes = [event["cause"] for event in active.events("node")[seen:]]
    assert causes.count("pause") == 1, causes


def nic_removed(bed):
    def remove(server, name):
        server.run(f"echo 1 > $(readlink -f /sys/class/net/{name}/device/..)/remove")
        assert name not in server.run("ls /sys/class/net"), f"{name} is still there"

    active, _ = bed.whole()
    before = stands(bed)
    remove(active, "crossover")
    time.sleep(3)
    assert stands(bed) == before, f"{before} became {stands(bed)}"
    bed.restart(active)
    active, _ = bed.whole()
    handed_over(bed, lambda: remove(active, "lan"), lambda: bed.restart(active))


def cables(bed):
    """Of each server: crossover, LAN, both."""
    def plug(server, nics, up):
        for nic in nics:
            for end in bed.pair.servers if nic == 0 else [server]:
                end.vm.set_link(nic, up)

    def pull(test, server, nics):
        print(f"# {server.name}: {' and '.join(('crossover', 'LAN')[nic] for nic in nics)}")
        test(bed, lambda: plug(server, nics, False), lambda: plug(server, nics, True))

    for nics in ((0,), (1,), (0, 1)):
        _, standby = bed.whole()
        pull(undisturbed, standby, nics)
    for test, nics in ((undisturbed, (0,)), (handed_over, (1,)), (handed_over, (0, 1))):
        active, _ = bed.whole()
        pull(test, active, nics)


TESTS = [panic, paused, paused_shortly, reboot, stopped_cut_off, unload_of_standby,
         stopped_with_links, stopped_without_crossover, wall_clock, real_time_clock,
         nic_removed, cables, power_off]


def run_tests(bed, tests):
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test(bed)
        except (AssertionError, StopIteration, pairlib.PairError) as error:
            failed = 1
            print("# " + str(error).replace("\n", "\n# "))
            print(f"not ok {number} {test.__name__}", flush=True)
            # What it has left half done is not the next one's trouble.
            for server in bed.pair.servers:
                server.kill()
                server.start()
            for server in bed.pair.servers:
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

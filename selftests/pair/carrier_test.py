#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Cables pulled out of NICs: a carrier that is lost is known within about a tick,
at both servers, before any session ends by silence; and nobody changes role for it.

The NICs are virtio-net, their carriers are switched by QEMU. The delay is printed,
and not judged: this machine may be busy. Runs itself under scripts/in-netns.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pair as pairlib  # noqa: E402  (beside this file)
import vmlib  # noqa: E402  (found by pair)

# Silence of 400 ms, seen in ticks of 50 ms; no lease ends for a stall.
TIMES = {"interval": "50ms", "multiplier": 8, "lease": "3s", "promise": "3500ms",
         "watch": "5s", "arbiter_timeout": "2s"}
NICS = {"crossover": 0, "lan": 1}
REPORT = {"crossover": "carrier-l1", "lan": "carrier-l2"}


def is_loss(event, link):
    return (event["cause"] == "carrier" and event["link"]["name"] == link and
            not event["link"]["carrier"])


def is_down(event, link):
    return event["link"]["name"] == link and event["link"]["state"] == "down"


class Scenario:
    """One pull: what each server says from here on."""

    def __init__(self, pair):
        self.pair = pair
        self.whole = pair.wait("the pair is whole", pair.whole, 120)
        self.roles = self._roles()
        self.seen = {(server, kind): len(server.events(kind))
                     for server in pair.servers for kind in ("link", "peer")}

    def _roles(self):
        return [(status.get("role"), status.get("epoch"))
                for status in (server.status() for server in self.pair.servers)]

    def event(self, server, kind, wanted):
        """The first such one since the scenario began, or None."""
        return next((event for event in
                     server.events(kind)[self.seen[server, kind]:]
                     if wanted(event)), None)

    def wait(self, what, server, kind, wanted):
        return self.pair.wait(f"{server.name}: {what}",
                              lambda: self.event(server, kind, wanted), 30)

    def pull(self, servers, link):
        """Those ends only."""
        began = vmlib.now_ns()
        for server in servers:
            server.vm.set_link(NICS[link], False)
        for server in servers:
            self.check(server, link, began)

    def check(self, server, link, began):
        """Own event, the peer's, and then the session's end."""
        other = self.pair.servers[1 - server.node]
        loss = self.wait("its carrier is lost", server, "link",
                         lambda event: is_loss(event, link))
        heard = self.wait("the peer's carrier is lost", other, "peer",
                          lambda event: event["peer"]["heard"] and
                          REPORT[link] not in event["peer"]["report"])
        down = self.wait("the session ends", server, "link",
                         lambda event: is_down(event, link))
        assert loss["seq"] < down["seq"], (loss, down)
        assert loss["link"]["state"] == "up", "it decides nothing"
        print(f"# {server.name} {link}: known {(loss['time_ns'] - began) / 1e6:.1f} ms "
              f"after the pull, at the peer after {(heard['time_ns'] - began) / 1e6:.1f} "
              f"ms, session down after {(down['time_ns'] - began) / 1e6:.1f} ms "
              f"(clocks ±{(server.error + other.error) / 1e6:.1f} ms)", flush=True)

    def plug(self, servers, link):
        for server in servers:
            server.vm.set_link(NICS[link], True)

    def unmoved(self):
        """Long enough for a lease to end, if anything ended it."""
        time.sleep(4)
        roles = self._roles()
        assert roles == self.roles, f"it was {self.roles} and is {roles}"


def crossover_of_the_active(pair):
    scenario = Scenario(pair)
    active, _ = scenario.whole
    scenario.pull([active], "crossover")
    scenario.unmoved()
    scenario.plug([active], "crossover")


def crossover_of_both(pair):
    scenario = Scenario(pair)
    scenario.pull(scenario.whole, "crossover")
    scenario.unmoved()
    scenario.plug(scenario.whole, "crossover")


def lan_of_the_standby(pair):
    scenario = Scenario(pair)
    _, standby = scenario.whole
    scenario.pull([standby], "lan")
    scenario.unmoved()
    scenario.plug([standby], "lan")


TESTS = [crossover_of_the_active, crossover_of_both, lan_of_the_standby]


def run_tests(pair):
    for server in pair.servers:
        server.start()
    pair.start_arbiter()
    for server in pair.servers:
        server.ready()
    failed = 0
    for number, test in enumerate(TESTS, 1):
        try:
            test(pair)
            print(f"ok {number} {test.__name__}", flush=True)
        except (AssertionError, pairlib.PairError) as error:
            failed += 1
            print("# " + str(error).replace("\n", "\n# "))
            print(f"not ok {number} {test.__name__}", flush=True)
    for server in pair.servers:
        if server.vm.trouble():
            failed += 1
            print(f"Bail out! {server.name}: {server.vm.trouble()}")
    return 1 if failed else 0


def main():
    pairlib.run_inside()
    print(f"TAP version 13\n1..{len(TESTS)}", flush=True)
    with vmlib.RunDir(os.environ.get("KEEP")) as rundir:
        try:
            with pairlib.Pair(rundir, TIMES) as pair:
                return run_tests(pair)
        except (pairlib.PairError, vmlib.VmError) as error:
            print("Bail out! " + str(error).replace("\n", "; "))
            return 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the bed hold? Two guests, a crossover cable, a LAN with a host on it:

        +----+   xover (dgram sockets)   +----+
        | g1 |---------------------------| g2 |
        +----+                           +----+
           | lan        bridge lan0         |
           +---------------+----------------+
                           |
                      namespace arb

Runs itself under scripts/in-netns.
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "..", "..", "scripts")
sys.dont_write_bytecode = True
sys.path.insert(0, SCRIPTS)
import vmlib  # noqa: E402  (found by the line above)

# Each line that comes in on port ctl is run; its end is told on the console.
GUEST = r"""#!/bin/bash
n=$(hostname); n=${n#g}
ip address add 10.1.0.$n/24 dev xover; ip link set xover up
ip address add 10.2.0.$n/24 dev lan; ip link set lan up
exec 5<>/dev/virtio-ports/ctl
echo "guest ready"
while :; do
	read -r -u 5 tag line || { sleep 0.05; continue; }
	eval "$line"
	echo "done-$tag $?"
done
"""


class Bed:
    def __init__(self, rundir):
        kernel = vmlib.kernel()
        init = os.path.join(rundir, "init")
        with open(init, "w", encoding="ascii") as f:
            f.write(GUEST)
        initrd = vmlib.initramfs(os.path.join(rundir, "i.cpio.zst"),
                                 kernel["MODULES"], init, binaries=["ping"])
        vmlib.bridge("lan0")
        vmlib.host("arb", "lan0", "10.2.0.9/24")
        self.vms = []
        self.tag = 0
        for i, end in enumerate(vmlib.cable(rundir, "xover"), 1):
            vmlib.tap(f"tap{i}", "lan0")
            lan = vmlib.Nic.tap(f"tap{i}", vmlib.mac(i, 1), "lan")
            self.vms.append(vmlib.Vm(
                f"g{i}", rundir, kernel["VMLINUX"], initrd, nics=[end, lan],
                ports={"ctl": "socket", "clock": "socket"}))

    def do(self, number, command, limit=20):
        """Run it in that guest; its exit code."""
        self.tag += 1
        vm = self.vms[number]
        with vm.open_port("ctl") as sock:
            sock.sendall(f"{self.tag} {command}\n".encode())
            return int(vm.wait_for(rf"done-{self.tag} (\d+)", limit).group(1))

    def boot(self, number):
        self.vms[number].start()

    def ready(self, number):
        self.vms[number].wait_for("guest ready", 120)


def both_boot(bed):
    bed.boot(0)
    bed.boot(1)
    bed.ready(0)
    bed.ready(1)


def crossover_carries(bed):
    assert bed.do(0, "ping -c 3 -i 0.2 -W 5 10.1.0.2") == 0


def lan_carries(bed):
    assert bed.do(1, "ping -c 3 -i 0.2 -W 5 10.2.0.1") == 0
    assert bed.do(0, "ping -c 3 -i 0.2 -W 5 10.2.0.9") == 0
    vmlib.run("ip", "netns", "exec", "arb", "ping", "-c", "2", "-W", "5", "10.2.0.2")


def clock_is_steady(bed):
    assert bed.do(0, "grep -qx tsc /sys/devices/system/clocksource/"
                  "clocksource0/current_clocksource || grep -qx kvm-clock "
                  "/sys/devices/system/clocksource/clocksource0/"
                  "current_clocksource") == 0
    first, error = bed.vms[0].clock_offset()
    time.sleep(2)
    second, error2 = bed.vms[0].clock_offset()
    print(f"# offset moved {abs(second - first)} ns in 2 s, known to {error + error2} ns")
    assert abs(second - first) <= error + error2 + 200_000


def pulled_cable_drops_carrier(bed):
    bed.vms[0].set_link(0, False)
    assert bed.do(0, "sleep 1; grep -q 0 /sys/class/net/xover/carrier") == 0
    assert bed.do(0, "grep -q 1 /sys/class/net/lan/carrier") == 0
    assert bed.do(1, "grep -q 1 /sys/class/net/xover/carrier") == 0
    bed.vms[0].set_link(0, True)


def freeze_and_go_on(bed):
    bed.vms[0].stop()
    time.sleep(1)
    bed.vms[0].cont()
    assert bed.do(0, "true") == 0


def killed_guest_comes_back(bed):
    before, after = bed.vms[1].kill()
    assert 0 < after - before < 2_000_000_000
    bed.boot(1)
    bed.ready(1)
    assert bed.do(0, "ping -c 3 -i 0.2 -W 5 10.1.0.2") == 0


def panic_is_seen(bed):
    assert bed.vms[0].trouble() is None, bed.vms[0].trouble()
    bed.vms[0].trouble_expected = True
    with bed.vms[0].open_port("ctl") as sock:
        sock.sendall(b"x echo c > /proc/sysrq-trigger\n")
        bed.vms[0].wait_off(60)
    assert "panic" in bed.vms[0].trouble()
    assert bed.vms[1].trouble() is None, bed.vms[1].trouble()


TESTS = [both_boot, crossover_carries, lan_carries, clock_is_steady,
         pulled_cable_drops_carrier, freeze_and_go_on, killed_guest_comes_back,
         panic_is_seen]


def run_tests(bed):
    """Each builds on the one before: the first failure ends it."""
    print(f"TAP version 13\n1..{len(TESTS)}", flush=True)
    for i, test in enumerate(TESTS, 1):
        try:
            test(bed)
        except (AssertionError, OSError, vmlib.VmError) as err:
            print("# " + str(err).replace("\n", "\n# "))
            print(f"not ok {i} {test.__name__}\nBail out! the bed does not hold")
            return 1
        print(f"ok {i} {test.__name__}", flush=True)
    return 0


def main():
    if "--inside" not in sys.argv:
        vmlib.kernel()  # there is no network inside
        inside = os.path.join(SCRIPTS, "in-netns")
        os.execv(inside, [inside, sys.executable, __file__, "--inside"])
    with vmlib.RunDir() as rundir:
        bed = Bed(rundir)
        try:
            return run_tests(bed)
        finally:
            for vm in bed.vms:
                vm.kill()


if __name__ == "__main__":
    sys.exit(main())

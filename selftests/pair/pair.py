# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole pair: two CTI servers in virtual machines with the module, joined by
a crossover cable; arbiter and callers run natively on the LAN beside them.

All times are nanoseconds of the host's CLOCK_MONOTONIC. What the guests report
on their own clocks is converted; the error of that is known and printed.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "scripts"))
import vmlib  # noqa: E402  (found by the path above)

BIN = os.path.join(TOP, "build", "bin")
PAIR = 7
ARBITER = "10.9.2.10"
CALLER = "10.9.2.20"
SERVICE = "10.9.2.100"
PORT = 5077
NAMES = ("cti-a", "cti-b")

CONFIG = """\
node = {node}
pair = {pair}
name = "{name}"
peer-name = "{peer_name}"
key-file = "/etc/ctiha/key"
backend = "module"
state-dir = "/var/lib/ctiha"
run-dir = "/run/ctiha"
store = "/run/ctiha/store"
lease = "{lease}"
promise = "{promise}"
watch = "{watch}"
quiesce = "2s"
link crossover {{
	device = "crossover"
	interval = "{interval}"
	multiplier = {multiplier}
	address = "10.9.1.{me}"
	peer-address = "10.9.1.{other}"
}}
link lan {{
	device = "lan"
	interval = "{interval}"
	multiplier = {multiplier}
	address = "10.9.2.{me}"
	peer-address = "10.9.2.{other}"
}}
arbiter {{
	address = "{arbiter}"
	interval = "{interval}"
	timeout = "{arbiter_timeout}"
}}
service {{
	address = "{service}/24"
	device = "lan"
}}
"""

TIMES = {"interval": "10ms", "multiplier": 3, "lease": "50ms", "promise": "57ms",
         "watch": "1s", "arbiter_timeout": "100ms"}

# For a machine whose virtual machines stall for longer than that now and then.
MEDIUM_TIMES = {"interval": "20ms", "multiplier": 4, "lease": "250ms",
                "promise": "280ms", "watch": "1s", "arbiter_timeout": "300ms"}

SLOW_TIMES = {"interval": "50ms", "multiplier": 5, "lease": "800ms",
              "promise": "900ms", "watch": "2s", "arbiter_timeout": "600ms"}


class PairError(Exception):
    """Something did not happen; the message says what, and where to look."""


def run_inside():
    """Runs this program anew in a network namespace of its own, unless it is in one.

    The kernel is fetched before: there is no network inside.
    """
    if os.environ.get("CTIHA_INSIDE"):
        return
    vmlib.kernel()
    inside = os.path.join(TOP, "scripts", "in-netns")
    os.execve(inside, [inside, sys.executable, *sys.argv],
              dict(os.environ, CTIHA_INSIDE="1"))


def read_lines(path):
    """The JSON lines of a file; a last line still being written is left out."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            text = lines.read()
    except FileNotFoundError:
        return []
    result = []
    for line in text.splitlines():
        try:
            result.append(json.loads(line))
        except ValueError:
            continue
    return result


class Server:
    """One CTI server: its machine, and what it says."""

    def __init__(self, pair, node):
        self.node = node
        self.name = NAMES[node]
        self.pair = pair
        self.offset, self.error = 0, 0
        self.clock_from = 0     # events of earlier boots are on another clock
        self._answers = None
        rundir = pair.rundir
        disk = os.path.join(rundir, f"{self.name}.disk")
        subprocess.run(["truncate", "-s", "16M", disk], check=True)
        subprocess.run(["mkfs.ext4", "-q", disk], check=True)
        vmlib.tap(f"tap-{node}", "lan0")
        self.vm = vmlib.Vm(
            self.name, rundir, pair.kernel["VMLINUX"], pair.initrd, disks=[disk],
            nics=[pair.cable[node],
                  vmlib.Nic.tap(f"tap-{node}", vmlib.mac(node + 1, 1), "lan")],
            ports={"ctl": "socket", "clock": "socket", "daemon": "file",
                   "events": "file", "steps": "file", "application": "file"})

    def start(self):
        self.clock_from = {kind: len(self.lines(kind, False))
                           for kind in ("events", "steps")}
        return self.vm.start()

    def ready(self, limit=90):
        self.vm.wait_for("ctiha-server: up", limit)
        self._answers = self.vm.open_port("ctl").makefile("rwb", buffering=0)
        self.offset, self.error = self.vm.clock_offset()

    def kill(self):
        """Power cut. Times just before and after the end of the machine."""
        if self._answers:
            self._answers.close()
            self._answers = None
        return self.vm.kill()

    def order(self, command):
        """Has a command run in the machine, which may not survive it."""
        self._answers.write(command.encode() + b"\n")

    def run(self, command):
        """Runs a command in the machine; its output."""
        self.order(command)
        return self.answer(command)

    def answer(self, command="an order"):
        """The output of the command that was ordered last."""
        output = []
        while True:
            line = self._answers.readline().decode("utf-8", "replace")
            if not line:
                raise PairError(f"{self.name}: no answer to '{command}'")
            if line.startswith("= "):
                return "".join(output)
            output.append(line)

    def status(self):
        try:
            return json.loads(self.run("ctiha -j status"))
        except ValueError:
            return {}

    def lines(self, kind, this_boot=True):
        lines = read_lines(self.vm.port_path(kind))
        return lines[self.clock_from[kind]:] if this_boot else lines

    def steps(self):
        """(time, step) of this boot."""
        return [(line["time_ns"] - self.offset, line["step"])
                for line in self.lines("steps") if line.get("object") == "step"]

    def events(self, kind):
        """Events of one kind of object, their times converted."""
        found = []
        for line in self.lines("events"):
            if line.get("object") == kind:
                found.append(dict(line, time_ns=line["time_ns"] - self.offset))
        return found

    def terms(self, until):
        """Intervals in which this server was active, in this boot."""
        result, since = [], None
        for event in self.events("node"):
            acts = event["node"]["role"] == "active"
            if acts and since is None:
                since = event["time_ns"]
            elif not acts and since is not None:
                result.append((since, event["time_ns"]))
                since = None
        if since is not None:
            result.append((since, until))
        return result


class Pair:
    """Two servers, their LAN, the arbiter."""

    def __init__(self, rundir, times=None):
        self.rundir = rundir
        self.times = dict(TIMES, **(times or {}))
        self.kernel = vmlib.kernel()
        self.children = []
        self.folders = []
        vmlib.bridge("lan0")
        vmlib.host("arbiter", "lan0", f"{ARBITER}/24")
        vmlib.host("caller", "lan0", f"{CALLER}/24")
        self.key = os.path.join(rundir, "key")
        with open(os.open(self.key, os.O_CREAT | os.O_WRONLY, 0o600), "w",
                  encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        self.initrd = self._initramfs()
        self.cable = vmlib.cable(rundir, "crossover")
        self.servers = [Server(self, node) for node in (0, 1)]

    def _module(self):
        path = os.path.join(TOP, "build", "module",
                            os.path.basename(self.kernel["KDIR"]), "ctiha.ko")
        if not os.path.exists(path):
            raise PairError(f"{path} is missing: run make build-test-module")
        return path

    def _initramfs(self):
        files = [(self.key, "/etc/ctiha/key")]
        for node, name in enumerate(NAMES):
            conf = os.path.join(self.rundir, f"{name}.conf")
            env = os.path.join(self.rundir, f"{name}.env")
            with open(conf, "w", encoding="ascii") as file:
                file.write(CONFIG.format(
                    node=node, pair=PAIR, name=name, peer_name=NAMES[1 - node],
                    me=node + 1, other=2 - node, arbiter=ARBITER,
                    service=SERVICE, **self.times))
            with open(env, "w", encoding="ascii") as file:
                file.write(f"CROSSOVER_ADDRESS=10.9.1.{node + 1}/24\n"
                           f"LAN_ADDRESS=10.9.2.{node + 1}/24\n")
            files += [(conf, f"/etc/ctiha/{name}.conf"),
                      (env, f"/etc/ctiha/{name}.env")]
        return vmlib.initramfs(
            os.path.join(self.rundir, "initrd.cpio.zst"), self.kernel["MODULES"],
            os.path.join(HERE, "guest.sh"),
            load=["virtio_blk", "ext4", self._module()],
            binaries=[os.path.join(BIN, name)
                      for name in ("ctihad", "ctiha", "ctiha-load")] +
            [shutil.which("chrt")],
            files=files)

    def native(self, host, *command, **keywords):
        """Starts a program on a native host of the LAN."""
        child = subprocess.Popen(("ip", "netns", "exec", host, *command),
                                 preexec_fn=vmlib.die_with_parent, **keywords)
        self.children.append(child)
        return child

    def start_arbiter(self):
        # In memory, as this disk's fsync is no part of what is measured; an
        # arbiter that loses its state only waits longer.
        state = tempfile.mkdtemp(prefix="ctiha-arbiter.", dir="/dev/shm")
        self.folders.append(state)
        log = open(os.path.join(self.rundir, "arbiter.log"), "ab")
        return self.native("arbiter", os.path.join(BIN, "ctiha-arbiter"),
                           "-l", f"{ARBITER}:862", "-d", state,
                           "--pair", f"{PAIR}:{self.key}", "--events",
                           os.path.join(self.rundir, "arbiter.events"),
                           stdout=log, stderr=log)

    def arbiter_events(self):
        return read_lines(os.path.join(self.rundir, "arbiter.events"))

    def wait(self, what, condition, limit=60, step=0.1):
        """Polls a condition; its value."""
        deadline = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise PairError(f"not within {limit} s: {what}")
            time.sleep(step)

    def whole(self):
        """(active, standby) if one serves and the other has all calls."""
        status = [server.status() for server in self.servers]
        for node in (0, 1):
            one, other = status[node], status[1 - node]
            if (one.get("role") == "active" and
                    other.get("phase") == "following" and
                    one["sync"]["state"] == "identical" and
                    other["sync"]["state"] == "identical" and
                    other["application"]["alive"]):
                return self.servers[node], self.servers[1 - node]
        return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
        for child in self.children:
            child.kill()
            child.wait()
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

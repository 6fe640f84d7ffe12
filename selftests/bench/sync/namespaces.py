# SPDX-License-Identifier: GPL-2.0-or-later
"""Two servers a and b in namespaces: x joins them, l is their way to the LAN in w, where
an arbiter may be. What they are made of is gone with scripts/in-netns.
"""

import os
import re
import subprocess
import time

CROSSOVER = {"a": "10.9.1.1", "b": "10.9.1.2"}
LAN = {"a": "10.9.2.1", "b": "10.9.2.2", "w": "10.9.2.10"}
OTHER = {"a": "b", "b": "a"}
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 60


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def make_network():
    """Bytes on x are those of the state sync, and heartbeats."""
    for name in LAN:
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("-n", "a", "link", "add", "x", "type", "veth", "peer", "name", "x", "netns", "b")
    ip("-n", "w", "link", "add", "lan", "type", "bridge")
    ip("-n", "w", "addr", "add", f"{LAN['w']}/24", "dev", "lan")
    ip("-n", "w", "link", "set", "lan", "up")
    for name in CROSSOVER:
        ip("-n", "w", "link", "add", "name", name, "type", "veth", "peer", "name", "l",
           "netns", name)
        ip("-n", "w", "link", "set", "dev", name, "master", "lan", "up")
        for device, address in (("x", CROSSOVER[name]), ("l", LAN[name])):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", device)
            ip("-n", name, "link", "set", "dev", device, "up")


def offload(on):
    """Without it each frame is counted as it would travel, not 64 KiB at a time."""
    word = "on" if on else "off"
    for name in CROSSOVER:
        subprocess.run(["ip", "netns", "exec", name, "ethtool", "-K", "x", "tso", word,
                        "gso", word, "gro", word], check=True, stdout=subprocess.DEVNULL)


def wire_bytes():
    """So far on x, both directions."""
    done = subprocess.run(["ip", "netns", "exec", "a", "cat",
                           "/sys/class/net/x/statistics/rx_bytes",
                           "/sys/class/net/x/statistics/tx_bytes"],
                          check=True, stdout=subprocess.PIPE, text=True)
    return sum(map(int, done.stdout.split()))


def wait_until(what, condition, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not so within {patience_s} s: {what}")
        time.sleep(0.02)
    return found


class Process:
    """Runs in a namespace until it is ended; its log is a file."""

    def __init__(self, namespace, log, command, env=None):
        self.log_path = log
        self.began = time.monotonic()
        self.began_wall = time.time()
        with open(log, "w", encoding="utf-8") as out:
            # ip netns exec becomes the command, so that the pid is its own.
            self.popen = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env={**os.environ, **(env or {})})

    def end(self, kill=False):
        if self.popen.poll() is None:
            (self.popen.kill if kill else self.popen.terminate)()
            try:
                self.popen.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def logged(self, pattern):
        """The last line of the log that matches, or None."""
        found = [line for line in self.log().splitlines() if re.search(pattern, line)]
        return found[-1] if found else None

    def cpu_s(self):
        """Of all its threads, and of children that are gone."""
        with open(f"/proc/{self.popen.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS

    def memory(self, shared=True):
        """Resident bytes; without pages that are shared, as those of a file in a tmpfs."""
        with open(f"/proc/{self.popen.pid}/status", encoding="ascii") as status:
            kinds = dict(re.findall(r"^(Rss\w+):\s+(\d+) kB", status.read(), re.M))
        return 1024 * sum(int(size) for kind, size in kinds.items()
                          if shared or kind != "RssShmem")

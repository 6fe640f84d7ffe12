# SPDX-License-Identifier: GPL-2.0-or-later
"""The systems that keep call records on a and b: ctiha and Redis. Each serves on a."""

import datetime
import json
import os
import re
import secrets
import shutil
import subprocess

from namespaces import CROSSOVER, LAN, OTHER, Process, wait_until

NODE = {"a": 0, "b": 1}
# Relaxed: a busy host is no dead peer, and this is not about heartbeats.
CTIHA_CONFIG = """
node = {node}
pair = 7
name = "cti-{name}"
peer-name = "cti-{other}"
key-file = "{work}/key"
backend = "packet"
state-dir = "{work}/{name}/state"
run-dir = "{work}/{name}/run"
store = "{store}/{name}"
store-size = "4G"
lease = "2s"
promise = "2500ms"
settle = "1500ms"
link crossover {{
	device = "x"
	interval = "100ms"
	multiplier = 20
	address = "{own_x}"
	peer-address = "{peer_x}"
}}
link lan {{
	device = "l"
	interval = "100ms"
	multiplier = 20
	address = "{own_l}"
	peer-address = "{peer_l}"
}}
arbiter {{
	address = "{arbiter}"
	interval = "100ms"
	timeout = "1s"
}}
service {{
	address = "10.9.2.100/24"
	device = "l"
}}
sync {{
	insecure = {insecure}
}}
"""
REDIS_CONFIG = """
bind {own} 127.0.0.1
port 6379
protected-mode no
unixsocket {work}/{name}.sock
dir {work}
daemonize no
logfile ""
save ""
appendonly no
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-diskless-load on-empty-db
client-output-buffer-limit replica 0 0 0
enable-debug-command yes
"""


def output(command, env=None):
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
    return done.stdout


class CtihaPair:
    """The daemons and an arbiter. Records are in tmpfs; what is resident counts them as
    the tmpfs does, whether or not a daemon has touched the page.
    """

    kind = "ctiha"

    def __init__(self, work, store, binaries, insecure):
        self.work, self.store, self.binaries = work, store, binaries
        self.insecure = insecure
        self.daemons, self.arbiter = {}, None
        self.socket = os.path.join(work, "a", "run", "app.sock")

    def _configure(self, name):
        other = OTHER[name]
        os.makedirs(os.path.join(self.work, name))
        with open(os.path.join(self.work, name, "ctiha.conf"), "w", encoding="ascii") as out:
            out.write(CTIHA_CONFIG.format(
                node=NODE[name], name=name, other=other, work=self.work, store=self.store,
                own_x=CROSSOVER[name], peer_x=CROSSOVER[other], own_l=LAN[name],
                peer_l=LAN[other], arbiter=LAN["w"],
                insecure="yes" if self.insecure else "no"))

    def _write_key(self):
        path = os.path.join(self.work, "key")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as key:
            key.write(secrets.token_hex(32))
        return path

    def _start_daemon(self, name):
        config = os.path.join(self.work, name, "ctiha.conf")
        self.daemons[name] = Process(name, os.path.join(self.work, f"{name}.log"),
                                     [os.path.join(self.binaries, "ctihad"), "-c", config])

    def _ask(self, name, *words):
        try:
            return json.loads(output([
                os.path.join(self.binaries, "ctiha"), "-c",
                os.path.join(self.work, name, "run", "control.sock"), "-j", *words]))
        except (subprocess.CalledProcessError, json.JSONDecodeError):
            return None

    def start_serving(self):
        key = self._write_key()
        for name in NODE:
            self._configure(name)
        os.makedirs(os.path.join(self.work, "w"))
        self.arbiter = Process("w", os.path.join(self.work, "w.log"), [
            os.path.join(self.binaries, "ctiha-arbiter"), "-l", f"{LAN['w']}:862",
            "-d", os.path.join(self.work, "w"), "--pair", f"7:{key}"])
        self._start_daemon("a")
        wait_until("ctihad of a answers", lambda: self._ask("a", "status"))

    def _identical(self, name):
        status = self._ask(name, "status")
        return status and status["sync"]["state"] == "identical"

    def start_standby(self):
        """Once the application is there and a is active."""
        self._start_daemon("b")
        wait_until("a and b are identical",
                   lambda: self._identical("a") and self._identical("b"))

    def processes(self):
        return list(self.daemons.values())

    def memory(self):
        """By server. LMDB's lock file is not counted."""
        return [daemon.memory(shared=False) + 512 * os.stat(
            os.path.join(self.store, name, "data.mdb")).st_blocks
                for name, daemon in self.daemons.items()]

    @staticmethod
    def _time(line):
        return float(re.search(r"\[(\d+\.\d+)\]", line)[1])

    def rejoin(self):
        """b is killed and comes back with nothing. Seconds from its connection, and from
        its start, until it has everything.
        """
        self.daemons["b"].end(kill=True)
        shutil.rmtree(os.path.join(self.store, "b"))
        before = self.daemons["a"].logged("the standby is in sync")
        self._start_daemon("b")

        def in_sync():
            line = self.daemons["a"].logged("the standby is in sync")
            return None if line == before else line
        done = self._time(wait_until("b has everything", in_sync, 240))
        connected = self._time(self.daemons["b"].logged("following epoch"))
        return done - connected, done - self.daemons["b"].began

    def contents(self):
        """By server: (records, what all of them add up to)."""
        found = [self._ask(name, "sync", "show") for name in NODE]
        return [(one["records"], one["digest"]) for one in found]

    def end(self):
        for process in [*self.daemons.values(), self.arbiter]:
            if process:
                process.end()


class RedisPair:
    """A master and its replica, without files, as SIP proxies use them."""

    kind = "redis"

    def __init__(self, work, root):
        self.work, self.root = work, root
        self.env = {"LD_LIBRARY_PATH": ":".join(
            os.path.join(root, place, "x86_64-linux-gnu") for place in ("lib", "usr/lib"))}
        self.servers = {}
        self.socket = os.path.join(work, "a.sock")

    def _start(self, name, *more):
        path = os.path.join(self.work, f"{name}.conf")
        with open(path, "w", encoding="ascii") as out:
            out.write(REDIS_CONFIG.format(own=CROSSOVER[name], work=self.work, name=name))
            out.writelines(f"{line}\n" for line in more)
        self.servers[name] = Process(
            name, os.path.join(self.work, f"{name}.log"),
            [os.path.join(self.root, "usr/bin/redis-server"), path], self.env)

    def _ask(self, name, *words):
        try:
            return output([os.path.join(self.root, "usr/bin/redis-cli"), "-s",
                           os.path.join(self.work, f"{name}.sock"), *words], self.env).strip()
        except subprocess.CalledProcessError:
            return None

    def version(self):
        return output([os.path.join(self.root, "usr/bin/redis-server"), "--version"],
                      self.env).split()[2]

    def start_serving(self):
        self._start("a")
        wait_until("redis-server of a answers", lambda: self._ask("a", "ping") == "PONG")

    def _replica_is_up(self):
        return "master_link_status:up" in (self._ask("b", "info", "replication") or "")

    def start_standby(self):
        self._start("b", f"replicaof {CROSSOVER['a']} 6379")
        wait_until("the replica is up", self._replica_is_up)

    def processes(self):
        return list(self.servers.values())

    def memory(self):
        return [server.memory() for server in self.servers.values()]

    @staticmethod
    def _time(line):
        """Of the wall clock, which is all that Redis logs."""
        stamp = re.search(r"(\d+ \w+ \d+ \d+:\d+:\d+\.\d+)", line)[1]
        return datetime.datetime.strptime(stamp, "%d %b %Y %H:%M:%S.%f").timestamp()

    def rejoin(self):
        """As of CtihaPair, but what came in meanwhile is not waited for."""
        self.servers["b"].end(kill=True)
        self._start("b", f"replicaof {CROSSOVER['a']} 6379")
        replica = self.servers["b"]
        done = self._time(wait_until(
            "the replica has everything",
            lambda: replica.logged("REPLICA sync: Finished with success"), 240))
        connected = self._time(replica.logged("REPLICA sync started"))
        return done - connected, done - replica.began_wall

    def contents(self):
        return [(int(self._ask(name, "dbsize")), self._ask(name, "debug", "digest"))
                for name in ("a", "b")]

    def end(self):
        for server in self.servers.values():
            server.end()

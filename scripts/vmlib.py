# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual machines for the demo and the tests.

A Vm is one QEMU process that boots a kernel and an initramfs directly. It is
driven through QMP and watched through its serial log. Nothing here needs
privileges, but taps and bridges belong into a network namespace of their own:
run the caller under scripts/in-netns.

    with RunDir() as d:
        a, b = cable(d, "xover")
        vm = Vm("a", d, kernel, initrd, nics=[a, Nic.tap("tap-a", mac(1, 1))])
        vm.start()
        vm.wait_for(r"ctiha-guest: up", 60)

All times returned are nanoseconds of the host's CLOCK_MONOTONIC.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # leave no __pycache__ in the tree

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("CTIHA_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "ctiha")

# What the kernel says when it is broken. A guest that printed one of these has
# failed, whatever its programs reported.
TROUBLE = re.compile(
    r"BUG: |Oops: |Oops\[|kernel BUG at|WARNING: (?!.*Spectre)|Kernel panic|"
    r"KASAN:|UBSAN:|KCSAN:|general protection fault|"
    r"possible recursive locking|possible circular locking|"
    r"inconsistent lock state|suspicious RCU usage|INFO: rcu_|"
    r"INFO: task .* blocked|soft lockup|hard LOCKUP|unreferenced object|"
    r"kmemleak: \d+ new suspected|ODEBUG: |refcount_t: |"
    r"unregister_netdevice: waiting|leaked reference|scheduling while atomic|"
    r"INFO: trying to register non-static key|"
    r"stack-protector: |Call Trace:")

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class VmError(Exception):
    """A guest did not do what it should; the message names the guest."""


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def die_with_parent():
    # A killed test must not leave guests behind. The kernel ties this to the
    # parent *thread*: start guests from the main thread.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def kernel(version="6.1"):
    """Fetch a kernel; a dict with VMLINUX, VMLINUZ, MODULES, KDIR, RELEASE."""
    done = subprocess.run([os.path.join(HERE, "kernel"), "get", version],
                          check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise VmError(f"cannot get kernel {version}. Inside scripts/in-netns there "
                      f"is no network: run scripts/kernel get {version} before")
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def initramfs(out, modules, init, load=(), binaries=(), files=()):
    """Build an initramfs; files is a list of (source, destination)."""
    cmd = [os.path.join(HERE, "initramfs"), "-o", out, "-k", modules, "-i", init]
    for name in load:
        cmd += ["-m", name]
    for name in binaries:
        cmd += ["-b", name]
    for src, dst in files:
        cmd += ["-f", f"{src}:{dst}"]
    subprocess.run(cmd, check=True)
    return out


class RunDir:
    """A folder for sockets and logs; short, as socket paths are limited."""

    def __init__(self, keep=None):
        self.path = keep or tempfile.mkdtemp(prefix="ctiha.", dir="/tmp")
        self._keep = keep
        os.makedirs(self.path, exist_ok=True)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        if not self._keep:
            shutil.rmtree(self.path, ignore_errors=True)


# --- acceleration -----------------------------------------------------------

def _boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        return f.read().strip()


def _probe_kvm(limit):
    """Boot a real kernel to userspace under KVM: /dev/kvm may be there, open,
    and still hang the guest or fail at the first special register."""
    k = kernel()
    with RunDir() as d:
        init = os.path.join(d, "init")
        with open(init, "w", encoding="ascii") as f:
            f.write("#!/bin/bash\necho kvm-probe-ok\n")
        initrd = initramfs(os.path.join(d, "i.cpio.zst"), k["MODULES"], init)
        vm = Vm("kvm-probe", d, k["VMLINUX"], initrd, memory="256M", accel="kvm")
        try:
            vm.start()
            vm.wait_for("kvm-probe-ok", limit)
            return True
        except VmError:
            return False
        finally:
            vm.kill()


def accelerator(limit=10):
    """"kvm" if it really works here, else "tcg"; found out once per host boot.
    CTIHA_ACCEL overrides it."""
    if os.environ.get("CTIHA_ACCEL"):
        return os.environ["CTIHA_ACCEL"]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    known = os.path.join(CACHE, "accel-" + _boot_id())
    if not os.path.exists(known):
        found = "kvm" if _probe_kvm(limit) else "tcg"
        os.makedirs(CACHE, exist_ok=True)
        with open(known + ".tmp", "w", encoding="ascii") as f:
            f.write(found)
        os.replace(known + ".tmp", known)
    with open(known, encoding="ascii") as f:
        return f.read().strip()


# --- network ----------------------------------------------------------------

def mac(host, nic):
    """A locally administered address for card nic of host."""
    return f"52:54:00:c7:{host:02x}:{nic:02x}"


class Nic:
    """A virtual network card; guest_name is what guest-init calls it."""

    def __init__(self, netdev, address, guest_name=None, model="virtio-net-pci"):
        self.netdev = netdev
        self.mac = address
        self.guest_name = guest_name
        self.model = model

    @classmethod
    def tap(cls, ifname, address, guest_name=None, **kw):
        """On an existing tap of the caller's network namespace, see tap()."""
        return cls(f"tap,ifname={ifname},script=no,downscript=no,vhost=off",
                   address, guest_name, **kw)

    @classmethod
    def dgram(cls, local, remote, address, guest_name=None, **kw):
        """One end of a cable between two guests; see cable()."""
        for path in (local, remote):
            if len(path) > 100:
                raise VmError(f"socket path too long: {path}")
        nic = cls(f"dgram,local.type=unix,local.path={local},"
                  f"remote.type=unix,remote.path={remote}",
                  address, guest_name, **kw)
        nic.local = local
        return nic

    local = None


def cable(rundir, name, hosts=(1, 2), number=0, guest_name=None):
    """The two ends of a crossover cable that no host network knows of."""
    a, b = (os.path.join(rundir, f"{name}.{end}") for end in "ab")
    guest_name = guest_name or name
    return (Nic.dgram(a, b, mac(hosts[0], number), guest_name),
            Nic.dgram(b, a, mac(hosts[1], number), guest_name))


def run(*cmd):
    """Run a host command; its output is the error message if it fails."""
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode:
        raise VmError(f"{' '.join(cmd)}: {done.stdout.strip()}")
    return done.stdout


def bridge(name, address=None):
    """A switch in this network namespace; address as 10.0.0.1/24."""
    run("ip", "link", "add", name, "type", "bridge", "stp_state", "0",
        "forward_delay", "0", "mcast_snooping", "0")
    if address:
        run("ip", "address", "add", address, "dev", name)
    run("ip", "link", "set", name, "up")


def tap(name, bridge_name):
    """A socket in that switch for Nic.tap()."""
    run("ip", "tuntap", "add", name, "mode", "tap")
    run("ip", "link", "set", name, "master", bridge_name)
    run("ip", "link", "set", name, "up")


def host(name, bridge_name, address):
    """A namespace plugged into that switch, for a program that runs natively
    beside the guests: ip netns exec NAME ..."""
    port = f"p-{name}"[:15]
    run("ip", "netns", "add", name)
    run("ip", "link", "add", port, "type", "veth",
        "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", port, "master", bridge_name)
    run("ip", "link", "set", port, "up")
    run("ip", "-n", name, "address", "add", address, "dev", "eth0", "nodad")
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", name, "link", "set", "eth0", "up")


# --- the machine ------------------------------------------------------------

class Qmp:
    """QEMU's control socket: one command at a time, events are skipped."""

    def __init__(self, path):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(30)
        self._sock.connect(path)
        self._file = self._sock.makefile("rw", encoding="utf-8")
        json.loads(self._file.readline())
        self.command("qmp_capabilities")

    def command(self, name, /, **arguments):
        self._file.write(json.dumps({"execute": name, "arguments": arguments}))
        self._file.write("\n")
        self._file.flush()
        while True:
            line = self._file.readline()
            if not line:
                raise VmError(f"QMP connection lost at {name}")
            answer = json.loads(line)
            if "error" in answer:
                raise VmError(f"QMP {name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        # What a dead machine did not read is of no interest.
        with contextlib.suppress(OSError):
            self._file.close()
        self._sock.close()


class Vm:
    """One guest.

    nics:   list of Nic; QMP and set_link() know them as nic0, nic1, ...
    ports:  dict name -> "file" or "socket": virtio-serial ports, in the guest
            /dev/virtio-ports/NAME, on the host RUNDIR/VM.NAME
    disks:  list of raw image files; they outlive a kill() (/dev/vda, ...; the
            initramfs has to load virtio_blk and the file system)
    append: more kernel command line
    """

    def __init__(self, name, rundir, kernel_image, initrd, append="",
                 memory="512M", cpus=1, nics=(), ports=None, disks=(),
                 accel=None, extra=()):
        self.name = name
        self.rundir = rundir
        self.kernel = kernel_image
        self.initrd = initrd
        self.append = append
        self.memory = memory
        self.cpus = cpus
        self.nics = list(nics)
        self.ports = dict(ports or {})
        self.disks = list(disks)
        self.accel = accel
        self.extra = list(extra)
        self.serial = self._path("serial")
        self.boots = 0
        self.trouble_expected = False   # set it before a panic on purpose
        self._proc = None
        self._qmp = None
        self._boot_offset = 0

    def _path(self, suffix):
        path = os.path.join(self.rundir, f"{self.name}.{suffix}")
        if len(path) > 100:
            raise VmError(f"socket path too long: {path}")
        return path

    def port_path(self, port):
        """The host's end of a virtio-serial port."""
        return self._path(port)

    def _cmdline(self):
        words = ["console=ttyS0", "panic=-1", "oops=panic", "loglevel=5",
                 "nokaslr", "mitigations=off", "no5lvl", "net.ifnames=0",
                 f"ctiha.host={self.name}"]
        if self.accel == "tcg":
            # The emulated TSC is the host's clock; the watchdog that compares
            # it with the emulated HPET only ever raises false alarms.
            words.append("tsc=reliable")
            # On a busy host no tick comes while the kernel looks for one.
            words.append("no_timer_check")
        words += [f"ctiha.nic={nic.guest_name},{nic.mac}"
                  for nic in self.nics if nic.guest_name]
        return " ".join(words + [self.append]).strip()

    def _accel_args(self):
        if self.accel == "kvm":
            return ["-accel", "kvm", "-cpu", "host"]
        return ["-accel", "tcg,thread=multi", "-cpu", "max"]

    def _device_args(self):
        args = []
        for i, nic in enumerate(self.nics):
            args += ["-netdev", f"{nic.netdev},id=net{i}", "-device",
                     f"{nic.model},netdev=net{i},id=nic{i},mac={nic.mac},romfile="]
        if self.ports:
            args += ["-device", "virtio-serial-pci"]
        for i, (name, kind) in enumerate(self.ports.items()):
            where = self.port_path(name)
            back = (f"file,path={where},append=on" if kind == "file"
                    else f"socket,path={where},server=on,wait=off")
            args += ["-chardev", f"{back},id=port{i}", "-device",
                     f"virtserialport,chardev=port{i},name={name}"]
        for i, disk in enumerate(self.disks):
            args += ["-drive", f"file={disk},format=raw,if=none,id=disk{i},"
                     "cache=writeback", "-device", f"virtio-blk-pci,drive=disk{i}"]
        return args

    def command(self):
        """The whole QEMU command line."""
        return ["qemu-system-x86_64", "-name", self.name, "-M", "q35",
                *self._accel_args(), "-smp", str(self.cpus), "-m", self.memory,
                "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-kernel", self.kernel, "-initrd", self.initrd,
                "-append", self._cmdline(),
                "-chardev", f"file,path={self.serial},append=on,id=serial",
                "-serial", "chardev:serial",
                "-qmp", f"unix:{self._path('qmp')},server=on,wait=off",
                *self._device_args(), *self.extra]

    def start(self):
        """Power on. A machine that was killed can be started again; its serial
        log goes on."""
        if self.running():
            raise VmError(f"{self.name}: already running")
        self.accel = self.accel or accelerator()
        for path in [self._path("qmp")] + [n.local for n in self.nics if n.local]:
            if os.path.exists(path):
                os.unlink(path)
        self._boot_offset = (os.path.getsize(self.serial)
                             if os.path.exists(self.serial) else 0)
        with open(self._path("qemu"), "ab") as log:
            self._proc = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=die_with_parent)
        self.boots += 1
        self._connect(time.monotonic() + 20)
        return now_ns()

    def renice(self, nice):
        """How much of the CPU it leaves to others. Back needs root: else it stays."""
        for task in os.listdir(f"/proc/{self._proc.pid}/task"):
            try:
                os.setpriority(os.PRIO_PROCESS, int(task), nice)
            except (PermissionError, ProcessLookupError):
                pass

    def _connect(self, deadline):
        while self._qmp is None:
            try:
                self._qmp = Qmp(self._path("qmp"))
            except (OSError, ValueError, VmError) as err:
                # A QEMU that fails late (an unusable KVM) has already opened
                # the socket: give it the moment it needs to be gone.
                time.sleep(0.05)
                if not self.running():
                    with open(self._path("qemu"), encoding="utf-8",
                              errors="replace") as log:
                        raise VmError(f"{self.name}: {log.read()}") from err
                if time.monotonic() > deadline:
                    raise VmError(f"{self.name}: no QMP socket") from err

    def running(self):
        return self._proc is not None and self._proc.poll() is None

    def pid(self):
        return self._proc.pid

    def kill(self):
        """Power off by SIGKILL. Returns the times just before the signal and
        just after the process was gone: it stopped in between."""
        before = now_ns()
        if self.running():
            self._proc.kill()
        if self._proc is not None:
            self._proc.wait()
        after = now_ns()
        if self._qmp:
            self._qmp.close()
            self._qmp = None
        return before, after

    def wait_off(self, timeout):
        """Wait until the guest has powered itself off."""
        try:
            self._proc.wait(timeout)
        except subprocess.TimeoutExpired as err:
            raise VmError(f"{self.name}: still running after {timeout} s") from err
        self.kill()

    def qmp(self, name, /, **arguments):
        if self._qmp is None:
            raise VmError(f"{self.name}: not running")
        return self._qmp.command(name, **arguments)

    def set_link(self, nic, up):
        """Carrier of this guest's end only; a pulled cable is both ends."""
        self.qmp("set_link", name=f"nic{nic}", up=bool(up))

    def stop(self):
        """Freeze the machine, as a hypervisor that has no time for it."""
        self.qmp("stop")
        return now_ns()

    def cont(self):
        self.qmp("cont")
        return now_ns()

    def reset(self):
        self.qmp("system_reset")

    def log(self, this_boot=True):
        """The serial log, by default since the last start()."""
        try:
            with open(self.serial, "rb") as f:
                f.seek(self._boot_offset if this_boot else 0)
                return f.read().decode("utf-8", "replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def trouble(self):
        """The first line of the log in which the kernel complains, or None."""
        for line in self.log(this_boot=False).splitlines():
            if TROUBLE.search(line):
                return line.strip()
        return None

    def wait_for(self, pattern, timeout):
        """Wait for a line of the serial log of this boot; returns the match.
        Raises if the guest dies, its kernel breaks, or time is up."""
        wanted = re.compile(pattern)
        deadline = time.monotonic() + timeout
        while True:
            alive = self.running()
            found = wanted.search(self.log())
            if found:
                return found
            if not self.trouble_expected and self.trouble():
                raise VmError(f"{self.name}: {self.trouble()}")
            if not alive:
                raise VmError(f"{self.name}: ended before /{pattern}/\n{self.tail()}")
            if time.monotonic() > deadline:
                raise VmError(f"{self.name}: no /{pattern}/ in {timeout} s\n"
                              f"{self.tail()}")
            time.sleep(0.05)

    def tail(self, lines=15):
        return "\n".join(self.log().splitlines()[-lines:])

    def open_port(self, port):
        """Connect to a "socket" port; a stream both ways."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(self.port_path(port))
        return sock

    def clock_offset(self, rounds=40):
        """(offset, error) in ns: guest CLOCK_MONOTONIC = host's + offset, off by
        at most error, which is half the best round trip. Needs ports with
        "clock": "socket"; guest-init answers there."""
        best = None
        with self.open_port("clock") as sock, sock.makefile("rb") as answers:
            sock.settimeout(10)
            for i in range(rounds):
                sent = now_ns()
                sock.sendall(f"{i}\n".encode())
                words = answers.readline().split()
                got = now_ns()
                while len(words) != 2 or int(words[0]) != i:
                    words = answers.readline().split()  # of an earlier asker
                    got = now_ns()
                if best is None or got - sent < best[1]:
                    best = (int(words[1]) - (sent + got) // 2, got - sent)
        return best[0], best[1] // 2

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()


if __name__ == "__main__":
    print(accelerator())
    sys.exit(0)

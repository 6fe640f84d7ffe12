# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks in virtual time have in common: the guest."""

import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
HERE = os.path.join(TOP, "selftests", "bench")
sys.path.insert(0, os.path.join(TOP, "scripts"))
import vmlib  # noqa: E402  (found by the line above)

PROGRAMS = [os.path.join(BUILD, "bin", name) for name in ("ctihad", "ctiha")]
# Sourced by the guests' scripts.
SERVER = (os.path.join(HERE, "server.sh"), "/bench/server.sh")
CUT = ("sch_ingress", "cls_matchall", "act_gact")   # modules that drop what arrives
TAIL = 30               # lines of a console that tell what went wrong


def stripped_module(version, rundir, module=None):
    """The module for that kernel without what it has for debuggers, which would take
    the guest seconds to unpack."""
    built = os.path.join(BUILD, "module",
                         os.path.basename(vmlib.kernel(version)["KDIR"]), "ctiha.ko")
    out = os.path.join(rundir, "ctiha.ko")
    subprocess.run(["strip", "-g", "-o", out, module or built], check=True)
    return out


def console(version, initrd, words, cables=2, shift=3, limit=3600):
    """Boots a guest of scripts/icount-run and yields the lines of its console as they
    come; words are the arguments of its script. Raises VmError if it does not end
    well."""
    command = [os.path.join(TOP, "scripts", "icount-run"), "-k", version,
               "-t", str(limit), "-c", str(cables), "-s", str(shift), "-i", initrd,
               "--", *words]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as guest:
        for line in guest.stdout:
            lines.append(line)
            yield line
    if guest.returncode:
        raise vmlib.VmError(f"the guest with {version} failed:\n" +
                            "".join(lines[-TAIL:]))

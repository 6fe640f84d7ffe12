#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody may do with the module's netlink family, and what not.

Speaks netlink itself, so that no program of ours stands in between. Fails, with the
command in words, where the kernel answers otherwise than it should.
"""

import errno
import socket
import struct
import sys

NETLINK_GENERIC = 16
CTRL = 16
REQUEST, ACK, DUMP = 1, 4, 0x300
ERROR, DONE = 2, 3
NODE_GET, NODE_SET, KEY_SET, FENCE_SET, LINK_GET, LINK_ADD, LINK_DEL, \
    PEER_GET, ATTACH, REPORT, ACTIVATE, RENEW, YIELD, LEAVE = range(1, 15)
SWITCH_SET = 18
A_SWITCH = 16
A_NODE, A_PEER, A_LINK, A_EVENT, A_FENCE, A_KEY_SLOT, A_KEY, A_KEY_SEND, \
    A_WATCH_MS, A_EPOCH, A_GRANT, A_REPORT = range(1, 13)
NAMES = {NODE_SET: "NODE_SET", KEY_SET: "KEY_SET", FENCE_SET: "FENCE_SET",
         LINK_ADD: "LINK_ADD", LINK_DEL: "LINK_DEL", ATTACH: "ATTACH",
         REPORT: "REPORT", ACTIVATE: "ACTIVATE", RENEW: "RENEW",
         YIELD: "YIELD", LEAVE: "LEAVE", SWITCH_SET: "SWITCH_SET"}


def attr(kind, data):
    body = struct.pack("=HH", len(data) + 4, kind) + data
    return body + bytes(-len(body) % 4)


def nest(kind, *attrs):
    return attr(kind | 0x8000, b"".join(attrs))


def u8(kind, value):
    return attr(kind, struct.pack("=B", value))


def u32(kind, value):
    return attr(kind, struct.pack("=I", value))


def u64(kind, value):
    return attr(kind, struct.pack("=Q", value))


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3:]


class Family:
    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                    NETLINK_GENERIC)
        self.socket.bind((0, 0))
        self.socket.settimeout(20)
        self.socket.setsockopt(270, 10, 1)    # errors do not repeat the request
        self.socket.setsockopt(270, 11, 1)    # but say why, where there are words
        self.seq = 0
        self.raw = b""    # all that ever came in
        answer = self.ask(3, attr(2, b"ctiha\0"), family=CTRL)[0]
        found = dict(attributes(answer[4:]))
        self.id = struct.unpack("=H", found[1])[0]
        group = dict(attributes(next(attributes(found[7]))[1]))
        self.group = struct.unpack("=I", group[2])[0]

    def ask(self, command, data=b"", flags=0, family=None):
        """Payloads of the answers. Raises OSError as the kernel says, with its words."""
        self.seq += 1
        body = struct.pack("=BBH", command, 1, 0) + data
        self.socket.send(struct.pack("=IHHII", len(body) + 16, family or self.id,
                                     REQUEST | ACK | flags, self.seq, 0) + body)
        answers = []
        while True:
            got = self.socket.recv(65536)
            self.raw += got
            while len(got) >= 16:
                length, kind, _, seq, _ = struct.unpack_from("=IHHII", got)
                payload = got[16:length]
                got = got[(length + 3) & ~3:]
                if seq != self.seq:
                    continue
                if kind in (ERROR, DONE):
                    code = struct.unpack_from("=i", payload)[0]
                    if code < 0:
                        raise OSError(-code, payload[20:])
                    return answers
                answers.append(payload)


def node(node_id=0):
    return nest(A_NODE, u8(1, node_id), u32(2, 3), u64(3, 10**9),
                u64(4, 2 * 10**9))


def link(name, kind, ifindex):
    return nest(A_LINK, attr(1, name + b"\0"), u8(2, kind), u32(3, ifindex),
                u32(5, 100000), u8(6, 5))


def key(slot):
    return u8(A_KEY_SLOT, slot) + attr(A_KEY, bytes(range(32))) + \
        attr(A_KEY_SEND, b"")


def changes(ifindex):
    return [(NODE_SET, node()), (KEY_SET, key(1)), (KEY_SET, u8(A_KEY_SLOT, 1)),
            (FENCE_SET, nest(A_FENCE)), (LINK_ADD, link(b"lan", 2, ifindex)),
            (LINK_DEL, link(b"lan", 2, ifindex)), (ATTACH, u32(A_WATCH_MS, 500)),
            (REPORT, u32(A_REPORT, 1)), (ACTIVATE, u64(A_EPOCH, 1000)),
            (RENEW, u64(A_EPOCH, 1000) + u64(A_GRANT, 1)), (YIELD, b""),
            (LEAVE, b""), (SWITCH_SET, nest(A_SWITCH, u32(1, ifindex)))]


def answer_to(family, command, data):
    """Error number, 0 for none, and the kernel's words, if any."""
    try:
        family.ask(command, data)
    except OSError as error:
        return error.errno, error.strerror
    return 0, b""


def refused(family):
    """Every command that changes something, before the module is asked.

    It refuses the daemon's commands to others with EPERM, too, but in words.
    """
    for command, data in changes(socket.if_nametoindex("l")):
        code, words = answer_to(family, command, data)
        if code != errno.EPERM:
            sys.exit(f"{NAMES[command]}: {errno.errorcode.get(code, code)}, not EPERM")
        if words:
            sys.exit(f"{NAMES[command]} got as far as the module: {words}")


def reads(family, key_file):
    """Everything that can be read, with the key nowhere in it."""
    with open(key_file, encoding="ascii") as text:
        secret = bytes.fromhex(text.read())
    read_all(family)
    for part in (secret, secret[:8], secret[-8:], secret.hex().encode()):
        if part in family.raw:
            sys.exit("the key can be read")


def read_all(family):
    answers = family.ask(NODE_GET) + family.ask(PEER_GET)
    links = family.ask(LINK_GET, flags=DUMP)
    for name in (b"crossover", b"lan"):
        answers += family.ask(LINK_GET, nest(A_LINK, attr(1, name + b"\0")))
    if len(answers) != 4 or len(links) != 2:
        sys.exit(f"{len(answers)} objects and {len(links)} links can be read")


def events(family):
    """Joins the group, says so, and waits for one event."""
    family.socket.setsockopt(270, 1, family.group)
    print("listening", flush=True)
    got = family.socket.recv(65536)
    if struct.unpack_from("=IH", got)[1] != family.id:
        sys.exit("no event came")
    print("heard", flush=True)


def must(family, what, command, data, code=0):
    got, _ = answer_to(family, command, data)
    if got != code:
        sys.exit(f"{what}: {errno.errorcode.get(got, got)}")


def own(family, outside):
    """Root of a user namespace with a network namespace of its own."""
    must(family, "sees a node that is not its own", NODE_GET, b"", errno.ENOENT)
    must(family, "cannot make its node", NODE_SET, node())
    must(family, "cannot set its key", KEY_SET, key(0))
    must(family, "cannot use its own device", LINK_ADD,
         link(b"lan", 2, socket.if_nametoindex("v0")))
    must(family, "reaches a device outside", LINK_ADD,
         link(b"crossover", 1, int(outside)), errno.ENODEV)
    must(family, "watches a device outside", SWITCH_SET,
         nest(A_SWITCH, u32(1, int(outside))), errno.ENODEV)
    must(family, "may reboot the machine", FENCE_SET, nest(A_FENCE, u8(2, 1)),
         errno.EPERM)
    must(family, "cannot attach", ATTACH, u32(A_WATCH_MS, 60000))
    must(family, "cannot leave", LEAVE, b"")


def main():
    modes = {"refused": refused, "reads": reads, "events": events, "own": own}
    modes[sys.argv[1]](Family(), *sys.argv[2:])


if __name__ == "__main__":
    main()

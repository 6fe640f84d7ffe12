# SPDX-License-Identifier: GPL-2.0-or-later
"""What carrier_test.sh cannot do in shell.

    carrier.py tap NAME             a NIC with a carrier, as long as this runs
    carrier.py times DEVICE FILE    when each heartbeat arrived, in ns, one a line
    carrier.py switch-set IFINDEX   the raw command; prints what the module answers
"""

import errno
import fcntl
import os
import signal
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x0002, 0x1000
ETHERTYPE, PACKET_OUTGOING, SO_TIMESTAMPNS = 0x88B5, 4, 35

NETLINK_GENERIC, GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR, NLMSGERR_ATTR_MSG = 1, 4, 2, 1
NLA_F_NESTED = 1 << 15
CMD_SWITCH_SET, A_SWITCH, A_SWITCH_IFINDEX = 18, 16, 1


def tap(name):
    """Like a dummy it takes 'ip link set dev NAME carrier off'."""
    # Held open until this process is killed.
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF,
                struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    signal.pause()


def times(device, path):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind((device, ETHERTYPE))
    with open(path, "w", encoding="ascii", buffering=1) as out:
        while True:
            _, notes, _, address = sock.recvmsg(256, 64)
            if address[2] != PACKET_OUTGOING:
                seconds, ns = struct.unpack("qq", notes[0][2])
                out.write(f"{seconds * 1000000000 + ns}\n")


def attribute(kind, payload):
    raw = struct.pack("=HH", 4 + len(payload), kind) + payload
    return raw + bytes(-len(raw) % 4)


def call(sock, family, command, attributes):
    """Sends a request; the type, the fixed part and the rest of the answer."""
    body = struct.pack("=BBH", command, 1, 0) + attributes
    sock.send(struct.pack("=IHHII", 16 + len(body), family,
                          NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
    answer = sock.recv(65536)
    return struct.unpack_from("=IH", answer)[1], answer[16:]


def find(raw, kind):
    while len(raw) >= 4:
        length, found = struct.unpack_from("=HH", raw)
        if found == kind:
            return raw[4:length]
        raw = raw[(length + 3) & ~3:]
    return None


def switch_set(ifindex):
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    _, answer = call(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                     attribute(CTRL_ATTR_FAMILY_NAME, b"ctiha\0"))
    family = struct.unpack("=H", find(answer[4:], CTRL_ATTR_FAMILY_ID))[0]
    sock.recv(65536)    # the acknowledgement
    nest = (b"" if ifindex == "no-nest" else
            attribute(A_SWITCH | NLA_F_NESTED,
                      attribute(A_SWITCH_IFINDEX,
                                struct.pack("=I", int(ifindex)))))
    kind, answer = call(sock, family, CMD_SWITCH_SET, nest)
    assert kind == NLMSG_ERROR, kind
    error = -struct.unpack_from("=i", answer)[0]
    text = find(answer[20:], NLMSGERR_ATTR_MSG) or b""
    print(errno.errorcode.get(error, error), text.rstrip(b"\0").decode())


if __name__ == "__main__":
    {"tap": tap, "times": times, "switch-set": switch_set}[sys.argv[1]](
        *sys.argv[2:])

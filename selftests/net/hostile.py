#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an enemy on the pair's networks and sockets would do.

Records real packets, and sends broken, forged and old ones. Prints how many it
sent. A record is a text file with one packet in hex per line. Fails if what it
talks to does not behave: closes what it should close, stays silent where it
should.
"""

import argparse
import hashlib
import hmac
import os
import random
import socket
import struct
import sys
import time

ETHERTYPE = 0x88B5
ETH_P_ALL = 3
FRAME_LEN = 104
SEALED_LEN = 88
PACKET_OUTGOING = 4
WITNESS_LEN = 208
PLAIN_LEN = 44
PLAIN_MAX = 1472

# Offset, format and a value out of range, of fields in a heartbeat.
OUT_OF_RANGE = [
    (2, ">B", 3), (3, ">B", 3), (4, ">B", 8), (5, ">B", 1), (5, ">B", 51),
    (6, ">B", 0), (6, ">B", 3), (7, ">B", 2), (12, ">I", 999),
    (12, ">I", 10000001), (16, ">B", 3), (17, ">B", 1), (17, ">B", 7),
    (24, ">Q", 0), (40, ">Q", 0),
]


def read_record(path):
    with open(path, encoding="ascii") as lines:
        return [bytes.fromhex(line) for line in lines]


def read_key(path):
    with open(path, encoding="ascii") as text:
        return bytes.fromhex(text.read())


# ---- heartbeats --------------------------------------------------------------

class Device:
    """Frames of our EtherType on a net device of this namespace."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((name, 0))
        mac = self.socket.getsockname()[4]
        self.head = b"\xff" * 6 + mac + struct.pack(">H", ETHERTYPE)

    def send(self, payload):
        # ENOBUFS: the queue of the device is full, which empties by itself.
        while True:
            try:
                self.socket.send(self.head + payload)
                return
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno != 105:
                    raise
                time.sleep(0.001)

    def send_all(self, payloads):
        """Slowly enough for a receiver's buffer."""
        for i, payload in enumerate(payloads):
            self.send(payload)
            if i % 32 == 31:
                time.sleep(0.01)
        return len(payloads)


def payload_of(frame, port):
    """A heartbeat, or the UDP payload to that port; None if it is neither."""
    ethertype = struct.unpack_from(">H", frame, 12)[0]
    if port is None:
        return frame[14:14 + FRAME_LEN] if ethertype == ETHERTYPE else None
    if ethertype != 0x0800 or len(frame) < 42 or frame[23] != 17:
        return None
    udp = 14 + (frame[14] & 15) * 4
    to, length = struct.unpack_from(">HH", frame, udp + 2)
    return frame[udp + 8:udp + length] if to == port else None


def sniff(args):
    """What comes in, written down at once; until killed, or for --seconds.

    What the packet backend sends passes by all taps.
    """
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                        socket.htons(ETH_P_ALL))
    tap.bind((args.device, ETH_P_ALL))
    tap.settimeout(0.1)
    end = time.monotonic() + args.seconds
    count = 0
    with open(args.record, "w", encoding="ascii", buffering=1) as record:
        while time.monotonic() < end:
            try:
                frame, address = tap.recvfrom(65536)
            except socket.timeout:
                continue
            payload = payload_of(frame, args.port)
            if payload is not None and address[2] != PACKET_OUTGOING:
                record.write(payload.hex() + "\n")
                count += 1
    return count


def replay(args):
    packets = read_record(args.record)
    end = time.monotonic() + args.seconds
    device = Device(args.device)
    count = device.send_all(packets)
    while time.monotonic() < end:
        count += device.send_all(packets)
    return count


def seal(key, frame):
    code = hmac.new(key, frame[:SEALED_LEN], hashlib.sha256).digest()
    return frame[:SEALED_LEN] + code[:FRAME_LEN - SEALED_LEN]


def changed(frame, offset, form, value):
    result = bytearray(frame)
    struct.pack_into(form, result, offset, value)
    return bytes(result)


def flipped(packet):
    """The packet once for each of its bytes, with one bit of that changed."""
    return [changed(packet, i, ">B", packet[i] ^ 1 << i % 8)
            for i in range(len(packet))]


def make_frames(kind, frame, key):
    wrong = bytes(byte ^ 0x5A for byte in key)
    if kind == "empty":    # AF_PACKET never shows it to a program
        return [b""]
    if kind == "truncated":
        return [frame[:length] for length in range(1, FRAME_LEN)]
    if kind == "flipped":
        return flipped(frame)
    if kind == "version":
        return [seal(key, changed(frame, 0, ">B", version))
                for version in range(256) if version != 1]
    if kind == "key-id":
        return [seal(key, changed(frame, 1, ">B", slot))
                for slot in range(1, 256)]
    if kind == "wrong-key":
        return [seal(wrong, changed(frame, 40, ">Q", 1 << 40 | i))
                for i in range(50)]
    if kind == "range":
        return [seal(key, changed(frame, *change)) for change in OUT_OF_RANGE]
    if kind == "other-pair":
        return [seal(key, changed(frame, 8, ">I", pair))
                for pair in (0, 6, 8, 0x07000000, 0xFFFFFFFF)]
    if kind == "other-link":
        return [seal(key, changed(frame, 6, ">B", frame[6] ^ 3))]
    raise ValueError(kind)


def forge(args):
    frame = read_record(args.record)[-1]
    frames = make_frames(args.kind, frame, read_key(args.key))
    return Device(args.device).send_all(frames)


def flood(args):
    """Each one passes all cheap checks and costs the receiver a check code."""
    frame = read_record(args.record)[-1]
    end = time.monotonic() + args.seconds
    device = Device(args.device)
    for count in range(args.count):
        if count % 256 == 0 and time.monotonic() >= end:
            return count
        device.send(changed(frame, 40, ">Q", 1 << 40 | count))
    return args.count


# ---- service addresses -------------------------------------------------------

def announcement(mac, address):
    """Gratuitous ARP, or an unsolicited neighbour advertisement, as a frame."""
    if ":" not in address:
        ip = socket.inet_aton(address)
        arp = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2)
        return (b"\xff" * 6 + mac + struct.pack(">H", 0x0806) + arp +
                mac + ip + mac + ip)
    ip = socket.inet_pton(socket.AF_INET6, address)
    to = socket.inet_pton(socket.AF_INET6, "ff02::1")
    # Its own address is another one: it is the target that claims.
    source = b"\xfe\x80" + bytes(6) + mac[:3] + b"\xff\xfe" + mac[3:]
    body = struct.pack(">BBHI", 136, 0, 0, 0x20000000) + ip + b"\x02\x01" + mac
    total = source + to + struct.pack(">II", len(body), 58) + body
    check = sum(struct.unpack(f">{len(total) // 2}H", total))
    while check >> 16:
        check = (check & 0xFFFF) + (check >> 16)
    body = body[:2] + struct.pack(">H", ~check & 0xFFFF) + body[4:]
    head = struct.pack(">IHBB", 6 << 28, len(body), 58, 255) + source + to
    return b"\x33\x33\0\0\0\x01" + mac + struct.pack(">H", 0x86DD) + head + body


def announce(args):
    """By a packet socket, as a daemon does that was too late."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tap.bind((args.device, 0))
    frame = announcement(tap.getsockname()[4], args.address)
    try:
        tap.send(frame)
    except OSError:
        pass    # the fence tells the sender
    return 1


def claims(args):
    """Frames of that hardware address which hold a service address as a claim.

    Until killed. A frame that asks for the address (ARP request from another
    one) holds it as well, but not as the sender.
    """
    mac = bytes.fromhex(args.mac.replace(":", ""))
    ipv4 = socket.inet_aton(args.ipv4)
    ipv6 = socket.inet_pton(socket.AF_INET6, args.ipv6)
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                        socket.htons(ETH_P_ALL))
    tap.bind((args.device, ETH_P_ALL))
    with open(args.record, "w", encoding="ascii", buffering=1) as record:
        while True:
            frame = tap.recv(65536)
            kind = frame[12:14]
            claimed = (
                kind == b"\x08\x00" and frame[26:30] == ipv4 or
                kind == b"\x08\x06" and frame[28:32] == ipv4 or
                kind == b"\x86\xdd" and frame[22:38] == ipv6 or
                kind == b"\x86\xdd" and frame[54:55] == b"\x88" and
                frame[62:78] == ipv6)
            if frame[6:12] == mac and claimed:
                record.write(frame.hex() + "\n")


# ---- state sync --------------------------------------------------------------

def connect(args, wait=5.0):
    connection = socket.create_connection(
        (args.host, args.port), timeout=wait,
        source_address=(args.source, 0) if args.source else None)
    return connection


def is_closed(connection):
    """Reads to the end; False if none comes within the timeout."""
    try:
        while connection.recv(65536):
            pass
    except socket.timeout:
        return False
    except OSError:
        pass
    connection.close()
    return True


def sync_head(payload_len, raw_len=24, content=0x8001, version=1):
    return struct.pack(">IBBHIIIB3xQQ", 0x43544953, version, 0, content, 7,
                       raw_len, payload_len, 0, 1 << 40, 1)


def sync_lies():
    """Packets that must be refused, each of them at once."""
    chance = random.Random(7)
    lies = [chance.randbytes(size) for size in (40, 41, 4096, 1 << 20)]
    lies += [sync_head(length) for length in
             (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 1 << 20, 25, 0xFFFFFFC4)]
    lies += [sync_head(24, raw_len=length) for length in
             (0xFFFFFFFF, 1 << 31, (1 << 20) + 1)]
    lies += [sync_head(24, version=2), b"\0" * 64, b"\xff" * 64,
             b"GET / HTTP/1.1\r\nHost: cti\r\nAccept: */*\r\n\r\n" * 2]
    # Complete in every respect but the check code.
    lies += [sync_head(24) + bytes(24) + bytes(16) + b"SITC"]
    return lies


def sync_refused(args):
    lies = sync_lies()
    for i, lie in enumerate(lies):
        connection = connect(args)
        try:
            connection.sendall(lie)
        except OSError:
            pass    # closed before it has read all
        if not is_closed(connection):
            sys.exit(f"lie {i} is not refused")
    return len(lies)


def sync_slow(args):
    """Half a packet, or nothing at all, then silence."""
    halves = [b"", b"C", sync_head(24)[:39], sync_head(24) + bytes(23)]
    connections = []
    for half in halves:
        connections.append(connect(args))
        connections[-1].sendall(half)
    for i, connection in enumerate(connections):
        if not is_closed(connection):
            sys.exit(f"slow connection {i} is kept")
    return len(halves)


def sync_crowd(args):
    """More connections at once than anybody needs."""
    crowd = []
    for _ in range(args.count):
        try:
            crowd.append(connect(args, args.wait))
        except OSError:
            continue    # refused or not answered: as good as closed
    kept = sum(not is_closed(connection) for connection in crowd)
    if kept:
        sys.exit(f"{kept} of {args.count} connections are kept")
    return len(crowd)


def sync_strange(args):
    """From an address that is not the peer's: closed without a word."""
    connection = connect(args)
    connection.settimeout(args.wait)
    try:
        word = connection.recv(1)
    except ConnectionResetError:
        word = b""
    if word:
        sys.exit("a stranger got an answer")
    return 1


# ---- arbiter -----------------------------------------------------------------

class Arbiter:
    def __init__(self, args):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((args.host, args.port))
        self.wait = args.wait

    def send(self, packet):
        self.socket.settimeout(1)
        self.socket.send(packet)

    def answer(self, wait=None):
        self.socket.settimeout(self.wait if wait is None else wait)
        try:
            return self.socket.recv(65536)
        except socket.timeout:
            return None

    def drain(self):
        answers = []
        while True:
            answer = self.answer(0.2)
            if answer is None:
                return answers
            answers.append(answer)


def arbiter_garbage(args):
    """All lengths. Long enough ones are reflected in their own length."""
    chance = random.Random(862)
    arbiter = Arbiter(args)
    count = 0
    for length in range(0, 1501, 7):
        arbiter.send(chance.randbytes(length))
        count += 1
        if PLAIN_LEN <= length <= PLAIN_MAX:
            answer = arbiter.answer()
            if answer is None or len(answer) != length:
                sys.exit(f"{length} bytes are not reflected")
    if arbiter.drain():
        sys.exit("an answer to nonsense")
    return count


def arbiter_plain(args):
    """Any STAMP sender gets its answer."""
    arbiter = Arbiter(args)
    request = struct.pack(">IQHH28x", 4711, 0x1122334455667788, 0x8001, 9)
    arbiter.send(request)
    answer = arbiter.answer()
    if answer is None or len(answer) != PLAIN_LEN:
        sys.exit("no answer of 44 bytes")
    sender = struct.unpack_from(">IQH", answer, 24)
    if answer[14:16] != b"\0\x09" or sender != (4711, 0x1122334455667788, 0x8001):
        sys.exit("the answer is not that to the request")
    return 1


def arbiter_flipped(args):
    """A real request with a bit changed is never taken for one."""
    request = read_record(args.record)[-1]
    arbiter = Arbiter(args)
    packets = flipped(request)
    for packet in packets:
        arbiter.send(packet)
        time.sleep(0.001)
    for answer in arbiter.drain():
        # What does not look like a request any more is reflected: unsigned.
        if len(answer) != WITNESS_LEN or answer[-16:] not in {
                packet[-16:] for packet in packets}:
            sys.exit(f"a forged request is answered: {answer.hex()}")
    return len(packets)


def arbiter_replay(args):
    packets = [packet for packet in read_record(args.record)
               if len(packet) == WITNESS_LEN]
    if not packets:
        sys.exit("there is no request to repeat")
    arbiter = Arbiter(args)
    for i, packet in enumerate(packets):
        arbiter.send(packet)
        if i % 16 == 15:
            time.sleep(0.01)
    answers = arbiter.drain()
    if answers and not args.answered:
        sys.exit(f"{len(answers)} old requests are answered")
    return len(packets)


# ---- unix sockets ------------------------------------------------------------

def unix_connect(args, kind):
    connection = socket.socket(socket.AF_UNIX, kind)
    connection.settimeout(args.wait)
    while True:
        try:
            connection.connect(args.path)
            return connection
        except BlockingIOError:    # the daemon has yet to accept others
            time.sleep(0.01)


def control_lines():
    chance = random.Random(1)
    deep = b"[" * 60000 + b"\n"
    return [b"\n" * 100, b"\0" * 1000 + b"\n", chance.randbytes(60000) + b"\n",
            b"a" * (1 << 20), b"a" * (1 << 20) + b"\n", deep, b"{}\n", b"null\n",
            b'{"command":7}\n', b'{"command":"nonsense"}\n',
            b'{"command":"' + b"x" * 60000 + b'"}\n',
            b'{"command":"status","command":"takeover"}\n',
            b'{"command":"takeover\\u0000"}\n', b'{"command":"status"',
            b'{"command":"status"}\n' * 2000]


def send_what_fits(connection, data):
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass    # it need not listen to all of it


def control_garbage(args):
    lines = control_lines()
    for i, line in enumerate(lines):
        connection = unix_connect(args, socket.SOCK_STREAM)
        send_what_fits(connection, line)
        if not is_closed(connection):
            sys.exit(f"line {i} keeps the connection")
    return len(lines)


def unix_kind(args):
    return socket.SOCK_SEQPACKET if args.packets else socket.SOCK_STREAM


def unix_hang_up(args):
    """Connect, perhaps ask, and be gone before the answer."""
    for i in range(args.count):
        connection = unix_connect(args, unix_kind(args))
        if i % 2:
            send_what_fits(connection, b'{"command":"status"}\n')
        connection.close()
    return args.count


def unix_crowd(args):
    """Many connections that say nothing, for some time."""
    crowd = []
    for _ in range(args.count):
        try:
            crowd.append(unix_connect(args, unix_kind(args)))
        except OSError:
            continue
    time.sleep(args.wait)
    return len(crowd)


def app_operation(kind, size=40, key_len=0, value_len=0, flags=0):
    return struct.pack("=IBBHHBBB3xQQIxxxx", size, kind, key_len, value_len, 1,
                       0, flags, 0, 1, 1 << 40, 0xFFFFFFFF)


def app_messages():
    chance = random.Random(2)
    head = struct.pack("=IHH", 0x43544941, 1, 0)
    hello = head + app_operation(1)
    lies = [chance.randbytes(size) for size in (1, 7, 8, 9, 48, 4096, 65536)]
    lies += [struct.pack("=IHH", 0x43544941, 2, 0) + app_operation(1),
             head + app_operation(2),    # no hello
             head + app_operation(200)]
    lies += [hello + operation for operation in (
        app_operation(2, size=0), app_operation(2, size=39),
        app_operation(2, size=0xFFFFFFF8), app_operation(2, size=1 << 20),
        app_operation(2, key_len=255), app_operation(2, value_len=65535),
        app_operation(2)[:20], app_operation(99))]
    return lies


def app_garbage(args):
    lies = app_messages()
    for i, lie in enumerate(lies):
        connection = unix_connect(args, socket.SOCK_SEQPACKET)
        try:
            connection.send(lie)
        except OSError:
            pass
        if not is_closed(connection):
            sys.exit(f"message {i} keeps the connection")
    return len(lies)


# ---- command line ------------------------------------------------------------

def parser():
    top = argparse.ArgumentParser(description=__doc__)
    modes = top.add_subparsers(required=True)

    def mode(run, *options):
        sub = modes.add_parser(run.__name__.replace("_", "-"))
        sub.set_defaults(run=run)
        for option in options:
            sub.add_argument(option)
        return sub

    sub = mode(sniff, "device", "record")
    sub.add_argument("--seconds", type=float, default=300)
    sub.add_argument("--port", type=int)
    sub = mode(replay, "device", "record")
    sub.add_argument("--seconds", type=float, default=0)
    mode(forge, "kind", "device", "record", "key")
    mode(announce, "device", "address")
    mode(claims, "device", "mac", "ipv4", "ipv6", "record")
    sub = mode(flood, "device", "record")
    sub.add_argument("--seconds", type=float, default=5)
    sub.add_argument("--count", type=int, default=200000)
    for run in (sync_refused, sync_slow, sync_crowd, sync_strange):
        sub = mode(run, "host")
        sub.add_argument("--source")
        sub.add_argument("--port", type=int, default=7788)
        sub.add_argument("--count", type=int, default=100)
        sub.add_argument("--wait", type=float, default=5)
    for run in (arbiter_garbage, arbiter_plain):
        sub = mode(run, "host")
    for run in (arbiter_flipped, arbiter_replay):
        sub = mode(run, "host", "record")
        sub.add_argument("--answered", action="store_true")
    for sub in [modes.choices[name] for name in modes.choices
                if name.startswith("arbiter")]:
        sub.add_argument("--port", type=int, default=862)
        sub.add_argument("--wait", type=float, default=5)
    for run in (control_garbage, app_garbage, unix_hang_up, unix_crowd):
        sub = mode(run, "path")
        sub.add_argument("--packets", action="store_true")
        sub.add_argument("--count", type=int, default=64)
        sub.add_argument("--wait", type=float, default=5)
    return top


def main():
    args = parser().parse_args()
    print(args.run(args))


if __name__ == "__main__":
    main()

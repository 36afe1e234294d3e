# SPDX-License-Identifier: GPL-2.0-only
"""Established TCP connections as data: taken from one guest's kernel, set into the other's.

By TCP_REPAIR, as checkpoint/restore tools do it (see tcp(7) and the kernel's
net/ipv4/tcp.c). In repair mode a socket sends nothing, and closing it sends nothing either.
"""

import array
import contextlib
import ctypes
import fcntl
import socket
import struct
import termios

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
TCP_REPAIR_OPTIONS, TCP_TIMESTAMP, TCP_REPAIR_WINDOW = 22, 24, 29
NO_QUEUE, RECV_QUEUE, SEND_QUEUE = 0, 1, 2
OPTION_MSS, OPTION_WSCALE, OPTION_SACK, OPTION_TIMESTAMPS = 2, 3, 4, 8
INFO_TIMESTAMPS, INFO_SACK, INFO_WSCALE = 1, 2, 4
THAW_UNASKED = -1  # TCP_REPAIR_OFF_NO_WP: the peer's window is not asked for
ESTABLISHED = 1
SIOCOUTQNSD = 0x894B
BUFFERS = (socket.SO_SNDBUF, socket.SO_RCVBUF)
FORCED_BUFFERS = (32, 33)  # SO_SNDBUFFORCE, SO_RCVBUFFORCE
SO_BUF_LOCK = 72
BUFFER_MAX = 8 << 20
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
SEGMENT_OFFSET = 16  # of tcpi_snd_mss in struct tcp_info
WINDOW_BYTES = 20  # struct tcp_repair_window
PEER_WINDOW_OFFSET = 4


def tcp_get(sock, option):
    return sock.getsockopt(socket.IPPROTO_TCP, option) & 0xFFFFFFFF


def tcp_set(sock, option, value):
    if isinstance(value, int) and value >= 1 << 31:
        value -= 1 << 32
    sock.setsockopt(socket.IPPROTO_TCP, option, value)


def deafen(sock):
    """Repair mode hears acks, and what they allow counts as sent though it is not."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # return 0 bytes
    sock.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
    )


def freeze(sock):
    tcp_set(sock, TCP_REPAIR, 1)


def set_peer_window(sock, length):
    window = bytearray(sock.getsockopt(socket.IPPROTO_TCP, TCP_REPAIR_WINDOW, WINDOW_BYTES))
    struct.pack_into("I", window, PEER_WINDOW_OFFSET, length)
    tcp_set(sock, TCP_REPAIR_WINDOW, bytes(window))


def thaw(sock, window=None):
    """It goes on, and asks for the peer's window, which sets what waits in motion.

    @window is the peer's when the socket was dumped, if it was.
    """
    if window is not None:
        set_peer_window(sock, window)
    with contextlib.suppress(FileNotFoundError):  # that was not dumped
        sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
    tcp_set(sock, TCP_REPAIR_QUEUE, NO_QUEUE)
    tcp_set(sock, TCP_REPAIR, 0)


def state_of(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]


def queued(sock, request):
    count = array.array("i", [0])
    fcntl.ioctl(sock, request, count)
    return count[0]


def sent_unacked(sock):
    return queued(sock, termios.TIOCOUTQ) - queued(sock, SIOCOUTQNSD)


def choose_isn(sock, isn):
    """For a socket that is about to connect: its SYN has this number."""
    freeze(sock)
    tcp_set(sock, TCP_REPAIR_QUEUE, SEND_QUEUE)
    tcp_set(sock, TCP_QUEUE_SEQ, isn)
    thaw(sock)


def dump_queue(sock, queue, length):
    tcp_set(sock, TCP_REPAIR_QUEUE, queue)
    seq = tcp_get(sock, TCP_QUEUE_SEQ)  # of what follows the queue's last byte
    data = b""
    if length:
        # A segment of which the peer has acknowledged a part is read from its beginning.
        data = sock.recv(length + (64 << 10), socket.MSG_PEEK | socket.MSG_DONTWAIT)[-length:]
        if len(data) != length:
            raise OSError(f"{len(data)} of {length} bytes could be read of queue {queue}")
    return {"seq": (seq - length) & 0xFFFFFFFF, "data": data.hex()}


def peer_window(state):
    """Of a dumped connection: what the peer takes, from what it has acknowledged on."""
    return struct.unpack_from("I", bytes.fromhex(state["window"]), PEER_WINDOW_OFFSET)[0]


def dump(sock):
    """The whole state of a frozen, established connection; JSON can carry it.

    Timers of a frozen socket go on, and may send new data that fits the peer's window: a copy that
    had not sent it would differ. So the window is full from here on, until thaw().
    """
    deafen(sock)
    window = sock.getsockopt(socket.IPPROTO_TCP, TCP_REPAIR_WINDOW, WINDOW_BYTES)
    set_peer_window(sock, sent_unacked(sock))
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    options, scales = info[5], info[6]
    return {
        "family": int(sock.family),
        "local": sock.getsockname()[:2],
        "peer": sock.getpeername()[:2],
        # Of the peer's SYN; TCP_INFO's tcpi_snd_mss is less by the options.
        "mss": tcp_get(sock, socket.TCP_MAXSEG),
        "segment": struct.unpack_from("I", info, SEGMENT_OFFSET)[0],
        "options": options,
        "scales": [scales & 15, scales >> 4],  # for sending, for receiving
        "timestamp": tcp_get(sock, TCP_TIMESTAMP),
        "window": window.hex(),
        "buffers": [sock.getsockopt(socket.SOL_SOCKET, option) // 2 for option in BUFFERS],
        "unsent": queued(sock, SIOCOUTQNSD),
        "send": dump_queue(sock, SEND_QUEUE, queued(sock, termios.TIOCOUTQ)),
        "receive": dump_queue(sock, RECV_QUEUE, queued(sock, termios.FIONREAD)),
    }


def set_options(sock, state):
    entries = [(OPTION_MSS, state["mss"])]
    if state["options"] & INFO_WSCALE:
        send, receive = state["scales"]
        entries.append((OPTION_WSCALE, send | receive << 16))
    if state["options"] & INFO_SACK:
        entries.append((OPTION_SACK, 0))
    if state["options"] & INFO_TIMESTAMPS:
        entries.append((OPTION_TIMESTAMPS, 0))
    tcp_set(sock, TCP_REPAIR_OPTIONS, b"".join(struct.pack("II", *entry) for entry in entries))
    if state["options"] & INFO_TIMESTAMPS:
        tcp_set(sock, TCP_TIMESTAMP, state["timestamp"])


def set_buffers(sock, sizes):
    for option, size in zip(FORCED_BUFFERS, sizes):
        sock.setsockopt(socket.SOL_SOCKET, option, size)


def fill(sock, queue, data):
    tcp_set(sock, TCP_REPAIR_QUEUE, queue)
    # A writer's buffers are limited by skb sizes, so in pieces.
    while data:
        data = data[sock.send(data[: 32 << 10]) :]


def load(state):
    """A new frozen socket with that state, and those bytes of it that were never sent.

    Its kernel holds sent bytes as sent; the application sends the others once more.
    """
    sock = socket.socket(state["family"], socket.SOCK_STREAM)
    freeze(sock)
    set_buffers(sock, (BUFFER_MAX, BUFFER_MAX))
    for queue, part in ((SEND_QUEUE, state["send"]), (RECV_QUEUE, state["receive"])):
        tcp_set(sock, TCP_REPAIR_QUEUE, queue)
        tcp_set(sock, TCP_QUEUE_SEQ, part["seq"])
    sock.bind(tuple(state["local"]))
    # In repair mode connect() hears of no peer, and would cut segments for the smallest one.
    tcp_set(sock, socket.TCP_MAXSEG, state["mss"])
    sock.connect(tuple(state["peer"]))
    set_options(sock, state)
    data = bytes.fromhex(state["send"]["data"])
    sent = len(data) - state["unsent"]
    fill(sock, RECV_QUEUE, bytes.fromhex(state["receive"]["data"]))
    fill(sock, SEND_QUEUE, data[:sent])
    tcp_set(sock, TCP_REPAIR_QUEUE, NO_QUEUE)
    tcp_set(sock, TCP_REPAIR_WINDOW, bytes.fromhex(state["window"]))
    set_buffers(sock, state["buffers"])
    sock.setsockopt(socket.SOL_SOCKET, SO_BUF_LOCK, 0)  # the kernel tunes them again
    return sock, data[sent:]

# SPDX-License-Identifier: GPL-2.0-only
"""What runs in the guests and in their client: pair_guest.py primary|secondary|client:NAME.

Both guests run the same services and give the same bytes, but for /session. What a
role changes is what a busier host changes: how a response is cut into writes, and which of
two datagrams is answered first.
"""

import hashlib
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

GUEST = {socket.AF_INET: "10.0.0.2", socket.AF_INET6: "fd00::2"}
CLIENT = {socket.AF_INET: "10.0.0.1", socket.AF_INET6: "fd00::1"}
HTTP, DNS, BIG, CALL_BACK, NOBODY = 80, 53, 7001, 7002, 7003
V4, V6 = GUEST
UDP = socket.SOCK_DGRAM
WRITE_BYTES = {"primary": 65536, "secondary": 10007}
DATAGRAM_BYTES = 4000
PAUSE_S = 0.05


def text(size, salt=0):
    """Bytes that are the same on both guests, and differ from line to line."""
    line = "line {:05d} {:08x} of {:04d}\n"
    count = size // len(line.format(0, 0, 0)) + 1
    lines = (line.format(i, (i + salt) * 40503 % 2**32, salt % 10000) for i in range(count))
    return "".join(lines).encode()[:size]


def bound(kind, family, address, port):
    one = socket.socket(family, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if kind == socket.SOCK_STREAM:
        # The machine's default may be another.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    one.bind((address, port))
    return one


def listening(family, address, port):
    listener = bound(socket.SOCK_STREAM, family, address, port)
    listener.listen()
    return listener


# The guests


def respond(request, body):
    """Response to an HTTP request, and whether the server closes after it."""
    method, path = request.split(b" ", 2)[:2]
    headers = b"Server: guest\r\nContent-Type: text/plain\r\n"
    size = int(path.rpartition(b"/")[2])
    if method == b"POST":
        content = hashlib.sha256(body).hexdigest().encode() + b"\n"
    else:
        content = text(size, zlib.crc32(path))
    if path.startswith(b"/session/"):
        # The one thing that two equal guests cannot agree about.
        headers += b"Set-Cookie: session=" + os.urandom(16).hex().encode() + b"\r\n"
    closes = path.startswith(b"/last/")
    headers += b"Connection: close\r\n" if closes else b""
    head = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (headers, len(content))
    return head + content, closes


def read_message(stream, buffered=b""):
    """Head and body of an HTTP message, and what follows it; None at the end."""
    while b"\r\n\r\n" not in buffered:
        more = stream.recv(65536)
        if not more:
            return None
        buffered += more
    head, _, rest = buffered.partition(b"\r\n\r\n")
    found = re.search(rb"Content-Length: (\d+)", head)
    size = int(found[1]) if found else 0
    while len(rest) < size:
        rest += stream.recv(65536)
    return head, rest[:size], rest[size:]


def serve_connection(connection, role):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffered, closes = b"", False
    try:
        while not closes and (message := read_message(connection, buffered)):
            request, body, buffered = message
            response, closes = respond(request, body)
            for at in range(0, len(response), WRITE_BYTES[role]):
                connection.sendall(response[at : at + WRITE_BYTES[role]])
    except ConnectionResetError:
        pass
    connection.close()


def serve_http(listener, role):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_connection, args=(connection, role), daemon=True).start()


def dns_answer(query):
    # One A record from RFC 5737's addresses, by the question's name.
    question = query[12:]
    address = bytes((192, 0, 2, zlib.crc32(question) % 250 + 1))
    head = query[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0)
    return head + question + struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + address


def serve_dns(server, role):
    late = None
    while True:
        if not select.select([server], [], [], 0.005 if late else None)[0]:
            server.sendto(*late)
            late = None
            continue
        query, client = server.recvfrom(512)
        if role == "secondary" and not late:
            late = dns_answer(query), client  # answered after the next one
            continue
        server.sendto(dns_answer(query), client)
        if late:
            server.sendto(*late)
            late = None


def serve_big(server):
    while True:
        query, client = server.recvfrom(65536)
        is_session = query == b"session"
        server.sendto(os.urandom(16) if is_session else big_answer(query), client)


def big_answer(query):
    return text(DATAGRAM_BYTES if len(query) > 9 else 40, zlib.crc32(query))


def call_back(server, role):
    """Opens a connection to whoever asks for it, as FTP's active mode does."""
    while True:
        query, (address, *_) = server.recvfrom(512)
        stream = open_stream(int(query), address, 20, server.getsockname()[0])
        content = text(30000, int(query))
        for at in range(0, len(content), WRITE_BYTES[role]):
            stream.sendall(content[at : at + WRITE_BYTES[role]])
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(4096):
            pass
        stream.close()


def serve(role):
    services = []
    for family, address in GUEST.items():
        dns, big, calls = (bound(UDP, family, address, port) for port in (DNS, BIG, CALL_BACK))
        services.append((serve_http, listening(family, address, HTTP), role))
        services += [(serve_dns, dns, role), (serve_big, big), (call_back, calls, role)]
    for service, *arguments in services:
        threading.Thread(target=service, args=arguments, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()  # until the recorder ends


# The client. It chooses its ports itself, so that recordings are alike.


def open_stream(port, address, own_port, own_address):
    family = V6 if ":" in address else V4
    stream = bound(socket.SOCK_STREAM, family, own_address, own_port)
    stream.connect((address, port))
    return stream


def connect(own_port, family=V4):
    return open_stream(HTTP, GUEST[family], own_port, CLIENT[family])


def ask(stream, path, body=None):
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: www.example.org\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n" if body else "\r\n"
    stream.sendall(head.encode() + (body or b""))
    return read_message(stream)


def datagram_socket(own_port, family=V4):
    client = bound(UDP, family, CLIENT[family], own_port)
    client.settimeout(2)
    return client


def dns_query(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def ping(family, identifier, count, size):
    command = f"ping -{6 if family == V6 else 4} -n -q -e {identifier} -i 0.02"
    command += f" -c {count} -s {size} {GUEST[family]}"
    return subprocess.Popen(command.split(), stdout=subprocess.DEVNULL)


def request_response(family=V4):
    with connect(40000, family) as stream:
        for size in (700, 120, 9000, 1448, 20000, 1):
            ask(stream, f"/page/{size}")
            time.sleep(0.01)
    with connect(40001, family) as stream:
        ask(stream, "/digest/0", text(5000))
        ask(stream, "/last/3000")


def download(size=300000):
    with connect(40000) as stream:
        ask(stream, f"/bulk/{size}")


def upload():
    with connect(40000) as stream:
        ask(stream, "/digest/0", text(200000, 7))


def dns_udp():
    names = [f"{name}.example.org" for name in "www mail ftp news irc time db ns".split()]
    with datagram_socket(40000) as one, datagram_socket(40001, V6) as six:
        for client, family in ((one, V4), (six, V6)):
            for number, name in enumerate(names):
                client.sendto(dns_query(number, name), (GUEST[family], DNS))
        for client in (one, six):
            for _ in names:
                client.recv(512)
        for number, name in enumerate(names[:4]):
            one.sendto(dns_query(100 + number, name), (GUEST[V4], DNS))
            one.recv(512)
    with datagram_socket(40002) as client:
        # Answered by ICMP: port unreachable.
        client.sendto(b"is anybody there?", (GUEST[V4], NOBODY))


def many_pings():
    running = [ping(V4, 1001, 12, 56), ping(V4, 1002, 12, 56), ping(V6, 1001, 12, 56)]
    running += [ping(V6, 2002, 12, 300), ping(V4, 3003, 6, 1200)]
    for process in running:
        process.wait()


def divergent():
    with connect(40000) as stream:
        for path in ("/page/2000", "/session/900", "/page/500", "/session/4000", "/page/1500"):
            ask(stream, path)
            time.sleep(PAUSE_S)


def fragments():
    with datagram_socket(40000) as one, datagram_socket(40001, V6) as six:
        for number in range(5):
            for client, family in ((one, V4), (six, V6)):
                question = text(10 if number % 2 else DATAGRAM_BYTES, number)
                client.sendto(question, (GUEST[family], BIG))
            one.recv(65536)
            six.recv(65536)
    for process in [ping(V4, 1001, 3, 3000), ping(V6, 1001, 3, 3000)]:
        process.wait()


def datagram_differs():
    with datagram_socket(40000) as client:
        for question, pause_s in ((b"1", 0), (b"session", 0), (b"2", 3.3), (b"3", 0)):
            client.sendto(question, (GUEST[V4], BIG))
            client.recv(512)
            time.sleep(pause_s)


def vlan():
    request_response()
    dns_udp()


def tuple_reuse():
    with connect(40000) as stream:
        ask(stream, "/last/4000")  # the guest closes, and is left in TIME_WAIT
    time.sleep(PAUSE_S)
    with connect(40000) as stream:
        ask(stream, "/page/4001")
        time.sleep(PAUSE_S)
        # Closes by a reset.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(PAUSE_S)
    with connect(40000) as stream:
        ask(stream, "/page/4002")


def guest_opens():
    for family, number in ((V4, 40000), (V6, 40001)):
        with listening(family, CLIENT[family], number) as listener:
            with datagram_socket(number, family) as client:
                client.sendto(b"%d" % number, (GUEST[family], CALL_BACK))
            stream, _ = listener.accept()
            while stream.recv(65536):
                pass
            stream.close()


SESSIONS = {
    "request-response": request_response,
    "download": download,
    "upload": upload,
    "dns-udp": dns_udp,
    "ping": many_pings,
    "ipv6": lambda: request_response(V6),
    "divergent": divergent,
    "datagram-differs": datagram_differs,
    "fragments": fragments,
    "vlan": vlan,
    "qinq": request_response,
    "tuple-reuse": tuple_reuse,
    "guest-opens": guest_opens,
    "loss": lambda: download(150000),
}

if __name__ == "__main__":
    role, _, session = sys.argv[1].partition(":")
    if role == "client":
        SESSIONS[session]()
    else:
        serve(role)

"""Live power for many clients at 10 Hz. The clients read raw sockets, so that they do not slow the server."""

import contextlib
import os
import resource
import selectors
import socket
import threading
import time

from .programs import OTHERS, in_c, memory_mib, processor_ms, service, simulator

SECONDS = 5
UPGRADE = (
    "GET /ws/power?interval=0.1 HTTP/1.1\r\nHost: {0}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Receiver:
    """Reads whatever arrives, and counts the bytes and the messages."""

    def __init__(self):
        self.selector, self.bytes, self.messages, self.open = selectors.DefaultSelector(), 0, 0, True
        self.thread = threading.Thread(target=self.receive, daemon=True)

    def receive(self):
        os.sched_setaffinity(0, OTHERS)
        while self.open:
            for ready, _ in self.selector.select(0.1):
                arrived = ready.fileobj.recv(1 << 16)
                self.bytes += len(arrived)
                self.messages += arrived.count(b'"type":')

    def add(self, link):
        self.selector.register(link, selectors.EVENT_READ)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.open = False
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


def allow_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 200)), hard))


def streamed(count):
    """Processor time a second of the server with so many clients, ms; messages of a client a second; bytes of a message; memory."""
    allow_files(count)
    with simulator(time_scale=1) as instrument, service(instrument) as (server, client), Receiver() as receiver:
        for number in range(count):
            link = socket.create_connection(tuple(client.address.rsplit(":", 1)))
            link.sendall(UPGRADE.format(client.address).encode())
            assert link.recv(200).startswith(b"HTTP/1.1 101"), number
            receiver.add(link)
        time.sleep(2)
        used, seen, size, began = processor_ms(server), receiver.messages, receiver.bytes, time.perf_counter()
        time.sleep(SECONDS)
        lasted, messages = time.perf_counter() - began, receiver.messages - seen
        cost = (processor_ms(server) - used) / lasted
        return cost, messages / lasted / count, (receiver.bytes - size) / max(messages, 1), memory_mib(server)


def broadcast(count, size):
    """The same messages from one loop in C."""
    allow_files(count)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=4096)) as listener, Receiver() as receiver:
        accept = threading.Thread(target=lambda: [receiver.add(listener.accept()[0]) for _ in range(count)], daemon=True)
        accept.start()
        return in_c("broadcast", *listener.getsockname(), count, int(size), SECONDS)


def clients(table):
    took, floor, size = [], [], 0
    for _ in range(3):
        cost, rate, size, _ = streamed(1000)
        assert rate > 9.5, f"a client got {rate:.1f} messages a second"
        took.append(cost)
        floor.append(broadcast(1000, size))
    table.add("1,000 clients of live power, ms of a second", took, floor, ratio=1.6)

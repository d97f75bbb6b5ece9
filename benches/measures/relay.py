"""Hands lines on to an instrument. A block that was asked for before comes from memory, so that the time of a fetch is the
time of ctp10 and not that of the simulator."""

import socket
import threading
import time


class Relay:
    def __init__(self, instrument, rate=None):
        """`rate` limits the blocks from memory, bytes per second. `asked` has the lines that arrived."""
        host, port = instrument.rsplit(":", 1)
        self.instrument, self.rate, self.blocks, self.asked = (host, int(port)), rate, {}, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(self.instrument) as instrument:
            instrument.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lines, replies = client.makefile("rb"), instrument.makefile("rb")
            for line in lines:
                self.asked.append(line)
                if line in self.blocks:
                    self.send(client, self.blocks[line])
                    continue
                if line.upper().startswith(b"INIT") or b":INIT" in line.upper():
                    self.blocks.clear()
                instrument.sendall(line)
                if b"?" not in line:
                    continue
                if b":DATA" in line.upper() and b"BIN" in line.upper():
                    head = replies.read(2)
                    length = replies.read(int(head[1:]))
                    self.blocks[line] = head + length + replies.read(int(length))
                    client.sendall(self.blocks[line])
                else:
                    client.sendall(replies.readline())

    def send(self, client, block):
        if not self.rate:
            return client.sendall(block)
        # Each piece is sent when its last byte is due. After the last piece, the next line is answered at once.
        began, piece = time.perf_counter(), 1 << 14
        for first in range(0, len(block), piece):
            part = block[first : first + piece]
            due = began + (first + len(part)) / self.rate
            time.sleep(max(0, due - time.perf_counter()))
            client.sendall(part)


def received(data):
    """Receives these bytes from another thread; a bare socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def send():
        with listener, listener.accept()[0] as sender:
            sender.sendall(data)

    threading.Thread(target=send).start()
    with socket.create_connection(listener.getsockname()) as plain:
        return b"".join(iter(lambda: plain.recv(1 << 20), b""))


def asked(instrument, line):
    """The block that an instrument sends as the reply to a line."""
    host, port = instrument.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as plain:
        plain.sendall(line)
        replies = plain.makefile("rb")
        head = replies.read(2)
        return replies.read(int(replies.read(int(head[1:]))))

"""STOMP over WebSocket (RabbitMQ's Web STOMP plugin), as much of it as a client needs: text frames, one STOMP frame in each."""

import selectors
import socket

UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v12.stomp\r\n\r\n")


def encoded(command, headers, body=""):
    lines = [command, *(f"{key}:{value}" for key, value in headers.items()), "", body]
    return "\n".join(lines).encode() + b"\0"


class Consumer:
    def __init__(self, port, user, password):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.socket.sendall(UPGRADE)
        while b"\r\n\r\n" not in self.buffer:
            self.receive()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(f"Web STOMP refused the upgrade: {head[:100]}")
        self.send("CONNECT", {"accept-version": "1.2", "host": "/", "login": user, "passcode": password, "heart-beat": "0,0"})
        self.expect(b"CONNECTED")

    def fileno(self):
        return self.socket.fileno()

    def receive(self):
        more = self.socket.recv(65536)
        if not more:
            raise RuntimeError(f"Web STOMP closed a socket: {self.buffer[:200]}")
        self.buffer += more

    def frames(self):
        """The complete texts. Pings are answered, and a close is an error."""
        at = 0
        while len(self.buffer) - at >= 2:
            head, size = 2, self.buffer[at + 1] & 0x7F
            if size == 126:
                head, size = 4, int.from_bytes(self.buffer[at + 2:at + 4], "big")
            elif size == 127:
                head, size = 10, int.from_bytes(self.buffer[at + 2:at + 10], "big")
            if len(self.buffer) - at < head + size:
                break
            opcode, payload = self.buffer[at] & 0x0F, self.buffer[at + head:at + head + size]
            at += head + size
            if opcode == 9:
                self.send_frame(10, payload)
            elif opcode == 8:
                raise RuntimeError(f"Web STOMP closed a socket: {int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}")
            elif opcode != 10:
                yield payload
        self.buffer = self.buffer[at:]

    def send(self, command, headers, body=""):
        self.send_frame(1, encoded(command, headers, body))

    def send_frame(self, opcode, payload):
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
        self.socket.sendall(bytes([0x80 | opcode]) + size + b"\0\0\0\0" + payload)  # the mask is zero

    def expect(self, command):
        while True:
            for frame in list(self.frames()):
                if not frame.startswith(command):
                    raise RuntimeError(f"Web STOMP said {frame[:200]}")
                return
            self.receive()

    def subscribe(self, destination, **headers):
        self.send("SUBSCRIBE", {"id": "0", "destination": destination, "ack": "auto", "receipt": "r", **headers})
        self.expect(b"RECEIPT")

    def close(self):
        self.socket.close()


def messages(consumers, wanted, on_message=lambda consumer, frame: None):
    """Waits until this many messages have been received by all sockets together."""
    with selectors.DefaultSelector() as selector:
        for consumer in consumers:
            selector.register(consumer, selectors.EVENT_READ)
        came = 0
        while came < wanted:
            ready = selector.select(60)
            if not ready:
                raise RuntimeError(f"only {came} of {wanted} messages arrived over Web STOMP")
            for key, _ in ready:
                key.fileobj.receive()
                for frame in list(key.fileobj.frames()):
                    if not frame.startswith(b"MESSAGE"):
                        raise RuntimeError(f"Web STOMP said {frame[:200]}")
                    came += 1
                    on_message(key.fileobj, frame)

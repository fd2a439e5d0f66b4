"""A minimal WebSocket client on the standard library, for a single call to a service: text frames, no extensions."""

import base64
import hashlib
import json
import os
import socket
import struct
import time
import urllib.parse

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(Exception):
    """The handshake was answered with HTTP."""


class WebSocket:
    def __init__(self, url, token, timeout=30.0, patience=20.0):
        """Retries after 503 (an edge that waits for its meshd, or stops) for `patience` seconds."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "ws" or not parts.hostname:
            raise ValueError(f"the URL must start with ws:// and name a host; wss:// is not supported here: {url}")
        until = time.monotonic() + patience
        while True:
            try:
                return self._connect(parts, token, timeout)
            except Refused as refusal:
                self.socket.close()
                if " 503 " not in str(refusal) or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _connect(self, parts, token, timeout):
        host, port = parts.hostname, parts.port or 80
        try:
            self.socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise ConnectionError(f"can't connect to {host}:{port}: {error.strerror or error}") from error
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = head.split(b"\r\n", 1)[0].decode()
        accept = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest())
        if " 101 " not in status or accept not in head:
            raise Refused(f"refused with {status} {self.buffer.decode(errors='replace').strip()}")

    def _fill(self):
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the gateway closed the connection")
        self.buffer += part

    def _take(self, count):
        while len(self.buffer) < count:
            self._fill()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _send(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0xFE, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0xFF, size)
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def send(self, message):
        self._send(1, json.dumps(message).encode())

    def receive(self):
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._take(8))
            payload, opcode = self._take(size), first & 0x0F
            if opcode == 1:
                return json.loads(payload)
            if opcode == 9:
                self._send(10, payload)
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if size >= 2 else 1005
                raise ConnectionError(f"closed with {code} {payload[2:].decode(errors='replace')}")

    def request(self, service, method, params):
        self.send({"type": "request", "payload": {"service": service, "method": method, "params": params, "trace_id": "1"}})
        return self.receive()

    def close(self):
        self._send(8, struct.pack(">H", 1000))
        self.socket.close()

"""Notifies the service manager by systemd's protocol (sd_notify(3)): ready, watchdog, reloading, stopping. Nothing is sent
if NOTIFY_SOCKET is not set."""

import os
import socket
import time


def number(text):
    return int(text) if text and text.isdecimal() else 0


class ServiceNotice:
    def __init__(self, environment=os.environ):
        # Removed from the environment: the children are not the service's main process.
        name, period, pid = (environment.pop(variable, None) for variable in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
        self._link = None
        watched = number(period) > 0 and number(pid) in (0, os.getpid())
        self._pause = number(period) / 1e6 / 4 if watched else None
        self._due = 0.0
        if name and name[0] in "/@" and len(name) > 1:
            try:
                self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._link.setblocking(False)
                self._link.connect("\0" + name[1:] if name[0] == "@" else name)
            except OSError:
                self._link = None

    def _send(self, text):
        if self._link is None:
            return
        try:
            self._link.send(text.encode())
        except OSError:
            pass  # no room, or no manager any more: the next watchdog signal replaces it

    def ready(self, status):
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self):
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self):
        self._send("STOPPING=1")

    def alive(self):
        now = time.monotonic()
        if self._pause is not None and now >= self._due:
            self._due = now + self._pause
            self._send("WATCHDOG=1")

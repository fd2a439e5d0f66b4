"""Ports that nobody listens on."""

import socket

_given = set()


def free_port():
    """Below the kernel's range of ephemeral ports, so that no outgoing connection takes it in the meantime."""
    import random

    for _ in range(1000):
        port = random.randint(20000, 32000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port found")

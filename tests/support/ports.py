"""Free ports."""

import random
import socket

_kept = []  # marks of the ports that this process has handed out, until it ends


def free_port():
    """A port for this process alone, of the tests that run beside each other.

    It lies below the kernel's ephemeral ports, so that no outgoing connection takes it before it is listened on or while
    its server is restarted, and above those of scripts/broker.
    """
    for _ in range(1000):
        port = random.randint(20000, 32000)
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0nuropb-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        _kept.append(mark)
        return port
    raise RuntimeError("no free port found")

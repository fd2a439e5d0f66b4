"""Whether the ports of the settings are free, before anything is started on them.

All edges listen on one port with SO_REUSEPORT, and for that reason the kernel would let those of a second gateway join
them. So the launcher, which starts first, tries each port exclusively. Edges check again (edge/net/port_claim.hpp), for those
that are started without a launcher."""

import errno
import ipaddress
import socket


def listeners(config):
    """(setting, address, port) of every TCP listener. Port 0 means any free port, so it is skipped."""
    listen, lines, backend, console = (config[name] for name in ("listen", "lines", "backend", "console"))
    wanted = [("listen.port", listen["address"], listen["port"])]
    if lines["enabled"]:
        wanted.append(("lines.port", lines["address"], lines["port"]))
    if backend["key_file"]:
        wanted.append(("backend.port", backend["address"], backend["port"]))
    if console["enabled"]:
        wanted.append(("console.port", console["address"], console["port"]))
    address, colon, port = config["metrics"]["listen"].rpartition(":")
    if colon:
        wanted.append(("metrics.listen", address.strip("[]"), int(port)))
    return [one for one in wanted if one[2] != 0]


def is_taken(address, port):
    """Only tests the port: other problems of an address are reported best by the process that listens on it."""
    try:
        six = ipaddress.ip_address(address.partition("%")[0]).version == 6
        with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignores remains of connections that have ended
            if six:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind((address, port))
            probe.listen(1)  # two sockets bound with SO_REUSEADDR only conflict when listening
        return False
    except ValueError:
        return False
    except OSError as error:
        return error.errno == errno.EADDRINUSE


def taken(config):
    """Messages about ports that other programs use, one line each."""
    return [f"{setting}: {address} port {port} is taken: another process listens there" for setting, address, port in listeners(config) if is_taken(address, port)]

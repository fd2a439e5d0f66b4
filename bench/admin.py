"""meshd's admin socket: HTTP over a Unix socket."""

import http.client
import json
import socket


class Admin(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("meshd", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def operate(path, name, params):
    connection = Admin(path)
    try:
        connection.request("POST", f"/operations/{name}", json.dumps(params, separators=(",", ":")))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()

"""A private etcd: one member, ports and data of its own. Its content is read and written with its HTTP API."""

import base64
import json
import ssl
import urllib.error
import urllib.request

from .ports import free_port
from .processes import Process
from .waiting import wait_until


def _b64(text):
    return base64.b64encode(text.encode()).decode()


class Etcd:
    """start(), stop(), kill(), start() again: same ports, same data. With certificates it speaks TLS alone."""

    def __init__(self, folder, certificates=None):
        self.folder, self.certificates = folder, certificates
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.peer_port = free_port(), free_port()
        self.process = None
        self.token = None

    @property
    def url(self):
        return f"https://localhost:{self.port}" if self.certificates else f"http://127.0.0.1:{self.port}"

    def start(self):
        peer = f"http://127.0.0.1:{self.peer_port}"
        words = [
            "etcd", "--name", "test", "--data-dir", self.folder / "data",
            "--listen-client-urls", self.url.replace("localhost", "127.0.0.1"), "--advertise-client-urls", self.url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"test={peer}",
        ]
        if self.certificates:
            words += ["--cert-file", self.certificates.certificate, "--key-file", self.certificates.key]
        self.process = Process("etcd", words, self.folder)

        def healthy():
            assert self.process.running(), f"etcd ended with {self.process.popen.returncode}:\n{self.process.tail()}"
            try:
                return json.loads(self._open("/health"))["health"] == "true"
            except OSError:
                return False
        wait_until(healthy, lambda: f"etcd is healthy:\n{self.process.tail()}", 60)

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def _open(self, path, body=None):
        context = ssl.create_default_context(cafile=str(self.certificates.ca)) if self.certificates else None
        headers = {"Content-Type": "application/json", **({"Authorization": self.token} if self.token else {})}
        request = urllib.request.Request(self.url + path, data=None if body is None else json.dumps(body).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.read()

    def call(self, path, **body):
        return json.loads(self._open("/v3" + path, body))

    def get(self, key):
        """The value as text; None if the key does not exist."""
        found = self.call("/kv/range", key=_b64(key)).get("kvs")
        return base64.b64decode(found[0].get("value", "")).decode() if found else None

    def put(self, key, value, lease=0):
        self.call("/kv/put", key=_b64(key), value=_b64(value), lease=str(lease))

    def delete(self, key):
        self.call("/kv/deleterange", key=_b64(key))

    def grant(self, seconds):
        return int(self.call("/lease/grant", TTL=str(seconds))["ID"])

    def revoke(self, lease):
        self.call("/lease/revoke", ID=str(lease))

    def require_user(self, name, password, key_prefix):
        """Enables authentication: from now on only root and this user have access, the user only to keys with the prefix."""
        for user, secret in (("root", "root"), (name, password)):
            self.call("/auth/user/add", name=user, password=secret)
        self.call("/auth/role/add", name="root")
        self.call("/auth/role/add", name="gateway")
        self.call("/auth/role/grant", name="gateway", perm={"permType": "READWRITE", "key": _b64(key_prefix), "range_end": _b64(key_prefix + "\x7f")})
        self.call("/auth/user/grant", user="root", role="root")
        self.call("/auth/user/grant", user=name, role="gateway")
        self.call("/auth/enable")
        self.token = self.call("/auth/authenticate", name="root", password="root")["token"]

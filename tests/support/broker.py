"""The RabbitMQ node of a test, started with scripts/broker."""

import base64
import json
import os
import subprocess
import urllib.request
from urllib.parse import urlsplit, urlunsplit

import pika

from .paths import BROKER_SCRIPT


class Broker:
    """A node with its own folder. start() and stop() keep its port and its data."""

    def __init__(self, folder, certificates=None, script=BROKER_SCRIPT, management=False, lines=(), join=None, host=None, root=None):
        """With certificates it also listens with TLS; with management it has that plugin. `lines` are put into its config. `join`: another
        Broker that runs, of whose cluster it becomes a node; it is stopped first. `host`: of hosts.py, where it lives; not here then. `root`: of roots.py, whose RabbitMQ it is."""
        self.folder, self.certificates, self.script, self.management, self.lines, self.join = folder, certificates, script, management, lines, join
        self.host, self.root = host, root
        self._urls = {}

    def _run(self, *words, timeout=300):
        command = [str(self.script), *words]
        done = subprocess.run(
            self.host.command(*command) if self.host else command,
            env={**os.environ, "NUROPB_BROKER_DIR": str(self.folder), **({"NUROPB_BROKER_ADDRESS": self.host.address} if self.host else {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            text=True,
        )
        assert done.returncode == 0, f"{self.script} {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self):
        made = self.certificates
        self._run("start", *(["--root", str(self.root)] if self.root else []), *(["--join", str(self.join.folder)] if self.join else []), *(["--tls", str(made.certificate), str(made.key), str(made.ca)] if made else []), *(["--management"] if self.management else []),
                  *(word for line in self.lines for word in ("--config-line", line)))

    def stop(self):
        self._run("stop")

    def kill(self):
        self._run("kill")

    def suspend(self):
        self._run("suspend")

    def resume(self):
        self._run("resume")

    def ctl(self, *words):
        return self._run("ctl", *words)

    def _url(self, *words):
        if words not in self._urls:
            self._urls[words] = self._run("url", *words).strip()
        return self._urls[words]

    @property
    def url(self):
        return self._url()

    @property
    def tls_url(self):
        return self._url("--tls")

    @property
    def management_url(self):
        return self._url("--management")

    def ask(self, what):
        """A response of the management API: ask("queues/my-vhost")."""
        parts = urlsplit(self.management_url)
        login = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        request = urllib.request.Request(f"http://{parts.hostname}:{parts.port}/api/{what}", headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


def with_parts(url, user=None, password=None, port=None, vhost=None, scheme=None):
    """The URL with some of its parts replaced."""
    parts = urlsplit(url)
    user = user if user is not None else parts.username
    password = password if password is not None else parts.password
    port = port if port is not None else parts.port
    path = parts.path if vhost is None else "/" + vhost
    return urlunsplit((scheme or parts.scheme, f"{user}:{password}@{parts.hostname}:{port}", path, "", ""))


def connection(url):
    """A blocking connection with which a test declares, publishes or inspects."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0
    return pika.BlockingConnection(parameters)


def declare_exchanges(url):
    """Declares the exchanges that a Python peer expects: it declares only its queues (nuropb-wire.md, "Topology")."""
    with connection(url) as link:
        channel = link.channel()
        channel.exchange_declare("nuropb-dl-exchange", "fanout", durable=True)
        channel.exchange_declare("nuropb-events-exchange", "topic", durable=True)
        channel.exchange_declare("nuropb-rpc-exchange", "direct", durable=True)

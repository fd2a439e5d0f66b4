"""The rules for request heads (docs/reference/http.md) behind Debian's own nginx and HAProxy: the same rows as
tests/integration/gateway/test_http_rules.py sends directly, as these proxies pass them on."""

import asyncio
import re
import socket
import subprocess
from contextlib import AsyncExitStack, contextmanager

import pytest

from support import http_rules
from support.gateway import Gateway
from support.ports import free_port
from support.processes import Process
from support.snorky import options
from support.waiting import wait_until

PORTS = ("websocket", "backend", "metrics")


@pytest.fixture(scope="module")
def gateway():
    more = options(metrics={"listen": f"127.0.0.1:{free_port()}"}, gateway={"mesh": "loopback"})
    with Gateway("amqp://nobody:asks-there@127.0.0.1:1/", **more) as running:
        yield running


# What a proxy corrects on the way, by the row's name: the gateway then sees, and accepts, a valid head. Newer versions of
# a proxy may refuse these themselves.
BOTH_MEND = {
    "RFC 9112, 2.2: two empty lines before it", "RFC 9112, 2.2: bare line feeds throughout", "RFC 9112, 2.2: a bare line feed behind the request line",
    "RFC 9112, 2.2: a bare line feed within a header", "RFC 9112, 2.2: the empty line is a bare line feed", "RFC 9112, 3: two spaces behind the method",
    "RFC 9112, 3: two spaces before the version", "RFC 9112, 7.1: a bare line feed behind a size", "RFC 9112, 7.1: a bare line feed in an extension",
    "RFC 9112, 7.1: a bare line feed behind a chunk", "RFC 9112, 7.1: a bare line feed in the trailer",
}
CORRECTED = {
    "nginx": BOTH_MEND | {
        "RFC 9112, 2.2: CR CR LF at the end of a header", "RFC 9112, 2.3: more digits", "RFC 9112, 3: a space behind the version",
        "RFC 9112, 3.2: a port that is none", "RFC 9112, 3.2.2: of another scheme", "RFC 9112, 5.1: a name that is no token",
        "RFC 9112, 6.1: in capitals", "RFC 9110, 10.1.1: something else is expected",
    },
    "haproxy": BOTH_MEND | {
        "RFC 9112, 2.3: HTTP/2.0", "RFC 9112, 3: a tab between the parts", "RFC 9112, 3.2: two equal ones", "RFC 9112, 5.2: a folded line",
        "RFC 9112, 5.2: folded with a tab", "RFC 9112, 5.2: a line of white space alone", "RFC 9112, 6.1: beside Content-Length",
        "RFC 9112, 6.1: beside Content-Length, the other way round", "RFC 9112, 6.1: beside a Content-Length of nothing",
    },
}
# What a proxy makes worse: it asks with HTTP/1.1 and no Host for a client that named none, and adds headers to a hundred.
SPOILT = {"nginx": {"RFC 9112, 2.3: HTTP/1.0 without Host", "RFC 9110, 5.4: a hundred headers"}, "haproxy": set()}
# What a proxy waits for more of.
UNFINISHED = {"RFC 9112, 2.2: one bare line feed, before the end is there", "RFC 9112, 2.3: the preface of HTTP/2", "RFC 9112, 7.1: a size above the limit"}


class Recorder:
    """Between a proxy and a port of the gateway: counts the gateway's responses, which reveals smuggled requests."""

    def __init__(self, port):
        self.port, self.said, self.server, self.tasks = port, b"", None, set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.pass_on, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def at(self):
        return self.server.sockets[0].getsockname()[1]

    def answers(self):
        """The statuses since the last call."""
        said, self.said = self.said, b""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", said)]

    async def pass_on(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self.port)

            async def copy(source, target, note=lambda data: None):
                while data := await source.read(65536):
                    note(data)
                    target.write(data)
                    await target.drain()
                if target.can_write_eof():
                    target.write_eof()

            def heard(data):
                self.said += data
            await asyncio.gather(copy(reader, their_writer), copy(their_reader, writer, heard), return_exceptions=True)
            their_writer.close()
        finally:
            writer.close()


def listening(process, ports):
    def connected():
        assert process.running(), process.tail()
        for port in ports.values():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True
    wait_until(connected, process.tail)
    return ports


@contextmanager
def nginx(folder, behind):
    ports = {name: free_port() for name in behind}
    servers = "".join(f"""  server {{
    listen 127.0.0.1:{ports[name]};
    location / {{
      proxy_pass http://127.0.0.1:{port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_request_buffering off;
    }}
  }}
""" for name, port in behind.items())
    kept = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr error;\nevents {{}}\nhttp {{\n  access_log off;\n{kept}{servers}}}\n")
    with Process("nginx", ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", "stderr"], folder) as process:
        yield listening(process, ports)


@contextmanager
def haproxy(folder, behind):
    ports = {name: free_port() for name in behind}
    sections = "".join(f"listen {name}\n  bind 127.0.0.1:{ports[name]}\n  server gateway 127.0.0.1:{port}\n" for name, port in behind.items())
    (folder / "haproxy.cfg").write_text(f"global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n{sections}")
    checked = subprocess.run(["haproxy", "-c", "-f", folder / "haproxy.cfg"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    with Process("haproxy", ["haproxy", "-db", "-f", folder / "haproxy.cfg"], folder) as process:
        yield listening(process, ports)


def refused_by_proxy(answer):
    """Whether the proxy has answered with its own page, while the gateway's are JSON or text; also nginx's answer to HTTP/0.9."""
    return answer[0] == 9 or (answer[0] >= 400 and answer[1].get("content-type", "").startswith("text/html"))


@pytest.mark.limit(300)
@pytest.mark.parametrize("proxy", [nginx, haproxy])
async def test_every_row(proxy, folder, gateway):
    at = http_rules.ports(gateway)
    wrong = []
    async with AsyncExitStack() as stack:
        recorders = {port: await stack.enter_async_context(Recorder(at[port].port)) for port in PORTS}
        ports = stack.enter_context(proxy(folder, {port: recorder.at for port, recorder in recorders.items()}))
        for row in http_rules.rows():
            if row["outcome"] == "incomplete" or http_rules.name(row) in UNFINISHED:
                continue
            for port in PORTS:
                def connect(port=ports[port]):
                    return asyncio.open_connection("127.0.0.1", port)
                # A body that the proxy has corrected shall go no further than the key.
                data = http_rules.bytes_of(row) if http_rules.name(row) in CORRECTED[proxy.__name__] else http_rules.bytes_for(port, row)
                answers = await http_rules.send(connect, data, end=False)
                if answers and answers[0][0] == 100:
                    answers = answers[1:]  # the proxy's, before it has asked the gateway
                behind = recorders[port].answers()
                if not right(proxy.__name__, row, http_rules.expected(row, at[port].bodies), answers, behind):
                    wrong.append((http_rules.name(row), port, answers, behind))
    assert not wrong


def right(proxy, row, want, answers, behind):
    """The response to the client, and the statuses of all responses of the gateway."""
    name = http_rules.name(row)
    if len(behind) > 1:
        return False  # one request in, and two out: one was hidden in the other
    if not answers:
        return behind == []
    status = answers[0][0]
    if refused_by_proxy(answers[0]):
        return True
    if behind != [status]:
        return False
    if name in SPOILT[proxy] and 400 <= status < 500:
        return True
    if want == "taken" or name in CORRECTED[proxy]:
        # A corrected body is still a body, which not every port accepts.
        return status in http_rules.TAKEN or (name in CORRECTED[proxy] and status == 413)
    return status == want

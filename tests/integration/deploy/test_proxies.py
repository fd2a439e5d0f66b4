"""deploy/nginx and deploy/haproxy, as they are but for ports and paths, with Debian's own nginx and HAProxy: consumers get
through, their address reaches the gateway, and a gateway that drains gets nobody new."""

import http.client
import itertools
import json
import signal
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import pytest
import websockets

from support.consumer import Consumer
from support.gateway import Gateway
from support.paths import ROOT
from support.ports import free_port
from support.processes import Process
from support.waiting import eventually, wait_until

ANN, BOB = "127.0.0.9", "127.0.0.8"   # where consumers connect from
NAME = "gateway.example.com"
NUMBERS = itertools.count(1)
PER_ADDRESS = 2  # sockets, at each gateway
# A drain of which nothing but /readyz is seen, until the test is done with it.
SETTINGS = {"gateway": {"mesh": "loopback"}, "listen": {"trusted_proxies": ["127.0.0.1"]}, "limits": {"connections_per_ip": PER_ADDRESS}, "drain": {"grace_ms": 600_000}}


@pytest.fixture(scope="module")
def certificates(module_folder):
    """A self-signed certificate."""
    made = SimpleNamespace(folder=module_folder, ca=module_folder / "gateway.pem", certificate=module_folder / "gateway.pem", key=module_folder / "gateway.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
                    "-addext", f"subjectAltName=DNS:{NAME},DNS:localhost", "-keyout", made.key, "-out", made.certificate], check=True, capture_output=True)
    (module_folder / "both.pem").write_text(made.certificate.read_text() + made.key.read_text())
    return made


def sample(path, replace):
    """A file of deploy/, adapted to this test; fails if a text to replace is missing."""
    text = (ROOT / "deploy" / path).read_text()
    for old, new in replace.items():
        assert old in text, f"deploy/{path} has no {old}"
        text = text.replace(old, str(new))
    return text


def listens(process, port):
    def connected():
        assert process.running(), process.tail()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    wait_until(connected, process.tail)
    return port


@contextmanager
def nginx(folder, gateway, certificates):
    port = free_port()
    (folder / "site.conf").write_text(sample("nginx/nuropb-gateway.conf", {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "127.0.0.1:8880": f"127.0.0.1:{gateway.edges[0].port}", "127.0.0.1:8881": f"127.0.0.1:{gateway.edges[1].port}",
        "/etc/nginx/nuropb/certificate.pem": certificates.certificate, "/etc/nginx/nuropb/key.pem": certificates.key}))
    # What Debian's nginx.conf has around it, as far as it has to do with files.
    (folder / "nginx.conf").write_text(f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr notice;\nevents {{}}\nhttp {{\n  access_log off;\n" + "".join(
        f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + f"  include {folder}/site.conf;\n}}\n")
    with Process("nginx", ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", "stderr"], folder) as process:
        yield listens(process, port)


@contextmanager
def haproxy(folder, gateway, certificates, file="nuropb-gateway.cfg"):
    port = free_port()
    replaced = {"maxconn 20000": "maxconn 200", "bind :443": f"bind 127.0.0.1:{port}", "127.0.0.1:8880": f"127.0.0.1:{gateway.edges[0].port}", "127.0.0.1:8881": f"127.0.0.1:{gateway.edges[1].port}"}
    replaced |= {"/etc/haproxy/gateway-ca.pem": certificates.ca} if file != "nuropb-gateway.cfg" else {"/etc/haproxy/nuropb.pem": certificates.folder / "both.pem"}
    (folder / "haproxy.cfg").write_text(sample(f"haproxy/{file}", replaced))
    checked = subprocess.run(["haproxy", "-c", "-f", folder / "haproxy.cfg"], capture_output=True, text=True)
    assert checked.returncode == 0 and "WARNING" not in checked.stderr + checked.stdout, checked.stderr
    with Process("haproxy", ["haproxy", "-db", "-f", folder / "haproxy.cfg"], folder) as process:
        yield listens(process, port)


def haproxy_tcp(folder, gateway, certificates):
    return haproxy(folder, gateway, certificates, "nuropb-gateway-tcp.cfg")


async def connect(port, certificates, address):
    """A consumer; None where it is not let in. What it makes up of its address is another one each time."""
    trust = ssl.create_default_context(cafile=certificates.ca)
    try:
        return await Consumer.open(f"wss://127.0.0.1:{port}/websocket", headers={"X-Forwarded-For": f"203.0.113.{next(NUMBERS)}"}, ssl=trust,
                                   server_hostname=NAME, local_addr=(address, 0))
    except (OSError, EOFError, websockets.InvalidHandshake, websockets.ConnectionClosed):
        return None


@asynccontextmanager
async def consumers(port, certificates, number, address=ANN):
    """This many clients at once. Closed ones may still be counted, and a proxy's health checks take time, so each retries until it is admitted."""
    made = []
    try:
        for _ in range(number):
            made.append(await eventually(lambda: connect(port, certificates, address), f"a consumer gets in beside {len(made)}"))
            assert await made[-1].result("any", "method", {"n": len(made)}) == {"n": len(made)}
        yield made
    finally:
        for one in made:
            await one.close()


def call(port, certificates):
    """The response to a call over HTTP."""
    trust = ssl.create_default_context(cafile=certificates.ca)
    connection = http.client.HTTPSConnection("localhost", port, timeout=30, context=trust)
    try:  # HAProxy answers in HTML while it knows no gateway
        connection.request("POST", "/call/any/method", json.dumps({"n": 1}), {"Authorization": "Bearer secret-ann", "X-Forwarded-For": "203.0.113.99"})
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if response.status == 200 else body
    finally:
        connection.close()


def sessions(gateway):
    return [edge.health()[1]["sessions"] if edge.process.running() else None for edge in gateway.edges]


@pytest.mark.parametrize("proxy", [nginx, haproxy, haproxy_tcp])
@pytest.mark.limit(120)
async def test_consumers_get_through_and_a_gateway_that_drains_gets_nobody_new(proxy, folder, certificates):
    settings = {section: dict(keys) for section, keys in SETTINGS.items()}
    health_is_open = proxy is not haproxy_tcp  # there it is behind a PROXY header
    if proxy is haproxy_tcp:
        settings["listen"]["proxy_protocol"] = True
        settings["tls"] = {"certificate_files": [str(certificates.certificate)], "key_files": [str(certificates.key)]}
    # Each edge stands for a gateway of its own, with a port of its own.
    with Gateway("amqp://nobody:asks-there@127.0.0.1:1/", edges=2, settings=settings, wait_ready=False) as gateway, proxy(folder, gateway, certificates) as port:
        first, second = gateway.edges
        for edge in gateway.edges:
            edge.process.wait_for_log("attached to meshd")
        # Whose connections they are: those of one address are counted together, whatever it makes up and not with others'.
        async with consumers(port, certificates, 2 * PER_ADDRESS):
            if health_is_open:
                assert sessions(gateway) == [PER_ADDRESS, PER_ADDRESS]
            assert await connect(port, certificates, ANN) is None
            async with consumers(port, certificates, 1, BOB):
                pass

        first.process.signal(signal.SIGTERM)
        if proxy is nginx:
            # It asks for no health: what it sees of a drain is that new sockets are not taken, once the grace is over.
            await eventually(lambda: first.health("readyz")[0] == 503, "it drains")
            first.process.signal(signal.SIGTERM)
            await eventually(lambda: not first.process.running(), first.process.tail)
        else:
            await eventually(lambda: "Server gateways/one is DOWN" in (folder / "haproxy.log").read_text(), "HAProxy sees that it drains")
        # From each address as many as the second one takes, so one too many if the first one got any.
        async with consumers(port, certificates, PER_ADDRESS), consumers(port, certificates, PER_ADDRESS, BOB):
            if health_is_open:
                assert sessions(gateway) == [None if proxy is nginx else 0, 2 * PER_ADDRESS]
            assert await connect(port, certificates, ANN) is None
        if proxy is not nginx:
            first.process.signal(signal.SIGTERM)  # enough of the grace
            await eventually(lambda: not first.process.running(), first.process.tail)
        second.process.kill()  # rather than to wait for its grace


@pytest.mark.parametrize("proxy", [nginx, haproxy])
@pytest.mark.limit(120)
def test_calls_over_http_get_through(proxy, folder, certificates):
    with Gateway("amqp://nobody:asks-there@127.0.0.1:1/", edges=2, settings=SETTINGS, wait_ready=False) as gateway, proxy(folder, gateway, certificates) as port:
        for edge in gateway.edges:
            edge.process.wait_for_log("attached to meshd")
        found = []

        def answered():
            """A proxy's health checks take time, so it is asked until it knows that there is a gateway."""
            found.append(call(port, certificates))
            return found[-1][0] == 200
        wait_until(answered, lambda: str(found))
        assert found[-1] == (200, {"n": 1})
        for edge in gateway.edges:
            edge.process.kill()  # rather than to wait for its grace

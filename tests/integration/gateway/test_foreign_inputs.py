"""What others send, set and publish, and write differently than we would: variables of Kubernetes, byte order marks, schemes in
small letters, probes of HTTP/1.0, cookies in several lines, key sets with an odd key, addresses with a query."""

import asyncio
import base64
import json
import subprocess

import pytest

from support import metrics
from support.authorities import Issuer, Server
from support.consumer import Consumer, RawSocket
from support.gateway import Gateway, tokens_toml, TOKENS
from support.lines import LineSocket
from support.paths import binary

BOM = b"\xef\xbb\xbf"
LINKS = {
    "NUROPB_GATEWAY_SERVICE_HOST": "10.0.0.1", "NUROPB_GATEWAY_SERVICE_PORT": "8880", "NUROPB_GATEWAY_SERVICE_PORT_WS": "8880",
    "NUROPB_GATEWAY_PORT": "tcp://10.0.0.1:8880", "NUROPB_GATEWAY_PORT_8880_TCP": "tcp://10.0.0.1:8880",
    "NUROPB_GATEWAY_PORT_8880_TCP_PROTO": "tcp", "NUROPB_GATEWAY_PORT_8880_TCP_PORT": "8880", "NUROPB_GATEWAY_PORT_8880_TCP_ADDR": "10.0.0.1",
    "NUROPB_LISTEN_PORT": "tcp://10.0.0.2:1", "NUROPB_METRICS_LISTN": "x",
}


def loopback(**more):
    """Settings that need no broker."""
    out = {"gateway": {"mesh": "loopback"}}
    for section, keys in more.items():
        out.setdefault(section, {}).update(keys)
    return out


# The environment

async def test_variables_of_kubernetes_do_not_stop_the_start(gateways, monkeypatch):
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    gateway = gateways(settings=loopback())
    async with await Consumer.open(gateway.url):
        pass
    said = [line for line in gateway.meshd.log().splitlines() if "variables are ignored" in line]
    assert len(said) == 1, said
    for name in LINKS:
        assert name in said[0]
    assert "NUROPB_LISTEN_PORT (a service link" in said[0] and "did you mean 'listen'" in said[0] and "10.0.0" not in said[0]
    assert metrics.value(gateway, "ignored_variables") == len(LINKS)
    # The tool reads the same settings.
    told = subprocess.run([binary("nuropb-ctl"), "--config", gateway.config_file, "config", "check"], capture_output=True, text=True)
    assert told.returncode == 0 and "NUROPB_GATEWAY_SERVICE_HOST" in told.stderr, told


# Bytes in front of texts

async def test_byte_order_marks_in_files_and_streams(gateways, folder):
    gateway = gateways(settings=loopback(lines={"enabled": True, "port": 0, "service_name": "lines-bom"}, auth={"policy_file": "policy.toml"}),
                       files={"policy.toml": 'default = ["request"]\n'}, wait_ready=True)
    config = gateway.config_file.read_bytes()
    gateway.config_file.write_bytes(BOM + config.replace(b"\n", b"\r\n"))
    (gateway.folder / "tokens.toml").write_bytes(BOM + tokens_toml(TOKENS).replace("\n", "\r\n").encode())
    (gateway.folder / "policy.toml").write_bytes(BOM + b'default = ["request"]\r\n')
    gateway.meshd.stop()
    gateway.start_meshd()
    gateway.until_ready()
    async with await Consumer.open(gateway.url):
        pass
    for pieces in ([BOM + b"secret-ann\r\n"], [BOM[:1], BOM[1:2], BOM[2:] + b"secret-ann\n"],
                   [BOM + b'{"type":"authorize","payload":{"token":"secret-ann"}}\r\n']):
        link = await LineSocket.connect(gateway.edges[0].lines_port)
        for piece in pieces:
            link.writer.write(piece)
            await link.writer.drain()
            await asyncio.sleep(0)
        hello = json.loads(await asyncio.wait_for(link.reader.readline(), 20))
        assert hello.get("type") != "close", hello
        link.writer.close()


# Heads

async def answer(gateway, head, port=None):
    """(status, body) of a head as bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port or gateway.edges[0].port)
    writer.write(head)
    said = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    status, _, rest = said.partition(b"\r\n")
    return int(status.split()[1]), rest.partition(b"\r\n\r\n")[2]


async def test_probes_in_every_form(gateways):
    gateway = gateways(settings=loopback(listen={"hosts": ["gw.test"]}))
    port = gateway.edges[0].port
    for head in (b"GET /healthz HTTP/1.0\r\n\r\n", b"GET /readyz HTTP/1.0\r\nConnection: close\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET http://127.0.0.1:%d/healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (port, port), b"GET HTTP://other.test/readyz HTTP/1.1\r\nHost: a\r\n\r\n",
                 b"GET http://[::1]:80/healthz?x=1 HTTP/1.0\r\n\r\n", b"\r\nGET /healthz HTTP/1.1\r\nHost:\r\n\r\n"):
        status, body = await answer(gateway, head)
        assert status == 200 and json.loads(body), (head, status, body)
    for head, status in ((b"GET /healthz HTTP/1.1\r\n\r\n", 400), (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400), (b"GET /x HTTP/1.0\r\n\r\n", 421),
                         (b"GET http://gw.test/x HTTP/1.1\r\nHost: a\r\n\r\n", 404), (b"GET http://a.test/x HTTP/1.1\r\nHost: gw.test\r\n\r\n", 421),
                         (b"OPTIONS * HTTP/1.1\r\nHost: gw.test\r\n\r\n", 400), (b"GET /x HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: Chunked\r\n\r\n", 413)):
        got = await answer(gateway, head)
        assert got[0] == status and got[1], (head, got)


async def upgraded(gateway, lines, line=b"GET /websocket HTTP/1.1\r\nHost: gw.test\r\n"):
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    await raw.send(line + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + lines + b"\r\n")
    try:
        await raw.response()
        return raw.status
    finally:
        await raw.close()


PLAIN = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize("lines", [
    PLAIN + b"Authorization: bearer secret-ann\r\n", PLAIN + b"Authorization: BEARER    secret-ann\r\n", PLAIN + b"authorization:\tbEaReR\tsecret-ann \r\n",
    b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nAuthorization: Bearer secret-ann\r\n",
    b"connection: keep-alive\r\nCONNECTION: UPGRADE\r\nupgrade: h2c, WEBSOCKET\r\nAuthorization: Bearer secret-ann\r\n",
    PLAIN + b"Cookie: a=1\r\nCookie: Authorization=secret-ann\r\n", PLAIN + b"cookie: Authorization=secret-ann\r\nCookie: b=2; c=3\r\nCOOKIE: d=4\r\n",
])
async def test_handshakes_in_every_form(gateways, lines):
    gateway = gateways(settings=loopback(auth={"cookie": "Authorization"}, listen={"hosts": ["gw.test"]}))
    assert await upgraded(gateway, lines) == 101
    if b"Cookie" not in lines:
        assert await upgraded(gateway, lines, b"GET http://gw.test/websocket HTTP/1.1\r\nHost: gw.test\r\n") == 101


# Key sets and addresses

def odd_keys(issuer):
    weak = {"kty": "RSA", "use": "sig", "kid": "weak", "e": "AQAB", "n": "v" + "A" * 170 + "E"}
    return [weak, {"kty": "LMS", "kid": "new"}, {"kty": "EC", "crv": "secp256k1", "kid": "bitcoin", "x": "AQAB", "y": "AQAB"}, 5, {"kty": "RSA", "kid": 7},
            {**issuer.published, "kid": "for-encryption", "use": "enc"}, issuer.published, {**issuer.published}]


async def test_a_key_set_through_a_proxy_of_the_environment(broker_url):
    with Issuer() as issuer:
        asked = []

        def pass_on(handler, body):
            asked.append((handler.path, handler.headers["Proxy-Authorization"]))
            return 200, {"keys": [issuer.published]}
        with Server(pass_on) as proxy:
            settings = loopback(**issuer.settings())
            settings["jwt"]["jwks_url"] = "http://issuer.invalid/keys?p=1"
            gateway = Gateway(broker_url, settings=settings, secrets=["s3cret"])
            # meshd's environment alone: what this test asks itself goes through no proxy.
            gateway.instead["nuropb-meshd"] = ("nuropb-meshd", {"http_proxy": proxy.url.replace("http://", "http://ann:s3cret@")})
            with gateway:
                async with await Consumer.open(gateway.url, issuer.token()):
                    pass
                assert set(asked) == {("http://issuer.invalid/keys?p=1", "Basic " + base64.b64encode(b"ann:s3cret").decode())}
                assert "s3cret" not in gateway.meshd.log()


async def test_a_name_that_leads_nowhere_is_looked_up_in_the_sandbox(gateways):
    with Issuer() as issuer:
        settings = loopback(**issuer.settings())
        settings["jwt"]["jwks_url"] = "http://no-such-host.invalid/keys"
        gateway = gateways(settings=settings)
        gateway.meshd.wait_for_log("key set not fetched.*host name 'no-such-host.invalid' can't be resolved")
        assert gateway.meshd.running()


async def test_a_key_set_with_odd_keys_and_a_query(gateways):
    with Issuer() as issuer:
        asked = []

        def publish(handler, body):
            asked.append(handler.path)
            return 200, {"keys": odd_keys(issuer)}
        with Server(publish) as server:
            settings = loopback(**issuer.settings())
            target = "/tenant/discovery/v2.0/keys?p=B2C_1_Sign-In&x=a%2Fb;c@d"
            settings["jwt"]["jwks_url"] = server.url + target
            gateway = gateways(settings=settings)
            checked = subprocess.run([binary("nuropb-meshd"), "--config", gateway.config_file, "--check-config"], capture_output=True, text=True)
            assert checked.returncode == 0, checked.stderr
            async with await Consumer.open(gateway.url, issuer.token()):
                pass
            assert set(asked) == {target}
            said = [line for line in gateway.meshd.log().splitlines() if "keys of a key set are skipped" in line]
            assert len(said) == 1 and "B2C_1" not in gateway.meshd.log(), said
            for part in ("key 1 ('weak')", "2048 bits", "'LMS' is unknown", "'secp256k1' is unknown", "key 4: it is not an object", "'use' is 'enc'"):
                assert part in said[0], said
            page = {state: metrics.value(gateway, f'jwt_keys{{state="{state}"}}') for state in ("used", "unusable", "not_for_signatures")}
            assert page == {"used": 2, "unusable": 5, "not_for_signatures": 1}
            # Tokens whose end is far away, and one whose end is long past.
            for far in (9223372036854775, 9223372036854775807, 1e30):
                async with await Consumer.open(gateway.url, issuer.token(exp=far)):
                    pass
            for bad in (-1, -1e30, 0):
                refused = await Consumer.open(gateway.url, issuer.token(exp=bad), hello=False)
                assert (await refused.closed())[0] == 4501, bad


def test_what_the_check_says_the_start_says(folder):
    """One function reads addresses for both, so they agree on each."""
    config = folder / "gateway.toml"
    for section, key, value, right in (("jwt", "jwks_url", "https://h/keys?p=1", True), ("jwt", "jwks_url", "https://h/a b", False), ("jwt", "jwks_url", "https://h:99999/", False),
                                       ("tracing", "otlp_url", "http://127.0.0.1:4318", True), ("tracing", "otlp_url", "http://h/%zz", False), ("tracing", "otlp_url", "http://", False)):
        config.write_text(f'[{section}]\n{key} = "{value}"\n[auth]\nauthorizers = ["client_certificate"]\n')
        checked = subprocess.run([binary("nuropb-meshd"), "--config", config, "--check-config"], capture_output=True, text=True)
        assert checked.returncode == (0 if right else 2), (value, checked.stderr)
        assert right or f"{section}.{key}: has " in checked.stderr, checked.stderr

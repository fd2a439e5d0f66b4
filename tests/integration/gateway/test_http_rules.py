"""The rules for request heads (docs/reference/http.md) at every port that speaks HTTP: the same bytes have the same outcome
everywhere. tests/integration/deploy/test_http_rules_proxied.py has what nginx and HAProxy make of them on the way."""

import asyncio
import json

import pytest

from support import http_rules
from support.gateway import Gateway
from support.paths import ROOT
from support.ports import free_port
from support.snorky import KEY, envelope, options

PUBLISH = json.dumps(envelope("news_backend", "publish", 7, channel="x", message=1)).encode()
PORTS = ("websocket", "backend", "console", "metrics", "admin")


@pytest.fixture(scope="module")
def open_gateway(broker_url):
    """A gateway with every kind of port."""
    more = options(console={"enabled": True, "port": 0}, metrics={"listen": f"127.0.0.1:{free_port()}"}, gateway={"mesh": "loopback"})
    with Gateway(broker_url, **more) as running:
        yield running


def test_the_page_has_every_section():
    page = (ROOT / "docs" / "reference" / "http.md").read_text()
    sections = {row["section"] for row in http_rules.rows()}
    assert len(sections) > 15 and not {section for section in sections if f"| {section} |" not in page}


@pytest.mark.parametrize("port", PORTS)
async def test_every_row(open_gateway, port):
    at = http_rules.ports(open_gateway)[port]
    wrong = []
    for row in http_rules.rows():
        answers = await http_rules.send(at.connect, http_rules.bytes_for(port, row))
        want = http_rules.expected(row, at.bodies)
        statuses = [status for status, _, _ in answers]
        if want == "incomplete":
            right = statuses == []
        elif want == "taken":
            right = statuses[:1] and statuses[0] in http_rules.TAKEN
        else:
            # It is the last answer, and says why.
            right = statuses == [want] and answers[0][1]["connection"] == "close" and len(answers[0][2]) > 10
        if not right:
            wrong.append((http_rules.name(row), want, answers))
    assert not wrong


@pytest.mark.parametrize("port", PORTS)
async def test_head_is_get_without_a_body(open_gateway, port):
    at = http_rules.ports(open_gateway)[port]
    path = b"/" if port == "console" else b"/healthz"
    sizes = []
    for method in (b"GET", b"HEAD"):
        reader, writer = await at.connect()
        writer.write(method + b" %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % path)
        head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
        writer.close()
        status = int(head.split()[1])
        assert status == (404 if port == "backend" else 200), head
        sizes.append(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        assert len(body) == (sizes[-1] if method == b"GET" else 0), (method, head)
    assert sizes[0] > 0 and abs(sizes[0] - sizes[1]) < 20  # figures in it may differ by some digits


@pytest.mark.parametrize("port", ["backend", "console", "metrics", "admin"])
async def test_connections_go_on(open_gateway, port):
    """RFC 9112, 9.3: pipelined requests, also HTTP/1.0 with keep-alive, up to the one that closes."""
    at = http_rules.ports(open_gateway)[port]
    target = {"console": b"/", "backend": b"/backend"}.get(port, b"/healthz")
    body = PUBLISH if port == "backend" else b""
    method, more = (b"POST", b"X-Backend-Key: %s\r\nContent-Length: %d\r\n" % (KEY.encode(), len(body))) if port == "backend" else (b"GET", b"")

    def request(version=b"1.1", headers=b""):
        return b"%s %s HTTP/%s\r\nHost: 127.0.0.1\r\n%s%s\r\n%s" % (method, target, version, more, headers, body)
    data = request() + request(b"1.0", b"Connection: Keep-Alive\r\n") + request() + request(headers=b"Connection: close\r\n") + request()
    reader, writer = await at.connect()
    writer.write(data)
    answers = []
    while one := await http_rules.answer(reader):
        answers.append(one)
    writer.close()
    assert [status for status, _, _ in answers] == [200] * 4
    assert [headers.get("connection") for _, headers, _ in answers] == [None, "keep-alive", None, "close"]


async def test_a_backend_may_send_chunks(open_gateway):
    head = b"POST /backend HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Backend-Key: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % KEY.encode()
    chunks = b"%x\r\n%s\r\n%x;last\r\n%s\r\n0\r\n\r\n" % (10, PUBLISH[:10], len(PUBLISH) - 10, PUBLISH[10:])
    [(status, _, said)] = await http_rules.send(http_rules.ports(open_gateway)["backend"].connect, head + chunks, end=False)
    assert status == 200 and json.loads(said)["message"]["callId"] == 7

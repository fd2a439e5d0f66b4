"""The page of metrics on meshd's admin socket."""

import socket
import stat

import pika

from support.consumer import Consumer
from support.exposition import promtool
from support.metrics import ask, families, value
from support.waiting import eventually


async def test_the_page(gateway):
    page = families(gateway)
    assert all(family.name.startswith("nuropb_gateway_") and len(family.help) > 10 for family in page.values())
    said = promtool("check", "metrics", input=ask(gateway)[1])
    assert not said or (said.returncode == 0 and not said.stderr), said
    before = value(gateway, "sessions")
    async with await Consumer.open(gateway.url):
        assert value(gateway, "sessions") == before + 1
        assert value(gateway, "users") == 1
    assert value(gateway, "workers") == len(gateway.edges)


def test_what_is_not_asked_for_rightly(gateway):
    assert ask(gateway, "POST")[0] == 405
    assert ask(gateway, target="/elsewhere")[0] == 404
    path = gateway.folder / "run" / "admin.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # Those who ask and say nothing hold nobody up; more than a few of them are not let in.
    silent = []
    for _ in range(10):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(path))
        one.sendall(b"GET /met")
        silent.append(one)
    assert ask(gateway)[0] == 200
    for one in silent:
        one.close()


async def test_bad_messages_are_counted_by_reason(gateway, broker_url):
    before = {reason: value(gateway, f'refused_messages_total{{reason="{reason}"}}') for reason in ("protocol", "type", "method")}
    queue = f"nuropb-{gateway.name}-sq"
    good = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "command", "trace_id": "t", "encrypted": ""}
    unknown = b'{"tag":"command","service":"s","method":"nothing_like_it","params":{},"correlation_id":"c","context":{},"trace_id":"t"}'
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        channel = connection.channel()
        for headers, body in (({**good, "nuropb_protocol": "9"}, b"{}"), ({**good, "nuropb_type": "song"}, b"{}"), (good, unknown)):
            channel.basic_publish("", queue, body, pika.BasicProperties(correlation_id="c", headers=headers))
    for reason, count in before.items():
        await eventually(lambda: value(gateway, f'refused_messages_total{{reason="{reason}"}}') == count + 1, lambda: f"{reason}: {ask(gateway)[1]}")

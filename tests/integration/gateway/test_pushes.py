"""Pushes, closes and lists that reach every edge and every gateway of a service and report exact counts."""

import asyncio
import json
import re
import signal

import pika

from support import metrics
from support.consumer import Consumer
from support.gateway import Gateway
from support.ctl import ctl
from support.services import unique
from support.snorky import SnorkyClient, options
from support.waiting import eventually

USERS = {f"secret-of-{name}": {"user_id": name, "username": name.title()} for name in ("ann", "bob", "cid")}
# A gateway that is silent for three and a half times presence_ms is not asked: time enough for one that is starved, and for
# nuropb-ctl to start while one hangs.
QUICK = {"push": {"timeout_ms": 3000, "presence_ms": 800}}
OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


async def ctl_async(*args, **more):
    return await asyncio.to_thread(ctl, *args, **more)


async def connect(edges, sockets):
    """{user: [consumers]}, one socket on one edge after the other."""
    out = {}
    number = 0
    for user, count in sockets.items():
        for _ in range(count):
            edge = edges[number % len(edges)]
            number += 1
            out.setdefault(user, []).append(await Consumer.open(edge.url, token=f"secret-of-{user}"))
    return out


async def leave(*groups):
    await asyncio.gather(*(consumer.close() for group in groups for consumer in (sum(group.values(), []) if isinstance(group, dict) else group)))


async def all_of(gateway, sessions):
    """meshd knows as many sessions."""
    await eventually(lambda: ctl(gateway, "sessions", "--count")["count"]["sessions"] == sessions, f"{sessions} sessions")


async def both_know(*gateways):
    """Each gateway counts all of them."""
    for gateway in gateways:
        await eventually(lambda: ctl(gateway, "sessions", "--count")["count"]["gateways"] == len(gateways), "the gateways find one another")


async def got(consumers, message):
    for consumer in consumers:
        assert await consumer.other() == message


def silent(consumers):
    assert all(consumer.others.empty() for consumer in consumers)


async def test_every_connection_on_every_edge_once(gateways):
    gateway = gateways(edges=4, tokens=USERS, settings=QUICK)
    consumers = await connect(gateway.edges, {"ann": 5, "bob": 3, "cid": 2})
    everybody = sum(consumers.values(), [])
    count = ctl(gateway, "sessions", "--count")["count"]
    assert count == {"sessions": 10, "users": 3, "gateways": 1}

    told = ctl(gateway, "send", "--user", "ann", "--user", "bob", "--user", "ann", '{"to":["ann","bob"]}')
    assert told == {"connections": 8, "unanswered": [], "silent_edges": 0}
    await got(consumers["ann"] + consumers["bob"], {"to": ["ann", "bob"]})
    assert ctl(gateway, "send", "--all", '"everybody"')["connections"] == 10
    await got(everybody, "everybody")
    one = consumers["cid"][1]
    assert ctl(gateway, "send", "--session", one.session_id, "7")["connections"] == 1
    await got([one], 7)
    assert ctl(gateway, "send", "--user", "nobody", "1", code=3)["connections"] == 0
    assert ctl(gateway, "send", "--session", "0" * 32, "1", code=3)["connections"] == 0
    big = json.dumps({"big": "x" * 1_000_000})
    assert ctl(gateway, "send", "--user", "cid", "-", stdin=big)["connections"] == 2
    await got(consumers["cid"], json.loads(big))
    silent(everybody)

    assert ctl(gateway, "kick", "--session", one.session_id, "--code", "4321", "--reason", "enough")["connections"] == 1
    assert await one.closed() == (4321, "enough")
    await all_of(gateway, 9)
    assert ctl(gateway, "kick", "--user", "ann")["connections"] == 5
    for consumer in consumers["ann"]:
        assert await consumer.closed() == (1000, "")
    await all_of(gateway, 4)
    assert ctl(gateway, "kick", "--all", "--code", "1001")["connections"] == 4
    for consumer in consumers["bob"]:
        assert await consumer.closed() == (1001, "")
    await all_of(gateway, 0)
    assert "not one of" in ctl(gateway, "kick", "--all", "--code", "1006", code=1)["stderr"]
    assert "not JSON" in ctl(gateway, "send", "--all", "no json", code=2)["stderr"]
    assert "missing target" in ctl(gateway, "send", "1", code=2)["stderr"]
    await leave(consumers)


async def test_lists_page_by_page(gateways):
    gateway = gateways(edges=2, tokens=USERS, settings=QUICK)
    consumers = await connect(gateway.edges, {"ann": 3, "bob": 2})
    found, cursor = [], ""
    for _ in range(10):
        page = ctl(gateway, "sessions", "--limit", 2, *(["--cursor", cursor] if cursor else []))
        assert len(page["sessions"]) <= 2
        found += page["sessions"]
        cursor = page["cursor"]
        if not cursor:
            break
    assert sorted(one["session_id"] for one in found) == sorted(one.session_id for one in sum(consumers.values(), []))
    anns = ctl(gateway, "sessions", "--user", "ann")["sessions"]
    assert sorted(one["session_id"] for one in anns) == sorted(one.session_id for one in consumers["ann"])
    assert {(one["user_id"], one["username"]) for one in anns} == {("ann", "Ann")} and {one["edge"] for one in anns} == {0, 1}
    assert "is not a cursor" in ctl(gateway, "sessions", "--cursor", "rubbish", code=1)["stderr"]
    await leave(consumers)


async def test_both_kinds_of_sockets_and_anonymous_ones(gateways):
    gateway = gateways(**options(edges=2, snorky={"anonymous": True}))
    edge = gateway.edges[0]
    plain = await Consumer.open(gateway.edges[1].url)
    async with await SnorkyClient.open(edge.snorky_url) as ann, await SnorkyClient.open(edge.snorky_url, token=None) as nobody:
        await all_of(gateway, 3)
        assert ctl(gateway, "sessions", "--count")["count"]["users"] == 1
        assert ctl(gateway, "send", "--user", "ann", '{"to":"ann"}')["connections"] == 2
        assert await plain.other() == {"to": "ann"}
        assert await ann.other() == {"service": "gateway", "message": {"to": "ann"}}, "in the envelope of its own protocol"
        assert ctl(gateway, "send", "--all", "[1]")["connections"] == 3
        for one in (ann, nobody):
            assert await one.other() == {"service": "gateway", "message": [1]}
        assert await plain.other() == [1]
        assert "is empty" in ctl(gateway, "send", "--user", "", "1", code=1)["stderr"], "nobody's name is no name for all of them"
        assert ctl(gateway, "kick", "--user", "ann", "--code", "4001")["connections"] == 2
        assert (await plain.closed())[0] == 4001
        await all_of(gateway, 1)
    await plain.close()


async def test_two_gateways_are_one(gateways):
    first = gateways(edges=2, tokens=USERS, settings=QUICK)
    second = gateways(edges=2, tokens=USERS, settings=QUICK, name=first.name)
    here, there = await connect(first.edges, {"ann": 3, "bob": 1}), await connect(second.edges, {"ann": 2, "cid": 1})
    await both_know(first, second)
    assert ctl(first, "sessions", "--count")["count"] == {"sessions": 7, "users": 4, "gateways": 2}
    assert ctl(second, "send", "--user", "ann", '"from the second"')["connections"] == 5
    await got(here["ann"] + there["ann"], "from the second")
    assert ctl(first, "send", "--all", '"all"')["connections"] == 7
    await got(sum(here.values(), []) + sum(there.values(), []), "all")
    far = there["cid"][0]
    assert ctl(first, "send", "--session", far.session_id, "1")["connections"] == 1
    await got([far], 1)
    listed = ctl(first, "sessions", "--limit", 100)["sessions"]
    assert len(listed) == 7 and len({one["gateway"] for one in listed}) == 2
    assert ctl(first, "kick", "--user", "cid", "--code", "4000", "--reason", "there")["connections"] == 1
    assert await far.closed() == (4000, "there")

    # One that hangs is named and not waited for beyond the limit; one that is gone is not even asked.
    second.meshd.signal(signal.SIGSTOP)
    told = ctl(first, "send", "--user", "ann", "2", code=1)
    assert told["connections"] == 3 and len(told["unanswered"]) == 1
    second.meshd.kill()
    await eventually(lambda: ctl(first, "sessions", "--count", code=None)["count"]["gateways"] == 1, "the dead gateway is not counted any more")
    told = ctl(first, "send", "--user", "ann", "3")
    assert told == {"connections": 3, "unanswered": [], "silent_edges": 0}
    for message in (2, 3):
        await got(here["ann"], message)
    await leave(here, there)


async def test_a_gateway_is_killed_while_it_is_asked(gateways):
    first = gateways(tokens=USERS, settings=QUICK)
    second = gateways(tokens=USERS, settings=QUICK, name=first.name)
    here = await connect(first.edges, {"ann": 1})
    await both_know(first, second)
    second.meshd.signal(signal.SIGSTOP)
    asked = asyncio.create_task(ctl_async(first, "send", "--user", "ann", "1", code=1))
    await got(here["ann"], 1)  # here it never waits for there
    second.meshd.kill()
    told = await asked
    assert told["connections"] == 1 and len(told["unanswered"]) == 1
    await leave(here)


async def test_an_edge_is_killed_during_a_push(gateways):
    gateway = gateways(edges=3, tokens=USERS, settings={"push": {"timeout_ms": 50_000}})
    consumers = await connect(gateway.edges, {"ann": 6})
    dead = gateway.edges[2]
    dead.process.signal(signal.SIGSTOP)
    asked = asyncio.create_task(ctl_async(gateway, "send", "--user", "ann", "1", code=1))
    living = [one for number, one in enumerate(consumers["ann"]) if number % 3 != 2]
    await got(living, 1)
    dead.process.kill()
    # Its death is known at once: nobody waits out the limit.
    told = await asyncio.wait_for(asked, 40)
    assert told == {"connections": 4, "unanswered": [], "silent_edges": 1}
    await all_of(gateway, 4)
    await leave(consumers)


async def test_sessions_are_found_again_by_a_new_meshd(gateways):
    gateway = gateways(edges=2, tokens=USERS, settings=QUICK)
    consumers = await connect(gateway.edges, {"ann": 2, "bob": 2})
    gateway.meshd.kill()
    gateway.start_meshd()
    gateway.until_ready()
    await all_of(gateway, 4)
    assert ctl(gateway, "send", "--user", "ann", "1")["connections"] == 2
    await got(consumers["ann"], 1)
    assert ctl(gateway, "send", "--session", consumers["bob"][0].session_id, "2")["connections"] == 1
    await leave(consumers)


async def test_without_a_broker_our_own_consumers_are_reached(gateways):
    # A port on which nobody listens.
    gateway = gateways(url="amqp://guest:guest@127.0.0.1:1/", tokens=USERS, settings=QUICK, wait_ready=False)
    await eventually(gateway.edges[0].attached, "attached")
    consumers = await connect(gateway.edges, {"ann": 1})
    assert ctl(gateway, "send", "--all", "1") == {"connections": 1, "unanswered": [], "silent_edges": 0}
    await got(consumers["ann"], 1)
    await leave(consumers)


async def test_reserved_topics_are_not_for_consumers(gateways, broker_url, folder):
    policy = folder / "policy.toml"
    policy.write_text(OPEN)
    settings = {**QUICK, "auth": {"policy_file": str(policy)}}
    first = gateways(tokens=USERS, settings=settings)
    second = gateways(tokens=USERS, settings=settings, name=first.name)
    ann = await Consumer.open(first.url, token="secret-of-ann")
    await ann.done("subscribe", topic="#")
    await ann.done("subscribe", topic="*.*")
    for topic in (f"nuropb-gateway.{first.name}", "nuropb-gateway.#", "nuropb-gateway.*", "nuropb-gateway"):
        assert await ann.refused("subscribe", topic=topic) == "NuropbAuthorizationError"
    forged = {"from": "x", "to": None, "kind": "operation", "message": {"op": 0, "wait_ms": 1, "target": {"all": True}, "verb": "send", "message": "forged"}}
    assert await ann.refused("event", topic=f"nuropb-gateway.{first.name}", event=forged) == "NuropbAuthorizationError"
    await both_know(first, second)
    assert ctl(second, "send", "--user", "ann", '"pushed"')["connections"] == 1
    topic = unique("seen")
    await ann.done("event", topic=topic, event=1)
    seen = []
    while {"type": "event", "payload": {"topic": topic, "event": 1}} not in seen or "pushed" not in seen:
        seen.append(await ann.other())
    own = [message for message in seen if "nuropb-gateway" in json.dumps(message)]
    assert not own, "all that `#` brings, also of other users of the broker, and nothing of the gateways' own"
    await ann.done("unsubscribe", topic="#")
    await ann.done("unsubscribe", topic="*.*")
    await both_know(first, second)

    # Rubbish under the topic is dropped with a line, and harms nobody.
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    with connection:
        headers = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "event", "trace_id": "t", "encrypted": ""}
        for body in (b"", b"\xff", b"{}", b'{"topic":"t","event":7,"context":{},"correlation_id":"c","trace_id":"t","target":null}'):
            connection.channel().basic_publish("nuropb-events-exchange", f"nuropb-gateway.{first.name}", body, pika.BasicProperties(correlation_id="c", headers=headers))
    await eventually(lambda: "under the gateways' topic dropped" in first.meshd.tail(200), "a line about it")
    assert ctl(first, "send", "--user", "ann", "1")["connections"] == 1
    await leave([ann])


def publish_as_a_gateway(broker_url, name, *events):
    """With only a participant's permissions on the broker."""
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        headers = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "event", "trace_id": "t", "encrypted": ""}
        for event in events:
            body = {"topic": f"nuropb-gateway.{name}", "event": event, "context": {}, "correlation_id": "c", "trace_id": "t", "target": None}
            connection.channel().basic_publish("nuropb-events-exchange", f"nuropb-gateway.{name}", json.dumps(body), pika.BasicProperties(correlation_id="c", headers=headers))


def instance_of(gateway):
    return (gateway.folder / "run" / "instance").read_text()


def forged(kind, message, sender="forged"):
    return {"from": sender, "to": None, "kind": kind, "message": message}


KEY = "a-key-that-all-gateways-have-Aiph3oth"
PUSH_ALL = forged("operation", {"op": 1, "wait_ms": 1, "target": {"all": True}, "verb": "send", "message": "forged"})


async def test_a_made_up_gateway_is_refused_where_gateways_have_a_key(gateways, broker_url):
    settings = {"push": {**QUICK["push"], "key_file": "peer-keys"}}
    first = gateways(tokens=USERS, settings=settings, files={"peer-keys": KEY + "\n"})
    second = gateways(tokens=USERS, settings=settings, files={"peer-keys": f"# the next one\n{KEY[::-1]}\n{KEY}\n"}, name=first.name)
    third = gateways(tokens=USERS, settings=settings, files={"peer-keys": f"{KEY}\n{KEY[::-1]}\n"}, name=first.name)
    # The first one does not know the key that the second one signs with.
    await eventually(lambda: [metrics.value(gateway, "peers") for gateway in (first, second, third)] == [1, 2, 2], "they know those whose keys they have")
    await eventually(lambda: metrics.value(first, "peer_refused_messages_total") > 0, "messages under another key are refused")
    (first.folder / "peer-keys").write_text(f"{KEY}\n{KEY[::-1]}\n")
    first.meshd.signal(signal.SIGHUP)
    await eventually(lambda: "keys of gateways reloaded" in first.meshd.log(), first.meshd.tail)
    await eventually(lambda: metrics.value(first, "peers") == 2, "now it does")
    consumers = await connect([first.edges[0], second.edges[0]], {"ann": 2})

    refused = {gateway: metrics.value(gateway, "peer_refused_messages_total") for gateway in (first, second, third)}
    lies = [forged("here", None), forged("here", "who"), PUSH_ALL, {**PUSH_ALL, "mac": "0" * 64, "run": "0" * 32, "number": 1, "time": 1}, forged("gone", None, sender=instance_of(second))]
    await asyncio.to_thread(publish_as_a_gateway, broker_url, first.name, *lies)
    await eventually(lambda: all(metrics.value(gateway, "peer_refused_messages_total") >= refused[gateway] + len(lies) - 1 for gateway in refused), "they are refused and counted")
    await eventually(lambda: re.search("topic dropped .*it has no MAC", third.meshd.log()), third.meshd.tail)  # the first line of its kind there
    assert metrics.value(first, "peers") == 2 and metrics.value(first, "peer_unsigned_messages_total") == 0
    said = await ctl_async(first, "send", "--all", '"genuine"')
    assert said == {"connections": 2, "unanswered": [], "silent_edges": 0}, "and nobody waits for a gateway that is not there"
    for consumer in consumers["ann"]:
        assert await consumer.other() == "genuine", "and nothing that was forged before it"
    assert "share no key" not in first.meshd.log()
    assert KEY not in first.meshd.log() + second.meshd.log()
    await leave(consumers)


async def test_a_message_of_a_gateway_is_good_once(gateways, broker_url):
    """An attacker who reads on the broker has genuine messages, and can replay them."""
    settings = {"push": {**QUICK["push"], "key_file": "peer-keys"}}
    first = gateways(tokens=USERS, settings=settings, files={"peer-keys": KEY})
    second = gateways(tokens=USERS, settings=settings, files={"peer-keys": KEY}, name=first.name)
    await both_know(first, second)
    consumers = await connect([second.edges[0]], {"ann": 1})
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "nuropb-events-exchange", f"nuropb-gateway.{first.name}")
        assert (await ctl_async(first, "send", "--user", "ann", '"once"'))["connections"] == 1
        heard = []
        while not any(b'"once"' in body for _, body in heard):
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            heard += [(properties, body)] if method else []
            await asyncio.sleep(0.05)
        refused = metrics.value(second, "peer_refused_messages_total")
        for properties, body in heard:
            channel.basic_publish("nuropb-events-exchange", f"nuropb-gateway.{first.name}", body, properties)
        genuine = [body for _, body in heard if json.loads(body)["event"]["from"] == instance_of(first) and json.loads(body)["event"]["to"] in (None, instance_of(second))]
        await eventually(lambda: metrics.value(second, "peer_refused_messages_total") >= refused + len(genuine) > refused, "what is played back is refused")
    assert (await ctl_async(first, "send", "--user", "ann", '"after"'))["connections"] == 1
    assert [await consumers["ann"][0].other() for _ in range(2)] == ["once", "after"]
    await leave(consumers)


async def test_without_a_key_the_log_warns_once_there_are_several_gateways(gateways):
    alone = gateways(tokens=USERS, settings=QUICK)
    assert "share no key" not in alone.meshd.log()
    second = gateways(tokens=USERS, settings={"push": {**QUICK["push"], "key_file": "peer-keys", "accept_unsigned": True}}, files={"peer-keys": KEY}, name=alone.name)
    await both_know(alone, second)
    await eventually(lambda: re.search('WARNING .* share no key.*hint="?push.key_file', alone.meshd.log()), alone.meshd.tail)
    await eventually(lambda: re.search("WARNING .* accept messages without a MAC", second.meshd.log()), second.meshd.tail)
    assert metrics.value(second, "peer_unsigned_messages_total") > 0
    assert (await ctl_async(second, "send", "--all", "1", code=3))["unanswered"] == [], "there are no clients, but two gateways"


def test_a_key_file_that_is_none_keeps_meshd_from_starting(broker_url):
    for text, what in (("short", "fewer than 32"), ("", "holds no key")):
        gateway = Gateway(broker_url, settings={"push": {"key_file": "peer-keys"}}, files={"peer-keys": text}, edges=0)
        gateway.write_config()
        meshd = gateway.run("meshd", "nuropb-meshd")
        meshd.killed = True
        assert meshd.popen.wait(45) == 78
        assert what in meshd.log() and "peer-keys" in meshd.log()

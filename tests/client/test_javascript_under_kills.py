"""Edges are killed under a client that asks and listens without a pause. Each promise is settled once, nothing that may not
run twice does, and no event is missed or comes twice."""

import asyncio
import json
import os
import signal
from collections import Counter

import pika

from support.broker import connection
from support.javascript import Chromium
from support.launched import alive
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually

from .conftest import OPEN


class Publisher:
    """Numbers on a topic, straight to the broker, so that none is lost on its way there."""

    def __init__(self, url, topic):
        self.url, self.topic, self.count, self.going = url, topic, 0, True

    async def __aenter__(self):
        self.task = asyncio.create_task(asyncio.to_thread(self.publish))
        return self

    def publish(self):
        with connection(self.url) as link:
            channel = link.channel()
            channel.confirm_delivery()
            headers = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "event", "trace_id": "t", "encrypted": ""}
            while self.going:
                body = {"tag": "event", "topic": self.topic, "event": self.count, "context": {}, "trace_id": "t", "correlation_id": "c", "target": None}
                channel.basic_publish("nuropb-events-exchange", self.topic, json.dumps(body).encode(), pika.BasicProperties(content_type="application/json", headers=headers))
                self.count += 1
                link.sleep(0.005)

    async def __aexit__(self, *_):
        self.going = False
        await self.task


async def serve(service, ran):
    """Each call is recorded and answered, those of two workers only after a while, so that they are pending during a kill."""
    while True:
        call = await service.next_call(timeout=None)
        ran[call.params["id"]] += 1
        delay = 0.7 if call.params["id"][0] in "01" else 0
        asyncio.get_running_loop().call_later(delay, lambda call=call: service.answer(call, result=call.params["id"]))


async def test_every_promise_is_settled_once_and_no_event_is_lost(js, launch, folder, broker_url):
    (folder / "policy.toml").write_text(OPEN)
    in_a_page = isinstance(js, Chromium)
    kills, listen = (2, {"listen": {"origins": [js.origin]}}) if in_a_page else (5, {})
    gateway = launch(edges=2, auth={"policy_file": str(folder / "policy.toml")}, **listen).until_ready()
    topic, ran = unique("kills"), Counter()
    async with js, ManualService(broker_url, unique("ran")) as service:
        serving = asyncio.create_task(serve(service, ran))
        await js.run("""
          globalThis.client = connect(url, {token: "secret-ann", minDelay: 20, maxDelay: 300});
          globalThis.load = new Load(client, {service, topic});
          await load.subscribed;
        """, url=gateway.url, service=service.name, topic=topic)
        async with Publisher(broker_url, topic) as publisher:
            for round in range(kills):
                done, downs, seen = await js.run("return [load.done, load.downs, load.events.length]")
                await eventually(lambda: js.run(f"return load.done > {done + 20} && load.events.length > {seen + 20}"), "it goes on", 40)
                await eventually(lambda: all(alive(gateway.pids(f"edge {n}")[-1]) for n in (0, 1)) and gateway.health()[0] == 200, gateway.process.tail)
                for number in (0, 1):  # it is on one of them
                    os.kill(gateway.pids(f"edge {number}")[-1], signal.SIGKILL)
                    if number == 0 and round % 2:
                        await eventually(lambda: len([n for n in (0, 1) if alive(gateway.pids(f"edge {n}")[-1])]) == 2, "the first is back")
                await eventually(lambda: js.run(f"return load.downs > {downs}"), "its socket is lost")
        await eventually(lambda: js.run(f"return load.events.length >= {publisher.count}"), lambda: f"{publisher.count} events: {gateway.process.tail(20)}", 40)
        told = await js.run("const told = await load.end(); client.close(); return told")
        serving.cancel()
    assert told["events"] == list(range(publisher.count))
    assert told["downs"] >= kills and told["resumed"] >= kills and told["others"] == []
    outcomes = told["outcomes"]
    assert all(words[1:] == ["done"] for words in outcomes.values()), {id: words for id, words in outcomes.items() if words[1:] != ["done"]}
    twice = {id: times for id, times in ran.items() if times != 1 and outcomes[id][0] == "plain"}
    assert not twice and set(ran) == set(outcomes)

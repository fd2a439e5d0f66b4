"""Edges are killed under a Python client that asks and listens without a pause. Each call has one outcome, nothing that may not
run twice does, and no event is missed or comes twice."""

import asyncio
import os
import signal
from collections import Counter

from client.conftest import OPEN
from client.test_javascript_under_kills import Publisher, serve
from support.launched import alive
from support.manual_service import ManualService
from support.python_client import Watched
from support.services import unique
from support.waiting import eventually

KILLS, WORKERS = 5, 6


async def ask(client, service, worker, outcomes, going):
    number = 0
    while going:
        id = f"{worker}-{number}"
        told = outcomes[id] = ["idempotent" if number % 2 == 0 else "plain"]
        try:
            told.append("done" if await client.request(service, "run", {"id": id}, idempotent=number % 2 == 0, ttl=20) == id else "another's answer")
        except Exception as error:
            told.append(f"{type(error).__name__}: {error}")
        number += 1


async def test_every_call_has_one_outcome_and_no_event_is_lost(launch, folder, broker_url):
    (folder / "policy.toml").write_text(OPEN)
    gateway = launch(edges=2, auth={"policy_file": str(folder / "policy.toml")}).until_ready()
    topic, ran, outcomes, events, going = unique("kills"), Counter(), {}, [], [True]
    async with Watched(gateway.url, max_delay=0.3) as client, ManualService(broker_url, unique("ran")) as service:
        serving = asyncio.ensure_future(serve(service, ran))
        await client.subscribe(topic, events.append)
        workers = [asyncio.ensure_future(ask(client, service.name, worker, outcomes, going)) for worker in range(WORKERS)]

        def done():
            return sum(len(told) > 1 for told in outcomes.values())
        async with Publisher(broker_url, topic) as publisher:
            for round in range(KILLS):
                asked, heard, downs = done(), len(events), len(client.all("down"))
                await eventually(lambda: done() > asked + 20 and len(events) > heard + 20, "it goes on", 40)
                await eventually(lambda: all(alive(gateway.pids(f"edge {n}")[-1]) for n in (0, 1)) and gateway.health()[0] == 200, gateway.process.tail)
                for number in (0, 1):  # it is on one of them
                    os.kill(gateway.pids(f"edge {number}")[-1], signal.SIGKILL)
                    if number == 0 and round % 2:
                        await eventually(lambda: all(alive(gateway.pids(f"edge {n}")[-1]) for n in (0, 1)), "the first is back")
                await eventually(lambda: len(client.all("down")) > downs, "its socket is lost")
        await eventually(lambda: len(events) >= publisher.count, lambda: f"{publisher.count} events, {len(events)} came: {gateway.process.tail(20)}", 40)
        going.clear()
        await asyncio.gather(*workers)
        serving.cancel()
        assert [event.data for event in events] == list(range(publisher.count))
        assert not any(event.gap or event.dropped for event in events)
        assert sum(what["resumed"] for what in client.all("open")) >= KILLS and client.all("lost") == client.all("error") == client.all("close") == []
    assert all(told[1:] == ["done"] for told in outcomes.values()), {id: told for id, told in outcomes.items() if told[1:] != ["done"]}
    twice = {id: times for id, times in ran.items() if times != 1 and outcomes[id][0] == "plain"}
    assert not twice and set(ran) == set(outcomes)

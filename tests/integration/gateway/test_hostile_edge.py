"""An edge in the hands of an attacker (tests/hostile), attached to the real meshd beside an honest one: it
can neither crash nor block meshd, nor speak for anybody whose token it has not got; and the honest edge's consumers see
nothing of it."""

import asyncio
import json
import re
import signal
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

from support import metrics
from support.authorities import Issuer
from support.consumer import Consumer
from support.ctl import ctl
from support.manual_service import ManualService
from support.paths import binary
from support.services import unique
from support.snorky import SnorkyClient, options
from support.waiting import eventually

# The attack, and what meshd says of it: killed for any other reason would show nothing.
RECORDS = {
    "unknown-type": "unknown record type 60000",
    "meshds-own-type": "unknown record type",
    "too-short": "record type 3 with 1 bytes",
    "lengths-that-lie": "can't be decoded",
    "request-of-nobody": "of a session that is not open",
    "slot-beyond-limits": "more sessions than limits.connections",
    "request-of-a-predecessor": "of a session that is not open",
    "opened-twice": "a session is opened twice",
    "sequence-of-41-bits": "its sequence has more than 40 bits",
    "params-that-break-out": "params are not JSON",
    "trace-id-that-breaks-out": "trace_id is not JSON",
    "deep-json": "Nested too deeply",
    "console-call-that-lies": "record type 16: can't be decoded",
    "count-nobody-asked-for": "a count that nobody asked for",
    "backend-where-there-is-none": "there is no backend",
    "say-beyond-any-message": "it says more than a message can have",
    "sequence-of-a-session-that-waits": "its sequence is in use",
    "snorky-where-there-is-none": "there is no /ws",
}
POSITIONS = "impossible ring positions or record length"
SCRIBBLES = {
    ("tail", "unaligned"): POSITIONS, ("tail", "beyond"): POSITIONS, ("tail", "end-of-time"): POSITIONS, ("tail", "backwards"): POSITIONS,
    **{("rubbish", str(seed)): f"{POSITIONS}|unknown record type|record type" for seed in range(5)},
}
CONTROL = {
    ("control", "second-hello"): "rubbish on the control socket", ("control", "welcome"): "rubbish on the control socket",
    ("control", "rubbish"): "rubbish on the control socket", ("control", "doorbells"): "rings without end", ("control", "packets"): "rings without end",
}


class Attack:
    def __init__(self, gateway, *words):
        command = [binary("nuropb-hostile-edge"), gateway.folder / "run" / "meshd.sock", *words]
        self.popen = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    async def ended(self, line=None):
        """(code, its last line, what it complained of)"""
        out, complaint = await asyncio.wait_for(asyncio.to_thread(self.popen.communicate, line), 120)
        return self.popen.returncode, json.loads(out.splitlines()[-1]) if out.strip() else None, complaint

    async def line(self):
        return json.loads(await asyncio.wait_for(asyncio.to_thread(self.popen.stdout.readline), 60))


@asynccontextmanager
async def honest_world(gateways, broker_url, **more):
    """A gateway with an honest edge and clients that send requests continuously; each answer must show the sender's own identity."""
    gateway = gateways(edges=1, **more)
    pid = gateway.meshd.pid
    gateway.asked_as = set()
    async with ManualService(broker_url, unique("world")) as service:
        async def serve():
            while True:
                call = await service.calls.get()
                gateway.asked_as.add(call.body["context"]["user_id"])
                service.answer(call, result=call.body["context"] if call.method == "whoami" else call.params)

        async def ask(consumer, user):
            while not over.is_set():
                context = await consumer.result(service.name, "whoami", {})
                assert context["user_id"] == user, context
                asked[user] += 1

        serving = asyncio.create_task(serve())
        over, asked = asyncio.Event(), {"ann": 0, "bob": 0}
        consumers = {user: await Consumer.open(gateway.url, f"secret-{user}") for user in asked}
        asking = [asyncio.create_task(ask(consumer, user)) for user, consumer in consumers.items()]
        gateway.service, gateway.consumers = service.name, consumers

        async def answered():
            before = dict(asked)
            await eventually(lambda: all(asked[user] > before[user] + 3 for user in asked) or any(task.done() for task in asking), "the honest edge's consumers are answered")
            assert not any(task.done() for task in asking), [task.exception() for task in asking if task.done()]
        gateway.answered = answered
        yield gateway
        await answered()
        over.set()
        await asyncio.gather(*asking)
        assert gateway.meshd.running() and gateway.meshd.pid == pid
        assert all(consumer.open_still for consumer in consumers.values())
        serving.cancel()
        for consumer in consumers.values():
            await consumer.close()


def descriptors(gateway):
    return len(list(Path(f"/proc/{gateway.meshd.pid}/fd").iterdir()))


def memfds(gateway):
    """Segments that meshd has mapped."""
    return sum("memfd:nuropb-" in line for line in Path(f"/proc/{gateway.meshd.pid}/maps").read_text().splitlines())


async def test_the_attacker_could_be_an_edge(gateways, broker_url):
    """Otherwise its attacks would fail for the wrong reason."""
    async with honest_world(gateways, broker_url) as world:
        code, said, complaint = await Attack(world, "honest", "secret-bob", world.service).ended()
        assert code == 0, complaint
        assert said["user"] == "bob" and said["result"]["user_id"] == "bob" and said["error"] is None
        assert said["bad token"] == 4501


async def killed_for_each(world, attacks):
    killed = metrics.value(world, "workers_killed_total")
    for words, reason in attacks.items():
        so_far = len(world.meshd.log())
        code, _, complaint = await Attack(world, *words).ended()
        assert code == -signal.SIGKILL, (words, code, complaint)
        await world.answered()
        killed += 1
        await eventually(lambda: metrics.value(world, "workers_killed_total") == killed, f"{words}: it was counted")
        await eventually(lambda: metrics.value(world, "workers") == 1, f"{words}: nothing is left of it")
        await eventually(lambda: re.search(rf'worker killed .*reason="[^"]*({reason})', world.meshd.log()[so_far:]), lambda: f"{words}: {world.meshd.log()[so_far:]}")


async def test_records_that_no_honest_edge_writes(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        await killed_for_each(world, {("record", name, "secret-bob", world.service): reason for name, reason in RECORDS.items()})


async def test_rubbish_in_shared_memory_and_on_the_control_socket(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        await killed_for_each(world, {**SCRIBBLES, **CONTROL})


async def test_one_that_never_drains_its_ring(gateways, broker_url):
    async with honest_world(gateways, broker_url, settings={"rings": {"request_bytes": 1 << 20, "return_bytes": 1 << 20}, "limits": {"message_bytes": 200_000}}) as world:
        await killed_for_each(world, {("deaf", "secret-bob", world.service): "does not read its answers", ("head", "secret-bob", world.service): "impossible position of the return ring"})


async def test_memory_that_changes_while_it_is_read(gateways, broker_url):
    """Whether the race is detected is chance; meshd must survive it in any case."""
    async with honest_world(gateways, broker_url) as world:
        for _ in range(3):
            code, _, complaint = await Attack(world, "racing", "secret-bob", world.service).ended()
            assert code in (0, -signal.SIGKILL), complaint
            await world.answered()


async def test_a_doorbell_that_would_block(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        code, done, complaint = await Attack(world, "bell", "secret-bob", world.service).ended()
        assert code == 0 and done == {"answered": True}, complaint


async def test_the_kernel_keeps_the_segments_as_they_are(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        code, done, complaint = await Attack(world, "shrink").ended()
        assert code == 0, complaint
        assert {what for what, possible in done.items() if possible} <= {"a hole in E"}, done


async def test_tickets(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        victim = Attack(world, "victim", "secret-ann")
        stolen = await victim.line()
        code, said, complaint = await Attack(world, "tickets", "secret-bob").ended()
        assert code == 0, complaint
        assert said["user"] == "bob" and len(said["refused"]) == 7 and set(said["refused"].values()) == {4501}, said
        # Both tickets of an edge that lives: its place is not to be had, and its sessions are not either.
        code, said, complaint = await Attack(world, "worker-ticket", stolen["worker"], stolen["ticket"]).ended()
        assert code == 0, complaint
        assert (said["slot"], said["generation"]) != (stolen["slot"], stolen["generation"]) and said["refused"] == 4501, said
        assert (await victim.ended("over\n"))[0] == 0


async def test_a_ticket_whose_time_is_over(gateways, broker_url):
    with Issuer() as issuer:
        async with honest_world(gateways, broker_url, settings=issuer.settings()) as world:
            async with await Consumer.open(world.url, issuer.token()):
                pass  # so that fetching the keys takes none of the next one's time
            code, said, complaint = await Attack(world, "expired-ticket", issuer.token("eve", lasts=4), world.service).ended()
            assert code == 0, complaint
            assert said == {"user": "eve", "first": 4401, "second": 4401}, said
            await world.answered()
            assert world.asked_as == {"ann", "bob"}, "nothing was asked in the name of who may ask no more"


async def test_names_that_try_to_become_more_than_names(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        code, said, complaint = await Attack(world, "injected-names", "secret-bob", world.service).ended()
        assert code == 0, complaint
        assert said["who"]["user_id"] == "bob", said


async def test_the_session_id_of_somebody_else(gateways, broker_url):
    """Messages to that session go to the one that had the id first."""
    async with honest_world(gateways, broker_url) as world:
        ann = world.consumers["ann"]
        thief = Attack(world, "session-id", "secret-bob", ann.session_id)
        assert await thief.line() == {"open": True}
        done = await asyncio.to_thread(ctl, world, "send", "--session", ann.session_id, '{"type": "event", "payload": {"topic": "for ann", "event": 1}}')
        assert done["connections"] == 1, done
        assert (await ann.event())["topic"] == "for ann"
        code, said, complaint = await thief.ended("over\n")
        assert code == 0, complaint
        push = 72
        assert push not in said["heard"], said


async def test_a_session_that_waits_is_in_no_chat(gateways):
    """Its edge combined what no honest edge combines: a call on /ws and a resumable session."""
    gateway = gateways(**options())
    async with await SnorkyClient.open(gateway.edges[0].snorky_url) as ann:
        await ann.call("chat", "join", channel="c")
        ghost = Attack(gateway, "ghost", "secret-bob")
        assert await ghost.line() == {"left": True}
        assert [(await ann.notification("chat"))["status"] for _ in range(2)] == ["joined", "left"]
        await eventually(lambda: metrics.value(gateway, "sessions_parked") == 1, "its session waits")
        assert (await ghost.ended("over\n"))[0] == 0


async def test_the_console_gives_an_edge_no_more_than_its_tokens(gateways, broker_url):
    """No metrics and no kill without the token of a configured user; and no kill with a token if that is off."""
    async with honest_world(gateways, broker_url, settings={"console": {"enabled": True, "port": 0, "users": ["ann"]}}) as world:
        code, said, complaint = await Attack(world, "console", "", "x" * 16_000, "secret-bob", "secret-ann").ended()
        assert code == 0 and said == [401, 401, 401, 401, 403, 403, 200, 403], (said, complaint)


async def test_where_there_is_no_console_nobody_is_told_anything(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        assert (await Attack(world, "console", "secret-ann").ended())[:2] == (0, [503, 503])


async def test_a_flood_of_connections(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        before = descriptors(world)
        for _ in range(3):
            code, said, complaint = await Attack(world, "flood", "3000").ended()
            assert code == 0 and said["connected"] > 100, complaint
            await world.answered()
        world.meshd.wait_for_log('reason="its process comes too often"')
        await eventually(lambda: descriptors(world) <= before, lambda: f"{descriptors(world)} descriptors, {before} before")
        world.add_edge()
        await eventually(world.edges[1].ready, "an honest edge is taken after it")
        assert len(world.meshd.log().splitlines()) < 100, "and it does not fill the disk by way of the log"


async def test_one_process_is_one_worker(gateways, broker_url):
    """It can't occupy the places of edges that start later."""
    async with honest_world(gateways, broker_url, settings={"gateway": {"max_workers": 4}}) as world:
        greedy = Attack(world, "all-slots", "20")
        assert (await greedy.line())["attached"] == 20
        await eventually(lambda: metrics.value(world, "workers") == 2, "it has one place")
        world.add_edge()
        await eventually(world.edges[1].ready, "there is one for an honest edge")
        assert (await greedy.ended("over\n"))[0] == 0


async def test_one_process_that_attaches_again_and_again(gateways, broker_url):
    async with honest_world(gateways, broker_url) as world:
        await killed_for_each(world, {("all-slots", "1000"): "connects without end"})


async def test_more_workers_than_meshd_makes_memory_for(gateways, broker_url):
    """Each is a separate process. An honest edge has to wait for a moment and is then accepted."""
    async with honest_world(gateways, broker_url) as world:
        memory = memfds(world)
        code, said, complaint = await Attack(world, "swarm", "300").ended()
        assert code == 0, complaint
        assert said["killed"] >= 20 and said["refused"] >= 20, (said, complaint)  # ten a second are let in, however long it takes
        assert "refused: too many workers come at once" in complaint and "slots are taken" not in complaint, complaint
        world.add_edge()
        await eventually(world.edges[1].ready, "an honest edge is taken after it")
        await world.answered()
        await eventually(lambda: memfds(world) == 2 * memory, lambda: f"what was made for the attackers is gone: {memfds(world)}, {memory} before")

"""Faults of a gateway, its service and its broker. Each fault returns once it is repaired and what it hit has
come back, as far as that can be seen from outside; `Fault.begun` and `ended` are what the ledger goes by."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter

import websockets

from chaos.attackers import Attackers
from chaos.ledger import Fault
from chaos.world import FORBIDDEN, LARGEST_MESSAGE
from support.broker import connection
from support.consumer import Closed, Consumer
from support.launched import below
from support.waiting import eventually

BACK = 120.0  # seconds; how long it took is in the table, here it only must not hang


class Faults:
    def __init__(self, world):
        self.world = world
        self.attackers = Attackers(world)

    async def inject(self, planned):
        """A fault of scheduler.py. Faults of the same component wait for one another."""
        fault = Fault(planned.kind, planned.at)
        hit, act = {
            "edge kill": ("edges", self.kill_edge),
            "edge stopped": ("edges", self.stop_edge),
            "meshd kill": ("meshd", self.kill_meshd),
            "service stopped": ("service", self.stop_service),
            "service restart": ("service", self.restart_service),
            "network cut": ("broker", self.cut_network),
            "network hang": ("broker", self.hang_network),
            "broker blocked": ("broker", self.block_broker),
            "queues deleted": ("broker", self.delete_queues),
            "refused by broker": ("broker", self.send_what_is_refused),
            "costs others": ("attackers", self.attackers.cost_others),
            "guesses addresses": ("attackers", self.attackers.guess_addresses),
            "takes shares": ("attackers", self.attackers.take_shares),
            "broker restart": ("broker", self.restart_broker),
            "broker kill": ("broker", self.kill_broker),
            "log reader stalls": ("log", self.stall_log_reader),
            "log disk full": ("log", self.fill_log_disk),
            "all paused": ("edges", self.pause_all),  # its end would wake an edge that was stopped
        }[planned.kind]
        async with self.world.locks[hit]:
            self.world.ledger.faults.append(fault)
            fault.begun = time.monotonic()
            await act(fault, planned)
            fault.ended = time.monotonic()
        return fault

    async def _replaced(self, name, pid):
        """Waits until the launcher has started another process under that name; an edge must also be attached to meshd."""
        world = self.world
        def back():
            now = world.pids()[name]
            return now != pid and (name == "meshd" or world.attached(now))
        await eventually(back, lambda: f"another {name} than {pid}:\n{world.tail(30)}", BACK)

    def _edge(self, draw):
        edges = sorted((name, pid) for name, pid in self.world.pids().items() if name != "meshd")
        return edges[int(draw * len(edges))]

    async def kill_edge(self, fault, planned):
        name, pid = self._edge(planned.draw)
        fault.ports = self.world.ports_of(pid)
        fault.begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await self._replaced(name, pid)
        fault.note = f"{name}, {len(fault.ports)} sockets"

    async def stop_edge(self, fault, planned):
        """It is never continued: its missing heartbeat must be detected, and it must be replaced."""
        name, pid = self._edge(planned.draw)
        os.kill(pid, signal.SIGSTOP)
        fault.ports = self.world.ports_of(pid)
        await self._replaced(name, pid)
        fault.note = f"{name}, {len(fault.ports)} sockets"

    async def kill_meshd(self, fault, planned):
        pid = self.world.pids()["meshd"]
        os.kill(pid, signal.SIGKILL)
        await self._replaced("meshd", pid)
        await self._broker_is("ready")

    async def _broker_is(self, state):
        async def is_so():
            return (await self.world.health()).get("broker") == state
        await eventually(is_so, f"the broker is {state}", BACK)

    async def stop_service(self, fault, planned):
        self.world.service.signal(signal.SIGSTOP)
        await asyncio.sleep(planned.lasts)
        self.world.service.signal(signal.SIGCONT)

    async def restart_service(self, fault, planned):
        self.world.service.kill()
        self.world.start_service()
        await asyncio.to_thread(self.world.service.wait_for_log, "ready", BACK)

    async def cut_network(self, fault, planned):
        self.world.way.cut()
        await asyncio.sleep(planned.lasts)
        self.world.way.mend()
        await self._broker_is("ready")

    async def hang_network(self, fault, planned):
        self.world.way.hang()
        await asyncio.sleep(planned.lasts)
        self.world.way.mend()
        await self._broker_is("ready")

    async def block_broker(self, fault, planned):
        await self._ctl("set_vm_memory_high_watermark", "0.000001")
        try:
            await asyncio.sleep(planned.lasts)
        finally:
            await self._ctl("set_vm_memory_high_watermark", "0.4")
        await self._broker_is("ready")

    async def _ctl(self, *words):
        return await asyncio.to_thread(self.world.broker.ctl, *words)

    async def delete_queues(self, fault, planned):
        """All queues of the gateway: of responses, of events, of requests to itself."""
        listed = json.loads(await self._ctl("--quiet", "--formatter", "json", "list_queues", "name"))
        ours = [queue["name"] for queue in listed if queue["name"].startswith(f"nuropb-{self.world.name}-")]

        def delete():
            with connection(self.world.broker.url) as link:
                channel = link.channel()
                for name in ours:
                    channel.queue_delete(name)
        fault.begun = time.monotonic()
        await asyncio.to_thread(delete)
        fault.note = f"{len(ours)} queues"

    async def send_what_is_refused(self, fault, planned):
        """A consumer sends what the broker refuses, again and again: it costs that consumer only. The ledger has no excuse for
        anything that happens to anybody else meanwhile."""
        too_large, until, answers, count = "x" * (LARGEST_MESSAGE + 1000), time.monotonic() + planned.lasts, Counter(), 0
        try:
            async with await Consumer.open(self.world.url) as consumer:
                while time.monotonic() < until:
                    topic, count = f"{FORBIDDEN}.{count % 3}", count + 1
                    sent = [await consumer.begin(self.world.service_name, "plain", {"id": "too-large", "text": too_large}, ttl=5000),
                            await consumer.begin_verb("event", topic=topic, event={}, ttl=5000),
                            await consumer.begin_verb("subscribe", topic=topic, ttl=5000)]
                    for answer in await asyncio.wait_for(asyncio.gather(*sent), BACK):
                        answers[answer["error"]["error"] if answer["error"] else "taken"] += 1
                    await asyncio.sleep(0.25)
            fault.note = ", ".join(f"{count} {name}" for name, count in sorted(answers.items()))
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException, Closed, AssertionError) as refusal:
            fault.note = f"ended early: {type(refusal).__name__}"  # its edge was killed

    async def restart_broker(self, fault, planned):
        await asyncio.to_thread(self.world.broker.stop)
        await self._start_broker()

    async def kill_broker(self, fault, planned):
        await asyncio.to_thread(self.world.broker.kill)
        await self._start_broker()

    async def stall_log_reader(self, fault, planned):
        """The reader of the logs of launcher, meshd and edges stalls, and the pipe is full."""
        reader = self.world.reader
        reader.stall()
        reader.fill()
        await asyncio.sleep(planned.lasts)
        reader.go_on()

    async def fill_log_disk(self, fault, planned):
        """The log moves to a small disk, which is then full, and back once there is room again."""
        world = self.world
        (world.disk / "log").unlink(missing_ok=True)
        world.point_log(world.disk / "log")
        await asyncio.sleep(planned.lasts / 2)
        with open(world.disk / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError as full:
                fault.note = full.strerror
        await asyncio.sleep(planned.lasts / 2)
        (world.disk / "ballast").unlink()
        world.point_log(world.reader.path)

    async def pause_all(self, fault, planned):
        """Suspends the launcher and all its processes for longer than one may hang: none of them may be treated as hung."""
        launcher, stopped = self.world.launcher.pid, set()
        os.kill(launcher, signal.SIGSTOP)
        while more := set(below(launcher)) - stopped:  # one that starts may have made another one meanwhile
            stopped |= more
            for pid in more:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(planned.lasts)
        for pid in (launcher, *stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        fault.note = f"{len(stopped) + 1} processes"

    async def _start_broker(self):
        await asyncio.to_thread(self.world.broker.start)
        await self._broker_is("ready")
        # Whichever process that is by now: the service may be restarted at the same time.
        await eventually(lambda: self.world.service.log().rstrip().endswith("ready"), self.world.service.tail, BACK)

"""What can be done to a gateway, its service and its broker. Each fault returns once it is mended and what it hit has
come back, as far as that can be seen from outside; `Fault.begun` and `ended` are what the ledger goes by."""

import asyncio
import json
import os
import signal
import time

import websockets

from chaos.ledger import Fault
from chaos.world import LARGEST_MESSAGE
from support.broker import connection
from support.consumer import Closed, Consumer
from support.waiting import eventually

BACK = 120.0  # seconds; how long it took is in the table, here it only must not hang


class Faults:
    def __init__(self, world):
        self.world = world

    async def inject(self, planned):
        """One of scheduler.py's. Those that hit the same thing wait for one another."""
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
            "channel error": ("broker", self.break_channel),
            "broker restart": ("broker", self.restart_broker),
            "broker kill": ("broker", self.kill_broker),
        }[planned.kind]
        async with self.world.locks[hit]:
            self.world.ledger.faults.append(fault)
            fault.begun = time.monotonic()
            await act(fault, planned)
            fault.ended = time.monotonic()
        return fault

    async def _replaced(self, name, pid):
        """The launcher has started another process under that name; for an edge: and meshd has taken it."""
        world = self.world
        def back():
            now = world.pids()[name]
            return now != pid and (name == "meshd" or world.attached(now))
        await eventually(back, lambda: f"another {name} than {pid}:\n{world.launcher.tail(30)}", BACK)

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
        """Nobody wakes it: its heartbeat has to be missed, and it has to be replaced."""
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
        """All that are the gateway's: of answers, of events, of requests to itself."""
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

    async def break_channel(self, fault, planned):
        """A message that the broker does not take closes the channel that all requests go over (406)."""
        try:
            async with await Consumer.open(self.world.url) as consumer:
                answer = await consumer.request(self.world.service_name, "plain", {"id": "too-large", "text": "x" * (LARGEST_MESSAGE + 1000)}, timeout=BACK, ttl=5000)
            fault.note = answer["error"]["error"]
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException, Closed, AssertionError) as refusal:
            fault.note = f"not injected: {type(refusal).__name__}"

    async def restart_broker(self, fault, planned):
        await asyncio.to_thread(self.world.broker.stop)
        await self._start_broker()

    async def kill_broker(self, fault, planned):
        await asyncio.to_thread(self.world.broker.kill)
        await self._start_broker()

    async def _start_broker(self):
        await asyncio.to_thread(self.world.broker.start)
        await self._broker_is("ready")
        # Whichever process that is by now: the service may be restarted at the same time.
        await eventually(lambda: self.world.service.log().rstrip().endswith("ready"), self.world.service.tail, BACK)

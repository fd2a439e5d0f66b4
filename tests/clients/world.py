"""The environment of the client in a scenario: gateway, network, broker, services, other clients."""

import asyncio
import contextlib
import json
from urllib.parse import urlsplit

from support.authorities import Issuer
from support.consumer import Consumer
from support.ctl import ctl
from support.cut import Cut
from support.gateway import Gateway
from support.manual_service import ManualService
from support.metrics import value as metric_value
from support.services import unique
from support.waiting import eventually

from .strangers import answering, speaking

POLICY = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


def merged(*settings):
    sections = {}
    for one in settings:
        for section, keys in one.items():
            sections.setdefault(section, {}).update(keys)
    return sections


class Gateways:
    """One gateway for all scenarios that do not change it, and one for each of the others."""

    def __init__(self, amqp_url):
        self._amqp_url, self._shared = amqp_url, {}

    def _make(self, scenario, origins, settings, url=None):
        """Does not wait for a gateway whose proxy to the broker runs on this event loop."""
        listen = {"listen": {"origins": origins}} if origins else {}
        return Gateway(url or self._amqp_url, edges=scenario.edges, shared_port=True, tokens=scenario.tokens, files={"policy.toml": POLICY}, wait_ready=url is None,
                       settings=merged({"auth": {"policy_file": "policy.toml"}}, listen, settings, scenario.settings))

    @contextlib.asynccontextmanager
    async def of(self, scenario, origins=(), settings=None, url=None):
        if not scenario.alone:
            key = tuple(origins)
            if key not in self._shared:
                self._shared[key] = self._make(scenario, list(origins), {}).__enter__()
            yield self._shared[key]
            return
        gateway = self._make(scenario, list(origins), settings or {}, url)
        gateway.__enter__()
        try:
            yield gateway
            await asyncio.to_thread(gateway.stop)  # whose way to the broker may be this event loop's
        finally:
            gateway.end()

    def end(self):
        shared, self._shared = self._shared, {}
        try:
            for gateway in shared.values():
                gateway.stop()
        finally:
            for gateway in shared.values():
                gateway.end()


class World:
    """`async with World(…) as world:` for one scenario. `names` are the values of `$name` in its steps."""

    def __init__(self, scenario, gateways, demo, amqp_url, origins=()):
        self._scenario, self._gateways, self._origins = scenario, gateways, origins
        self._amqp_url = amqp_url
        self._stack = contextlib.AsyncExitStack()
        self.names = {"demo": demo, "topic": unique("scenario"), "two_thousand": "x" * 2000, "forty_thousand": "x" * 40_000}
        self.url = None
        self._other = self._service = self._gateway = self._way = self._way_to_broker = None
        self._calls = {}
        self._taken = []

    async def __aenter__(self):
        try:
            await self._begin()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _begin(self):
        scenario = self._scenario
        if scenario.stranger is not None or scenario.answers is not None:
            serving = speaking(scenario.stranger) if scenario.stranger is not None else answering(scenario.answers)
            self.url = f"ws://127.0.0.1:{await self._stack.enter_async_context(serving)}/websocket"
            return
        settings = {}
        if scenario.jwt:
            issuer = self._stack.enter_context(Issuer())
            settings = issuer.settings()
        url = None
        if scenario.broker:
            broker = urlsplit(self._amqp_url)
            self._way_to_broker = await self._stack.enter_async_context(Cut(broker.hostname, broker.port))
            url = self._amqp_url.replace(f":{broker.port}/", f":{self._way_to_broker.port}/")
        self._gateway = await self._stack.enter_async_context(self._gateways.of(scenario, self._origins, settings, url))
        if url:
            await asyncio.to_thread(self._gateway.until_ready)
        self._way = await self._stack.enter_async_context(Cut("127.0.0.1", self._gateway.port))
        self.url = f"ws://127.0.0.1:{self._way.port}/websocket"
        if any("$held" in json.dumps(step) for step in scenario.steps):
            self._service = await self._stack.enter_async_context(ManualService(self._amqp_url, unique("held")))
            self.names["held"] = self._service.name
        if scenario.jwt:  # last, for their time begins now
            self.names.update({name: issuer.token(n=name, **claims) for name, claims in scenario.jwt.items()})
            self._gateway.secrets |= {self.names[name] for name in scenario.jwt}

    async def __aexit__(self, *_):
        if self._other is not None:
            await self._other.close()
        await self._stack.aclose()

    # --- gateway

    async def gateway(self, verb, **words):
        await getattr(self, f"_{verb}")(**words)

    async def _kill_edges(self):
        for edge in self._gateway.edges:
            edge.process.kill()

    async def _start_edges(self):
        # In this thread: the kernel ends a child with the thread that made it.
        for edge in self._gateway.edges:
            edge.start()
        await asyncio.to_thread(self._gateway.until_ready)

    async def _kill_meshd(self):
        self._gateway.meshd.kill()

    async def _start_meshd(self):
        self._gateway.start_meshd()
        await asyncio.to_thread(self._gateway.until_ready)

    async def _drain(self):
        """Stops each edge in order and starts it again, one after the other, like a roll."""
        for edge in self._gateway.edges:
            await asyncio.to_thread(edge.process.stop)
            edge.start()
        await asyncio.to_thread(self._gateway.until_ready)

    async def _ctl(self, *words):
        return await asyncio.to_thread(ctl, self._gateway, *words)

    async def _kick(self, code, user="ann", session=None, reason="the scenario wants it"):
        await self._ctl("kick", *(["--session", session] if session else ["--user", user]), "--code", str(code), "--reason", reason)

    async def _send(self, message, user="ann"):
        await self._ctl("send", "--user", user, message if isinstance(message, str) else json.dumps(message))

    async def _tokens(self, known):
        """From now on the gateway knows only these tokens."""
        self._gateway.secrets |= set(known)
        self._gateway.tokens = known
        self._gateway.write_config()
        await self._ctl("reload")

    async def _until(self, metric, value):
        await eventually(lambda: metric_value(self._gateway, metric) == value, lambda: f"{metric} is {value}: {metric_value(self._gateway, metric)}")

    # --- network and broker

    async def network(self, verb):
        if verb == "until_lost":
            await eventually(lambda: self._way.lost, "the network has lost what was sent")
        else:
            getattr(self._way, verb)()

    async def broker(self, verb):
        """An outage as the gateway's connection sees it: a stopped broker refuses it in the same way, but takes longer to start."""
        if verb == "away":
            self._way_to_broker.cut()
            await eventually(lambda: not all(edge.ready() for edge in self._gateway.edges), "the gateway knows that its broker is away")
        else:
            self._way_to_broker.mend()
            await asyncio.to_thread(self._gateway.until_ready)

    # --- services and other clients

    async def service(self, verb, **words):
        await getattr(self, f"_service_{verb}")(**words)

    async def _service_take(self, method, name=None):
        """Waits for a call of this method; `name` identifies it for its answer."""
        while True:
            for call in self._taken:
                if call.method == method:
                    self._taken.remove(call)
                    self._calls[name or method] = call
                    return
            self._taken.append(await self._service.next_call())

    async def _service_answer(self, name, result=None, error=None):
        self._service.answer(self._calls[name], result=result, error=error)

    async def _service_untouched(self):
        """No other call has come."""
        assert not self._taken and self._service.calls.empty(), f"the service was called once more: {[call.method for call in self._taken] or self._service.calls}"

    async def other(self, verb, **words):
        """Another client, which may have lost its socket with an edge."""
        if self._other is not None and (verb == "close" or not self._other.open_still):
            await self._other.close()
            self._other = None
        if verb == "close":
            return
        if self._other is None:
            token = "secret-bob" if self._scenario.tokens is None else next(reversed(self._scenario.tokens))
            self._other = await Consumer.open(f"ws://127.0.0.1:{self._gateway.port}/websocket", token)
        await getattr(self, f"_other_{verb}")(**words)

    async def _other_publish(self, topic, event):
        await self._other.done("event", topic=topic, event=event)

    async def _other_publish_until_heard(self, topic, event, heard):
        """A subscription that has to be made again is there at some time; `heard()` says whether the event came."""
        async def come():
            if not heard():
                await self._other_publish(topic, event)
            return heard()
        await eventually(come, "an event of the subscription")

"""The driver of the Python client (clients/python): does what lines of JSON on standard input say, and writes what the application
saw to standard output (docs/tasks/test-your-client.md)."""

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "clients" / "python" / "src"))

from nuropb_gateway_client import Gateway, GatewayError, NotDelivered, ServiceError, Settings, UnknownOutcome  # noqa: E402

CAPABILITIES = ["outcomes", "events", "push", "concurrent", "timeouts", "reconnect", "resume", "provider", "queue", "cancel", "heartbeat", "callbacks", "first-message",
                "gaps", "buffers", "http-status", "message-limit", "size-errors"]
SECONDS = {"ttl_ms": "ttl", "grace_ms": "grace", "min_delay_ms": "min_delay", "max_delay_ms": "max_delay", "connect_timeout_ms": "connect_timeout", "heartbeat_ms": "heartbeat"}


def say(saw, **members):
    print(json.dumps({"saw": saw, **members}), flush=True)


def outcome_of(error):
    if isinstance(error, asyncio.CancelledError):
        return {"kind": "cancelled"}
    if not isinstance(error, GatewayError):
        return {"kind": "invalid", "description": f"{type(error).__name__}: {error}"}
    kind = next((kind for known, kind in ((NotDelivered, "not_sent"), (UnknownOutcome, "unknown"), (ServiceError, "refused")) if isinstance(error, known)), type(error).__name__)
    return {"kind": kind, "name": error.name, "description": error.description, "code": error.code, "retryable": error.retryable}


class Mistake(Exception):
    """Of the application."""


class Application:
    def __init__(self):
        self.client, self.calls, self.subscriptions, self.released = None, {}, {}, asyncio.Event()
        self.tasks = set()

    def do_open(self, url, token=None, provider=None, settings=None):
        chosen = {SECONDS.get(name, name): value / 1000 if name in SECONDS else value for name, value in (settings or {}).items()}
        self.client = Gateway(url, self.provider(provider) if provider else token, Settings(**{"min_delay": 0.02, "max_delay": 0.2, **chosen}))
        tell = {
            "open": lambda what: say("open", **what),
            "down": lambda what: say("down", code=what["code"], reason=what["reason"], delay_ms=what["delay"] * 1000 if "delay" in what else None),
            "lost": lambda what: say("lost", reason=what["reason"]),
            "close": lambda why: say("close", code=why.code, reason=why.reason, by_user=why.description == "closed by its user"),
            "message": lambda data: say("message", data=data),
            "expiring": lambda what: say("expiring"),
            "error": lambda error: say("error", name=error.name, description=error.description),
        }
        for name, listener in tell.items():
            self.client.on(name, listener)
        self.client.open()

    def provider(self, answers):
        """A function that gives the answers one after the other, and the last one again and again."""
        asked = 0

        async def give(why):
            nonlocal asked
            asked += 1
            say("asked", refused=why.refused, expiring=why.expiring)
            answer = answers[min(asked, len(answers)) - 1]
            if isinstance(answer, str):
                return answer
            does = answer["does"]
            if does == "never ends":
                await asyncio.Event().wait()
            if does == "raises":
                raise Mistake("the server of tokens is away")
            if does == "gives a number":
                return 5
            if does == "settles twice":
                future = asyncio.get_running_loop().create_future()
                future.set_result(answer["token"])
                try:
                    future.set_result("another")
                except asyncio.InvalidStateError:
                    pass  # which is how Python says that only the first one counts
                return await future
            assert does == "gives nothing", does
            return None
        return give

    def do_reopen(self):
        self.client.open()

    async def do_close(self):
        if self.client is not None:
            await self.client.close()

    def do_call(self, id, service, method, params=None, ttl_ms=None, idempotent=False):
        self.start(id, self.client.request(service, method, {} if params is None else params, ttl=ttl_ms and ttl_ms / 1000, idempotent=idempotent))

    def do_command(self, id, service, method, params=None):
        self.start(id, self.client.command(service, method, {} if params is None else params))

    def do_describe(self, id, service):
        self.start(id, self.client.describe(service))

    def do_publish(self, id, topic, event, target=None):
        self.start(id, self.client.publish(topic, event, target=target))

    def do_subscribe(self, id, topic, listener="plain", service=None):
        async def begin():
            self.subscriptions[id] = await self.client.subscribe(topic, self.listener(id, listener, service))
        self.start(id, begin())

    def listener(self, id, does, service):
        def tell(event):
            say("event", id=id, topic=event.topic, data=event.data, dropped=event.dropped, gap=event.gap, target=list(event.target) if event.target else None)

        def plain(event):
            tell(event)
            if does == "raises":
                raise Mistake("a listener that raises")

        async def by_task(event):
            tell(event)
            if does == "raises later":
                await asyncio.sleep(0)
                raise Mistake("a listener that raises later")
            if does == "never ends":
                await asyncio.Event().wait()
            if does == "holds":
                await self.released.wait()
            if does == "closes":
                await self.client.close()
            if does == "calls":
                self.start(f"{id}-call", self.client.request(service, "echo", {"heard": event.data}))
        return plain if does in ("plain", "raises") else by_task

    def do_unsubscribe(self, id):
        self.hold(asyncio.ensure_future(self.subscriptions.pop(id).end()))

    def do_cancel(self, id):
        self.calls[id].cancel()

    def do_release(self):
        self.released.set()

    def do_on(self, name, listener):
        def raises(_):
            raise Mistake("a listener that raises")

        async def never_ends(_):
            await asyncio.Event().wait()
        self.client.on(name, raises if listener == "raises" else never_ends)

    def start(self, id, call):
        """Reports what becomes of it."""
        task = self.calls[id] = asyncio.ensure_future(call)

        def ended(_):
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            say("outcome", id=id, **(outcome_of(error) if error else {"kind": "result", "value": task.result()}))
        task.add_done_callback(ended)
        self.hold(task)

    def hold(self, task):
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def main():
    say("ready", client="nuropb-gateway-client for Python", capabilities=CAPABILITIES)
    loop, application = asyncio.get_running_loop(), Application()
    reader = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        command = json.loads(line)
        done = getattr(application, f"do_{command.pop('do')}")(**command)
        if done is not None:
            application.hold(asyncio.ensure_future(done))
    await application.do_close()


if __name__ == "__main__":
    asyncio.run(main())

"""A consumer in Python: listens for orders, and places two of which one is refused.

    apt-get install python3-websockets        # or pip install websockets
    python3 consumer.py ws://HOST:PORT/websocket TOKEN [SERVICE]
"""

import asyncio
import itertools
import json
import sys

import websockets

# Version 14 of websockets has given this parameter another name; Debian 12 has version 10.
HEADERS = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"


class Refused(Exception):
    """What the gateway or the service said in place of a result."""


class Gateway:
    def __init__(self, ws):
        self.ws, self.numbers, self.waiting, self.events = ws, itertools.count(1), {}, asyncio.Queue()

    async def read(self):
        """Answers go to who asked, by trace_id: they come in the order in which services give them."""
        async for text in self.ws:
            message = json.loads(text)
            payload = message.get("payload", message)
            if message.get("type") == "event":
                self.events.put_nowait((payload["topic"], payload["event"]))
            elif answer := self.waiting.pop(payload.get("trace_id"), None):
                answer.set_result(payload)

    async def ask(self, verb, **members):
        trace_id = str(next(self.numbers))
        answer = self.waiting[trace_id] = asyncio.get_running_loop().create_future()
        await self.ws.send(json.dumps({"type": verb, "payload": {**members, "trace_id": trace_id}}))
        payload = await asyncio.wait_for(answer, 60)
        if payload["error"]:
            raise Refused("{error}: {description}".format(**payload["error"]))
        return payload["result"]


async def main(url, token, service="orders"):
    async with websockets.connect(url, **{HEADERS: {"Authorization": f"Bearer {token}"}}) as ws:
        gateway = Gateway(ws)
        reader = asyncio.create_task(gateway.read())
        topic, hello = await gateway.events.get()
        print(topic, hello["user_id"])
        await gateway.ask("subscribe", topic=f"{service}.placed")
        order = await gateway.ask("request", service=service, method="place", params={"item": "apple", "count": 2})
        print("placed", order["item"], order["count"])
        try:
            await gateway.ask("request", service=service, method="place", params={"item": "pear", "count": 1000})
        except Refused as error:
            print("refused", error)
        topic, order = await gateway.events.get()
        print("event", topic, order["item"])
        reader.cancel()


asyncio.run(main(*sys.argv[1:]))

"""A mesh service that answers when, how often and with what the test says.

The real Python service answers by itself; this one lets a test hold requests back, answer them twice, late or not at
all, and look at the AMQP message as it came over the wire.
"""

import asyncio
import functools
import json
import threading

import pika

from .broker import connection, declare_exchanges
from .waiting import DEFAULT_TIMEOUT


class Call:
    """One delivered request."""

    def __init__(self, method, properties, body):
        self.delivery_tag = method.delivery_tag
        self.redelivered = method.redelivered
        self.properties = properties
        self.text = body.decode()
        self.body = json.loads(body)

    @property
    def method(self):
        return self.body["method"]

    @property
    def params(self):
        return self.body["params"]


class ManualService:
    """Use inside a running event loop: `async with ManualService(url, "name") as service`."""

    def __init__(self, url, name, auto_ack=True, events=(), describes=True):
        self.describes = describes  # answers nuropb_describe by itself, as a service that does not know the method
        self.url, self.name, self.auto_ack, self.topics = url, name, auto_ack, events
        self.queue_name = f"nuropb-{name}-sq"
        self.calls = asyncio.Queue()

    async def __aenter__(self):
        self._loop = asyncio.get_running_loop()
        ready = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        await ready
        return self

    def _serve(self, ready):
        try:
            declare_exchanges(self.url)
            self._link = connection(self.url)
            self._channel = self._link.channel()
            self._channel.queue_declare(self.queue_name, durable=True, arguments={"x-dead-letter-exchange": "nuropb-dl-exchange"})
            self._channel.queue_bind(self.queue_name, "nuropb-rpc-exchange", self.name)
            for topic in self.topics:
                self._channel.queue_bind(self.queue_name, "nuropb-events-exchange", topic)
            self._channel.basic_consume(self.queue_name, self._delivered, auto_ack=self.auto_ack)
            self._loop.call_soon_threadsafe(ready.set_result, None)
        except Exception as error:  # the test is told why
            self._loop.call_soon_threadsafe(ready.set_exception, error)
            return
        try:
            self._channel.start_consuming()
        except pika.exceptions.AMQPError:
            pass  # the test has stopped the broker

    def _delivered(self, channel, method, properties, body):
        call = Call(method, properties, body)
        if self.describes and call.body.get("method") == "nuropb_describe":
            self.answer(call, error={"error": "NuropbHandlingError", "description": "Unknown method nuropb_describe"})
            if not self.auto_ack:
                channel.basic_ack(method.delivery_tag)
            return
        self._loop.call_soon_threadsafe(self.calls.put_nowait, call)

    async def next_call(self, timeout=DEFAULT_TIMEOUT):
        return await asyncio.wait_for(self.calls.get(), timeout)

    async def next_calls(self, count, timeout=DEFAULT_TIMEOUT):
        return [await self.next_call(timeout) for _ in range(count)]

    def _on_thread(self, action):
        self._link.add_callback_threadsafe(action)

    def answer(self, call, result=None, error=None, **changes):
        """Sends a response; `changes` replace members of its body."""
        body = {
            "tag": "response", "result": result, "error": error, "correlation_id": call.properties.correlation_id,
            "trace_id": call.body["trace_id"], "context": call.body["context"], "warning": None,
            "reply_to": call.properties.reply_to, **changes,
        }
        self.answer_raw(call, json.dumps(body).encode())

    def answer_raw(self, call, body):
        properties = pika.BasicProperties(
            content_type="application/json",
            correlation_id=call.properties.correlation_id,
            headers={
                "nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "response",
                "trace_id": call.properties.headers.get("trace_id"), "encrypted": "",
            },
        )
        self._on_thread(functools.partial(self._channel.basic_publish, "", call.properties.reply_to, body, properties))

    async def __aexit__(self, *_):
        def end():
            try:
                self._channel.queue_delete(self.queue_name)
                self._link.close()
            except pika.exceptions.AMQPError:
                pass
        try:
            self._on_thread(end)
        except pika.exceptions.AMQPError:
            pass
        await asyncio.to_thread(self._thread.join, 10)

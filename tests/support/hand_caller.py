"""A caller that builds each AMQP message itself: for messages that no client library would send, and to inspect the answers."""

import json
import time
import uuid

import pika

from .broker import connection, declare_exchanges

HEADERS = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "request", "trace_id": "t-hand", "encrypted": ""}
GONE = object()  # as a header's value: leave the header out


def body(service, method, params=None, tag="request", context=None, **members):
    """A request or command as the Python peer writes it."""
    whole = {"tag": tag, "service": service, "method": method, "params": params or {}, "correlation_id": "in-the-body",
             "context": {"who": "ann"} if context is None else context, "trace_id": "t-hand", **members}
    return json.dumps(whole).encode()


class Came:
    """A received message."""

    def __init__(self, method, properties, payload):
        self.redelivered, self.routing_key, self.properties, self.bytes = method.redelivered, method.routing_key, properties, payload
        self.headers = properties.headers or {}

    @property
    def body(self):
        return json.loads(self.bytes)

    @property
    def error(self):
        return self.body["error"]


class HandCaller:
    """`with HandCaller(url, service) as caller`: queues of its own for answers, for dead letters and for events."""

    def __init__(self, url, service):
        declare_exchanges(url)
        self.service = service
        self.link = connection(url)
        self.channel = self.link.channel()
        self.channel.confirm_delivery()
        self.answers_queue, self.letters_queue, self.events_queue = (self.channel.queue_declare("", exclusive=True).method.queue for _ in range(3))
        self.channel.queue_bind(self.letters_queue, "nuropb-dl-exchange", "")
        self.channel.queue_bind(self.events_queue, "nuropb-events-exchange", f"{service}.seen.#")

    def put(self, payload, correlation_id=None, headers=None, exchange="nuropb-rpc-exchange", routing_key=None, **properties):
        """Publishes; returns the correlation id. `headers` replaces some of the good ones."""
        correlation_id = correlation_id or uuid.uuid4().hex
        merged = {key: value for key, value in {**HEADERS, **(headers or {})}.items() if value is not GONE}
        given = {"content_type": "application/json", "correlation_id": correlation_id, "reply_to": self.answers_queue, "headers": merged, **properties}
        self.channel.basic_publish(exchange, routing_key or self.service, payload, pika.BasicProperties(**{k: v for k, v in given.items() if v is not GONE}), mandatory=True)
        return correlation_id

    def take(self, queue, timeout=30.0):
        deadline = time.monotonic() + timeout
        while True:
            method, properties, payload = self.channel.basic_get(queue, auto_ack=True)
            if method:
                return Came(method, properties, payload)
            assert time.monotonic() < deadline, f"nothing came to {queue}"
            self.link.process_data_events(0.01)

    def answer(self, correlation_id, **options):
        """The next answer, which must have this correlation id."""
        came = self.take(self.answers_queue, **options)
        assert came.properties.correlation_id == correlation_id, (came.properties, came.bytes)
        assert came.body["correlation_id"] == correlation_id and came.body["tag"] == "response"
        return came

    def ask(self, method, params=None, **members):
        return self.answer(self.put(body(self.service, method, params, **members)))

    def command(self, method, params=None, **members):
        return self.put(body(self.service, method, params, tag="command", **members), headers={"nuropb_type": "command"})

    def event(self, payload, topic="x", **members):
        whole = {"tag": "event", "topic": f"{self.service}.events.{topic}", "event": payload, "context": {}, "trace_id": "t-hand", "correlation_id": "e", "target": None, **members}
        return self.put(json.dumps(whole).encode(), headers={"nuropb_type": "event"}, exchange="nuropb-events-exchange", routing_key=whole["topic"], reply_to=GONE)

    def dead_letter(self, correlation_id):
        """The dead letter of this message; other dead letters on the broker are skipped."""
        deadline = time.monotonic() + 30
        while True:
            came = self.take(self.letters_queue, max(0.1, deadline - time.monotonic()))
            if came.properties.correlation_id == correlation_id:
                return came

    def nothing_more(self):
        """All that was put before has ended, and no further answer came: the service handles its queue in order, so the
        answer to one more request would have come after them. Nothing of ours is among the dead letters either."""
        last = self.put(body(self.service, "echo", {"value": "last"}))
        assert self.answer(last).body["result"] == "last"
        last = self.put(body(self.service, "raises", {"text": "the last letter"}))
        self.answer(last)
        while True:
            letter = self.take(self.letters_queue)
            if letter.properties.correlation_id == last:
                return
            of_ours = letter.headers.get("x-first-death-queue") == f"nuropb-{self.service}-sq"  # all services' letters come here
            assert not of_ours or letter.headers.get("trace_id") != "t-hand", (letter.properties, letter.bytes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.link.close()
        except pika.exceptions.AMQPError:
            pass

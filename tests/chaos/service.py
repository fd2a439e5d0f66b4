"""The service under chaos: a process of its own, so that it can be stopped and killed. Every execution is a line in a
file before it is answered; the file outlives the process. Usage: service.py URL NAME LEDGER"""

import functools
import json
import os
import sys
import time

import pika

HEADERS = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "response", "encrypted": ""}


class Service:
    def __init__(self, url, name, ledger):
        self.url, self.name = url, name
        self.ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def serve(self):
        """On one connection, until it is lost."""
        parameters = pika.URLParameters(self.url)
        parameters.heartbeat = 5
        link = pika.BlockingConnection(parameters)
        channel = link.channel()
        for exchange, kind in (("nuropb-dl-exchange", "fanout"), ("nuropb-events-exchange", "topic"), ("nuropb-rpc-exchange", "direct")):
            channel.exchange_declare(exchange, kind, durable=True)
        queue = f"nuropb-{self.name}-sq"
        channel.queue_declare(queue, durable=True, arguments={"x-dead-letter-exchange": "nuropb-dl-exchange"})
        channel.queue_bind(queue, "nuropb-rpc-exchange", self.name)
        # Acknowledged as they come: the broker gives nothing twice, so a second execution is the gateway's doing.
        channel.basic_consume(queue, functools.partial(self.called, link), auto_ack=True)
        print("ready", flush=True)
        channel.start_consuming()

    def called(self, link, channel, method, properties, body):
        call = json.loads(body)
        if call["method"] == "nuropb_describe":
            return self.answer(channel, properties, call, None, {"error": "NuropbHandlingError", "description": "Unknown method nuropb_describe"})
        params = call["params"]
        os.write(self.ledger, f"{params['id']} {properties.correlation_id} {call['tag']}\n".encode())
        if call["tag"] == "command" or call["method"] == "hold":
            return
        if call["method"] == "slow":
            link.call_later(params["ms"] / 1000, functools.partial(self.answer, channel, properties, call, params["id"]))
        else:
            self.answer(channel, properties, call, params["id"])

    def answer(self, channel, properties, call, result, error=None):
        body = {
            "tag": "response", "result": result, "error": error, "correlation_id": properties.correlation_id,
            "trace_id": call["trace_id"], "context": call["context"], "warning": None, "reply_to": properties.reply_to,
        }
        headers = {**HEADERS, "trace_id": call["trace_id"]}
        if channel.is_open:
            channel.basic_publish("", properties.reply_to, json.dumps(body).encode(),
                                  pika.BasicProperties(content_type="application/json", correlation_id=properties.correlation_id, headers=headers))


def main():
    service = Service(*sys.argv[1:])
    while True:
        try:
            service.serve()
        except (pika.exceptions.AMQPError, OSError) as error:
            print(f"lost the broker: {type(error).__name__}", flush=True)
            time.sleep(0.2)


if __name__ == "__main__":
    main()

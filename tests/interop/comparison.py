"""Records a gateway's answers in a form that can be compared with another gateway's."""

import asyncio
import math
import re
import uuid

from support.consumer import ANSWER_TIMEOUT, Consumer, RawSocket
from support.consumer import Closed

HEX32 = r"[0-9a-f]{32}"
REPLY_TIMEOUT = 20.0  # every message has a reply of ours


def normal(value):
    """Removes what differs between runs."""
    if isinstance(value, dict):
        return {key: "<hex32>" if key in ("session_id", "trace_id") and re.fullmatch(HEX32, str(item)) else normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, str):
        return re.sub(rf"(correlation_id: ){HEX32}(?:[0-9a-f]{{16}})?\b", r"\1<hex32>", value)
    if isinstance(value, float) and math.isnan(value):
        return "<NaN>"
    return value


async def talk(url, service, messages, answers_all):
    """Sends each message on one socket; returns by name what came back before the answer to a request sent behind it.

    0.1.4 takes a socket's messages strictly one after another, so what it has not said by then it never says. Ours
    (answers_all) works on them at once, so first the one reply that each of them must have is awaited."""
    heard = {}
    tag = uuid.uuid4().hex[:8]
    consumer = await Consumer.open(url)
    heard["hello"] = [normal(consumer.hello)]
    for name, message in messages.items():
        if isinstance(message, str):
            message = message.replace("{service}", service).replace("{tag}", tag)
        else:
            message = message.replace(b"{service}", service.encode())
        replies = heard[name] = []
        try:
            await consumer.send(message)
            if answers_all:
                try:
                    replies.append(await consumer.other(REPLY_TIMEOUT))
                except asyncio.TimeoutError:
                    pass
            await consumer.request(service, "echo", {}, ANSWER_TIMEOUT, trace_id=f"fence-{uuid.uuid4().hex}")
        except Closed as closed:
            replies.append(str(closed))
        except asyncio.TimeoutError:
            replies.append("<the socket is stuck>")
        while not consumer.others.empty():
            reply = consumer.others.get_nowait()
            if reply is not None:
                replies.append(reply)
        replies[:] = [normal(reply) for reply in replies if reply is not None]
        if not consumer.open_still or "<the socket is stuck>" in replies:
            await consumer.close()
            consumer = await Consumer.open(url)
    await consumer.close()
    return heard


async def shake_hands(port, handshakes):
    """Tries each upgrade; returns by name the refusal's status, or what the first frame was."""
    heard = {}
    for name, headers in handshakes.items():
        raw = await RawSocket.connect("127.0.0.1", port)
        await raw.send(raw.upgrade(host=f"127.0.0.1:{port}", **headers))
        status = await raw.response()
        if status != 101:
            heard[name] = {"refused": status}
        else:
            opcode, payload = await raw.read_frame()
            if opcode == 8:
                code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else None
                heard[name] = {"closed": code}
            else:
                heard[name] = {"user": re.search(r'"user_id": ?"([^"]*)"', payload.decode())[1]}
        await raw.close()
    return heard

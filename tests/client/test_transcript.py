"""The transcript of docs/reference/protocol.md, played against a gateway line by line."""

import asyncio
import json
import re

from support.consumer import ANSWER_TIMEOUT, Consumer
from support.paths import ROOT
from support.websocket import connect

PAGE = (ROOT / "docs" / "reference" / "protocol.md").read_text()
[LINES] = re.findall(r"^```transcript\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def same(shown, real):
    """Matches the text that the page shows; … stands for any text."""
    if shown == "…":
        return isinstance(real, str) and real != ""
    if isinstance(shown, dict):
        return isinstance(real, dict) and shown.keys() == real.keys() and all(same(shown[name], real[name]) for name in shown)
    return type(shown) is type(real) and shown == real


def tokens_in(message):
    if isinstance(message, dict):
        for name, value in message.items():
            if name == "resume":
                yield value["token"]
            yield from tokens_in(value)


async def dial(gateway):
    return await connect(gateway.url, {"Authorization": "Bearer secret-ann"}, compression=None, ping_interval=None)


async def test_the_transcript_of_the_page(opened, demo):
    gateway = opened()
    kept = None  # the token of the session that was lost is the last one before its loss
    token, sent, answered = None, 0, 0
    ws = await dial(gateway)
    for line in LINES.splitlines():
        mark, text = line[0], line[2:].replace('"service":"demo"', json.dumps({"service": demo}, separators=(",", ":"))[1:-1])
        if mark == "#" and "is lost" in text:
            ws.transport.abort()
            kept = token
            async with await Consumer.open(gateway.url, "secret-bob") as publisher:
                await publisher.done("event", topic="news.sport", event={"goal": 1})
            ws = await dial(gateway)
        elif mark == ">":
            sent += 1
            await ws.send(text.replace('"token":"…"', f'"token":"{kept}"'))
        elif mark == "<":
            answered += 1
            real = json.loads(await asyncio.wait_for(ws.recv(), ANSWER_TIMEOUT))
            assert same(json.loads(text), real), f"{text}\n{json.dumps(real, ensure_ascii=False)}"
            token = next(tokens_in(real), token)
    assert (sent, answered) == (8, 10)
    await ws.close()

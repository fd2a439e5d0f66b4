"""Servers that are not gateways: a WebSocket server that sends arbitrary messages, and an HTTP server that refuses handshakes."""

import asyncio
import contextlib
import json

import websockets


def _hello(**more):
    event = {"session_id": "a-session", "user_id": "ann", "username": None, **more}
    return json.dumps({"type": "event", "payload": {"topic": "hello", "event": event}})


NAMES = {"hello": _hello(), "hello_that_resumes": _hello(resume={"token": "t", "window_ms": 1000})}


def message(written):
    """As a scenario has it: a text, `$hello`, or a table that says how it is made."""
    if isinstance(written, str):
        return NAMES[written[1:]] if written[:1] == "$" else written
    if "bytes" in written:
        return bytes.fromhex(written["bytes"])
    return written["repeat"] * written["times"]


@contextlib.asynccontextmanager
async def speaking(lists):
    """The port of a server that sends the first list of messages to the first socket, and so on; after the last one a hello."""
    count = 0

    async def serve(ws, *_):
        nonlocal count
        count += 1
        try:
            for one in lists[count - 1] if count <= len(lists) else ["$hello"]:
                await ws.send(message(one))
            await ws.wait_closed()
        except websockets.ConnectionClosed:
            pass
    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["nuropb"]) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@contextlib.asynccontextmanager
async def answering(answers):
    """The port of a server that answers the first handshake with the first answer, and so on; the last one again and again."""
    left = list(answers)

    async def come(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(message(left.pop(0) if len(left) > 1 else left[0]).encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
    server = await asyncio.start_server(come, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]

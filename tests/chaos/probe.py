"""How long requests take, measured by a process that does nothing else: the harness itself is busy when fifty of its
sockets come back at once. Usage: probe.py URL SERVICE FILE; writes "sent ended" of each answer, on the machine's
monotonic clock. Its sockets lie on whichever edges the kernel chose; one whose edge dies opens another."""

import asyncio
import sys
import time

import websockets

from support.consumer import Closed, Consumer

SOCKETS, PAUSE = 8, 0.05


async def measure(url, service, file):
    while True:
        try:
            async with await Consumer.open(url) as consumer:
                while True:
                    sent = time.monotonic()
                    answer = await consumer.request(service, "echo", {"value": 1}, ttl=5000)
                    if answer["error"] is None:
                        file.write(f"{sent} {time.monotonic()}\n")
                    consumer.answers.clear()
                    await asyncio.sleep(PAUSE)
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException, Closed, AssertionError):
            await asyncio.sleep(0.1)


async def main(url, service, file):
    with open(file, "w", buffering=1) as out:
        await asyncio.gather(*(measure(url, service, out) for _ in range(SOCKETS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

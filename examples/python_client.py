"""A consumer on the Python client: listens for orders, and places two of which one is refused.

    pip install clients/python                # the package nuropb-gateway-client
    python3 python_client.py ws://HOST:PORT/websocket TOKEN [SERVICE]
"""

import asyncio
import sys
from typing import Optional

from nuropb_gateway_client import Closed, Gateway, NotDelivered, ServiceError, UnknownOutcome, Why


async def main(url: str, token: str, service: str = "orders") -> None:
    async def provider(why: Why) -> Optional[str]:
        # Asked at each connect, before it expires, and when it was refused.
        return None if why.refused else token

    def closed(why: Closed) -> None:
        if why.code:
            print("over:", why, file=sys.stderr)

    async with Gateway(url, provider) as gateway:
        gateway.on("open", lambda session: print("again" if session["resumed"] else "hello", session["user_id"]))
        gateway.on("close", closed)
        async with gateway.events(f"{service}.placed") as placed:
            await ask(gateway, service)
            async for event in placed:
                print("event", event.topic, event.data["item"])
                break


async def ask(gateway: Gateway, service: str) -> None:
    order = await gateway.request(service, "place", {"item": "apple", "count": 2}, ttl=5)
    print("placed", order["item"], order["count"])
    try:
        await gateway.request(service, "place", {"item": "pear", "count": 1000})
    except NotDelivered:
        print("has not run, try again")  # no such service now, over a limit, …
    except UnknownOutcome:
        print("nobody knows whether it ran")
    except ServiceError as error:
        print("refused", error)


asyncio.run(main(*sys.argv[1:]))

"""A service of the mesh in Python: takes orders, says whose each is, and publishes an event for it.

NuroPb's package needs Python 3.9, 3.10 or 3.11, best in a virtual environment:

    python3.11 -m venv venv
    venv/bin/pip install nuropb==0.1.8
    AMQP_URL=amqp://USER:PASSWORD@HOST:PORT/ venv/bin/python service.py [SERVICE]
"""

import asyncio
import itertools
import os
import sys
import uuid

from nuropb.contexts.context_manager_decorator import nuropb_context
from nuropb.interface import NuropbSuccess, NuropbValidationError
from nuropb.rmq_api import RMQAPI


class Orders:
    """Takes orders"""

    _version = "1.0"

    def __init__(self, name):
        self._service_name = name
        self._numbers = itertools.count(1)

    @nuropb_context  # gives the method ctx, which callers neither see nor write
    def place(self, ctx, item: str, count: int = 1):
        """Places an order"""
        user_id = ctx.context["user_id"]  # of the client's token, as the gateway has verified it
        if count > 100:
            raise NuropbValidationError(description="100 at most")
        order = {"number": next(self._numbers), "item": item, "count": count, "user_id": user_id}
        # The event goes out with the result, and only then.
        raise NuropbSuccess(result=order, events=[{"topic": f"{self._service_name}.placed", "payload": order, "target": None}])


async def main(name="orders"):
    url = os.environ.get("AMQP_URL") or sys.exit("AMQP_URL is not set: amqp://USER:PASSWORD@HOST:PORT/, or what scripts/quickstart prints")
    api = RMQAPI(amqp_url=url, service_name=name, instance_id=uuid.uuid4().hex, service_instance=Orders(name))
    await api.connect()
    if not api.connected:
        sys.exit("can't connect to AMQP_URL: is the broker running, are user and password right?")
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))

"""A service of the mesh in Python: takes orders, and tells whoever listens of each.

    pip install nuropb==0.1.8
    python service.py AMQP_URL [SERVICE]
"""

import asyncio
import itertools
import sys
import uuid

from nuropb.interface import NuropbSuccess, NuropbValidationError
from nuropb.rmq_api import RMQAPI


class Orders:
    """Takes orders"""

    _version = "1.0"

    def __init__(self, name):
        self._service_name = name
        self._numbers = itertools.count(1)

    def place(self, item: str, count: int = 1):
        """Places an order"""
        if count > 100:
            raise NuropbValidationError(description="100 at most")
        order = {"number": next(self._numbers), "item": item, "count": count}
        # The event goes out with the result, and only then.
        raise NuropbSuccess(result=order, events=[{"topic": f"{self._service_name}.placed", "payload": order, "target": None}])


async def main(url, name="orders"):
    api = RMQAPI(amqp_url=url, service_name=name, instance_id=uuid.uuid4().hex, service_instance=Orders(name))
    await api.connect()
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))

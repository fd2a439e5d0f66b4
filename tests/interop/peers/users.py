"""A real NuroPb service that says who a token is: nuropb 0.1.8 from PyPI.

    python users.py AMQP_URL SERVICE_NAME

Prints "ready" when it consumes. Runs under the Python of the peers' venv.
"""

import asyncio
import logging
import sys
import uuid

from nuropb.contexts.describe import publish_to_mesh
from nuropb.interface import NuropbAuthenticationError
from nuropb.rmq_api import RMQAPI


class Users:
    """Knows one user, and one token that was stolen"""

    _version = "1.0.0"

    def __init__(self, service_name):
        self._service_name = service_name

    @publish_to_mesh
    def authorize(self, token: str):
        if token == "token-of-carol":
            return {"user_id": "carol", "username": "Carol", "roles": ["clerk"], "claims": {"tenant": "acme"}, "expires": 4102444800}
        if token == "token-that-was-stolen":
            raise NuropbAuthenticationError(description="stolen")
        if token == "token-that-breaks-it":
            raise ValueError("broken")
        return None


async def main(url, name):
    api = RMQAPI(amqp_url=url, service_name=name, instance_id=uuid.uuid4().hex, service_instance=Users(name))
    await api.connect()
    assert api.connected
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)  # the errors that it is made to give are no news
    asyncio.run(main(*sys.argv[1:3]))

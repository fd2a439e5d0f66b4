"""A real NuroPb service with methods that require encryption: nuropb 0.1.8 from PyPI.

    python encrypted_service.py AMQP_URL SERVICE_NAME

Makes itself a key at each start. Prints "ready" when it consumes. Runs under the Python of the peers' venv.
"""

import asyncio
import logging
import sys
import uuid

from cryptography.hazmat.primitives.asymmetric import rsa
from nuropb.contexts.context_manager_decorator import nuropb_context
from nuropb.contexts.describe import publish_to_mesh
from nuropb.interface import NuropbCallAgain, NuropbValidationError
from nuropb.rmq_api import RMQAPI


class Secretive:
    """Has secrets"""

    _version = "1.0"

    def __init__(self, service_name):
        self._service_name = service_name
        self._private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._noted = []
        self._again = set()

    def open(self, value=None):
        return value

    @publish_to_mesh(requires_encryption=True)
    def secret(self, value=None):
        return value

    @publish_to_mesh(requires_encryption=True)
    async def secret_later(self, value=None):
        await asyncio.sleep(0.02)
        return value

    @publish_to_mesh(requires_encryption=True)
    def secret_raises(self):
        raise ValueError("boom")

    @publish_to_mesh(requires_encryption=True)
    def secret_invalid(self):
        raise NuropbValidationError(description="a is not a number")

    @publish_to_mesh(requires_encryption=True)
    def secret_again(self, key):
        if key not in self._again:
            self._again.add(key)
            raise NuropbCallAgain("come back")
        return "second time"

    @nuropb_context
    @publish_to_mesh(requires_encryption=True)
    def secret_context(self, ctx):
        return ctx.context

    @publish_to_mesh(requires_encryption=True)
    def secret_note(self, text):
        self._noted.append(text)

    def noted(self):
        return self._noted


async def main(url, name):
    api = RMQAPI(amqp_url=url, service_name=name, instance_id=uuid.uuid4().hex, service_instance=Secretive(name))
    await api.connect()
    assert api.connected
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)  # the errors that it is made to give are no news
    asyncio.run(main(*sys.argv[1:3]))

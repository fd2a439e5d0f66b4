"""A real NuroPb service in the original's ServiceContainer: nuropb 0.1.8 from PyPI, with etcd.

    python container.py AMQP_URL MANAGEMENT_API_URL ETCD_HOST ETCD_PORT SERVICE_NAME INSTANCE_ID

Prints every state that the container enters. Runs under the Python of the peers' venv.
"""

import asyncio
import logging
import sys

from nuropb.rmq_api import RMQAPI
from nuropb.service_runner import ServiceContainer


class Echo:
    """Gives back what it got"""

    _version = "1.2.3"

    def __init__(self, name):
        self._service_name = name

    def echo(self, value=None):
        return value


def say(line):
    """In one write: the original's log goes to the same file, from a thread of its own."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Told(ServiceContainer):
    @property
    def running_state(self):
        return self._running_state

    @running_state.setter
    def running_state(self, value):
        if value != self._running_state:
            say(f"state {value}")
        self._running_state = value


async def main(url, api_url, host, port, name, instance):
    api = RMQAPI(amqp_url=url, service_name=name, instance_id=instance, service_instance=Echo(name))
    container = Told(rmq_api_url=api_url, instance=api, etcd_config={"host": host, "port": int(port)})
    started = await container.start()
    say(f"started {started}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(*sys.argv[1:7]))

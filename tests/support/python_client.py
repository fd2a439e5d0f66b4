"""The Python client (clients/python) as a test uses it: on the test's own event loop, with all notifications recorded."""

import os
import sys

from .paths import ROOT
from .waiting import eventually

SOURCES = ROOT / "clients" / "python" / "src"
sys.path.insert(0, str(SOURCES))

from nuropb_gateway_client import Gateway, Settings  # noqa: E402

QUICK = {"min_delay": 0.02, "max_delay": 0.2}


class Watched(Gateway):
    """Records notifications. Reconnects quickly unless the settings say otherwise."""

    def __init__(self, url, token="secret-ann", **settings):
        super().__init__(url, token, Settings(**{**QUICK, **settings}))
        self.told = []  # (name, what)
        for name in self.NAMES:
            self.on(name, lambda what, name=name: self.told.append((name, what)))

    def all(self, name):
        return [what for told, what in self.told if told == name]

    async def seen(self, name, count=1):
        """The notifications `name`, once there are `count` of them."""
        await eventually(lambda: len(self.all(name)) >= count, lambda: f"{count} {name}: {self.told}, {self.state}")
        return self.all(name)


def environment(**more):
    """The environment of a program that imports the client; every warning is an error."""
    path = os.pathsep.join(part for part in (str(SOURCES), os.environ.get("PYTHONPATH")) if part)
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


async def raised(awaitable):
    """The exception that it raises; it must raise one."""
    try:
        result = await awaitable
    except Exception as error:
        return error
    raise AssertionError(f"nothing was raised; it gave {result!r}")

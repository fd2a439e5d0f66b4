"""All scenarios on any driver: the drivers of this tree by name, and what runs of several scenarios share."""

import asyncio
from pathlib import Path

from support.javascript import NODE_OPTIONS, node
from support.paths import binary

from .driver import Driver, DriverFailed
from .performance import Performance
from .world import Gateways, World

HERE = Path(__file__).resolve().parent / "drivers"
PYTHON = "/usr/bin/python3"
DRIVERS = {
    "python": lambda: [PYTHON, "-W", "error", HERE / "python.py"],
    "node": lambda: [node(), *NODE_OPTIONS, HERE / "node.mjs"],
    "node-ws": lambda: [node(), *NODE_OPTIONS, HERE / "node.mjs", "--ws"],
    "chromium": lambda: [PYTHON, HERE / "chromium.py"],
    "C++ example": lambda: [binary("example_driver")],
}
LIMIT = 150.0  # seconds for one scenario, on a machine that does other things as well


class Skipped(Exception):
    """The client lacks a capability that the scenario needs."""


class Suite:
    """Used within one event loop."""

    def __init__(self, amqp_url, demo):
        self._amqp_url, self._demo = amqp_url, demo
        self._gateways = Gateways(amqp_url)
        self._kept = {}  # command → the driver, which can be reset

    async def run(self, scenario, command):
        """Raises Skipped, or an AssertionError with the reason."""
        try:
            await asyncio.wait_for(self._run(scenario, command), LIMIT)
        except asyncio.TimeoutError as error:
            raise AssertionError(f"{scenario.name}: not done within {LIMIT:g} s") from error

    async def _run(self, scenario, command):
        key = tuple(map(str, command))
        driver = self._kept.pop(key, None) or await Driver(command).__aenter__()
        try:
            missing = scenario.missing(driver.capabilities)
            if not missing:
                await driver.begin()
                await self._perform(scenario, driver)
            # What is left of the scenario ends; that of a driver which is kept has ended already.
            if driver.ready.get("reset"):
                self._kept[key] = driver
            elif driver.running:
                await driver.end()
        except BaseException as error:
            await driver.__aexit__(type(error), error, None)
            raise
        if missing:
            raise Skipped(", ".join(missing))

    async def _perform(self, scenario, driver):
        origins = [driver.ready["origin"]] if driver.ready.get("origin") else []
        async with World(scenario, self._gateways, self._demo, self._amqp_url, origins) as world:
            await Performance(scenario, driver, world).run()
            await driver.say({"do": "close"})
            # Its sockets are closed before the gateway stops, which would wait for them.
            await (driver.begin() if driver.ready.get("reset") else driver.end())

    async def capabilities(self, command):
        async with Driver(command) as driver:
            return driver.capabilities

    async def end(self):
        kept, self._kept = self._kept, {}
        try:
            for driver in kept.values():
                await driver.end()
        finally:
            self._gateways.end()


__all__ = ["DRIVERS", "DriverFailed", "Skipped", "Suite"]

"""Unit tests of the client: no network, and a clock that is moved by hand. Against a real gateway: tests/client/python."""

import asyncio
import inspect
import selectors
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))


class _Skipping(selectors.DefaultSelector):
    """Where the loop would wait for its next timer, its clock moves there at once."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0

    def select(self, timeout=None):
        if timeout is not None and timeout > 0:
            ready = super().select(0)
            if not ready:
                self.now += timeout
            return ready
        return super().select(timeout)


class ManualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.skipping = _Skipping()
        super().__init__(self.skipping)

    def time(self):
        return self.skipping.now


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs `async def` tests on a ManualLoop. What is left behind fails the test."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    loop = ManualLoop()
    try:
        loop.run_until_complete(pyfuncitem.obj(**arguments))
        left = [task for task in asyncio.all_tasks(loop)]
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        assert not left, left
    finally:
        loop.close()
    return True

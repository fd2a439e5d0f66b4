"""Waiting for states. Tests don't sleep: they say which state they wait for, and what to print if it never comes."""

import asyncio
import inspect
import time

DEFAULT_TIMEOUT = 45.0  # costs time only if the state is never reached
POLL = 0.02


class NeverCame(AssertionError):
    pass


def wait_until(state, what, timeout=DEFAULT_TIMEOUT):
    """Calls `state` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        value = state()
        if value:
            return value
        if time.monotonic() > deadline:
            raise NeverCame(f"after {timeout} s still not: {what() if callable(what) else what}")
        time.sleep(POLL)


async def eventually(state, what, timeout=DEFAULT_TIMEOUT):
    """The same inside an event loop; `state` may be a coroutine function."""
    deadline = time.monotonic() + timeout
    while True:
        value = state()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise NeverCame(f"after {timeout} s still not: {what() if callable(what) else what}")
        await asyncio.sleep(POLL)

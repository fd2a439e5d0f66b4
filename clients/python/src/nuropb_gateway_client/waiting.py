"""Waiting that ends: within a time, in a thread, and as tasks that are referenced."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from typing import Any, Awaitable, Callable, Collection, Coroutine, Optional, Set, Tuple, TypeVar

T = TypeVar("T")
log = logging.getLogger("nuropb_gateway_client")


async def within(seconds: float, awaitable: Awaitable[T], discard: Optional[Callable[[T], None]] = None) -> T:
    """Its result, or asyncio.TimeoutError. Unlike asyncio.wait_for it does not wait for one that ignores its cancellation;
    `discard` is given a result that comes when nobody waits for it any more."""
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=max(0.0, seconds))
    except BaseException:
        _give_up(task, discard)
        raise
    if task.done():
        return task.result()
    _give_up(task, discard)
    raise asyncio.TimeoutError


def _give_up(task: "asyncio.Future[T]", discard: Optional[Callable[[T], None]]) -> None:
    def ended(_: "asyncio.Future[T]") -> None:
        # Asking for the exception marks it as seen.
        if not task.cancelled() and task.exception() is None and discard is not None:
            discard(task.result())
    if task.done():
        ended(task)
    else:
        task.cancel()
        task.add_done_callback(ended)


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """What a plain function returns. The thread is a daemon: one that never returns keeps no interpreter from ending, as one
    of the loop's executor would."""
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[Tuple[bool, Any]]" = loop.create_future()
    context = contextvars.copy_context()

    def settle(outcome: Tuple[bool, Any]) -> None:
        if not future.done():
            future.set_result(outcome)

    def run() -> None:
        try:
            outcome: Tuple[bool, Any] = (True, context.run(function, *arguments))
        except BaseException as error:  # a SystemExit in there ends nothing but the call
            outcome = (False, error)
        try:
            loop.call_soon_threadsafe(settle, outcome)
        except RuntimeError:
            pass  # the loop has ended meanwhile

    threading.Thread(target=run, name="nuropb-gateway-token", daemon=True).start()
    good, value = await future
    if not good:
        # A StopIteration or SystemExit must not be raised in a coroutine as it is.
        raise value if isinstance(value, Exception) and not isinstance(value, StopIteration) else RuntimeError(_named(value))
    result: T = value
    return result


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {text_of(error)}"


def text_of(thrown: object) -> str:
    """Of anything, also of what no text can be made of."""
    try:
        return str(thrown)
    except Exception:
        return type(thrown).__name__


class Tasks:
    """Tasks that are held until they end: asyncio itself only has weak references to them."""

    def __init__(self) -> None:
        self._running: Set["asyncio.Task[Any]"] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the client has failed", exc_info=task.exception())

    def cancel(self, but: Collection["Optional[asyncio.Task[Any]]"]) -> None:
        for task in list(self._running):
            if task not in but:
                task.cancel()

    def __len__(self) -> int:
        return len(self._running)

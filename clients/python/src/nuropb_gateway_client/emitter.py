"""What a client tells of itself by name."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from .delivery import Buffer, Callback, Listener
from .settings import Settings
from .waiting import Tasks


class Emitter:
    def __init__(self, names: Tuple[str, ...], settings: Settings) -> None:
        self._listeners: Dict[str, List[Listener[Any]]] = {name: [] for name in names}
        self._settings = settings
        # Not ended by close(), of which they may be told last: what they do ends by itself, or with the event loop.
        self._tasks = Tasks()

    def on(self, name: str, function: Callback[Any]) -> Callable[[], None]:
        if name not in self._listeners:
            raise ValueError(f"nothing is told as {name!r}; there are {', '.join(self._listeners)}")
        listener: Listener[Any] = Listener(function, Buffer(f"listener of {name!r}", self._settings), self._tasks, lambda item, _: item)
        self._listeners[name].append(listener)

        def off() -> None:
            if listener in self._listeners[name]:
                self._listeners[name].remove(listener)
                listener.end()
        return off

    def tell(self, name: str, what: Any, size: int = 0, last: bool = False) -> None:
        """`last`: the event loop is ending, and only plain functions are told."""
        for listener in list(self._listeners[name]):
            listener.tell(what, size, last)

    def heard(self, name: str) -> bool:
        return bool(self._listeners[name])

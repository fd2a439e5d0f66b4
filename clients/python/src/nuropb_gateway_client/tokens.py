"""The user's token: a text, or a function that knows it."""

from __future__ import annotations

import inspect
from typing import Any, Awaitable, Callable, NamedTuple, Optional, Union

from .waiting import in_thread, text_of


class Why(NamedTuple):
    """Why a token is asked for."""

    refused: bool
    """The last one was refused: only another one helps."""
    expiring: bool
    """The session is about to expire: a fresh one takes its place without a new socket."""


Provider = Callable[[Why], Union[Optional[str], Awaitable[Optional[str]]]]
Token = Union[str, Provider, None]


class NoToken(Exception):
    """The provider gave none that can be used."""


class TokenSource:
    """Asks the provider. A plain function runs in a thread of its own, so it may block; a coroutine function runs on the loop."""

    def __init__(self, token: Token) -> None:
        if token is not None and not isinstance(token, str) and not callable(token):
            raise TypeError(f"the token is neither a str nor a function that returns one: {type(token).__name__}")
        self._token = token

    @property
    def renewable(self) -> bool:
        return callable(self._token)

    async def get(self, why: Why) -> Optional[str]:
        """None: without a token. NoToken: the provider has failed."""
        if self._token is None or isinstance(self._token, str):
            return self._token or None
        try:
            given = await self._ask(self._token, why)
        except Exception as error:
            raise NoToken(f"no token: {type(error).__name__}: {text_of(error)}") from error
        if given is not None and not isinstance(given, str):
            raise NoToken("no token: it is not a str")
        return given or None

    @staticmethod
    async def _ask(provider: Provider, why: Why) -> Any:
        if _is_coroutine_function(provider):
            given: Any = provider(why)
        else:
            given = await in_thread(provider, why)
        return await given if inspect.isawaitable(given) else given


def _is_coroutine_function(provider: Any) -> bool:
    return inspect.iscoroutinefunction(provider) or inspect.iscoroutinefunction(getattr(provider, "__call__", None))

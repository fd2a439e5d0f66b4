"""The package `websockets`, whichever version there is: Debian 12 has 10, Debian 13 has 15, PyPI goes on. From version 14 on
`websockets.connect` is another client, with other names for headers, states and refusals."""

import inspect

import websockets

_PARAMETERS = inspect.signature(websockets.connect).parameters
_FROM_14_ON = "additional_headers" in _PARAMETERS
_HEADERS = "additional_headers" if _FROM_14_ON else "extra_headers"
# From version 15 on the environment may name a proxy, which is not what a test is about.
_DIRECT = {"proxy": None} if "proxy" in _PARAMETERS else {}

# The exception for a response other than 101; `status_of` returns its status.
Refusal = websockets.InvalidStatus if _FROM_14_ON else websockets.InvalidStatusCode


def connect(url, headers=None, **options):
    """To be awaited, or entered by `async with`."""
    return websockets.connect(url, **{_HEADERS: headers or {}}, **_DIRECT, **options)


def status_of(error):
    """The status of a Refusal; None for any other error."""
    if not isinstance(error, Refusal):
        return None
    return error.response.status_code if _FROM_14_ON else error.status_code


def is_open(ws):
    """Also of support.lines.LineSocket."""
    return ws.open if hasattr(ws, "open") else ws.state.name == "OPEN"


def is_closed(ws):
    return ws.state.name == "CLOSED"

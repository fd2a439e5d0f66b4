from email.utils import formatdate
from types import SimpleNamespace

import pytest

from nuropb_gateway_client import websocket


@pytest.mark.parametrize("text, seconds", [
    (None, None), ("", None), ("7", 7), (" 7 ", 7), ("-7", None), ("7.5", None), ("soon", None), ("99999999999999999999", None),
    (formatdate(1000, usegmt=True), 40), (formatdate(900, usegmt=True), 0), ("Mon, 99 Foo 2026", None)])
def test_retry_after(text, seconds):
    assert websocket._retry_after(text, lambda: 960.0) == seconds


def test_why_there_was_no_connection():
    """As each version of websockets says it."""
    new = Exception()
    new.response = SimpleNamespace(status_code=503, headers={"Retry-After": "5"}, body=b'{"error":"full"}')
    old = Exception()
    old.status_code, old.headers = 401, {}
    assert websocket._why_not(new) == websocket.Lost(0, 'refused with HTTP 503: {"error":"full"}', 5.0, 503)
    assert websocket._why_not(old) == websocket.Lost(0, "refused with HTTP 401", None, 401)
    assert websocket._why_not(OSError("away")) == websocket.Lost(0, "no connection: OSError: away")


@pytest.mark.parametrize("token, header", [("abc.DEF-1~2+3/4==", True), ("with space", False), ("line\r\nInjected: 1", False), ("ünï", False), ("", False)])
def test_which_tokens_a_header_may_hold(token, header):
    assert bool(websocket._HEADER_TOKEN.fullmatch(token)) is header

"""The session cookie that the real nuropb-gw sets on a page lets its browser in, at nuropb-gw's WebSocket and at ours."""

import time
import urllib.request
from http.cookies import SimpleCookie

import pytest

from support.consumer import Consumer
from support.gateway import Gateway

SECRET = "a secret of nobody's"  # of peers/gateway.py


@pytest.fixture(scope="module")
def cookie(nuropb_gw):
    page = urllib.request.Request(f"http://127.0.0.1:{nuropb_gw.port}/login", headers={"Authorization": "Bearer secret-ann"})
    with urllib.request.urlopen(page, timeout=60) as answer:
        return SimpleCookie(answer.headers["Set-Cookie"])["session"].value


@pytest.fixture
def trusting(broker_url, folder):
    """Ours, with the secret of nuropb-gw behind a newer one."""
    secrets = folder / "cookie-secrets"
    secrets.write_text(f"a newer secret\n{SECRET}\n")
    settings = {"auth": {"authorizers": ["tokens", "session_cookie"], "session_cookie": "session"}, "cookie": {"secret_file": str(secrets)}}
    with Gateway(broker_url, settings=settings) as running:
        running.secrets |= {SECRET, "a newer secret"}
        yield running


def with_cookie(value):
    return {"headers": {"Cookie": f"theme=dark; session={value}"}}


async def test_one_cookie_for_both(nuropb_gw, trusting, cookie, demo):
    trusting.secrets.add(cookie)
    heard = []
    for url in (nuropb_gw.url, trusting.url):
        async with await Consumer.open(url, None, **with_cookie(f'"{cookie}"')) as consumer:
            event = consumer.hello["payload"]["event"]
            heard.append((event["user_id"], event["username"]))
    assert heard == [("ann", "Ann"), ("ann", "Ann")]


async def test_the_header_comes_first(trusting, cookie):
    async with await Consumer.open(trusting.url, "secret-bob", **with_cookie(cookie)) as consumer:
        assert consumer.hello["payload"]["event"]["user_id"] == "bob"


async def test_a_cookie_that_is_not_right(trusting, cookie):
    assert cookie.startswith("2|1:0|10:")
    later = cookie.replace(cookie.split("|")[2], f"10:{int(time.time()) + 86400}")
    for wrong in (later, cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), cookie.replace("7:session", "7:another"), "rubbish"):
        consumer = await Consumer.open(trusting.url, None, hello=False, **with_cookie(wrong))
        assert await consumer.other() is None
        assert (await consumer.closed())[0] == 4501

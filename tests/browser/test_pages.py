"""Pages in Chromium: what a browser sends by itself, cookies and the origin, against the gateway's rules."""

import json

# A socket's whole story as a promise: the frames up to the `wanted`th, or how it was closed before.
STORY = """new Promise((resolve) => {
  const socket = new WebSocket(%(url)s, %(protocols)s), frames = [];
  socket.onmessage = ({data}) => {
    frames.push(JSON.parse(data));
    if (frames.length === 1) for (const message of %(messages)s) socket.send(JSON.stringify(message));
    if (frames.length > %(messages)s.length) { resolve({frames, protocol: socket.protocol}); socket.close(); }
  };
  socket.onclose = ({code, reason}) => resolve({frames, code, reason});
})"""


def story(url, *messages, protocols=()):
    return STORY % {"url": json.dumps(url), "protocols": json.dumps(list(protocols)), "messages": json.dumps(messages)}


def request(service, method, params):
    return {"type": "request", "payload": {"service": service, "method": method, "params": params, "trace_id": "page-1"}}


async def test_a_cookie_authorizes_a_page_of_a_known_origin(empty_page, gateways, demo, browser):
    gateway = gateways(settings={"listen": {"origins": [empty_page]}})
    async with browser:
        page = await browser.page(empty_page)
        await page.set_cookie(empty_page, "Authorization", "secret-bob", httpOnly=True, sameSite="Strict")
        told = await page.evaluate(story(gateway.url, request(demo, "echo", {"text": "from a page, ünïcödé 🙂"})))
        hello, answer = told["frames"]
        assert hello["payload"]["topic"] == "hello" and hello["payload"]["event"]["user_id"] == "bob", hello
        assert answer["payload"]["result"] == {"text": "from a page, ünïcödé 🙂"}, answer


async def test_no_cookie_no_socket(empty_page, gateways, browser):
    gateway = gateways(settings={"listen": {"origins": [empty_page]}})
    async with browser:
        page = await browser.page(empty_page)
        assert (await page.evaluate(story(gateway.url)))["code"] == 1006  # all that a page may know of an HTTP refusal


async def test_the_cookie_of_a_user_is_of_no_use_to_a_strangers_page(empty_page, stranger, gateways, browser):
    """Cross-site WebSocket hijacking: the browser sends the cookie along, and the origin gives the page away."""
    gateway = gateways(settings={"listen": {"origins": [empty_page]}})
    async with browser:
        page = await browser.page(stranger)
        await page.set_cookie(stranger, "Authorization", "secret-bob")
        assert (await page.evaluate(story(gateway.url)))["code"] == 1006
        page = await browser.page(empty_page)
        assert (await page.evaluate(story(gateway.url)))["frames"], "the same cookie, from the right page"


async def test_a_subprotocol_carries_the_token(empty_page, gateways, demo, browser):
    """A page can set no header; the token goes in Sec-WebSocket-Protocol, and does not come back in it."""
    gateway = gateways(settings={"listen": {"origins": [empty_page]}})
    async with browser:
        page = await browser.page(empty_page)
        told = await page.evaluate(story(gateway.url, request(demo, "add", {"a": 1, "b": 2}), protocols=["nuropb", "bearer.secret-bob"]))
        hello, answer = told["frames"]
        assert told["protocol"] == "nuropb" and hello["payload"]["event"]["user_id"] == "bob" and answer["payload"]["result"] == 3, told
        refused = await page.evaluate(story(gateway.url, protocols=["nuropb", "bearer.not-a-token"]))
        assert refused["code"] == 4501 and not refused["frames"], refused

"""The console in Chromium, as an operator uses it. With NUROPB_SCREENSHOTS=1 the pictures of docs/tasks/console.md are made again."""

import ast
import asyncio
import json
import os
import re
import signal
import time

import pytest

from support.consumer import Consumer
from support.paths import ROOT
from support.waiting import eventually

PICTURES = {dark: ROOT / "docs" / "tasks" / f"console-{'dark' if dark else 'light'}.png" for dark in (False, True)}
LARGEST = 150_000
OPEN = 'default = ["request", "describe", "subscribe", "event"]\n'


def console(gateways, **options):
    settings = {"auth": {"policy_file": "policy.toml"}, "console": {"enabled": True, "port": 0, "users": ["ann"], **options}}
    return gateways(edges=2, files={"policy.toml": OPEN}, settings=settings)


async def connected(browser, gateway, token="secret-ann"):
    page = await browser.page(f"http://127.0.0.1:{gateway.edges[0].console_port}/#token={token}")
    await page.until("document.getElementById('state').textContent.startsWith('connected as')")
    return page


def text_of(selector):
    return f"document.querySelector({json.dumps(selector)})?.textContent"


async def fill(page, selector, value):
    await page.evaluate(f"(() => {{ const it = document.querySelector({json.dumps(selector)}); it.value = {json.dumps(value)}; it.dispatchEvent(new Event('input')); it.dispatchEvent(new Event('change')); }})()")


async def press(page, selector):
    await page.evaluate(f"document.querySelector({json.dumps(selector)}).click()")


async def picture(page, dark):
    await page.look(1180, 1000, dark)
    await page.until(f"matchMedia('(prefers-color-scheme: dark)').matches === {json.dumps(dark)} && innerWidth === 1180")
    paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    taken = await page.screenshot()
    assert taken.startswith(b"\x89PNG") and len(taken) < LARGEST, len(taken)
    if os.environ.get("NUROPB_SCREENSHOTS"):
        PICTURES[dark].write_bytes(taken)
    return paper


async def some_traffic(gateway, demo):
    """Produces data for the charts of a picture."""
    consumers = [await Consumer.open(gateway.edges[n % 2].url) for n in range(12)]
    for second in range(25):
        until = time.monotonic() + 1
        await asyncio.gather(*(consumer.request(demo, "echo", {"n": n}) for n, consumer in enumerate(consumers * (1 + second % 7))))
        await asyncio.sleep(max(0, until - time.monotonic()))


async def test_a_service_is_called_through_its_description(gateways, demo, browser):
    gateway = console(gateways, kill_workers=True)
    async with browser:
        page = await connected(browser, gateway)
        assert await page.evaluate("location.hash") == "" and await page.evaluate("document.cookie") == ""  # the token stays nowhere
        await fill(page, "#service", demo)
        await press(page, "#describe button")
        await page.until("!document.getElementById('call').hidden")
        await fill(page, "#method", "add")
        await page.until("document.querySelector('#field-b') !== null")
        await fill(page, "#field-a", "40")
        await fill(page, "#field-b", "2")
        await press(page, "#call > button")
        answer = await page.until("/^answer/.test(document.getElementById('answer').textContent) && document.getElementById('answer').textContent")
        assert answer.split("\n", 1)[1] == "42", answer

        await fill(page, "#topic", "#")
        await press(page, "#subscribe button")
        await page.until("document.querySelectorAll('#topics li').length === 1")
        await fill(page, "#event-topic", "news.sport")
        await fill(page, "#event", '{"text": "<b>a goal</b>"}')
        await press(page, "#publish button")
        shown = await page.until(text_of("#events li"))
        assert re.fullmatch(r'\d\d:\d\d:\d\d news\.sport {"text":"<b>a goal</b>"}', shown), shown  # as text, whatever it looks like
        await press(page, "#clear")
        assert await page.evaluate("document.querySelectorAll('#events li').length") == 0

        await page.until("document.querySelectorAll('#workers tr').length === 2")
        assert await page.until(text_of("#number-broker")) == "ready"
        drawn = "(() => { const it = document.getElementById('sessions'), bytes = it.getContext('2d').getImageData(0, 0, it.width, it.height).data; for (let i = 0; i < bytes.length; i += 4) if (bytes[i + 2] > bytes[i] + 80) return true; })()"
        await page.until(drawn)  # a line in the colour of lines
        if os.environ.get("NUROPB_SCREENSHOTS"):
            await some_traffic(gateway, demo)
        light, dark = await picture(page, False), await picture(page, True)
        assert light != dark
        assert not [entry for entry in page.console if "exceptionDetails" in entry or entry.get("entry", {}).get("level") == "error"], page.console


async def test_a_worker_is_killed_and_the_others_carry_on(gateways, demo, browser):
    gateway = console(gateways, kill_workers=True)
    doomed = gateway.edges[1]
    async with browser:
        page = await connected(browser, gateway)
        await page.until(f"document.querySelector('tr[data-pid=\"{doomed.process.pid}\"] button') !== null")
        doomed.process.killed = True  # by the page
        await press(page, f'tr[data-pid="{doomed.process.pid}"] button')
        assert f"pid {doomed.process.pid}" in await page.evaluate(text_of("#confirm-text"))
        await press(page, "#confirm-no")
        assert not await page.evaluate("document.getElementById('confirm').open")
        await press(page, f'tr[data-pid="{doomed.process.pid}"] button')
        await press(page, "#confirm-yes")
        await eventually(lambda: not doomed.process.running(), gateway.meshd.tail)
        assert doomed.process.popen.returncode == -signal.SIGKILL
        await page.until("document.querySelectorAll('#workers tr').length === 1")
        # The socket of the page is another edge's, and works.
        await fill(page, "#service", demo)
        await press(page, "#describe button")
        await page.until("!document.getElementById('call').hidden")
        assert (await page.evaluate(text_of("#state"))).startswith("connected as ann")
        doomed.start()
        await page.until("document.querySelectorAll('#workers tr').length === 2")


async def test_who_may_not_see_figures_sees_none_and_still_calls(gateways, demo, browser):
    gateway = console(gateways)
    async with browser:
        page = await connected(browser, gateway, "secret-bob")
        assert "console.users" in await page.until("document.getElementById('figures-state').textContent.startsWith('Metrics unavailable') && document.getElementById('figures-state').textContent")
        await fill(page, "#service", demo)
        await press(page, "#describe button")
        await page.until("!document.getElementById('call').hidden")
        assert await page.evaluate("document.querySelectorAll('#workers tr').length") == 0


async def described(page, service):
    await fill(page, "#service", service)
    await press(page, "#describe button")
    await page.until("!document.getElementById('call').hidden")


def answer_begins(words):
    return f"document.getElementById('answer').textContent.startsWith({json.dumps(words)}) && document.getElementById('answer').textContent"


async def test_a_call_that_takes_long_can_be_given_up(gateways, demo, browser):
    gateway = console(gateways)
    async with browser:
        page = await connected(browser, gateway)
        await described(page, demo)
        await fill(page, "#method", "slow")
        await fill(page, "#field-ms", "60000")
        await press(page, "#call > button")
        await page.until(answer_begins(f"waiting for {demo}.slow"))
        assert await page.evaluate("!document.getElementById('cancel').hidden && document.getElementById('answer').dataset.kind === 'busy'")
        await press(page, "#cancel")
        assert "may still run" in await page.until(answer_begins("cancelled"))
        assert await page.evaluate("document.getElementById('cancel').hidden")


async def test_failures_are_told_apart(gateways, demo, browser):
    gateway = console(gateways)
    async with browser:
        page = await connected(browser, gateway)
        await described(page, demo)
        await fill(page, "#raw", '{"a": 1')
        await press(page, "#call > button")
        await page.until(answer_begins("not sent: the params are not JSON"))
        await fill(page, "#raw", '{"nonsense": 1}')
        await press(page, "#call > button")
        await page.until(answer_begins("error: Nuropb"))
        # The form of a former service does not stay beside the name of one that is not there.
        await fill(page, "#service", "no-such-service")
        await press(page, "#describe button")
        await page.until(answer_begins("error: NuropbNotDeliveredError"))
        assert await page.evaluate("document.getElementById('call').hidden && document.getElementById('answer').dataset.kind === 'error'")
        await press(page, "#disconnect")
        await page.until("document.getElementById('state').textContent === 'not connected'")
        await press(page, "#describe button")
        await page.until(answer_begins("not sent: not connected"))


async def test_a_refused_token_is_not_tried_again(gateways, browser):
    gateway = console(gateways)
    async with browser:
        page = await browser.page(f"http://127.0.0.1:{gateway.edges[0].console_port}/")
        await page.until("!document.getElementById('connect-button').disabled")
        await press(page, "#connect-button")
        await page.until(text_of("#state") + " === 'a token is needed'")
        await fill(page, "#token", "not-a-token")
        await press(page, "#connect-button")
        assert await page.until("document.getElementById('state').textContent.startsWith('closed: 4501') && document.getElementById('state').textContent") == "closed: 4501 token refused"
        assert await page.until("document.getElementById('figures-state').textContent.startsWith('Metrics unavailable: token') && document.getElementById('figures-state').className") == "bad"


async def test_a_link_connects_by_itself_on_this_host_only(gateways, browser):
    """Elsewhere an attacker may have sent the link, to have an operator work as another user."""
    gateway = console(gateways, hosts=["console.test"])
    async with browser:
        page = await browser.page(f"http://console.test:{gateway.edges[0].console_port}/#token=secret-ann")
        assert "Press Connect" in await page.until("!document.getElementById('connect-button').disabled && document.getElementById('state').textContent")
        assert await page.evaluate("location.hash") == ""
        await press(page, "#connect-button")
        await page.until("document.getElementById('state').textContent === 'connected as ann'")


async def test_a_call_is_copied_as_a_program(gateways, demo, browser):
    gateway = console(gateways)
    async with browser:
        page = await connected(browser, gateway)
        await described(page, demo)
        await fill(page, "#method", "add")
        await fill(page, "#raw", '{"a": 40, "b": 2}')
        await press(page, "#copy-js")
        shown = await page.until("document.getElementById('answer').textContent.includes('gateway.request') && document.getElementById('answer').textContent")
        assert f'connect("{gateway.edges[0].url}"' in shown and f'gateway.request("{demo}", "add", {{"a":40,"b":2}})' in shown, shown
        await press(page, "#copy-python")
        shown = await page.until("document.getElementById('answer').textContent.includes('GatewaySync') && document.getElementById('answer').textContent")
        assert f'gateway.request("{demo}", "add", {{"a": 40, "b": 2}})' in shown, shown
        value = {"a": [None, True, False, -1.5e300], "b": {"c": 'quoted " \\ \n\t é \u2028 \U0001f600'}}
        literal = await page.evaluate(f"import('./snippets.js').then(({{ pythonLiteral }}) => pythonLiteral({json.dumps(value)}))")
        assert ast.literal_eval(literal) == value, literal


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
async def test_it_fits_the_screen_and_keeps_the_focus(gateways, demo, browser, width, dark):
    gateway = console(gateways, kill_workers=True)
    async with browser:
        page = await connected(browser, gateway)
        await page.look(width, 844, dark)
        await described(page, demo)
        await page.until("document.querySelectorAll('#workers tr').length === 2")
        await page.evaluate("document.querySelector('#workers button').focus()")
        looks = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/api/status')).length"
        before = await page.evaluate(looks)
        await page.until(f"{looks} > {before} + 2")
        assert await page.evaluate("document.activeElement.textContent") == "Kill"
        assert await page.evaluate(f"innerWidth === {width} && document.documentElement.scrollWidth <= {width}"), await page.evaluate("document.documentElement.scrollWidth")
        labels = await page.evaluate("[...document.querySelectorAll('canvas')].map((chart) => chart.getAttribute('aria-label'))")
        assert len(labels) == 3 and all("now" in label and "in two minutes" in label for label in labels), labels


async def test_another_page_gets_nothing_of_it(gateways, stranger, browser):
    gateway = console(gateways, kill_workers=True)
    origin = f"http://127.0.0.1:{gateway.edges[0].console_port}"
    async with browser:
        page = await browser.page(stranger)
        for path in ("/", "/api/about", "/api/status"):
            tried = f"fetch({json.dumps(origin + path)}, {{headers: {{Authorization: 'Bearer secret-ann'}}}}).then(() => 'got it', () => 'nothing')"
            assert await page.evaluate(tried) == "nothing", path
        killed = f"fetch({json.dumps(origin + '/api/kill')}, {{method: 'POST', mode: 'no-cors', body: '{{\"slot\": 0}}'}}).then((answer) => answer.type, () => 'nothing')"
        await page.evaluate(killed)
        framed = f"new Promise((done) => {{ const frame = document.createElement('iframe'); frame.src = {json.dumps(origin)}; frame.onload = () => done(frame.contentDocument === null); document.body.append(frame); }})"
        assert await page.evaluate(framed)
        # And its socket is refused by its origin, with the right token.
        refused = f"new Promise((done) => {{ const socket = new WebSocket({json.dumps(gateway.url)}, ['nuropb', 'bearer.secret-ann']); socket.onclose = ({{code}}) => done(code); socket.onopen = () => done('open'); }})"
        assert await page.evaluate(refused) == 1006
    assert all(edge.process.running() for edge in gateway.edges)
    ann = await Consumer.open(gateway.url)
    await ann.close()


@pytest.mark.parametrize("dark", [False, True])
def test_the_pictures_of_the_docs_are_there(dark):
    assert 5_000 < PICTURES[dark].stat().st_size < LARGEST

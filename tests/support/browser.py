"""Chromium without a screen, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""

import asyncio
import base64
import contextlib
import functools
import http.server
import itertools
import json
import threading
import urllib.request

from .processes import Process
from .waiting import eventually
from .websocket import connect


class Browser:
    """`async with Browser(folder) as browser: page = await browser.page(url)`. Each has a profile of its own."""

    def __init__(self, folder):
        self.folder, self.process, self.pages = folder, None, []

    async def __aenter__(self):
        profile = self.folder / "chromium"
        flags = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
                 "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
                 "--host-resolver-rules=MAP *.test 127.0.0.1",  # for names other than this host's own
                 "--no-sandbox"]  # the sandbox does not work as root or in most containers; only our own pages are opened
        self.process = Process("chromium", ["chromium", *flags, "about:blank"], self.folder, {"HOME": str(self.folder)})
        # Chromium writes two lines, port and path, not atomically.
        where = profile / "DevToolsActivePort"
        lines = await eventually(lambda: where.exists() and len(where.read_text().split()) == 2 and where.read_text().split(), self.process.tail, timeout=120)
        self.port = int(lines[0])
        return self

    async def page(self, url):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT")
        target = await asyncio.to_thread(lambda: json.loads(urllib.request.urlopen(request, timeout=60).read()))
        page = Page(await connect(target["webSocketDebuggerUrl"], max_size=None, ping_interval=None, compression=None))
        self.pages.append(page)
        await page.open(url)
        return page

    async def __aexit__(self, *_):
        for page in self.pages:
            await page.end()
        self.process.stop()


class Page:
    def __init__(self, ws):
        self._ws, self._numbers, self._waiting = ws, itertools.count(1), {}
        self.console, self.loaded = [], asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self):
        async for text in self._ws:
            message = json.loads(text)
            if future := self._waiting.pop(message.get("id"), None):
                future.set_result(message)
            elif message.get("method") == "Page.loadEventFired":
                self.loaded.set()
            elif message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(message["params"])

    async def command(self, method, **params):
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._ws.send(json.dumps({"id": number, "method": method, "params": params}))
        answer = await asyncio.wait_for(future, 90)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    async def open(self, url):
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.command(f"{domain}.enable")
        self.loaded.clear()
        await self.command("Page.navigate", url=url)
        await asyncio.wait_for(self.loaded.wait(), 90)

    async def evaluate(self, expression):
        """The value of a JavaScript expression, awaited if it is a promise."""
        done = await self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def until(self, expression, timeout=90):
        """Waits until the expression is true for the page, and returns its value."""
        return await eventually(lambda: self.evaluate(expression), lambda: f"{expression}; console: {self.console}", timeout)

    async def set_cookie(self, url, name, value, **attributes):
        done = await self.command("Network.setCookie", url=url, name=name, value=value, **attributes)
        assert done["success"], done

    async def look(self, width, height, dark):
        """Sets the window's size and the user's preferences."""
        await self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        await self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    async def screenshot(self):
        """PNG."""
        return base64.b64decode((await self.command("Page.captureScreenshot", format="png"))["data"])

    async def end(self):
        self._reader.cancel()
        await self._ws.close()


@contextlib.contextmanager
def serving(folder):
    """The origin under which a folder's pages are served."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

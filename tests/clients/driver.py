"""A client under test: a child process that reads in lines of JSON what its application does and writes what the application saw
(docs/tasks/test-your-client.md)."""

import asyncio
import collections
import json
import os
import signal

from support.processes import _die_with_parent
from support.waiting import eventually

STARTS_WITHIN, ENDS_WITHIN = 120.0, 30.0
LINE = 1 << 26


class DriverFailed(AssertionError):
    """An error of the driver, not of the client: it has ended, or violated the protocol."""


class Driver:
    """`async with Driver(command) as driver`."""

    def __init__(self, command, environment=None):
        self.command = [str(word) for word in command]
        self.environment = {**os.environ, **(environment or {})}
        self.seen = []                                # all reports of this scenario, in order
        self.ready = None                             # the first line
        self._fresh = False                           # nothing was said to it since it was started or reset
        self._resets = 0
        self._errors = collections.deque(maxlen=60)   # the last lines of its standard error
        self._wrong = None

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            *self.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=self.environment,
            limit=LINE, preexec_fn=_die_with_parent, start_new_session=True)
        self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._read_errors())]
        try:
            await self.until(lambda: self.ready, lambda: "its first line", STARTS_WITHIN)
        except BaseException:
            await self._kill()
            raise
        self._fresh = True
        return self

    async def _read(self):
        async for line in self._process.stdout:
            try:
                report = json.loads(line)
                kind = report["saw"]
            except (ValueError, TypeError, KeyError):
                self._wrong = f"it said what is no report: {line[:200]!r}"
                return
            if kind == "ready":
                self.ready = self.ready or report
            elif kind == "reset":
                self._resets += 1
                self.seen.clear()
            else:
                self.seen.append(report)

    async def _read_errors(self):
        async for line in self._process.stderr:
            self._errors.append(line.decode("utf-8", "replace").rstrip("\n"))

    @property
    def capabilities(self):
        return self.ready["capabilities"]

    @property
    def running(self):
        return self._process.returncode is None

    async def say(self, what):
        self._fresh = False
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        try:
            await self._process.stdin.drain()
        except ConnectionError:
            pass  # it has ended, which `until` reports

    async def until(self, state, what, timeout=None):
        """Waits for a state of what it has reported."""
        def come():
            value = state()
            if not value:
                self._check()
            return value
        return await eventually(come, lambda: f"{what()}; reported: {self.shown()}; standard error: {self.errors()}", **({"timeout": timeout} if timeout else {}))

    def _check(self):
        if self._wrong:
            raise DriverFailed(self._wrong)
        if self._process.returncode is not None and self._readers[0].done():
            raise DriverFailed(f"it has ended with {self._process.returncode}; reported: {self.shown()}; standard error: {self.errors()}")

    def shown(self):
        return "\n  ".join(["", *(json.dumps(report, ensure_ascii=False)[:400] for report in self.seen[-40:])])

    def errors(self):
        return "\n  ".join(["", *self._errors])

    async def begin(self):
        """Prepares the driver for the next scenario. Only for drivers that can be reset."""
        if not self._fresh:
            wanted = self._resets + 1
            await self.say({"do": "reset"})
            await self.until(lambda: self._resets == wanted, lambda: "that it was reset", STARTS_WITHIN)
            self._fresh = True

    async def end(self):
        """The driver must exit by itself once its standard input has ended; otherwise the client has left something open."""
        self._process.stdin.close()
        try:
            code = await asyncio.wait_for(self._process.wait(), ENDS_WITHIN)
        except asyncio.TimeoutError:
            raise DriverFailed(f"it does not end although its standard input has; standard error: {self.errors()}") from None
        finally:
            await self._kill()
        if self._wrong or code != 0:
            raise DriverFailed(self._wrong or f"it has ended with {code}; standard error: {self.errors()}")

    async def _kill(self):
        # Also what it has started.
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await self._process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def __aexit__(self, kind, *_):
        if kind is None:
            await self.end()
        else:
            await self._kill()

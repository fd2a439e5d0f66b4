"""A connection to a server that a test can cut: a TCP proxy on the test's event loop."""

import asyncio
import socket
import struct


class Cut:
    """`async with Cut(host, port) as way:` and connect to way.port. `cut()` resets open connections and refuses new ones;
    `hang()` passes nothing on, as a network does that loses every packet, and `lost` is the beginning of what it has lost;
    `slow(bytes_a_second)` limits the rate; `mend()` ends each of these faults."""

    def __init__(self, host, port, listening=None):
        """`listening`: a listening socket; without it, a free port of 127.0.0.1."""
        self.target, self.port, self._listening = (host, port), None, listening
        self._server, self._open = None, set()
        self._refusing, self._passing, self._rate = False, asyncio.Event(), None
        self._passing.set()
        self.lost = b""

    async def __aenter__(self):
        where = {"sock": self._listening} if self._listening else {"host": "127.0.0.1", "port": 0}
        self._server = await asyncio.start_server(self._come, **where)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self._end_all()
        await self._server.wait_closed()

    def cut(self):
        self._refusing = True
        self._end_all()

    def hang(self):
        self.lost = b""
        self._passing.clear()

    def slow(self, bytes_a_second):
        self._rate = bytes_a_second

    def mend(self):
        if not self._passing.is_set():
            self._end_all()  # hung connections have timed out on one side or the other
        self._refusing, self._rate = False, None
        self._passing.set()

    def _end_all(self):
        for writer in list(self._open):
            _reset(writer)

    async def _come(self, reader, writer):
        if self._refusing:
            _reset(writer)
            return
        self._open.add(writer)
        onward = None
        try:
            back, onward = await asyncio.open_connection(*self.target)
            self._open.add(onward)
            await asyncio.gather(self._pass(reader, onward), self._pass(back, writer))
        except OSError:
            pass
        finally:
            for end in (writer, onward):
                if end:
                    self._open.discard(end)
                    _reset(end)

    async def _pass(self, reader, writer):
        while data := await reader.read(65536):
            if not self._passing.is_set():
                self.lost += data
                if len(self.lost) > 65536:
                    await self._passing.wait()
                continue  # mend() ends the connections that this was on
            if self._rate:
                await asyncio.sleep(len(data) / self._rate)
            writer.write(data)
            await writer.drain()
        writer.close()


def _reset(writer):
    raw = writer.get_extra_info("socket")
    if raw and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

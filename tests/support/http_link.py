"""A client that calls over HTTP: one connection that stays open, one call after the other."""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from . import http_rules, streams


@dataclass
class Response:
    status: int
    headers: dict  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class HttpLink:
    """Raises ConnectionError if the connection ends before a response is complete."""

    def __init__(self, reader, writer, token):
        self.reader, self.writer, self.token = reader, writer, token
        self.local_address = writer.get_extra_info("sockname")
        self.ws = self  # the chaos' clients look for their socket there

    @classmethod
    async def connect(cls, port, token, host="127.0.0.1"):
        return cls(*await asyncio.open_connection(host, port), token)

    @property
    def open(self):
        """As far as that is known: an end that has not arrived is not."""
        return not (self.reader.at_eof() or self.writer.is_closing())

    async def call(self, kind, *names, body=b"", headers=None, **query):
        """POST /call/SERVICE/METHOD and the like; `kind` is the first element of the path."""
        path = "/" + "/".join(quote(name, safe="") for name in (kind, *names)) + ("?" + urlencode(query) if query else "")
        return await self.request("GET" if kind == "services" else "POST", path, body, headers)

    async def request(self, method, path, body=b"", headers=None):
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **(headers or {})}.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()
        return await self.response()

    async def response(self):
        try:
            found = await http_rules.answer(self.reader, None)
        except asyncio.IncompleteReadError:
            found = None
        if found is None or found[0] < 100:  # a part of a head is reported as HTTP/0.9
            raise ConnectionError("the connection ended before the response")
        return Response(*found)

    async def close(self):
        await streams.close(self.writer)

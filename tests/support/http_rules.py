"""The rules for request heads as rows (tests/unit/data/http_rules.json), and the ports of a gateway that they are sent to."""

import asyncio
import json
import re
from types import SimpleNamespace

from .paths import ROOT
from .snorky import KEY

TAKEN = {200, 401, 404, 405, 421}  # the rules have passed it: what the port makes of the path, the method and the name is another matter


def bytes_of(row):
    """The bytes of a text in the file, in which bytes are the first 256 characters and <x*3> stands for xxx."""
    return re.sub(r"<(.+?)\*(\d+)>", lambda many: many[1] * int(many[2]), row["bytes"], flags=re.DOTALL).encode("latin-1")


def bytes_for(port, row):
    """A wrong body is noticed only if it is read: on the backends' port, with a valid key."""
    data = bytes_of(row)
    return data.replace(b"a key that is none", KEY.encode()) if port == "backend" and isinstance(row.get("body"), int) else data


def rows():
    return json.loads((ROOT / "tests" / "unit" / "data" / "http_rules.json").read_text())


def name(row):
    return f"{row['section']}: {row['what']}"


def ports(gateway):
    """All HTTP ports by name: how to connect, and whether requests with a body are accepted, even if the body is not read."""
    edge = gateway.edges[0]

    def tcp(port, bodies):
        return SimpleNamespace(port=port, bodies=bodies, connect=lambda: asyncio.open_connection("127.0.0.1", port))
    socket = str(gateway.folder / "run" / "admin.sock")
    return {
        "websocket": tcp(edge.port, False), "backend": tcp(edge.backend_port, True),
        "console": tcp(edge.console_port, "unread"),  # the rows' paths do not exist there
        "metrics": tcp(int(gateway.settings["metrics"]["listen"].rpartition(":")[2]), False),
        "admin": SimpleNamespace(port=None, bodies=True, connect=lambda: asyncio.open_unix_connection(socket)),
    }


def expected(row, bodies):
    """"taken", "incomplete", or a status."""
    if not bodies:
        return row["outcome"]
    head = row.get("where_bodies_are_taken", row["outcome"])
    return row.get("body", head) if head == "taken" and bodies != "unread" else head


async def answer(reader, timeout=30):
    """One answer: (status, headers, body); None: the connection ended without one."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout)
    except (asyncio.IncompleteReadError, ConnectionError) as ended:
        return (9, {}, ended.partial) if getattr(ended, "partial", b"") else None  # HTTP/0.9: a body, and nothing else
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body = await asyncio.wait_for(reader.readexactly(int(headers.get("content-length", "0"))), timeout)
    return int(lines[0].split()[1]), headers, body


async def send(connect, data, end=True):
    """The responses to these bytes until the connection ends; without `end` only the first final one."""
    reader, writer = await connect()
    try:
        writer.write(data)
        if end:
            writer.write_eof()
        answers = []
        while one := await answer(reader):
            answers.append(one)
            if not end and one[0] != 100:
                break
        return answers
    finally:
        writer.close()

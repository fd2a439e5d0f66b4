"""permessage-deflate: off by default, and no way to make the gateway decompress more than its limit."""

import json
import zlib

import pytest

from support.consumer import Consumer, RawSocket
from support.gateway import Gateway, health

TOKEN = {"Authorization": "Bearer secret-ann"}
OFFER = "permessage-deflate; client_max_window_bits"


@pytest.fixture(scope="module", params=[False, True], ids=["no takeover", "takeover"])
def folding(request, broker_url):
    with Gateway(broker_url, settings={"listen": {"compression": True, "compression_context_takeover": request.param}, "limits": {"message_bytes": 100_000}}) as running:
        running.takeover = request.param
        yield running


def folded(data, level=9):
    packer = zlib.compressobj(level, zlib.DEFLATED, -12)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def frame(data, opcode=1, fin=True, rsv1=True):
    raw = bytearray(RawSocket.frame(data, opcode, fin))
    raw[0] |= 0x40 if rsv1 else 0
    return bytes(raw)


async def opened(gateway, offer=OFFER):
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port, limit=2**20)
    await raw.send(RawSocket.upgrade(Sec_WebSocket_Extensions=offer, **TOKEN))
    assert await raw.response() == 101
    assert (await raw.read_frame())[0] == 1
    return raw


async def test_off_by_default(gateway):
    async with await opened(gateway) as raw:
        assert "sec-websocket-extensions" not in raw.headers
        await raw.send(frame(folded(b"{}")))
        assert (await raw.read_close())[0] == 1002


async def test_both_ways(folding, demo):
    async with await Consumer.open(folding.url, compression="deflate") as consumer:
        agreed = str(consumer.ws.extensions[0])
        assert ("remote_no_context_takeover=False" in agreed) == folding.takeover, agreed
        for size in (0, 1, 255, 256, 5000, 90_000):
            for _ in range(2):
                assert await consumer.result(demo, "echo", {"x": "y" * size}) == {"x": "y" * size}
        many = [await consumer.begin(demo, "echo", {"n": n, "text": "abc" * n}) for n in range(200)]
        assert [(await answer)["result"]["n"] for answer in many] == list(range(200))


@pytest.mark.parametrize("offer, taken", [
    ("permessage-deflate", True), ("permessage-deflate; server_max_window_bits=10", True), ("permessage-deflate; server_max_window_bits=8", False),
    ("permessage-deflate; server_max_window_bits=77", False), ("permessage-deflate; nonsense=1", False), ("x-other", False),
    ("permessage-deflate; nonsense=1, permessage-deflate", True),
])
async def test_offers(folding, offer, taken):
    async with await opened(folding, offer) as raw:
        assert ("sec-websocket-extensions" in raw.headers) == taken, raw.headers
        await raw.send(RawSocket.frame("{"))
        assert b"JSONDecodeError" in (await raw.read_frame())[1]


async def test_a_bomb_is_refused_with_1009(folding):
    bomb = folded(b" " * 50_000_000)
    assert len(bomb) < 60_000
    async with await opened(folding) as raw:
        await raw.send(frame(bomb))
        assert (await raw.read_close())[0] == 1009
    async with await opened(folding) as raw:  # in many small frames
        for at in range(0, len(bomb), 500):
            part = bomb[at:at + 500]
            try:
                await raw.send(frame(part, opcode=0 if at else 1, fin=False, rsv1=not at))
            except ConnectionError:
                break
        assert (await raw.read_close())[0] == 1009
    assert health(folding.edges[0].port)[0] == 200


@pytest.mark.parametrize("data, code", [
    (b"\xff" * 50, 1007),                             # a block of no type
    (b"\x05\x00", 1007),                              # cut off in a block
    (b"", 1007),                                      # an empty message is a block of nothing, no nothing
    (folded(b"{}")[:-1] + b"\xff\xff\xff", 1007),
    (folded("\u00e4".encode()[:1] + b"x"), 1007),     # not UTF-8
    (folded('{"x":"\u00e4'.encode()[:-1]), 1007),     # cut off in the middle of a character
])
async def test_rubbish_is_refused(folding, data, code):
    async with await opened(folding) as raw:
        await raw.send(frame(data))
        assert (await raw.read_close())[0] == code


@pytest.mark.parametrize("data", [b"\x00", b"\x02\x00", folded(b"")])
async def test_next_to_nothing_is_an_empty_message(folding, data):
    async with await opened(folding) as raw:
        await raw.send(frame(data) + frame(data))
        for _ in range(2):
            assert json.loads((await raw.read_frame())[1])["error"]


async def test_control_frames_are_never_compressed(folding):
    async with await opened(folding) as raw:
        await raw.send(frame(b"x", opcode=9))
        assert (await raw.read_close())[0] == 1002


async def test_a_text_cut_off_in_its_last_fragment(gateway):
    """RFC 6455 section 8.1, without compression: the last frame of several ends in the middle of a character."""
    async with await opened(gateway, "") as raw:
        await raw.send(RawSocket.frame('{"x":"', fin=False) + RawSocket.frame("\u20ac".encode()[:2], opcode=0))
        assert (await raw.read_close())[0] == 1007
    async with await opened(gateway, "") as raw:
        await raw.send(RawSocket.frame("\u20ac".encode()[:2], fin=False) + RawSocket.frame("\u20ac".encode()[2:], opcode=0))
        assert json.loads((await raw.read_frame())[1])["error"], "whole again: no protocol error"

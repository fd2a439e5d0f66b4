"""Payloads that pass unchanged: sizes, texts, depths and numbers, byte for byte."""

import asyncio
import json

import pytest

from support.consumer import Consumer, RawSocket

MIB = 1024 * 1024


async def raw_echo(gateway, demo, value):
    """The part of the answer to an echo of this JSON text that is around `value`."""
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port, limit=8 * MIB)
    async with raw:
        await raw.send(raw.upgrade(Authorization="Bearer secret-ann"))
        assert await raw.response() == 101
        await raw.read_frame()  # hello
        text = '{"type":"request","payload":{"service":"%s","method":"echo","params":{"value":%s},"trace_id":"t"}}' % (demo, value)
        await raw.send(raw.frame(text))
        opcode, payload = await raw.read_frame()
        assert opcode == 1
        return payload.decode()


@pytest.mark.parametrize("size", [125, 126, 65535, 65536, MIB - 200, MIB])
async def test_large_params_and_results(gateway, demo, size):
    async with await Consumer.open(gateway.url) as consumer:
        value = "".join(chr(ord("a") + n % 26) for n in range(size))
        assert await consumer.result(demo, "echo", {"value": value}) == {"value": value}


async def test_many_large_messages_at_once(gateways, demo):
    """More than a ring holds, so that both directions have to wait for room; and all of it may wait for a slow reader."""
    gateway = gateways(settings={"limits": {"send_queue_bytes": 64 * MIB}})
    async with await Consumer.open(gateway.url) as consumer:
        values = [chr(ord("a") + n) * MIB for n in range(24)]
        answers = await asyncio.gather(*(consumer.result(demo, "echo", {"value": value}) for value in values))
        assert answers == [{"value": value} for value in values]


async def test_a_message_over_the_limit_closes_with_1009(gateways, demo):
    gateway = gateways(settings={"limits": {"message_bytes": 65536}})
    consumer = await Consumer.open(gateway.url)
    await consumer.result(demo, "echo", {"value": "x" * 60000})
    await consumer.send("x" * 70000)
    assert (await consumer.closed())[0] == 1009


@pytest.mark.parametrize("text", ["é", "漢字", "😀👩‍👩‍👧", "\U0010ffff", "\u2028\u2029\x7f", "\u0000\u0001", "a\u0301", '"\\/\b\f\n\r\t', "\ufeff", "\ufffe\uffff"])
@pytest.mark.parametrize("ascii_only", [True, False])
async def test_texts(gateway, demo, text, ascii_only):
    async with await Consumer.open(gateway.url) as consumer:
        request = {"type": "request", "payload": {"service": demo, "method": "echo", "params": {"value": text, text: 1}, "trace_id": text}}
        await consumer.send(json.dumps(request, ensure_ascii=ascii_only))
        answer = await consumer.other()
        assert answer["payload"] == {"trace_id": text, "result": {"value": text, text: 1}, "error": None}


@pytest.mark.parametrize("number", [
    "123456789012345678901234567890", "-0", "0.1000000000000000055511151231257827", "1E400", "1.0", "1e-999",
    "9007199254740993", "18446744073709551616", "-1.7976931348623157e+309", "0." + "3" * 400, "1" + "0" * 500,
])
async def test_numbers_pass_digit_for_digit(gateway, demo, number):
    """No number is read and printed again on its way; a consumer with big decimals gets what the service wrote."""
    assert f'"value":{number}}}' in (await raw_echo(gateway, demo, number)).replace(" ", "")


async def test_deep_json_passes(gateway, demo):
    deep = "[" * 200 + "]" * 200
    assert f'"value":{deep}}}' in (await raw_echo(gateway, demo, deep)).replace(" ", "")


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
async def test_too_deep_json_is_refused_and_the_socket_stays(gateway, demo, opening, closing):
    async with await Consumer.open(gateway.url) as consumer:
        inside = opening * 10_000 + "1" + closing * 10_000
        await consumer.send('{"type":"request","payload":{"service":"%s","method":"echo","params":{"value":%s},"trace_id":"t"}}' % (demo, inside))
        refusal = await consumer.other()
        assert set(refusal) >= {"error", "description"}, refusal
        assert "deep" in refusal["description"] or "depth" in refusal["description"] or "nest" in refusal["description"], refusal
        assert await consumer.result(demo, "echo", {"value": 1}) == {"value": 1}


async def test_text_that_is_not_utf8(gateway):  # provokes: 1007
    """RFC 6455 section 8.1: the connection fails with 1007; other sockets are not affected."""
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    async with raw, await Consumer.open(gateway.url) as bystander:
        await raw.send(raw.upgrade(Authorization="Bearer secret-ann"))
        assert await raw.response() == 101
        await raw.send(raw.frame(b'{"type":"\xc3\x28"}'))
        assert (await raw.read_close())[0] == 1007
        assert bystander.open_still


async def test_fragments_and_pings_between_them(gateway, demo):
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    async with raw:
        await raw.send(raw.upgrade(Authorization="Bearer secret-ann"))
        assert await raw.response() == 101
        await raw.read_frame()
        text = json.dumps({"type": "request", "payload": {"service": demo, "method": "echo", "params": {"value": "whole"}, "trace_id": "t"}}).encode()
        await raw.send(raw.frame(text[:5], fin=False) + raw.frame(b"ping", opcode=9) + raw.frame(text[5:9], opcode=0, fin=False) + raw.frame(text[9:], opcode=0))
        assert await raw.read_frame() == (10, b"ping")
        opcode, payload = await raw.read_frame()
        assert json.loads(payload)["payload"]["result"] == {"value": "whole"}

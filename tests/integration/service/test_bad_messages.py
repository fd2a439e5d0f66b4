"""Malformed, truncated, wrongly typed, wrongly encrypted, oversize and wrong-version messages: each is rejected, answered
with the reason where it was a request, counted by kind, and the service goes on."""

import base64
import datetime
import decimal
import os
import struct
import time

import pika
import pytest

from support.hand_caller import GONE, body

GOOD = object()  # a good request as the body


def b64(data):
    return base64.b64encode(data).decode()


def sealed(key_part, token):
    return f"{key_part}.{token}".encode()


FERNET_LIKE = b64(base64.urlsafe_b64encode(b"\x80" + bytes(8) + os.urandom(16) + os.urandom(32) + os.urandom(32)))
RSA_LIKE = b64(os.urandom(256))

# name: (headers, body, kind that is counted, part of the description)
BAD = {
    "no headers at all": (dict.fromkeys(("nuropb_protocol", "nuropb_version", "nuropb_type", "trace_id", "encrypted"), GONE), GOOD, "protocol", "nuropb_protocol: is missing"),
    "no protocol": ({"nuropb_protocol": GONE}, GOOD, "protocol", "nuropb_protocol: is missing"),
    "protocol of tomorrow": ({"nuropb_protocol": "9.9"}, GOOD, "protocol", "'9.9' is not supported"),
    "protocol is empty": ({"nuropb_protocol": ""}, GOOD, "protocol", "is missing"),
    "protocol is a number": ({"nuropb_protocol": 1}, GOOD, "protocol", "is missing"),
    "protocol is a table": ({"nuropb_protocol": {"a": {"b": [1, "x"]}}}, GOOD, "protocol", "is missing"),
    "protocol is a list": ({"nuropb_protocol": ["0.1.1"]}, GOOD, "protocol", "is missing"),
    "protocol is very long": ({"nuropb_protocol": "9" * 60_000}, GOOD, "protocol", "is not supported"),
    "no type": ({"nuropb_type": GONE}, GOOD, "type", "nuropb_type: is missing"),
    "type is unknown": ({"nuropb_type": "shout"}, GOOD, "type", "'shout' is unknown"),
    "type in capitals": ({"nuropb_type": "REQUEST"}, GOOD, "type", "is unknown"),
    "type is a date": ({"nuropb_type": datetime.datetime(2024, 2, 29)}, GOOD, "type", "is missing"),
    "type is void": ({"nuropb_type": None}, GOOD, "type", "is missing"),
    "type has a zero byte": ({"nuropb_type": "request\0"}, GOOD, "type", "is unknown"),
    "empty": ({}, b"", "body", "Expecting value"),
    "truncated": ({}, b'{"tag":"request","service":"s","method":"echo","para', "body", "message body"),
    "not JSON": ({}, b"hello", "body", "Expecting value"),
    "not UTF-8": ({}, b'{"method":"\xff\xfe"}', "body", "message body"),
    "two values": ({}, b"{}{}", "body", "Extra data"),
    "a list": ({}, b"[]", "body", "not a JSON object"),
    "null": ({}, b"null", "body", "not a JSON object"),
    "a string": ({}, b'"x"', "body", "not a JSON object"),
    "no method": ({}, b'{"service":"s","params":{}}', "body", "'method' is missing"),
    "no service": ({}, b'{"method":"echo","params":{}}', "body", "'service' is missing"),
    "method is a number": ({}, b'{"service":"s","method":1}', "body", "'method' is not a string"),
    "method is null": ({}, b'{"service":"s","method":null}', "body", "'method' is not a string"),
    "params is a list": ({}, b'{"service":"s","method":"echo","params":[1]}', "body", "'params' is not an object"),
    "params is a string": ({}, b'{"service":"s","method":"echo","params":"x"}', "body", "'params' is not an object"),
    "context is a list": ({}, b'{"service":"s","method":"echo","context":[1]}', "body", "'context' is not an object"),
    "another tag": ({}, b'{"tag":"response","service":"s","method":"echo"}', "body", "'tag'"),
    "too deep": ({}, b'{"service":"s","method":"echo","params":{"value":' + b"[" * 5000 + b"]" * 5000 + b"}}", "body", "message body"),
    "a number beyond all bounds": ({}, b'{"service":"s","method":"echo","params":{"value":1e999}}', "body", "can't be represented"),
    "half a surrogate pair": ({}, b'{"service":"s","method":"echo","params":{"value":"\\ud800"}}', "body", "can't be represented"),
    "says encrypted and is not": ({"encrypted": "yes"}, GOOD, "encryption", ""),
    "encrypted: nothing": ({"encrypted": "yes"}, b"", "encryption", ""),
    "encrypted: no dot": ({"encrypted": "yes"}, RSA_LIKE.encode(), "encryption", ""),
    "encrypted: empty parts": ({"encrypted": "yes"}, b".", "encryption", ""),
    "encrypted: not base64": ({"encrypted": "yes"}, b"!!!.???", "encryption", ""),
    "encrypted: for another key": ({"encrypted": "yes"}, sealed(RSA_LIKE, FERNET_LIKE), "encryption", ""),
    "encrypted: short key part": ({"encrypted": "yes"}, sealed(b64(b"k"), FERNET_LIKE), "encryption", ""),
    "encrypted: long key part": ({"encrypted": "yes"}, sealed(b64(os.urandom(100_000)), FERNET_LIKE), "encryption", ""),
    "in the clear and must not": ({}, body("s", "secret", {"value": 1}), "encryption", "requires encryption"),
    "unknown method": ({}, body("s", "nope"), "method", "Unknown method nope"),
    "underscore method": ({}, body("s", "__init__"), "method", "Unknown method __init__"),
    "long unknown method": ({}, body("s", "n" * 100_000), "method", "Unknown method nnn"),
    "missing argument": ({}, body("s", "add", {"b": 1}), "parameters", "missing its argument 'a'"),
    "unknown argument": ({}, body("s", "add", {"a": 1, "z": 1}), "parameters", "no argument 'z'"),
    "argument of another type": ({}, body("s", "add", {"a": "1"}), "parameters", "takes 'a' as integer, not as string"),
    "no context": ({}, b'{"service":"s","method":"context","context":null}', "parameters", "needs a context"),
    "no token": ({}, body("s", "claims"), "identity", "no token 'Authorization'"),
    "token is a number": ({}, body("s", "claims", context={"Authorization": 5}), "identity", "no token 'Authorization'"),
    "token of nobody": ({}, body("s", "claims", context={"Authorization": "x"}), "identity", "not one that claims() accepts"),
}


ERRORS = {"method": ["NuropbHandlingError"], "parameters": ["NuropbValidationError"], "identity": ["NuropbAuthenticationError", "NuropbAuthorizationError"]}


def counts(caller):
    return caller.ask("refusals").body["result"]


@pytest.mark.parametrize("name", BAD)
def test_bad_requests(caller, name):
    headers, payload, kind, part = BAD[name]
    before = counts(caller)
    sent = caller.put(body(caller.service, "echo") if payload is GOOD else payload, headers=headers)
    came = caller.answer(sent)
    assert came.body["result"] is None and came.headers["encrypted"] == ""
    assert part in came.error["description"], came.error
    assert came.error["error"] in ERRORS.get(kind, ["NuropbMessageError"])
    assert caller.dead_letter(sent).headers["x-first-death-reason"] == "rejected"
    after = counts(caller)
    assert {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]} == {kind: 1}
    assert caller.ask("echo", {"value": "goes on"}).body["result"] == "goes on"


@pytest.mark.parametrize("nuropb_type, payload", [
    ("command", b"{"), ("event", b"{"), ("event", b"[]"), ("event", b'{"event":1}'), ("event", b'{"topic":1,"event":1}'), ("event", b'{"topic":"t","event":1,"target":"ann"}'),
    ("event", b'{"topic":"t","event":1e999}'), ("response", b'{"result":1}')])
def test_what_is_no_request_is_rejected_without_an_answer(caller, nuropb_type, payload):
    sent = caller.put(payload, headers={"nuropb_type": nuropb_type})
    caller.dead_letter(sent)
    assert caller.ask("echo", {"value": "goes on"}).body["result"] == "goes on", "the next answer is to the next request"


def test_odd_properties_are_no_reason_to_refuse(caller):
    """Values of every AMQP type, beside the headers that we read."""
    odd = {"i": -1, "big": 2**62, "d": decimal.Decimal("1.5"), "t": datetime.datetime(2024, 2, 29), "b": True, "n": None, "list": [1, [2, {"x": None}]],
           "table": {"a": {"b": {}}}, "bytes": b"\x00\xff", "text": "ü\0x", "nuropb_version": 17, "trace_id": 5, "encrypted": True}
    came = caller.answer(caller.put(body(caller.service, "echo", {"value": 1}), headers=odd, content_type="text/plain", content_encoding="gzip", delivery_mode=2,
                                    priority=255, message_id="m" * 255, timestamp=2**63 - 1, type="t", app_id="a", cluster_id="c"))
    assert came.body["result"] == 1 and came.body["trace_id"] == ""


def test_a_long_trace_id_is_no_way_to_go_without_an_answer(caller):
    """An answer's headers have to fit into one frame, as the request's did: the request may leave out what we add."""
    long = "t" * 130_500
    came = caller.answer(caller.put(body(caller.service, "echo", {"value": 1}), headers={"trace_id": long, "nuropb_version": GONE, "encrypted": GONE}))
    assert came.body["result"] == 1 and came.body["trace_id"] == long and came.headers["trace_id"] == ""
    came = caller.answer(caller.put(b"{", headers={"trace_id": long, "nuropb_version": GONE, "nuropb_protocol": GONE, "encrypted": GONE}))
    assert came.error["error"] == "NuropbMessageError"


def test_headers_as_deep_as_a_frame_allows(caller, monkeypatch):
    """rabbitmq-c reads tables recursively; a frame has room for some 16,000 nested ones."""
    def raw_table(pieces, table):
        if "raw" not in table:
            return encode_table(pieces, table)
        pieces.append(table["raw"])
        return len(table["raw"])

    encode_table = pika.data.encode_table
    monkeypatch.setattr(pika.data, "encode_table", raw_table)
    for depth in (10, 1000, 16_000):
        parts = []
        size = 0
        for _ in range(depth):  # from the inside out: name, type, length
            parts.append(b"\x01aF" + struct.pack(">I", size))
            size += 7
        inner = b"".join(reversed(parts))
        raw = struct.pack(">I", len(inner)) + inner
        properties = pika.BasicProperties(correlation_id=f"deep-{depth}", reply_to=caller.answers_queue, headers={"raw": raw})
        caller.channel.basic_publish("nuropb-rpc-exchange", caller.service, body(caller.service, "echo"), properties)
        assert "is missing" in caller.answer(f"deep-{depth}").error["description"]
    monkeypatch.undo()
    assert caller.ask("echo", {"value": "goes on"}).body["result"] == "goes on"


def test_a_flood_of_rubbish_makes_few_log_lines(caller, service):
    lines, begun = service.log().count("message refused"), time.monotonic()
    sent = [caller.put(b"rubbish") for _ in range(2000)]
    assert [caller.take(caller.answers_queue).properties.correlation_id for _ in sent] == sent
    assert caller.ask("echo", {"value": "goes on"}).body["result"] == "goes on"
    took = time.monotonic() - begun
    assert service.log().count("message refused") - lines <= 2 * (took / 10 + 2), "one in ten seconds from the host, one from the transport"


def test_an_oversize_body_is_refused(caller):
    """Over 64 MiB; the received part is not stored."""
    before = counts(caller)["too_large"]
    sent = caller.put(b'{"service":"s","method":"echo","params":{"value":"' + b"x" * (65 << 20) + b'"}}')
    assert "larger than 67108864 bytes" in caller.answer(sent, timeout=90).error["description"]
    assert counts(caller)["too_large"] == before + 1

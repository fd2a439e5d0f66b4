"""The same messages to the real nuropb-gw 0.1.4 and to our gateway, on one broker, before the same real service."""

import asyncio
import re

import pytest

from support.consumer import Consumer
from support.manual_service import ManualService
from support.paths import ROOT
from support.services import unique

from .differences import HANDSHAKE_DIFFERENCES, MESSAGE_DIFFERENCES
from .messages import HANDSHAKES, MESSAGES


def compare(name, heard, declared):
    theirs, ours = heard[0][name], heard[1][name]
    differs = declared.get(name)
    if differs is None:
        assert ours == theirs, f"undeclared difference\n0.1.4: {theirs}\nours:  {ours}"
    else:
        assert differs.theirs == theirs, f"0.1.4 no longer says what was declared ({differs.why}): {theirs}"
        assert differs.ours == ours, f"ours does not say what was declared ({differs.why}): {ours}"
        assert ours != theirs, f"declared, but no difference ({differs.why}): {ours}"


@pytest.mark.parametrize("name", ["hello", *MESSAGES])
def test_message(name, conversations):
    compare(name, conversations, MESSAGE_DIFFERENCES)


@pytest.mark.parametrize("name", HANDSHAKES)
def test_handshake(name, handshakes):
    compare(name, handshakes, HANDSHAKE_DIFFERENCES)


def test_no_declaration_is_left_over():
    assert not set(MESSAGE_DIFFERENCES) - {"hello", *MESSAGES}, "declared for a message that is not sent"
    assert not set(HANDSHAKE_DIFFERENCES) - set(HANDSHAKES), "declared for a handshake that is not tried"


def test_the_guide_names_each_difference():
    """The last column of the tables in docs/tasks/moving-from-nuropb-gw.md."""
    guide = (ROOT / "docs" / "tasks" / "moving-from-nuropb-gw.md").read_text().split("## Every difference")[1]
    named = [name for row in re.findall(r"^\|.*\| ([^|]*) \|$", guide, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted([*MESSAGE_DIFFERENCES, *HANDSHAKE_DIFFERENCES])


async def test_two_connections_of_one_user(nuropb_gw, ours, python):
    """Each has a session of its own and gets its own answers, also under the same trace_id."""
    for url in (nuropb_gw.url, ours.url):
        async with await Consumer.open(url) as one, await Consumer.open(url) as two:
            assert one.session_id != two.session_id
            first, second = await asyncio.gather(
                one.request(python, "later", {"value": "one", "ms": 50}, trace_id="same"),
                two.request(python, "later", {"value": "two", "ms": 10}, trace_id="same"),
            )
            assert (first["result"], second["result"]) == ("one", "two")


async def test_answers_come_in_the_order_of_completion(ours, python):
    """0.1.4 handles a socket's messages one at a time, whatever its documentation says; ours handles them concurrently."""
    async with await Consumer.open(ours.url) as consumer:
        slow = await consumer.begin(python, "later", {"value": "slow", "ms": 2000})
        quick = await consumer.begin(python, "later", {"value": "quick", "ms": 1})
        assert (await quick)["result"] == "quick"
        assert not slow.done()
        assert (await slow)["result"] == "slow"


async def calls_of(urls, service, **members):
    """The AMQP messages that each gateway sends for the same request."""
    calls = []
    for url in urls:
        async with await Consumer.open(url) as consumer:
            answer = await consumer.begin(service.name, "method", {"a": [1, "é", None]}, **members)
            calls.append(await service.next_call())
            service.answer(calls[-1], result="r")
            assert (await answer)["result"] == "r"
    return calls


async def test_the_message_on_the_wire(nuropb_gw, ours, broker_url):
    """A service receives the same body and properties, except for the differences declared here."""
    async with ManualService(broker_url, unique("wire")) as service:
        theirs, mine = await calls_of((nuropb_gw.url, ours.url), service, trace_id="trace-1")
    assert list(mine.body) == list(theirs.body)  # the order of the keys too
    for key in ("tag", "service", "method", "params", "trace_id"):
        assert mine.body[key] == theirs.body[key], key
    for call in (theirs, mine):
        assert call.body["correlation_id"] == call.properties.correlation_id
    # Ours ends with a MAC of 16 digits (meshd/address_seal.hpp).
    assert len(theirs.properties.correlation_id) == 32 and len(mine.properties.correlation_id) == 48
    # 0.1.4 sends the user's name as the token (its `bearer_token` returns `_username`); a service could not verify it.
    assert theirs.body["context"] == {"user_id": "ann", "Authorisation": "Ann", "trace_id": "trace-1"}
    assert mine.body["context"] == {"user_id": "ann", "Authorisation": "secret-ann", "trace_id": "trace-1"}
    for key in ("content_type", "headers", "priority", "type", "app_id", "user_id", "message_id"):
        assert getattr(mine.properties, key) == getattr(theirs.properties, key), key
    # 0.1.4 always says an hour; ours says how long the caller waits for the answer.
    assert theirs.properties.expiration == "3600000"
    assert 0 < int(mine.properties.expiration) <= 60_000
    for call in (theirs, mine):
        assert call.properties.reply_to.startswith("nuropb-") and call.properties.reply_to.endswith("-rq")


async def test_only_the_first_response_counts(nuropb_gw, ours, broker_url):
    """Real services send a second answer after an error (protocol.md). It is ignored, whatever it contains."""
    async with ManualService(broker_url, unique("twice")) as service:
        for url in (nuropb_gw.url, ours.url):
            async with await Consumer.open(url) as consumer:
                answer = await consumer.begin(service.name, "method", trace_id="t")
                call = await service.next_call()
                service.answer(call, error={"error": "NuropbHandlingError", "description": "no"})
                service.answer(call, result="no")
                assert (await answer)["error"] == {"error": "NuropbHandlingError", "description": "no"}
                fence = await consumer.begin(service.name, "fence")
                service.answer(await service.next_call(), result="fence")
                assert (await fence)["result"] == "fence"
                assert len(consumer.answers["t"]) == 1 and consumer.others.empty()


async def test_a_response_for_nobody_is_ignored(ours, broker_url):
    async with ManualService(broker_url, unique("strange")) as service:
        async with await Consumer.open(ours.url) as consumer:
            answer = await consumer.begin(service.name, "method")
            call = await service.next_call()
            right = call.properties.correlation_id
            for wrong in ("", "x", "0" * 32, "f" * 32, right[:-1] + "z", right.upper() if right.upper() != right else "F" * 32, right + "0", "é" * 16):
                call.properties.correlation_id = wrong
                service.answer(call, result="wrong")
            call.properties.correlation_id = right
            service.answer(call, result="right")
            assert (await answer)["result"] == "right"
            assert consumer.others.empty()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"tag":"response"}', b"\xff", b'{"tag":"response","result":1,"error":3}'])
async def test_a_response_that_cannot_be_read(ours, broker_url, body):
    """0.1.4 logs it, and the client waits forever. Ours answers with an error or interprets the answer."""
    async with ManualService(broker_url, unique("garbled")) as service:
        async with await Consumer.open(ours.url) as consumer:
            answer = await consumer.begin(service.name, "method")
            service.answer_raw(await service.next_call(), body)
            payload = await asyncio.wait_for(answer, 45)
            assert set(payload) == {"trace_id", "result", "error"}
            if payload["error"] is not None:
                assert payload["error"]["error"] == "NuropbMessageError", payload

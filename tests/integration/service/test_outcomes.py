"""The table of nuropb-wire.md, "What a participant does with a message", row by row: a C++ service, messages by hand."""

import pytest

from support.hand_caller import body


def test_a_request_that_returns_is_acknowledged_and_answered_once(caller):
    came = caller.ask("echo", {"value": {"ü": [1, None]}}, context={"user_id": "ann", "n": 1})
    assert came.body == {
        "tag": "response", "result": {"ü": [1, None]}, "error": None, "correlation_id": came.properties.correlation_id, "trace_id": "t-hand",
        "context": {"user_id": "ann", "n": 1}, "warning": None, "reply_to": caller.answers_queue,
    }
    assert came.headers == {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "response", "trace_id": "t-hand", "encrypted": ""}
    assert came.properties.content_type == "application/json" and came.properties.expiration is None
    caller.nothing_more()


def test_a_request_that_raises_is_rejected_and_answered_once(caller):
    for method, params, error in (
        ("raises", {"text": "boom"}, {"error": "NuropbException", "description": f"Runtime exception calling {caller.service}.raises:std::runtime_error: boom"}),
        ("raises_later", {}, {"error": "NuropbException", "description": "boom later"}),
        ("forgets", {}, {"error": "NuropbHandlingError", "description": "method forgets ended without an answer"}),
        ("nope", {}, {"error": "NuropbHandlingError", "description": "Unknown method nope"}),
        ("_private", {}, {"error": "NuropbHandlingError", "description": "Unknown method _private"}),
    ):
        came = caller.ask(method, params)
        assert came.body["result"] is None and came.error == error
        assert came.body["context"] == {"who": "ann"}
        letter = caller.dead_letter(came.properties.correlation_id)
        assert letter.headers["x-first-death-reason"] == "rejected"
    caller.nothing_more()


def test_a_service_that_answers_twice_is_heard_once(caller):
    assert caller.ask("answers_twice").body["result"] == "first"
    caller.nothing_more()


@pytest.mark.parametrize("kind", ["request", "command"])
def test_call_again_puts_the_message_back_once_and_only_once(caller, kind):  # provokes: NuropbCallAgainReject
    caller.ask("calls")
    sent = caller.put(body(caller.service, "call_again_always", {"topic": f"{caller.service}.seen.x"}, tag=kind), headers={"nuropb_type": kind})
    if kind == "request":
        assert caller.answer(sent).error["error"] == "NuropbCallAgainReject"
    caller.dead_letter(sent)
    assert caller.ask("calls").body["result"] == 2, "the first delivery and one more"
    caller.nothing_more()
    assert caller.channel.basic_get(caller.events_queue)[0] is None, "its events are dropped"


def test_call_again_may_succeed_the_second_time(caller):
    assert caller.ask("call_again_once", {"key": "k1"}).body["result"] == "second time"
    caller.nothing_more()


def test_success_with_events(caller):
    topic = f"{caller.service}.seen.order"
    came = caller.ask("success", {"topic": topic}, context={"user_id": "ann"})
    assert came.body["result"] == "done"
    for n, target in ((1, None), (2, ["ann"])):
        event = caller.take(caller.events_queue)
        assert event.routing_key == topic
        assert event.body == {"tag": "event", "topic": topic, "event": {"n": n}, "context": {"user_id": "ann"}, "trace_id": "t-hand",
                              "correlation_id": came.properties.correlation_id, "target": target}
        assert event.headers["nuropb_type"] == "event" and event.properties.expiration is None
    caller.command("success", {"topic": topic})
    assert [caller.take(caller.events_queue).body["event"]["n"] for _ in range(2)] == [1, 2], "no answer, but what happened is told"
    caller.nothing_more()


def test_events_of_a_method_that_failed_are_dropped(caller):
    came = caller.ask("event_then_fail", {"topic": f"{caller.service}.seen.x"})
    assert came.error["error"] == "NuropbException"
    caller.dead_letter(came.properties.correlation_id)
    caller.nothing_more()
    assert caller.channel.basic_get(caller.events_queue)[0] is None


def test_commands_are_acknowledged_or_rejected_and_never_answered(caller):
    caller.command("note", {"n": 1})
    assert caller.ask("notes").body["result"] == [{"params": {"n": 1}, "command": True, "encrypted": False, "context": {"who": "ann"}}]
    caller.nothing_more()
    for method in ("raises", "nope", "_private"):
        caller.dead_letter(caller.command(method))
    caller.nothing_more()


def test_events_are_acknowledged_or_rejected_and_never_answered(caller):
    caller.event({"n": 1}, target=["ann"], context={"user_id": "bob"})
    assert caller.ask("notes").body["result"] == [
        {"topic": f"{caller.service}.events.x", "event": {"n": 1}, "target": ["ann"], "context": {"user_id": "bob"}, "trace_id": "t-hand"}]
    caller.nothing_more()
    caller.dead_letter(caller.event("fail"))
    caller.ask("calls")
    caller.dead_letter(caller.event("again"))
    assert caller.ask("calls").body["result"] == 2, "put back once"
    caller.nothing_more()


def test_no_service_is_told_by_the_broker(caller):
    """The requester's own library answers, on basic.return (mesh_test.cpp, NobodyThere)."""
    import pika
    with pytest.raises(pika.exceptions.UnroutableError):
        caller.put(body("nobody", "m"), routing_key="no-such-service")


@pytest.mark.parametrize("name", [
    "NuropbException", "NuropbTimeoutError", "NuropbTransportError", "NuropbMessageError", "NuropbHandlingError", "NuropbDeprecatedError", "NuropbValidationError",
    "NuropbAuthenticationError", "NuropbAuthorizationError", "NuropbNotDeliveredError"])
def test_error_names(caller, name):
    came = caller.ask("error", {"name": name, "description": "as asked: ü"})
    assert came.error == {"error": name, "description": "as asked: ü"}
    caller.dead_letter(came.properties.correlation_id)


def test_many_wait_at_a_time_and_each_gets_its_own(caller):
    """As many requests as the prefetch run at a time; a slow one does not delay the answers to later ones."""
    slow = caller.put(body(caller.service, "later", {"value": "slow", "ms": 2000}))
    quick = [caller.put(body(caller.service, "later", {"value": n, "ms": 1})) for n in range(5)]
    came = [caller.take(caller.answers_queue) for _ in range(6)]
    assert {c.properties.correlation_id: c.body["result"] for c in came} == {slow: "slow", **dict(zip(quick, range(5)))}
    assert came[-1].properties.correlation_id == slow


def test_a_request_without_reply_to_is_handled_and_not_answered(caller):
    from support.hand_caller import GONE
    caller.put(body(caller.service, "note", {"n": 2}), reply_to=GONE)
    assert caller.ask("notes").body["result"][0]["params"] == {"n": 2}
    caller.nothing_more()

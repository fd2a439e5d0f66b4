"""The real Python nuropb 0.1.8 calls a C++ service (peers/service.cpp): one test per row of nuropb-wire.md's table of
outcomes, and per error name; discovery, encryption, context and claims as a Python caller uses them."""

import pytest

from support.hand_caller import HandCaller
from support.services import cpp_service

from .python_caller import call

ERROR_NAMES = [
    "NuropbException", "NuropbTimeoutError", "NuropbTransportError", "NuropbMessageError", "NuropbHandlingError", "NuropbDeprecatedError", "NuropbValidationError",
    "NuropbAuthenticationError", "NuropbAuthorizationError", "NuropbNotDeliveredError"]
TOKEN = {"Authorization": "secret-ann"}

CALLS = {
    # what a request comes to
    "returns": {"method": "echo", "params": {"value": {"ü": [1, 2.5, None, True, "😀"]}}},
    "returns nothing": {"method": "nothing", "params": {}},
    "returns later": {"method": "later", "params": {"value": 1, "ms": 20}},
    "whole response": {"method": "echo", "params": {"value": 1}, "rpc_response": False, "context": {"user_id": "ann"}, "trace_id": "t-1"},
    "raises": {"method": "raises", "params": {"text": "boom"}},
    "raises, whole response": {"method": "raises", "params": {"text": "boom"}, "rpc_response": False},
    "raises later": {"method": "raises_later", "params": {}},
    "ends without an answer": {"method": "forgets", "params": {}},
    "answers twice": {"method": "answers_twice", "params": {}},
    "call again, then returns": {"method": "call_again_once", "params": {"key": "python"}},
    "call again for ever": {"method": "call_again_always", "params": {}, "rpc_response": False},
    "unknown": {"method": "nope", "params": {}},
    "private": {"method": "_private", "params": {}},
    "hidden": {"method": "hidden", "params": {}},
    **{name: {"method": "error", "params": {"name": name, "description": f"a {name}"}, "rpc_response": False} for name in ERROR_NAMES},
    # arguments
    "default": {"method": "add", "params": {"a": 41}},
    "missing argument": {"method": "add", "params": {"b": 1}, "rpc_response": False},
    "unknown argument": {"method": "add", "params": {"a": 1, "z": 1}, "rpc_response": False},
    "argument of another type": {"method": "add", "params": {"a": "1"}, "rpc_response": False},
    "params null": {"method": "nothing", "params": None},
    # context and claims
    "context": {"method": "context", "params": {}, "context": {"user_id": "ann"}},
    "context null": {"method": "context", "params": {}, "context": None, "rpc_response": False},
    "claims": {"method": "claims", "params": {}, "context": TOKEN},
    "claims by another key": {"method": "claims_by_another_key", "params": {}, "context": {"Authorisation": "secret-ann"}},
    "no token": {"method": "claims", "params": {}, "context": {}, "rpc_response": False},
    "expired token": {"method": "claims", "params": {}, "context": {"Authorization": "expired"}, "rpc_response": False},
    "weak token": {"method": "claims", "params": {}, "context": {"Authorization": "weak"}, "rpc_response": False},
    "stranger": {"method": "claims", "params": {}, "context": {"Authorization": "x"}, "rpc_response": False},
    # encryption
    "secret in the clear": {"method": "secret", "params": {"value": 1}, "rpc_response": False},
    "no public key yet": {"method": "secret", "params": {"value": 1}, "encrypted": True},
}
AFTER_DESCRIBE = {
    "secret": {"method": "secret", "params": {"value": {"ü": 1}}, "encrypted": True},
    "secret, wrong argument": {"method": "secret", "params": {}, "encrypted": True, "rpc_response": False},
    "secret echo": {"method": "echo", "params": {"value": 5}, "encrypted": True, "rpc_response": False},
    "secret unknown": {"method": "nope", "params": {}, "encrypted": True, "rpc_response": False},
    "secret call again": {"method": "call_again_once", "params": {"key": "secret"}, "encrypted": True},
    "secret command": {"method": "note", "params": {"n": 1}, "encrypted": True, "command": True},
    "command": {"method": "note", "params": {"n": 2}, "command": True},
    "command that fails": {"method": "raises", "params": {}, "command": True},
    "command that calls again": {"method": "call_again_always", "params": {}, "command": True},
    "in step": {"method": "echo", "params": {"value": "still in step"}},
}


@pytest.fixture(scope="module")
def service(broker_url, module_folder):
    with cpp_service(broker_url, module_folder, key_file=module_folder / "key.pem") as process:
        yield process.service


@pytest.fixture(scope="module")
def outcomes(broker_url, service):
    """One connection makes all calls: a caller that an odd answer puts out of step would show it in the next one."""
    plan = {name: {"service": service, **one} for name, one in CALLS.items()}
    plan["describe"] = {"describe": service}
    plan["has_public_key"] = {"has_public_key": service}
    plan["requires, secret"] = {"requires_encryption": [service, "secret"]}
    plan["requires, echo"] = {"requires_encryption": [service, "echo"]}
    plan["requires, hidden"] = {"requires_encryption": [service, "hidden"]}
    plan.update({name: {"service": service, **one} for name, one in AFTER_DESCRIBE.items()})
    plan["event"] = {"topic": f"{service}.events.python", "event": {"n": 3}, "context": {"user_id": "ann"}, "trace_id": "t-2"}
    plan["event that fails"] = {"topic": f"{service}.events.python", "event": "fail"}
    plan["event, encrypted"] = {"topic": f"{service}.events.python", "event": {"n": 4}, "encrypted": True}
    plan["notes"] = {"service": service, "method": "notes", "params": {}}
    return dict(zip(plan, call(broker_url, *plan.values())))


def error_of(outcome):
    response = outcome["result"]
    assert response["tag"] == "response" and response["result"] is None, outcome
    return response["error"]


@pytest.mark.parametrize("name, result", [
    ("returns", {"ü": [1, 2.5, None, True, "😀"]}), ("returns nothing", None), ("returns later", 1), ("answers twice", "first"), ("hidden", "found"),
    ("call again, then returns", "second time"), ("default", 42), ("params null", None), ("context", {"user_id": "ann"}), ("claims", {"sub": "ann"}),
    ("claims by another key", {"sub": "ann"}), ("has_public_key", True), ("requires, secret", True), ("requires, echo", False), ("secret", {"secret": {"ü": 1}}),
    ("secret call again", "second time"), ("in step", "still in step")])
def test_results(outcomes, name, result):
    assert outcomes[name] == {"result": result}


def test_the_whole_response(outcomes):
    whole = outcomes["whole response"]["result"]
    assert len(whole.pop("correlation_id")) == 32 and whole.pop("reply_to").endswith("-rq")
    assert whole == {"tag": "response", "context": {"user_id": "ann"}, "trace_id": "t-1", "result": 1, "error": None, "warning": None}


@pytest.mark.parametrize("name, part", [
    ("raises", ".raises:std::runtime_error: boom"), ("raises later", "boom later"), ("ends without an answer", "ended without an answer"),
    ("unknown", "Unknown method nope"), ("private", "Unknown method _private")])
def test_errors_are_raised_as_for_a_python_service(outcomes, name, part):
    # 0.1.8 raises every error response of a request as NuropbMessageError with the service's description.
    assert outcomes[name]["raised"] == "NuropbMessageError" and part in outcomes[name]["description"], outcomes[name]


@pytest.mark.parametrize("name", ERROR_NAMES)
def test_error_names_and_descriptions_arrive(outcomes, name):
    assert error_of(outcomes[name]) == {"error": name, "description": f"a {name}"}


@pytest.mark.parametrize("name, error, part", [
    ("raises, whole response", "NuropbException", "Runtime exception calling "), ("call again for ever", "NuropbCallAgainReject", "Rejecting second call again request"),
    ("missing argument", "NuropbValidationError", "missing its argument 'a'"), ("unknown argument", "NuropbValidationError", "no argument 'z'"),
    ("argument of another type", "NuropbValidationError", "takes 'a' as integer"), ("context null", "NuropbValidationError", "needs a context"),
    ("no token", "NuropbAuthenticationError", "no token 'Authorization'"), ("expired token", "NuropbAuthenticationError", "the token has expired"),
    ("weak token", "NuropbAuthorizationError", "no claims for this token"), ("stranger", "NuropbAuthorizationError", "not one that claims() accepts"),
    ("secret in the clear", "NuropbMessageError", "requires encryption"), ("secret, wrong argument", "NuropbValidationError", "missing its argument 'value'"),
    ("secret unknown", "NuropbHandlingError", "Unknown method nope")])
def test_errors(outcomes, name, error, part):
    got = error_of(outcomes[name])
    assert got["error"] == error and part in got["description"], got


def test_encrypted_both_ways(outcomes):
    assert outcomes["no public key yet"]["raised"] == "ValueError", "the caller's own library says so"
    assert outcomes["secret echo"]["result"]["result"] == 5
    assert outcomes["secret echo"]["result"]["context"] == {"from": "client"}


def test_commands_and_events(outcomes, service):
    notes = outcomes["notes"]["result"]
    assert {"params": {"n": 1}, "command": True, "encrypted": True, "context": {}} in notes
    assert {"params": {"n": 2}, "command": True, "encrypted": False, "context": {}} in notes
    topic = f"{service}.events.python"
    assert {"topic": topic, "event": {"n": 3}, "target": None, "context": {"user_id": "ann"}, "trace_id": "t-2"} in notes
    # 0.1.8 marks such an event as encrypted and sends it in the clear.
    assert {"topic": topic, "event": {"n": 4}, "target": None, "context": {}, "trace_id": "trace-of-client"} in notes
    assert len(notes) == 4


def test_rejected_ones_are_dead_letters_and_acknowledged_ones_are_not(broker_url, service):
    with HandCaller(broker_url, service) as hand:
        done = call(broker_url, *({"service": service, "params": {}, **one} for one in (
            {"method": "nothing"}, {"method": "raises", "trace_id": "rejected-1"}, {"method": "call_again_always", "trace_id": "rejected-2"}, {"method": "nope", "trace_id": "rejected-3"},
            {"method": "raises", "command": True, "trace_id": "rejected-4"}, {"method": "nothing", "command": True}, {"method": "nothing", "trace_id": "t"})))
        assert done[-1] == {"result": None}
        letters = []
        while len(letters) < 4:
            letter = hand.take(hand.letters_queue)
            if letter.headers["x-first-death-queue"] == f"nuropb-{service}-sq":
                letters.append(letter.headers["trace_id"])
        assert letters == ["rejected-1", "rejected-2", "rejected-3", "rejected-4"]
        hand.nothing_more()


def test_the_description(outcomes, service):
    whole = outcomes["describe"]["result"]
    assert set(whole) == {"service_name", "service_version", "description", "warnings", "encrypted_methods", "public_key", "methods"}
    assert (whole["service_name"], whole["service_version"], whole["warnings"], whole["encrypted_methods"]) == (service, "1.2.3", [], True)
    assert whole["public_key"].startswith("-----BEGIN PUBLIC KEY-----\n")
    assert "hidden" not in whole["methods"] and "nuropb_describe" not in whole["methods"]
    assert whole["methods"]["add"] == {
        "description": "Adds", "requires_encryption": False,
        "parameters": {"type": "object", "required": ["a"], "properties": [
            ["a", {"type": "integer", "description": "", "default": None}], ["b", {"type": "integer", "description": "the other", "default": 1}]]}}
    assert whole["methods"]["secret"]["requires_encryption"] is True
    assert outcomes["requires, hidden"]["raised"] == "ValueError", "what is not described is not known"


def test_events_of_a_success(broker_url, service):
    """Events are published as 0.1.8 publishes them; those of an encrypted call are not encrypted either."""
    with HandCaller(broker_url, service) as hand:
        topic = f"{service}.seen.success"
        plain, _, secret = call(broker_url, {"service": service, "method": "success", "params": {"topic": topic}, "context": {"user_id": "ann"}}, {"describe": service},
                                {"service": service, "method": "success", "params": {"topic": topic}, "context": {"user_id": "ann"}, "encrypted": True})
        assert plain == secret == {"result": "done"}
        events = [hand.take(hand.events_queue) for _ in range(4)]
        assert [event.body["event"] for event in events] == [{"n": 1}, {"n": 2}] * 2
        assert [event.body["context"] for event in events] == [{"user_id": "ann"}] * 2 + [{}] * 2, "what came in secret is not made public"
        assert all(event.headers["encrypted"] == "" for event in events)

"""The real Python nuropb 0.1.8 uses the gateway's own methods: it sends to consumers, closes and lists them, where the
policy lets it."""

import pytest

from support.consumer import Consumer
from support.gateway import Gateway
from support.lines import LineConsumer
from support.services import unique

from .python_caller import call

POLICY = """
default = ["request", "describe"]
[[controller]]
methods = ["*"]
users = ["ops"]
[[controller]]
methods = ["sessions"]
users = ["ann"]
[[controller]]
methods = ["*"]
services = ["*"]
"""
METHODS = {"send_to_session", "send_to_users", "send_to_all", "close_session", "close_users", "close_all", "sessions"}
OPS = {"user_id": "ops"}


@pytest.fixture(scope="module")
def ruled(broker_url, module_folder):
    (module_folder / "policy.toml").write_text(POLICY)
    lines = unique("lines")
    with Gateway(broker_url, edges=2, settings={"auth": {"policy_file": str(module_folder / "policy.toml")}, "lines": {"enabled": True, "port": 0, "service_name": lines}}) as running:
        running.lines_name = lines
        yield running


async def test_sends_closes_and_lists(ruled, broker_url):
    consumers = [await Consumer.open(edge.url, token=f"secret-{user}") for user in ("ann", "bob") for edge in ruled.edges]
    last = consumers[3].session_id
    plan = [
        ("send_to_users", {"user_ids": ["ann", "ann"], "message": {"ü": [1, None]}}),
        ("send_to_all", {"message": "all"}),
        ("send_to_session", {"session_id": last, "message": None}),
        ("sessions", {"user_id": "ann"}),
        ("sessions", {"limit": 0}),
        ("close_session", {"session_id": last, "code": 4001, "reason": "enough"}),
        ("close_users", {"user_ids": ["bob"]}),
        ("close_all", {"code": 1001, "reason": ""}),
    ]
    outcomes = call(broker_url, *({"service": ruled.name, "method": method, "params": params, "context": OPS} for method, params in plan))
    results = [outcome["result"] for outcome in outcomes]
    assert [results[i]["connections"] for i in (0, 1, 2, 5)] == [2, 4, 1, 1], results
    assert results[0] == {"connections": 2, "unanswered": [], "silent_edges": 0}
    assert {one["user_id"] for one in results[3]["sessions"]} == {"ann"} and len(results[3]["sessions"]) == 2
    assert results[4]["count"] == {"sessions": 4, "users": 2, "gateways": 1} and results[4]["sessions"] == []
    for consumer in consumers[:2]:
        assert [await consumer.other(), await consumer.other()] == [{"ü": [1, None]}, "all"]
    assert [await consumers[3].other(), await consumers[3].other()] == ["all", None], "and null is a message too"
    assert await consumers[3].closed() == (4001, "enough")
    assert await consumers[2].closed() == (1000, "")
    for consumer in consumers[:2]:
        assert await consumer.closed() == (1001, "")


def test_described_with_their_parameters(ruled, broker_url):
    (outcome,) = call(broker_url, {"service": ruled.name, "method": "nuropb_describe", "params": {}})
    methods = outcome["result"]["methods"]
    assert METHODS <= set(methods)
    assert "user_ids" in str(methods["send_to_users"]) and "reason" in str(methods["close_users"])


async def test_the_second_identity_has_methods_of_its_own(ruled, broker_url):
    """JSON lines are another service on the same connection: a caller of its methods reaches its consumers."""
    line, web = await LineConsumer.open(ruled.edges[0]), await Consumer.open(ruled.url)
    described, sent, counted, closed = (outcome["result"] for outcome in call(broker_url, *({"service": ruled.lines_name, "method": method, "params": params, "context": OPS} for method, params in (
        ("nuropb_describe", {}), ("send_to_users", {"user_ids": ["ann"], "message": "line"}), ("sessions", {"limit": 0}), ("close_users", {"user_ids": ["ann"]})))))
    assert described["service_name"] == ruled.lines_name and METHODS <= set(described["methods"])
    assert sent["connections"] == closed["connections"] == 1 and counted["count"]["sessions"] == 1
    assert await line.other() == "line" and await line.closed() == (1000, "")
    assert web.open_still and web.others.empty()
    await web.close()
    await line.close()


STRANGERS = [{}, {"user_id": "bob"}, {"user_id": ["ops"]}, {"ops": "user_id"}, {"claims": {"user_id": "ops"}}, {"user_id": "OPS"}]
MISTAKES = [
    ("send_to_session", {"session_id": "x", "message": 1}, "32 hexadecimal"), ("send_to_users", {"user_ids": [], "message": 1}, "no user"),
    ("send_to_users", {"user_ids": [1], "message": 1}, "not a string"), ("send_to_all", {}, "message"), ("close_all", {"code": 1006}, "1006"),
    ("close_all", {"code": 70000}, "not one of"), ("close_all", {"reason": "r" * 124}, "123"), ("sessions", {"cursor": "x"}, "is not a cursor"), ("sessions", {"limit": -1}, "limit")]


def errors(broker_url, service, calls):
    """The error of each (method, params, context); the real caller raises only their descriptions."""
    outcomes = call(broker_url, *({"service": service, "method": method, "params": params, "context": context, "rpc_response": False} for method, params, context in calls))
    return [outcome["result"]["error"] for outcome in outcomes]


def test_nobody_else_may(ruled, broker_url):
    """Nor a participant that is not a service, although a rule allows all services."""
    for context, error in zip(STRANGERS, errors(broker_url, ruled.name, [("send_to_all", {"message": 1}, context) for context in STRANGERS])):
        assert error and error["error"] == "NuropbAuthorizationError", (context, error)


def test_what_is_wrong_is_said(ruled, broker_url):
    for (method, params, part), error in zip(MISTAKES, errors(broker_url, ruled.name, [(method, params, OPS) for method, params, _ in MISTAKES])):
        assert error["error"] == "NuropbValidationError" and part in error["description"], (method, params, error)


async def test_consumers_reach_them_only_where_the_policy_says_so(ruled, broker_url):
    """Neither by a rule for services, though all are allowed: what comes by the gateway is the consumer's, not its own."""
    ann, bob = await Consumer.open(ruled.url), await Consumer.open(ruled.url, token="secret-bob")
    line = await LineConsumer.open(ruled.edges[0], token="secret-bob")
    for consumer in (bob, line):  # nor of the one kind by the name of the other
        for service in (ruled.name, ruled.lines_name):
            assert (await consumer.request(service, "send_to_all", {"message": 1}))["error"]["error"] == "NuropbAuthorizationError"
    await line.close()
    for consumer, method, params in ((bob, "sessions", {}), (bob, "send_to_all", {"message": 1}), (ann, "send_to_all", {"message": 1}), (ann, "close_all", {})):
        answer = await consumer.request(ruled.name, method, params, context={"user_id": "ops"})
        assert answer["error"]["error"] == "NuropbAuthorizationError", answer
    assert (await ann.result(ruled.name, "sessions", {"limit": 0}))["count"]["sessions"] == 2
    await ann.close()
    await bob.close()


async def test_without_a_policy_nobody_may(broker_url):
    with Gateway(broker_url) as unruled:
        ann = await Consumer.open(unruled.url)
        found = errors(broker_url, unruled.name, [("send_to_all", {"message": 1}, OPS), ("close_all", {}, OPS), ("sessions", {}, OPS)])
        assert {error["error"] for error in found} == {"NuropbAuthorizationError"}
        assert (await ann.request(unruled.name, "sessions"))["error"]["error"] == "NuropbAuthorizationError"
        await ann.close()

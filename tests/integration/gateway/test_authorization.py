"""Authentication: every authorizer against real components, every place of a token, and what becomes
of sockets that are open when a token expires, is refreshed or revoked."""

import asyncio
import json
import signal
import time

import pytest

from support.authorities import AuthorizationServer, Issuer
from support.consumer import Consumer
from support.gateway import TOKENS, tokens_toml
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually
from support.websocket import Refusal, status_of


@pytest.fixture
def issuer():
    with Issuer() as running:
        yield running


@pytest.fixture
def opened(gateways):
    """A gateway with these settings, whose logs may not hold these tokens either."""
    def start(settings, secrets=(), **options):
        gateway = gateways(settings=settings, **options)
        gateway.secrets |= set(secrets)
        return gateway
    return start


async def refusal(url, token, **options):
    """The close code of a socket that is refused before its hello."""
    consumer = await Consumer.open(url, token, hello=False, **options)
    assert await consumer.other() is None, "nothing is said to a refused client"
    return (await consumer.closed())[0]


def user(consumer):
    event = consumer.hello["payload"]["event"]
    return event["user_id"], event["username"]


# Authorizers

async def test_json_web_tokens_and_a_new_key(opened, issuer):
    gateway = opened(issuer.settings())
    token = issuer.token("ann@example.com", name="Ann")
    gateway.secrets.add(token)
    async with await Consumer.open(gateway.url, token) as consumer:
        assert user(consumer) == ("ann@example.com", "Ann")
    async with await Consumer.open(gateway.url, "secret-bob") as consumer:
        assert user(consumer) == ("bob", "Bob"), "static tokens count beside them"
    assert await refusal(gateway.url, issuer.token(lasts=-10)) == 4501
    assert await refusal(gateway.url, issuer.token(aud="another audience")) == 4501
    assert await refusal(gateway.url, issuer.token(iss="https://evil.test")) == 4501
    assert await refusal(gateway.url, "no-such-token") == 4501

    issuer.rotate()

    async def taken():
        consumer = await Consumer.open(gateway.url, issuer.token(), hello=False)
        first = await consumer.other()
        await consumer.close()
        if first is None:
            assert consumer.ws.close_code == 4002, "while it may not be asked yet: come again"
        return first is not None
    await eventually(taken, "the new key counts")
    assert await refusal(gateway.url, token) in (4501, 4002), "the former key was taken out"


async def test_an_issuer_that_is_away_refuses_nobody(opened, issuer):
    issuer.status = 500
    gateway = opened(issuer.settings())
    assert await refusal(gateway.url, issuer.token()) == 4002
    async with await Consumer.open(gateway.url, "secret-ann"):
        pass
    issuer.status = 200

    async def taken():
        consumer = await Consumer.open(gateway.url, issuer.token(), hello=False)
        first = await consumer.other()
        await consumer.close()
        return first is not None
    await eventually(taken, "it is asked again")


@pytest.fixture
def authorization_server():
    with AuthorizationServer() as running:
        yield running


async def test_introspection(opened, authorization_server, folder):
    secret = folder / "client-secret"
    secret.write_text(authorization_server.client[1] + "\n")
    authorization_server.tokens = {"opaque-token-of-ann": {"sub": "ann", "username": "Ann", "exp": int(time.time()) + 3600}, "opaque-token-over": {"sub": "ann", "exp": 1000}}
    gateway = opened({
        "auth": {"authorizers": ["introspection"], "cache_s": 3600, "negative_cache_s": 3600},
        "introspection": {"url": authorization_server.url + "/introspect", "client_id": authorization_server.client[0], "client_secret_file": str(secret), "timeout_ms": 15_000},
    }, [*authorization_server.tokens, authorization_server.client[1]])
    async with await Consumer.open(gateway.url, "opaque-token-of-ann") as consumer:
        assert user(consumer) == ("ann", "Ann")
    assert await refusal(gateway.url, "opaque-token-over") == 4501
    assert await refusal(gateway.url, "opaque-token-of-nobody") == 4501
    asked = authorization_server.requests
    async with await Consumer.open(gateway.url, "opaque-token-of-ann"):
        pass
    assert await refusal(gateway.url, "opaque-token-of-nobody") == 4501
    assert authorization_server.requests == asked, "both verdicts were remembered"
    authorization_server.status = 503
    assert await refusal(gateway.url, "opaque-token-new") == 4002
    authorization_server.stop()
    assert await refusal(gateway.url, "opaque-token-newer") == 4002


async def test_a_service_of_the_mesh(opened, broker_url):
    async with ManualService(broker_url, unique("users")) as users:
        gateway = opened({"auth": {"authorizers": ["tokens", "mesh"], "mesh_service": users.name, "mesh_timeout_ms": 15_000}}, ["token-for-the-mesh"])
        opening = asyncio.create_task(Consumer.open(gateway.url, "token-for-the-mesh"))
        call = await users.next_call()
        assert (call.method, call.params) == ("authorize", {"token": "token-for-the-mesh"})
        users.answer(call, result={"user_id": "ann", "username": "Ann", "roles": ["clerk"]})
        async with await opening as consumer:
            assert user(consumer) == ("ann", "Ann")
        for answer, code in (
            ({"result": None}, 4501),
            ({"error": {"error": "NuropbAuthenticationError", "description": "no"}}, 4501),
            ({"error": {"error": "NuropbException", "description": "broken"}}, 4002),
        ):
            refused = asyncio.create_task(refusal(gateway.url, f"token-{code}-{answer}".replace(" ", "")))
            users.answer(await users.next_call(), **answer)
            assert await refused == code, answer
        async with await Consumer.open(gateway.url, "secret-bob"):
            pass
        gateway = opened({"auth": {"authorizers": ["mesh"], "mesh_service": users.name, "mesh_timeout_ms": 300}})
        assert await refusal(gateway.url, "token-without-an-answer") == 4002
    gateway = opened({"auth": {"authorizers": ["mesh"], "mesh_service": unique("nobody")}})
    assert await refusal(gateway.url, "token-for-nobody") == 4002


# Where a token may stand

async def test_subprotocol(gateway):
    """Like a browser: no header, and the response must select one of the offered subprotocols."""
    async with await Consumer.open(gateway.url, None, subprotocols=["nuropb", "bearer.secret-ann"]) as consumer:
        assert user(consumer) == ("ann", "Ann")
        assert consumer.ws.subprotocol == "nuropb"
    encoded = "base64url.bearer.authorization.nuropb.c2VjcmV0LWJvYg"
    async with await Consumer.open(gateway.url, None, subprotocols=[encoded, "nuropb"]) as consumer:
        assert user(consumer) == ("bob", "Bob")
        assert consumer.ws.subprotocol == "nuropb"
    async with await Consumer.open(gateway.url, "secret-ann", subprotocols=["nuropb"]) as consumer:
        assert consumer.ws.subprotocol == "nuropb"
    with pytest.raises(Refusal) as answer:
        await Consumer.open(gateway.url, None, subprotocols=["bearer.secret-ann"])
    assert status_of(answer.value) == 400, "the token itself must not come back"
    assert await refusal(gateway.url, None, subprotocols=["nuropb", "bearer.wrong"]) == 4501


async def test_query_only_where_it_is_switched_on(gateway, gateways):
    with pytest.raises(Refusal) as answer:
        await Consumer.open(gateway.url + "?access_token=secret-ann", None)
    assert status_of(answer.value) == 401
    other = gateways(settings={"auth": {"query": "access_token"}, "log": {"level": "debug"}})
    async with await Consumer.open(other.url + "?x=1&access_token=secret%2Dann", None) as consumer:
        assert user(consumer) == ("ann", "Ann")


async def test_first_message(gateways, demo):
    gateway = gateways(settings={"auth": {"first_message": True, "first_message_ms": 60_000, "first_message_waiting": 2}})
    consumer = await Consumer.open(gateway.url, None, hello=False)
    await consumer.send({"type": "authorize", "payload": {"token": "Bearer secret-ann"}})
    await consumer.send({"type": "request", "payload": {"service": demo, "method": "echo", "params": {"n": 1}, "trace_id": "1"}})
    hello, answer = await consumer.other(), await consumer.other()
    assert hello["payload"]["event"]["user_id"] == "ann"
    assert answer["payload"]["result"] == {"n": 1}, "messages behind it are not lost"
    big = "x" * 100_000
    assert await consumer.result(demo, "echo", {"big": big}) == {"big": big}, "the limit for strangers is over"
    await consumer.close()

    for first in ({"type": "request", "payload": {"service": demo, "method": "echo", "params": {}}}, "rubbish", {"type": "authorize", "payload": {}}):
        stranger = await Consumer.open(gateway.url, None, hello=False)
        await stranger.send(first)
        assert await stranger.other() is None
        assert (await stranger.closed())[0] == 4501
    stranger = await Consumer.open(gateway.url, None, hello=False)
    await stranger.send({"type": "authorize", "payload": {"token": "wrong"}})
    assert (await stranger.closed())[0] == 4501
    stranger = await Consumer.open(gateway.url, None, hello=False)
    await stranger.send(json.dumps({"type": "authorize", "payload": {"token": "secret-ann", "filler": "x" * 40_000}}))
    assert (await stranger.closed())[0] == 1009, "what a stranger may make us keep has a bound"

    async def let_in():
        try:
            return await Consumer.open(gateway.url, None, hello=False)
        except Refusal:
            return None  # those before it may owe their message until the edge has seen their end
    silent = [await eventually(let_in, "there is room for two") for _ in range(2)]
    with pytest.raises(Refusal) as answer:
        await Consumer.open(gateway.url, None, hello=False)
    assert status_of(answer.value) == 503
    async with await Consumer.open(gateway.url, "secret-ann"):
        pass  # who shows a token is not concerned
    await silent[0].close()
    silent[1].reset()

    async def room():
        try:
            again = await Consumer.open(gateway.url, None, hello=False)
        except Refusal:
            return False
        await again.close()
        return True
    await eventually(room, "there is room for others")


async def test_a_first_message_that_does_not_come(gateways):  # provokes: 4402
    gateway = gateways(settings={"auth": {"first_message": True, "first_message_ms": 200}})
    silent = await Consumer.open(gateway.url, None, hello=False)
    assert (await silent.closed())[0] == 4402


# What becomes of those who are here

async def knows_the_keys(gateway, issuer):
    """Fetches the keys first, so that this takes nothing of the lifetime of a token that is valid for seconds."""
    async with await Consumer.open(gateway.url, issuer.token()):
        pass


async def expiring(consumer):
    event = (await consumer.other())["payload"]
    assert event["topic"] == "session_expiring", event
    return event["event"]


async def test_expiry_is_announced_and_then_closes(opened, issuer, demo):  # provokes: 4401
    gateway = opened(issuer.settings())
    await knows_the_keys(gateway, issuer)
    async with await Consumer.open(gateway.url, issuer.token(lasts=6)) as consumer:
        event = await expiring(consumer)
        assert event["session_id"] == consumer.session_id
        assert 0 < event["expires_in"] <= 6 and abs(event["expires_at"] - time.time()) < 10
        assert await consumer.result(demo, "echo", {"n": 1}) == {"n": 1}
        assert await consumer.closed() == (4401, "token expired")


async def test_a_fresh_token_in_place(opened, issuer, broker_url):  # provokes: NuropbAuthenticationError
    gateway = opened(issuer.settings(context_claims_key="claims"))
    await knows_the_keys(gateway, issuer)
    old = issuer.token(lasts=7, tenant="old")
    async with ManualService(broker_url, unique("context")) as service, await Consumer.open(gateway.url, old) as consumer:
        witness = await Consumer.open(gateway.url, old)  # of the former token's end
        await expiring(consumer)
        fresh = issuer.token(tenant="new")
        gateway.secrets.add(fresh)
        result = await consumer.done("authorize", token=fresh)
        assert result["user_id"] == "ann" and result["expires_at"] > time.time() + 3000

        answer = await consumer.begin(service.name, "look")
        call = await service.next_call()
        assert call.body["context"]["Authorisation"] == fresh
        assert call.body["context"]["claims"]["tenant"] == "new"
        service.answer(call, result=1)
        await answer

        # Another's or a bad token changes nothing.
        assert await consumer.refused("authorize", token=issuer.token("bob")) == "NuropbAuthorizationError"
        assert await consumer.refused("authorize", token=issuer.token(lasts=-5)) == "NuropbAuthenticationError"
        assert await consumer.refused("authorize", token="rubbish") == "NuropbAuthenticationError"
        answer = await consumer.begin(service.name, "look")
        call = await service.next_call()
        assert call.body["context"]["user_id"] == "ann" and call.body["context"]["Authorisation"] == fresh
        service.answer(call, result=1)
        await answer

        # The former token's end is no end any more, after a restart of meshd either.
        gateway.meshd.kill()
        await eventually(lambda: not gateway.edges[0].attached(), "the edge knows that meshd is away")
        gateway.start_meshd()
        gateway.until_ready()
        assert (await witness.closed())[0] == 4401
        answer = await consumer.begin(service.name, "look")
        call = await service.next_call()
        assert call.body["context"]["Authorisation"] == fresh
        service.answer(call, result=1)
        await answer
        assert consumer.open_still


async def test_a_restart_prolongs_nothing(opened, issuer):
    gateway = opened(issuer.settings(expiry_warning_s=0))
    await knows_the_keys(gateway, issuer)
    consumer, stays = await Consumer.open(gateway.url, issuer.token(lasts=5)), await Consumer.open(gateway.url, "secret-ann")
    gateway.meshd.kill()
    await eventually(lambda: not gateway.edges[0].attached(), "the edge knows that meshd is away")
    gateway.start_meshd()
    assert (await consumer.closed())[0] == 4401
    assert stays.open_still
    await stays.close()


async def test_a_token_that_is_taken_out_ends_its_sockets(gateways, folder):  # provokes: 4502
    revoked = folder / "revoked"
    revoked.write_text("")
    gateway = gateways(settings={"auth": {"revoked_file": str(revoked)}}, tokens={**TOKENS, "secret-ann-2": {"user_id": "ann"}})
    ann, again, bob = [await Consumer.open(gateway.url, token) for token in ("secret-ann", "secret-ann-2", "secret-bob")]
    (gateway.folder / "tokens.toml").write_text(tokens_toml({"secret-ann-2": {"user_id": "ann"}, "secret-bob": {"user_id": "bob"}}))
    gateway.meshd.popen.send_signal(signal.SIGHUP)
    assert await ann.closed() == (4502, "revoked")
    revoked.write_text("# has left\nbob\n")
    gateway.meshd.popen.send_signal(signal.SIGHUP)
    assert (await bob.closed())[0] == 4502
    assert await refusal(gateway.url, "secret-bob") == 4501
    assert again.open_still
    # Also where the reload is a restart.
    revoked.write_text("ann\n")
    gateway.meshd.kill()
    await eventually(lambda: not gateway.edges[0].attached(), "the edge knows that meshd is away")
    gateway.start_meshd()
    assert (await again.closed())[0] == 4502


async def test_roles_of_a_fresh_token_count(opened, issuer, folder, demo):
    policy = folder / "policy.toml"
    policy.write_text('default = ["request"]\n[[allow]]\nroles = ["clerk"]\nverbs = ["subscribe"]\ntopics = ["#"]\n')
    gateway = opened(issuer.settings(policy_file=str(policy)))
    async with await Consumer.open(gateway.url, issuer.token(roles=["clerk"])) as consumer:
        topic = unique("news")
        await consumer.done("subscribe", topic=topic)
        await consumer.done("authorize", token=issuer.token(roles=[]))
        assert (await consumer.other())["error"] == "NuropbAuthorizationError", "the subscription is over"
        assert await consumer.refused("subscribe", topic=topic) == "NuropbAuthorizationError"
        await consumer.done("authorize", token=issuer.token(roles=["clerk"]))
        await consumer.done("subscribe", topic=topic)


async def test_one_refresh_at_a_time(opened, issuer):
    gateway = opened(issuer.settings())
    async with await Consumer.open(gateway.url, issuer.token()) as consumer:
        both = [await consumer.begin_verb("authorize", token=issuer.token()) for _ in range(2)]
        first, second = [await asyncio.wait_for(one, 45) for one in both]
        assert first["error"] is None
        assert second["error"] is None or second["error"]["error"] == "NuropbTransportError"

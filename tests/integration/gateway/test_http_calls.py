"""Calls over HTTP: requests, commands, events and descriptions of clients without a WebSocket, against a real broker and services.

The clients are http.client and bare connections, since an HTTP library that repeats requests by itself would hide what matters here."""

import asyncio
import http.client
import json
import signal
import ssl
from collections import namedtuple
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from support import http_rules, streams
from support.certificates import Certificates
from support.consumer import Consumer, RawSocket
from support.gateway import TOKENS, Gateway, tokens_toml
from support.manual_service import ManualService
from support.metrics import value
from support.ports import free_port
from support.processes import Process
from support.services import demo_service, unique
from support.snorky import envelope, options, post
from support.waiting import eventually, wait_until

OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'
PAGE = "https://app.test"


class Answer(namedtuple("Answer", "status headers body")):
    @property
    def json(self):
        return json.loads(self.body)

    def is_problem(self, status, error):
        """Whether it is a problem (RFC 9457) with this status and NuroPb's error."""
        problem = self.json if self.headers.get("content-type") == "application/problem+json" else {}
        return (self.status, problem.get("status"), problem.get("error")) == (status, status, error)


class Caller:
    """One connection. Without waiting for the answers, send() pipelines."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port, **options):
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=8 * 1024 * 1024, **options))

    @staticmethod
    def request(target, body=None, token="secret-ann", method="POST", **headers):
        """The bytes of a request; headers by name with _ for -."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {"Host": "gateway.test", **({"Authorization": f"Bearer {token}"} if token else {}), **({"Content-Length": len(content)} if method == "POST" else {})}
        lines.update({name.replace("_", "-"): text for name, text in headers.items()})
        return "".join([f"{method} {target} HTTP/1.1\r\n", *(f"{name}: {text}\r\n" for name, text in lines.items()), "\r\n"]).encode() + content

    def send(self, target, body=None, **options):
        self.writer.write(self.request(target, body, **options))

    async def answer(self, timeout=45):
        """The next answer; None if the connection ends instead."""
        try:
            found = await http_rules.answer(self.reader, timeout)
        except (ConnectionError, asyncio.IncompleteReadError):
            return None
        return found and Answer(*found)

    async def ask(self, target, body=None, timeout=45, **options):
        self.send(target, body, **options)
        answer = await self.answer(timeout)
        assert answer, "the connection has ended without an answer"
        return answer

    async def result(self, service, method, params, **options):
        """The result of a call that has to succeed."""
        answer = await self.ask(f"/call/{service}/{method}", params, **options)
        assert answer.status == 200 and answer.headers["content-type"] == "application/json", answer
        return answer.json

    async def is_as_told(self, answer, demo):
        """An answer to a request whose body was not read ends the connection; after any other one the connection goes on."""
        if answer.headers.get("connection") == "close":
            await self.ended()
        else:
            assert await self.result(demo, "add", {"a": 1, "b": 2}) == 3

    async def ended(self, timeout=45):
        """Waits for the end of the connection, before which nothing may come."""
        try:
            assert await asyncio.wait_for(self.reader.read(), timeout) == b""
        except ConnectionError:
            pass

    async def close(self):
        await streams.close(self.writer)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


def caller(gateway, edge=0, **options):
    return Caller.open(gateway.edges[edge].port, **options)


@pytest.fixture(scope="module")
def gateway(broker_url):
    """A gateway whose policy allows every verb."""
    with Gateway(broker_url, files={"policy.toml": OPEN}, settings={"auth": {"policy_file": "policy.toml"}}) as running:
        yield running


def with_policy(policy=OPEN, **settings):
    """Options of a gateway."""
    return {"files": {"policy.toml": policy}, "settings": {**settings, "auth": {"policy_file": "policy.toml", **settings.get("auth", {})}}}


async def sessions(gateway, number):
    await eventually(lambda: value(gateway, "sessions") == number, lambda: f"{value(gateway, 'sessions')} sessions, not {number}")


# What can be called

async def test_a_call_is_a_request_of_the_user(gateway, broker_url):
    async with ManualService(broker_url, unique("called")) as service, await caller(gateway) as ann:
        ann.send(f"/call/{service.name}/run", {"x": [1, None, "é"]}, X_Request_Id="mine-7")
        call = await service.next_call()
        assert (call.body["tag"], call.method, call.params) == ("request", "run", {"x": [1, None, "é"]})
        assert call.body["context"]["user_id"] == "ann"
        assert call.body["trace_id"] == "mine-7"
        service.answer(call, result={"y": 2})
        answer = await ann.answer()
        assert (answer.status, answer.json) == (200, {"y": 2})
        assert answer.headers["x-request-id"] == "mine-7" and answer.headers["cache-control"] == "no-store"
        for result in (None, 0, "text", [], [{"deep": [1]}]):
            ann.send(f"/call/{service.name}/run")
            call = await service.next_call()
            assert call.params == {}, "no body stands for no parameters"
            service.answer(call, result=result)
            answer = await ann.answer()
            assert (answer.status, answer.json) == (200, result) and len(answer.headers["x-request-id"]) == 32


async def test_a_call_belongs_to_the_trace_of_its_caller(gateway, broker_url):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with ManualService(broker_url, unique("traced")) as service, await caller(gateway) as ann:
        for said, passed_on in [(parent, parent), ("nonsense", None), (parent, parent)]:
            ann.send(f"/call/{service.name}/run", traceparent=said)
            call = await service.next_call()
            service.answer(call)
            assert (await ann.answer()).status == 200
            assert call.body["context"].get("traceparent") == passed_on == call.properties.headers.get("traceparent")


async def test_names_are_percent_encoded(gateway, broker_url):
    async with ManualService(broker_url, unique("odd/näme é")) as service, await caller(gateway) as ann:
        ann.send(f"/call/{quote(service.name, safe='')}/{quote('do/it', safe='')}", {})
        call = await service.next_call()
        assert call.method == "do/it"
        service.answer(call, result=1)
        assert (await ann.answer()).json == 1


async def test_a_command_is_done_when_the_broker_has_it(gateway, broker_url):
    async with ManualService(broker_url, unique("commanded")) as service, await caller(gateway) as ann:
        answer = await ann.ask(f"/command/{service.name}/run", {"x": 1})
        assert (answer.status, answer.body) == (202, b"")
        call = await service.next_call()
        assert (call.body["tag"], call.method, call.params, call.body["context"]["user_id"]) == ("command", "run", {"x": 1}, "ann")
        assert (await ann.ask("/command/nobody-here/run")).is_problem(404, "NuropbNotDeliveredError")


async def test_events_reach_those_who_subscribed(gateway):
    topic = unique("news")
    async with await Consumer.open(gateway.url) as ann, await Consumer.open(gateway.url, "secret-bob") as bob, await caller(gateway) as sender:
        for each in (ann, bob):
            await each.done("subscribe", topic=f"{topic}.#")
        assert (await sender.ask(f"/event/{topic}.all", {"goal": 1})).status == 202
        for each in (ann, bob):
            assert await each.event() == {"topic": f"{topic}.all", "event": {"goal": 1}}
        assert (await sender.ask(f"/event/{topic}.bob?target=bob&target=c%26d", [2])).status == 202
        assert await bob.event() == {"topic": f"{topic}.bob", "event": [2], "target": ["bob", "c&d"]}
        assert (await sender.ask(f"/event/{topic}.last")).status == 202
        for each in (ann, bob):
            assert await each.event() == {"topic": f"{topic}.last", "event": None}, "and ann missed nothing that was hers"


async def test_a_description(gateway, demo):
    async with await caller(gateway) as ann:
        answer = await ann.ask(f"/services/{demo}", method="GET")
        assert answer.status == 200 and {"echo", "add", "slow", "fail"} <= set(answer.json["methods"])
        size = answer.headers["content-length"]
        ann.send(f"/services/{demo}", method="HEAD")
        head = await asyncio.wait_for(ann.reader.readuntil(b"\r\n\r\n"), 45)
        assert head.startswith(b"HTTP/1.1 200 ") and f"content-length: {size}".encode() in head.lower()
        assert (await ann.ask("/services/nobody-here", method="GET")).is_problem(404, "NuropbNotDeliveredError")


@pytest.mark.parametrize("body", [b"", b" \r\n", b"{}", "\ufeff{}".encode()])
async def test_ways_to_say_nothing(gateway, demo, body):
    async with await caller(gateway) as ann:
        assert (await ann.ask(f"/call/{demo}/echo", body)).json == {}


async def test_large_results_and_parameters(gateway, demo):
    async with await caller(gateway) as ann:
        for size in (0, 1000, 65_536, 1_500_000):
            assert await ann.result(demo, "echo", {"x": "y" * size}) == {"x": "y" * size}


async def test_bodies_in_chunks(gateway, demo):
    text = json.dumps({"value": "x" * 100_000}).encode()
    async with await caller(gateway) as ann:
        for _ in range(2):
            ann.writer.write(in_chunks(f"/call/{demo}/echo"))
            for at in range(0, len(text), 30_000):
                ann.writer.write(b"%x;name=value\r\n%s\r\n" % (len(text[at:at + 30_000]), text[at:at + 30_000]))
            ann.writer.write(b"0\r\nTrailer: x\r\n\r\n")
            assert (await ann.answer()).json == json.loads(text)
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3, "the next request begins where this one ended"


def in_chunks(target, **headers):
    """The head of a request whose body is sent in chunks."""
    return Caller.request(target, method="PUT", Transfer_Encoding="chunked", **headers).replace(b"PUT", b"POST", 1)


async def test_a_client_that_waits_until_it_is_told_to_go_on(gateway, demo):
    async with await caller(gateway) as ann:
        for _ in range(2):
            ann.writer.write(in_chunks(f"/call/{demo}/echo", Expect="100-continue"))
            assert (await ann.answer()).status == 100
            ann.writer.write(b"2\r\n{}\r\n0\r\n\r\n")
            assert (await ann.answer()).json == {}


async def test_the_client_says_whether_the_connection_goes_on(gateway, demo):
    body = {"a": 1, "b": 2}
    for last, told in [(Caller.request(f"/call/{demo}/add", body, Connection="close"), "close"), (Caller.request(f"/call/{demo}/add", body).replace(b"HTTP/1.1", b"HTTP/1.0"), "close")]:
        for before in (0, 2):
            async with await caller(gateway) as ann:
                for _ in range(before):
                    assert await ann.result(demo, "add", body) == 3
                ann.writer.write(last)
                answer = await ann.answer()
                assert (answer.json, answer.headers.get("connection")) == (3, told), f"as request {before + 1}"
                await ann.ended()
    async with await caller(gateway) as ann:
        for _ in range(3):
            ann.writer.write(Caller.request(f"/call/{demo}/add", body, Connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))
            answer = await ann.answer()
            assert (answer.json, answer.headers.get("connection")) == (3, "keep-alive")


# Statuses

async def test_what_a_service_says_passes_through(gateway, demo, broker_url):
    async with ManualService(broker_url, unique("failing")) as service, await caller(gateway) as ann:
        failed = await ann.ask(f"/call/{demo}/fail")
        assert failed.status == 502 and failed.json["error"] and failed.json["detail"], failed
        for error, status in [
            ({"error": "OutOfStock", "description": "none left"}, 502), ({"error": "NuropbHandlingError", "description": "Unknown method run"}, 502), ("just text", 502),
            ({"error": "NuropbTransportError", "description": "lost", "outcome": "unknown"}, 424), ({"error": "NuropbAuthorizationError", "description": "not you"}, 403),
        ]:
            ann.send(f"/call/{service.name}/run")
            service.answer(await service.next_call(), error=error)
            answer = await ann.answer()
            assert (answer.status, answer.json["status"]) == (status, status), answer
            assert "retry-after" not in answer.headers, "it has run"
            if isinstance(error, dict):
                assert (answer.json["error"], answer.json["detail"]) == (error["error"], error["description"])
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3, "over the same connection"


async def test_what_is_no_call(gateway, demo):
    for target, body, status in [
        (f"/call/{demo}/add", b"{", 400), (f"/call/{demo}/add", b"{} {}", 400), (f"/call/{demo}/add", b'{"a":1},"method":"fail"', 400), (f"/call/{demo}/add", b"\xff", 400),
        (f"/call/{demo}/add?tll=5", b"{}", 400), (f"/call/{demo}/add?ttl=x", b"{}", 400), (f"/call/{demo}/add?ttl=-1", b"{}", 400), (f"/call/{demo}/add?target=ann", b"{}", 400),
        (f"/call/{demo}", b"{}", 404), (f"/call/{demo}/", b"{}", 404), ("/call//add", b"{}", 404), (f"/call/{demo}/add/more", b"{}", 404), (f"/call/{'x' * 256}/add", b"{}", 404),
        (f"/call/{demo}/%zz", b"{}", 404), ("/call/nobody-here/add", b"{}", 404), (f"/event/{'x' * 256}", b"{}", 404), (f"/services/{demo}", b"{}", 405),
    ]:
        async with await caller(gateway) as ann:
            answer = await ann.ask(target, body)
            assert answer.status == status and answer.json["status"] == status and answer.json["detail"], (target, body, answer)
            await ann.is_as_told(answer, demo)
    for target, method, allowed in [(f"/call/{demo}/add", "GET", "POST"), ("/event/a", "GET", "POST"), (f"/services/{demo}", "DELETE", "GET")]:
        async with await caller(gateway) as ann:
            answer = await ann.ask(target, method=method)
            assert answer.status == 405 and allowed in answer.headers["allow"].split(", ")
            assert answer.headers["connection"] == "close", "before its first token a client holds no place"
    async with await caller(gateway) as ann:
        answer = await ann.ask(f"/call/{demo}/add", b"x", Content_Encoding="gzip")
        assert answer.status == 415
        await ann.is_as_told(answer, demo)


async def test_the_policy(gateways, demo):  # provokes: NuropbAuthorizationError
    gateway = gateways()
    async with await caller(gateway) as ann:
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
        for target, method in [(f"/command/{demo}/add", "POST"), ("/event/a.b", "POST"), (f"/services/{demo}", "GET")]:
            answer = await ann.ask(target, method=method)
            assert answer.is_problem(403, "NuropbAuthorizationError"), answer


async def test_tokens(gateway, demo):  # provokes: NuropbAuthenticationError
    target = f"/call/{demo}/add"
    for shown in ({"token": None}, {"token": "wrong"}, {"token": None, "Cookie": "Authorization=secret-ann"}, {"token": None, "Sec_WebSocket_Protocol": "nuropb, bearer.secret-ann"}):
        async with await caller(gateway) as ann:
            answer = await ann.ask(target, {"a": 1, "b": 2}, **shown)
            assert answer.is_problem(401, "NuropbAuthenticationError") and answer.headers["www-authenticate"].startswith("Bearer"), (shown, answer)
            await ann.is_as_told(answer, demo)


async def test_a_token_that_is_revoked_between_two_calls(gateways, demo, broker_url):
    gateway = gateways()
    async with ManualService(broker_url, unique("held")) as service, await caller(gateway) as ann, await caller(gateway) as held:
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
        held.send(f"/call/{service.name}/hold")
        await service.next_call()
        (gateway.folder / "tokens.toml").write_text(tokens_toml({"secret-bob": TOKENS["secret-bob"]}))
        gateway.meshd.signal(signal.SIGHUP)
        answer = await held.answer()
        assert answer.status == 424 and answer.json["outcome"] == "unknown", answer
        await sessions(gateway, 0)
        answer = await ann.ask(f"/call/{demo}/add", {"a": 1, "b": 2})
        assert answer.is_problem(401, "NuropbAuthenticationError"), answer
    async with await caller(gateway) as bob:
        assert await bob.result(demo, "add", {"a": 1, "b": 2}, token="secret-bob") == 3


async def test_a_call_that_takes_too_long_may_have_run(gateway, broker_url, demo):  # provokes: NuropbTimeoutError
    async with ManualService(broker_url, unique("held")) as service, await caller(gateway) as ann:
        for target, headers in [(f"/call/{service.name}/hold?ttl=300", {}), (f"/call/{service.name}/hold", {"Prefer": "respond-async, wait=1"}), (f"/call/{service.name}/hold?ttl=300", {"Prefer": "wait=3600"})]:
            ann.send(target, **headers)
            late = await service.next_call()
            answer = await ann.answer()
            assert answer.is_problem(424, "NuropbTimeoutError") and answer.json["outcome"] == "unknown", answer
            assert "retry-after" not in answer.headers
            service.answer(late, result="too late")
        slow = await ann.ask(f"/call/{demo}/slow?ttl=100", {"ms": 3000})
        assert slow.is_problem(424, "NuropbTimeoutError"), slow
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3, "late answers are not those of the next call"


# Limits

async def test_messages_of_a_connection(gateways, demo):
    gateway = gateways(settings={"limits": {"messages_per_s": 1, "messages_burst": 5}})
    async with await caller(gateway) as ann:
        answers = [await ann.ask(f"/call/{demo}/add", {"a": 1, "b": 2}) for _ in range(8)]
        assert [answer.status for answer in answers[:5]] == [200] * 5
        over = next(answer for answer in answers if answer.status != 200)
        assert over.is_problem(429, "NuropbTransportError") and "limits.messages_per_s" in over.json["detail"] and int(over.headers["retry-after"]) >= 1, over

        async def taken():
            async with await caller(gateway) as again:
                return (await again.ask(f"/call/{demo}/add", {"a": 1, "b": 2})).status == 200
        await eventually(taken, "it is taken again")


async def test_messages_of_a_user(gateways, broker_url):
    gateway = gateways(settings={"limits": {"user_messages_per_s": 1, "user_messages_burst": 5}}, edges=2)
    async with ManualService(broker_url, unique("counted")) as service:
        callers = [await caller(gateway, number % 2) for number in range(9)]
        for one in callers:
            one.send(f"/call/{service.name}/run")
        waiting = [asyncio.create_task(one.answer()) for one in callers]
        await eventually(lambda: sum(one.done() for one in waiting) + service.calls.qsize() == 9, "each is refused, or reaches the service")
        refusals = [one.result() for one in waiting if one.done()]
        assert refusals
        for refusal in refusals:
            assert refusal.is_problem(429, "NuropbTransportError") and "limits.user_messages_per_s" in refusal.json["detail"] and refusal.headers["retry-after"], refusal
        for call in await service.next_calls(9 - len(refusals)):
            service.answer(call, result=1)
        answers = await asyncio.gather(*waiting)
        assert {answer.status for answer in answers} == {200, 429}
        assert service.calls.empty(), "what was refused was not sent"
        for one in callers:
            await one.close()


async def test_a_flood_of_a_user_is_refused_for_certain(gateways, broker_url):
    """The session of a user who does not stop is closed (4005), and yet its call has not run."""
    gateway = gateways(**with_policy(limits={"user_messages_per_s": 1, "user_messages_burst": 2}))
    async with ManualService(broker_url, unique("flooded")) as service:
        async def one():
            async with await caller(gateway) as ann:
                return await ann.ask(f"/command/{service.name}/run")
        answers = await asyncio.gather(*(one() for _ in range(30)))
        assert {answer.status for answer in answers} == {202, 429}, answers
        taken = sum(answer.status == 202 for answer in answers)
        await service.next_calls(taken)
        assert service.calls.empty()


async def test_connections_of_a_user(gateways, demo):
    gateway = gateways(settings={"limits": {"connections_per_user": 1}}, edges=2)
    async with await caller(gateway) as first, await caller(gateway, 1) as second:
        assert await first.result(demo, "add", {"a": 1, "b": 2}) == 3
        answer = await second.ask(f"/call/{demo}/add", {"a": 1, "b": 2})
        assert answer.is_problem(429, "NuropbTransportError") and answer.headers["retry-after"], answer
    async with await caller(gateway, 1) as third:
        assert await third.result(demo, "add", {"a": 1, "b": 2}, token="secret-bob") == 3, "another user's number is his own"

    async def another():
        async with await caller(gateway, 1) as one:
            return (await one.ask(f"/call/{demo}/add", {"a": 1, "b": 2})).status == 200
    await eventually(another, "one that has left makes room")


async def test_bodies_that_are_too_large(gateways, demo):
    most = 10_000
    gateway = gateways(settings={"limits": {"message_bytes": most}})
    target = f"/call/{demo}/echo"
    for body in (b'{"x":"%s"}' % (b"x" * most), b'{"x":"%s"}' % (b"x" * (most - 10))):  # as a body; as a message with its envelope
        async with await caller(gateway) as ann:
            answer = await ann.ask(target, body)
            assert answer.status == 413 and answer.json["error"] == "NuropbValidationError", answer
    async with await caller(gateway) as ann:  # which is told before it sends the body
        ann.writer.write(Caller.request(target, Expect="100-continue").replace(b"Content-Length: 0", b"Content-Length: 1000000000"))
        assert (await ann.answer()).status == 413
        await ann.ended()
    async with await caller(gateway) as ann:
        ann.writer.write(in_chunks(target) + b"1000\r\n%s\r\n" % (b"x" * 4096) * 4)
        assert (await ann.answer()).status == 413
        await ann.ended()
    async with await caller(gateway) as ann:
        assert await ann.result(demo, "echo", {"x": "x" * (most - 1000)}) == {"x": "x" * (most - 1000)}


# Connections

def test_an_ordinary_library_keeps_its_connection(gateway, demo):
    link = http.client.HTTPConnection("127.0.0.1", gateway.edges[0].port, timeout=45)
    for number in range(200):
        link.request("POST", f"/call/{demo}/add", json.dumps({"a": number, "b": 1}), {"Authorization": "Bearer secret-ann", "Content-Type": "application/json"})
        answer = link.getresponse()
        assert (answer.status, json.loads(answer.read())) == (200, number + 1)
        if number == 0:
            socket = link.sock
        assert link.sock is socket and socket is not None, "one connection for all"
    assert value(gateway, "sessions") == 1, "and one session"
    link.close()
    wait_until(lambda: value(gateway, "sessions") == 0, "it ends with its connection")


async def test_answers_come_in_the_order_of_the_requests(gateway, demo):
    async with await caller(gateway) as ann:
        ann.send(f"/call/{demo}/slow", {"ms": 300})
        for number in range(20):
            ann.send(f"/call/{demo}/echo", {"n": number}, X_Request_Id=f"r{number}")
        ann.send(f"/call/{demo}/echo", {"n": "last"}, Connection="close")
        ann.send(f"/call/{demo}/echo", {"n": "behind the last"})
        assert (await ann.answer()).status == 200
        for number in range(20):
            answer = await ann.answer()
            assert (answer.json, answer.headers["x-request-id"]) == ({"n": number}, f"r{number}")
        answer = await ann.answer()
        assert (answer.json, answer.headers["connection"]) == ({"n": "last"}, "close")
        await ann.ended()


async def test_probes_and_calls_on_one_connection(gateway, demo):
    async with await caller(gateway) as ann:
        for _ in range(3):
            assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
            assert (await ann.ask("/readyz", method="GET", token=None)).json["status"] == "ok"


async def test_two_users_on_one_connection(gateway, broker_url):
    """As a proxy sends them."""
    async with ManualService(broker_url, unique("shared")) as service, await caller(gateway) as both:
        for number in range(6):
            user = ("ann", "bob")[number // 2 % 2]
            both.send(f"/call/{service.name}/run", {"n": number}, token=f"secret-{user}")
            call = await service.next_call()
            assert (call.params, call.body["context"]["user_id"]) == ({"n": number}, user)
            service.answer(call, result=user)
            assert (await both.answer()).json == user
        answer = await both.ask(f"/call/{service.name}/run", token="wrong")
        assert answer.status == 401
        await sessions(gateway, 0)


@pytest.mark.parametrize("how", ["both sides", "only its own side"])
async def test_a_client_that_leaves_during_its_call(gateway, broker_url, demo, how):
    async with ManualService(broker_url, unique("left")) as service:
        leaving = await caller(gateway)
        leaving.send(f"/call/{service.name}/hold")
        call = await service.next_call()
        if how == "both sides":
            await leaving.close()
        else:
            leaving.writer.write_eof()
            assert await leaving.answer() is None
        await sessions(gateway, 0)
        service.answer(call, result="for nobody")
    async with await caller(gateway) as ann:
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3


async def test_requests_that_come_too_slowly(gateways, demo):
    gateway = gateways(settings={"limits": {"handshake_ms": 2000, "message_ms": 2000}})
    whole = Caller.request(f"/call/{demo}/add", {"a": 1, "b": 2})
    for part, limit in ((whole[:30], "limits.handshake_ms"), (whole[:-3], "limits.message_ms")):
        async with await caller(gateway) as ann:
            assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
            ann.writer.write(part)
            answer = await ann.answer()
            assert answer.is_problem(408, "NuropbTimeoutError") and limit in answer.json["detail"], answer
            await ann.ended()


async def test_an_idle_connection_is_closed(gateways, demo):
    gateway = gateways(settings={"http": {"keep_alive_s": 1}})
    async with await caller(gateway) as ann:
        await ann.result(demo, "slow", {"ms": 1500})  # a call may take longer than that
        await ann.ended()


async def test_calls_can_be_switched_off(gateways, demo):
    gateway = gateways(settings={"http": {"enabled": False}})
    async with await caller(gateway) as ann:
        assert (await ann.ask(f"/call/{demo}/add", {"a": 1, "b": 2})).status in (404, 413)
    async with await Consumer.open(gateway.url) as ann:
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3


async def test_nothing_is_pushed_to_a_caller(gateways, demo):
    gateway = gateways(**options())
    edge = gateway.edges[0]

    async def reached():
        status, answer, _ = await asyncio.to_thread(post, edge, envelope("gateway", "send_to_users", 1, user_ids=["ann"], message={"type": "note"}))
        assert status == 200, answer
        return answer["message"]["data"]["connections"]
    async with await caller(gateway) as ann:
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
        assert await reached() == 0
        async with await Consumer.open(gateway.url) as consumer:
            assert await reached() == 1
            assert await consumer.other() == {"type": "note"}
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3, "nothing came in between"


# Pages and proxies

async def test_pages_of_other_origins(gateways, demo):
    gateway = gateways(settings={"listen": {"origins": [PAGE]}})
    target = f"/call/{demo}/add"
    async with await caller(gateway) as page:
        asked = await page.ask(target, method="OPTIONS", token=None, Origin=PAGE, Access_Control_Request_Method="POST", Access_Control_Request_Headers="authorization,content-type")
        assert asked.status == 204 and asked.headers["access-control-allow-origin"] == PAGE and "Origin" in asked.headers["vary"]
        assert asked.headers["connection"] == "close", "before its first token a client holds no place"
        assert "POST" in asked.headers["access-control-allow-methods"] and {"authorization", "content-type", "prefer"} <= set(asked.headers["access-control-allow-headers"].lower().split(", "))
    async with await caller(gateway) as page:
        for token, status in (("secret-ann", 200), (None, 401)):
            answer = await page.ask(target, {"a": 1, "b": 2}, token=token, Origin=PAGE)
            assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, PAGE), "a page may read a refusal, too"
            assert "retry-after" in answer.headers["access-control-expose-headers"].lower()
    for method in ("OPTIONS", "POST"):
        async with await caller(gateway) as page:
            answer = await page.ask(target, method=method, Origin="https://evil.test")
            assert answer.status == 403 and "access-control-allow-origin" not in answer.headers, answer
    async with await caller(gateway) as ann:
        answer = await ann.ask(target, {"a": 1, "b": 2})
        assert answer.status == 200 and "access-control-allow-origin" not in answer.headers, "no page, no origin"


async def test_behind_a_proxy_each_request_has_a_client_of_its_own(gateways, demo):
    """By the limit of guesses: one client guesses tokens, another one calls, over the same connection of the proxy."""
    gateway = gateways(settings={"listen": {"trusted_proxies": ["127.0.0.1"]}, "limits": {"refused_tokens_per_s": 1}})
    target = f"/call/{demo}/add"
    async with await caller(gateway) as proxy:
        async def guess():
            return (await proxy.ask(target, token="no-such-token", X_Forwarded_For="203.0.113.1")).status
        seen = [await guess() for _ in range(2)]
        assert 401 in seen
        await eventually(lambda: guessed(guess), "that client may guess no more")
        assert await proxy.result(demo, "add", {"a": 1, "b": 2}, X_Forwarded_For="203.0.113.2") == 3
        assert (await proxy.ask(target, X_Forwarded_For="nonsense")).status == 400
    async with await caller(gateway) as proxy:
        for number in range(5):
            assert await proxy.result(demo, "add", {"a": number, "b": 2}, X_Forwarded_For=f"203.0.113.{number}") == number + 2


async def guessed(guess):
    return await guess() == 429


@contextmanager
def nginx(folder, port):
    """nginx that keeps two connections to that port; its own port."""
    own = free_port()
    paths = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
  access_log off;
{paths}  upstream gateway {{
    server 127.0.0.1:{port};
    keepalive 2;
  }}
  map $http_upgrade $upgrade_or_keep {{
    default upgrade;
    '' '';
  }}
  server {{
    listen 127.0.0.1:{own};
    location / {{
      proxy_pass http://gateway;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upgrade_or_keep;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_next_upstream off;
    }}
  }}
}}
""")
    with Process("nginx", ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", "stderr"], folder) as process:
        process.wait_for_log("start worker|using the|nginx/")
        yield own


async def test_calls_and_websockets_through_one_pool_of_a_proxy(gateways, demo, folder):
    gateway = gateways(settings={"listen": {"trusted_proxies": ["127.0.0.1"]}})
    edge = gateway.edges[0]
    with nginx(folder, edge.port) as port:
        async def connected():
            try:
                return await Caller.open(port)
            except ConnectionRefusedError:
                return None
        (await eventually(connected, "nginx listens")).writer.close()
        idle = edge.open_sockets()
        async with await Caller.open(port) as ann, await Caller.open(port) as bob:
            for number in range(10):
                assert await ann.result(demo, "add", {"a": number, "b": 1}) == number + 1
                assert await bob.result(demo, "echo", {"n": number}, token="secret-bob") == {"n": number}
            assert edge.open_sockets() == idle + 1, "one connection for both"
            # The same connection becomes a WebSocket, and the next call gets another one.
            async with await Consumer.open(f"ws://127.0.0.1:{port}/websocket", "secret-bob") as consumer:
                assert edge.open_sockets() == idle + 1, "nginx has used the connection of the calls"
                assert consumer.hello["payload"]["event"]["user_id"] == "bob"
                assert await consumer.result(demo, "add", {"a": 1, "b": 2}) == 3
                assert await ann.result(demo, "add", {"a": 2, "b": 2}) == 4
                assert await consumer.result(demo, "add", {"a": 3, "b": 2}) == 5
                assert edge.open_sockets() == idle + 2
            assert await ann.result(demo, "add", {"a": 4, "b": 2}) == 6


async def test_a_connection_that_was_used_for_calls_becomes_a_websocket(gateway, demo):
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    async with raw:
        calls = Caller(raw.reader, raw.writer)
        assert await calls.result(demo, "add", {"a": 1, "b": 2}) == 3
        await raw.send(RawSocket.upgrade(Authorization="Bearer secret-bob"))
        assert await raw.response() == 101
        hello = json.loads((await raw.read_frame())[1])
        assert hello["payload"]["event"]["user_id"] == "bob"
        await raw.send(RawSocket.frame(json.dumps({"type": "request", "payload": {"service": demo, "method": "add", "params": {"a": 2, "b": 2}, "trace_id": "1"}})))
        assert json.loads((await raw.read_frame())[1])["payload"]["result"] == 4
    await sessions(gateway, 0)


# TLS

@pytest.fixture(scope="module")
def certificates(scratch):
    made = Certificates(scratch / "call-certificates")
    made.ann = made.issue("ann", "ann", "email:ann@example.com")
    return made


async def test_tls_and_a_certificate_in_place_of_a_token(gateways, certificates, broker_url):
    gateway = gateways(settings={
        "tls": {"certificate_files": [str(certificates.certificate)], "key_files": [str(certificates.key)], "client_certificates": "optional", "client_ca_file": str(certificates.ca)},
        "auth": {"authorizers": ["tokens", "client_certificate"]}})

    def trusting(*own):
        context = ssl.create_default_context(cafile=str(certificates.ca))
        if own:
            context.load_cert_chain(*own)
        return {"ssl": context, "server_hostname": "localhost"}
    async with ManualService(broker_url, unique("secured")) as service:
        async def user_of(client, **options):
            client.send(f"/call/{service.name}/run", {"x": "y" * 100_000}, **options)
            call = await service.next_call()
            service.answer(call, result=call.params)
            assert (await client.answer()).json == {"x": "y" * 100_000}
            return call.body["context"]["user_id"]
        async with await caller(gateway, **trusting(*certificates.ann)) as ann:
            assert [await user_of(ann, token=None), await user_of(ann, token="secret-bob"), await user_of(ann, token=None)] == ["ann", "bob", "ann"]
        async with await caller(gateway, **trusting()) as bob:
            assert await user_of(bob, token="secret-bob") == "bob"
            assert (await bob.ask(f"/call/{service.name}/run", token=None)).status == 401


# Deaths, outages, drains

async def test_an_edge_that_is_killed_ends_the_connection(gateways, broker_url, demo):
    gateway = gateways(edges=2)
    async with ManualService(broker_url, unique("held")) as service, await caller(gateway) as lost, await caller(gateway, 1) as kept:
        lost.send(f"/call/{service.name}/lost")
        kept.send(f"/call/{service.name}/kept")
        calls = {call.method: call for call in await service.next_calls(2)}
        gateway.edges[0].process.kill()
        assert await lost.answer() is None
        for name, call in calls.items():
            service.answer(call, result=name)
        assert (await kept.answer()).json == "kept"
        async with await caller(gateway, 1) as again:
            assert await again.result(demo, "add", {"a": 1, "b": 2}) == 3
        assert service.calls.empty(), "nobody has repeated the call"


async def test_a_meshd_that_is_killed_leaves_the_outcome_unknown(gateways, broker_url, demo):
    gateway = gateways()
    edge = gateway.edges[0]
    async with ManualService(broker_url, unique("held")) as service:
        callers = [await caller(gateway) for _ in range(10)]
        for number, one in enumerate(callers):
            one.send(f"/call/{service.name}/hold", {"n": number})
        calls = await service.next_calls(len(callers))
        gateway.meshd.kill()
        await eventually(lambda: not edge.attached(), "the edge knows that meshd is away")
        async with await caller(gateway) as meanwhile:
            assert (await meanwhile.ask(f"/call/{demo}/add", {"a": 1, "b": 2})).status == 503
        gateway.start_meshd()
        await eventually(edge.ready, lambda: f"the edge is back: {gateway.meshd.tail(20)}")
        for call in calls:
            service.answer(call, result=call.params["n"])
        for number, one in enumerate(callers):
            answer = await one.answer()
            if answer.status == 200:
                assert answer.json == number
            else:
                assert answer.is_problem(424, "NuropbTransportError") and answer.json["outcome"] == "unknown", answer
            assert await one.result(demo, "echo", {"n": number}) == {"n": number}, "the next call is no other's"
            await one.close()
        assert service.calls.empty(), "nobody has repeated a call"


async def test_calls_while_the_broker_is_away(gateways, private_broker, folder):
    gateway = gateways(url=private_broker.url)
    with demo_service(private_broker.url, folder) as demo:
        async with await caller(gateway) as ann:
            assert await ann.result(demo.service, "add", {"a": 1, "b": 2}) == 3
            await asyncio.to_thread(private_broker.stop)
            await eventually(lambda: not gateway.edges[0].ready(), "the edge knows")
            for target in (f"/call/{demo.service}/add?ttl=300", "/call/nobody-here/add?ttl=300"):
                answer = await ann.ask(target, {"a": 1, "b": 2})
                assert answer.status in (503, 504), answer
                assert "outcome" not in answer.json, "it was not sent"
            await asyncio.to_thread(private_broker.start)

            async def works():
                return (await ann.ask(f"/call/{demo.service}/add?ttl=5000", {"a": 1, "b": 2})).status == 200
            await eventually(works, "it works again", 90)


async def test_a_drain_answers_every_call(gateways, broker_url):
    gateway = gateways(settings={"drain": {"limit_ms": 120_000}})
    edge = gateway.edges[0]
    async with ManualService(broker_url, unique("held")) as service:
        idle = await caller(gateway)
        idle.send(f"/call/{service.name}/once")
        service.answer(await service.next_call(), result=1)
        assert (await idle.answer()).status == 200
        callers = [await caller(gateway) for _ in range(30)]
        for number, one in enumerate(callers):
            one.send(f"/call/{service.name}/hold", {"n": number})
        calls = await service.next_calls(len(callers))
        edge.process.signal(signal.SIGTERM)
        await idle.ended()
        for call in calls:
            service.answer(call, result=call.params["n"])
        for number, one in enumerate(callers):
            answer = await one.answer()
            assert (answer.status, answer.json, answer.headers["connection"]) == (200, number, "close")
            await one.ended()
        await eventually(lambda: not edge.process.running(), edge.process.tail)
        assert edge.process.popen.returncode == 0


async def unread(gateway, demo):
    """A connection whose client has got the beginning of a response of 1.5 MB, and reads on only when the test does."""
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port, receive_buffer=4096, limit=4096)
    await raw.send(Caller.request(f"/call/{demo}/echo", {"value": "x" * 1_500_000}))
    assert await asyncio.wait_for(raw.reader.readexactly(12), 45) == b"HTTP/1.1 200"
    return raw


async def test_a_drain_lets_a_response_be_read_to_its_end(gateways, demo):
    gateway = gateways(settings={"drain": {"limit_ms": 120_000}})
    edge = gateway.edges[0]
    async with await unread(gateway, demo) as raw:
        edge.process.signal(signal.SIGTERM)
        edge.process.wait_for_log("draining")
        head, _, body = (await asyncio.wait_for(raw.reader.read(), 60)).partition(b"\r\n\r\n")
        assert f"\r\nContent-Length: {len(body)}\r\n".encode() in head + b"\r\n" and json.loads(body)["value"] == "x" * 1_500_000
    await eventually(lambda: not edge.process.running(), edge.process.tail)


async def test_the_memory_of_responses_that_nobody_reads(gateways, demo):
    gateway = gateways(settings={"limits": {"memory_bytes": 4 * 1024 * 1024}})
    edge = gateway.edges[0]
    async with await caller(gateway) as ann:
        assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
        idle = edge.open_sockets()
        held = [await unread(gateway, demo) for _ in range(8)]
        await eventually(lambda: edge.open_sockets() <= idle + 3, lambda: f"{edge.open_sockets() - idle} of 8 connections are left")
        assert await ann.result(demo, "add", {"a": 2, "b": 2}) == 4, "the others go on"
        for raw in held:
            await raw.close()


async def test_calls_while_edges_are_replaced(gateways, demo):
    """Callers that go to another edge when their connection has ended: each call on a fresh connection is answered."""
    gateway = gateways(edges=3, settings={"drain": {"grace_ms": 0}})
    stop, answered, wrong = asyncio.Event(), 0, []

    async def call_on(name):
        nonlocal answered
        count, link = 0, None
        while not stop.is_set():
            fresh = link is None
            edge = next(edge for edge in gateway.edges if edge.process.running() and edge.number not in leaving)
            try:
                link = link or await Caller.open(edge.port)
            except ConnectionError:
                continue
            count += 1
            link.send(f"/call/{demo}/echo", {"value": f"{name}/{count}"})
            answer = await link.answer()
            if answer is None:
                # An idle connection may end just as the next request is on its way; what is new may not.
                if fresh and edge.number not in leaving:
                    wrong.append("a new connection has ended without an answer")
                link = None
            elif answer.status == 200 and answer.json == {"value": f"{name}/{count}"}:
                answered += 1
                link = None if answer.headers.get("connection") == "close" else link
            elif answer.status == 503:
                link = None
            else:
                wrong.append(answer)

    leaving = set()
    calling = [asyncio.create_task(call_on(name)) for name in range(10)]
    for number in (0, 1):
        so_far = answered
        await eventually(lambda: answered > so_far + 200, "calls are answered")
        leaving.add(number)
        process = gateway.edges[number].process
        process.signal(signal.SIGTERM)
        await eventually(lambda: not process.running(), process.tail)
        assert process.popen.returncode == 0
    so_far = answered
    await eventually(lambda: answered > so_far + 200, "calls are answered")
    stop.set()
    await asyncio.gather(*calling)
    assert wrong == []

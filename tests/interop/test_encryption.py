"""Encrypted calls from our mesh::Api to the real Python nuropb 0.1.8, and what goes over the wire for each."""

import json
import subprocess
from contextlib import contextmanager

import pytest

from support.broker import connection, declare_exchanges
from support.paths import ROOT, binary, peers_python
from support.processes import Process
from support.services import unique


class Client:
    """The C++ caller beside this file."""

    def __init__(self, url):
        self.process = subprocess.Popen([str(binary("interop_mesh_client")), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, **call):
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the client ended with {self.process.wait(10)}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(90) == 0


class Wire:
    """A copy of every request and command to one service, as the broker routes it."""

    def __init__(self, url, service):
        declare_exchanges(url)
        self.link = connection(url)
        self.channel = self.link.channel()
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(self.queue, "nuropb-rpc-exchange", service)
        self.seen = {}  # by trace id: (headers say encrypted, properties, body)

    def read(self):
        while True:
            method, properties, body = self.channel.basic_get(self.queue, auto_ack=True)
            if method is None:
                return self.seen
            self.seen.setdefault(properties.headers["trace_id"], []).append((properties.headers["encrypted"], properties, body))


@contextmanager
def secretive(url, folder, name):
    script = ROOT / "tests" / "interop" / "peers" / "encrypted_service.py"
    with Process("secretive", [peers_python(), script, url, name], folder) as process:
        process.wait_for_log("^ready$", timeout=120)
        yield process


@pytest.fixture
def client(broker_url):
    made = Client(broker_url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(broker_url, module_folder):
    name = unique("secretive")
    with secretive(broker_url, module_folder, name):
        yield name


TEXT = {"ü": [1, 2.5, None, True, "😀", "a.b"]}
ERROR = "NuropbException"
RAISED = "Runtime exception calling {service}.secret_raises:ValueError: boom"

# name: (call, expected outcome, how it goes over the wire)
CASES = {
    "a described method that requires it": ({"method": "secret", "params": {"value": TEXT}}, {"result": TEXT}, "yes"),
    "asynchronous": ({"method": "secret_later", "params": {"value": 1}}, {"result": 1}, "yes"),
    "a described method that does not": ({"method": "open", "params": {"value": TEXT}}, {"result": TEXT}, ""),
    "asked for": ({"method": "open", "params": {"value": 2}, "encryption": "always"}, {"result": 2}, "yes"),
    # 0.1.8 does not insist on encryption; a service of ours does.
    "declined": ({"method": "secret", "params": {"value": 3}, "encryption": "never"}, {"result": 3}, ""),
    "null": ({"method": "secret", "params": {}}, {"result": None}, "yes"),
    "a megabyte": ({"method": "secret", "params": {"value": "x" * 1_000_000}}, {"result": "x" * 1_000_000}, "yes"),
    "context": ({"method": "secret_context", "context": {"user_id": "ann"}}, {"result": {"user_id": "ann"}}, "yes"),
    "priority": ({"method": "secret", "params": {"value": 4}, "priority": 3}, {"result": 4}, "yes"),
    # 0.1.8 answers twice here, the second time with a key of its own: only the first counts.
    "an exception": ({"method": "secret_raises"}, {"error": ERROR, "description": RAISED}, "yes"),
    "after an exception": ({"method": "secret", "params": {"value": 5}}, {"result": 5}, "yes"),
    "an error of NuroPb's": ({"method": "secret_invalid"}, {"error": "NuropbValidationError", "description": "a is not a number"}, "yes"),
    "wrong params": ({"method": "secret_note", "params": {"nonsense": 1}}, {"error": ERROR, "description": ...}, "yes"),
    "an unknown method": ({"method": "nope"}, {"error": "NuropbHandlingError", "description": "Unknown method nope"}, ""),
    "an unknown method, asked for": ({"method": "nope", "encryption": "always"}, {"error": "NuropbHandlingError", "description": "Unknown method nope"}, "yes"),
    "too late": ({"method": "secret_later", "params": {"value": 1}, "ttl": 1}, {"error": "NuropbTimeoutError", "description": ...}, None),
    # 0.1.8 forgets the key of a request that it puts back, and answers with another one, which nobody else has.
    "call again": ({"method": "secret_again", "params": {"key": "k"}},
                   {"error": "NuropbMessageError", "description": "the response could not be decrypted: Fernet token: was created with another key, or modified"}, "yes"),
    "a command": ({"method": "secret_note", "params": {"text": "noted"}, "command": True}, {"result": None}, "yes"),
    "what the command did": ({"method": "noted"}, {"result": ["noted"]}, ""),
}


@pytest.fixture(scope="module")
def outcomes(broker_url, service):
    wire = Wire(broker_url, service)
    client = Client(broker_url)
    made = {name: client(service=service, trace_id=name, **call) for name, (call, _, _) in CASES.items()}
    client.close()
    return made, wire.read()


@pytest.mark.parametrize("name", CASES)
def test_case(outcomes, service, name):
    call, expected, encrypted = CASES[name]
    made, wire = outcomes[0][name], outcomes[1].get(name)
    for key, value in expected.items():
        if value is not ...:
            assert made.get(key) == (value.format(service=service) if key == "description" else value)
        else:
            assert made.get(key)
    if encrypted is not None:
        (header, properties, body), = wire
        assert header == encrypted
        assert (call["method"].encode() in body) == (not encrypted)
        assert properties.priority == call.get("priority")
        assert 0 < int(properties.expiration) <= 30_000
        assert body.startswith(b"{") == (not encrypted)


def test_described_once(outcomes):
    described = [body for messages in outcomes[1].values() for _, _, body in messages if b'"nuropb_describe"' in body]
    # Once for all, and once more after what may have come from a key that is no longer the service's.
    assert 1 <= len(described) <= 3


def test_questions(client, service):
    described = client(describe=service)["result"]
    assert described["public_key"].startswith("-----BEGIN PUBLIC KEY-----") and described["encrypted_methods"] is True
    assert client(requires_encryption=[service, "secret"]) == {"result": True}
    assert client(requires_encryption=[service, "open"]) == {"result": False}
    assert client(requires_encryption=[service, "nope"])["description"] == f"Method nope not found on service {service}"
    assert client(has_public_key=service) == {"result": True}


def test_without_a_public_key(client, python):
    assert client(has_public_key=python) == {"result": False}
    assert client(service=python, method="echo", params={"value": 1}) == {"result": 1}
    refused = client(service=python, method="echo", params={"value": 1}, encryption="always")
    assert (refused["error"], refused["description"]) == ("NuropbHandlingError", f"Service public key not found for service: {python}")
    assert refused["outcome_unknown"] is False


def test_nobody_there(client):
    for encryption in "automatic", "always", "never":
        assert client(service="nobody-at-all", method="secret", encryption=encryption) == {
            "error": "NuropbNotDeliveredError", "outcome_unknown": False,
            "description": "Service nobody-at-all not available. unable to call method secret"}


def test_the_service_comes_back_with_another_key(client, broker_url, folder):
    """0.1.8 gets no answer out for what it can't decrypt: one request is lost, and the next one asks for the key again."""
    name = unique("secretive")
    with secretive(broker_url, folder, name):
        assert client(service=name, method="secret", params={"value": 1}) == {"result": 1}
    with secretive(broker_url, folder, name):
        lost = client(service=name, method="secret", params={"value": 2}, ttl=3000)
        assert lost["error"] in ("NuropbTimeoutError", "NuropbMessageError"), lost
    with secretive(broker_url, folder, name):
        assert client(service=name, method="secret", params={"value": 3}) == {"result": 3}


async def test_a_consumer_of_the_gateway_needs_to_know_nothing_of_it(broker_url, service):
    """Its request is encrypted on the mesh because the method's description asks for that, and its answer opened; also by
    a meshd that was started in between."""
    from support.consumer import Consumer
    from support.gateway import Gateway

    wire = Wire(broker_url, service)
    with Gateway(broker_url) as gateway:
        async with await Consumer.open(gateway.url) as consumer:
            assert (await consumer.request(service, "secret", {"value": TEXT}, trace_id="hidden"))["result"] == TEXT
            assert (await consumer.request(service, "open", {"value": TEXT}, trace_id="plain"))["result"] == TEXT
            raised = await consumer.request(service, "secret_raises", trace_id="raised")
            assert raised["error"]["error"] == ERROR
            gateway.meshd.kill()
            gateway.start_meshd()
            gateway.until_ready()
            assert (await consumer.request(service, "secret", {"value": 2}, trace_id="after"))["result"] == 2
    seen = wire.read()
    for trace_id, encrypted in {"hidden": "yes", "plain": "", "raised": "yes", "after": "yes"}.items():
        [(header, _properties, body)] = seen[trace_id]
        assert header == encrypted and (b'"params"' in body) == (not encrypted)

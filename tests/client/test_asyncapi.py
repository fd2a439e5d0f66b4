"""docs/reference/asyncapi.yaml: is valid AsyncAPI, agrees with the pages, and describes what a running gateway sends and accepts."""

import asyncio
import copy
import json
import re

import jsonschema
import pytest
import yaml

from support.authorities import Issuer
from support.consumer import Consumer
from support.ctl import ctl
from support.lines import LineSocket
from support.paths import ROOT
from support.resuming import Resuming
from support.services import unique
from support.snorky import KEY, KEYS, SERVICES, SnorkyClient, envelope, post

from interop.differences import MESSAGE_DIFFERENCES
from interop.messages import MESSAGES

DOCUMENT = yaml.safe_load((ROOT / "docs" / "reference" / "asyncapi.yaml").read_text())
ASYNCAPI = json.loads((ROOT / "tests" / "client" / "data" / "asyncapi-3.0.0.json").read_text())
PROTOCOL = (ROOT / "docs" / "reference" / "protocol.md").read_text()
CODES = (ROOT / "docs" / "reference" / "close-codes.md").read_text()  # which test_codes.py compares with the code
DEFINED = DOCUMENT["components"]["messages"]
CLIENTS = {"request", "command", "publish", "describe", "subscribe", "unsubscribe", "authorize", "resume", "ack"}


class Local(jsonschema.RefResolver):
    """References within one document."""

    def resolve(self, reference):
        found = self.referrer
        for part in reference.removeprefix("#").split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return reference, found


def mistakes(value, schema, document):
    return [error.message for error in jsonschema.Draft7Validator(schema, resolver=Local("", document)).iter_errors(value)]


def check(name, message):
    wrong = mistakes(message, DEFINED[name]["payload"], DOCUMENT)
    assert not wrong, f"{name}: {wrong}\n{message}"
    return message


def names_of(message):
    """Which definitions it fits; `pushed` fits all, so it is never one of them."""
    return {name for name, defined in DEFINED.items() if name != "pushed" and not mistakes(message, defined["payload"], DOCUMENT)}


def test_it_is_asyncapi():
    assert not mistakes(DOCUMENT, ASYNCAPI, ASYNCAPI)
    broken = copy.deepcopy(DOCUMENT)
    broken["operations"]["ask"]["action"] = "ask"
    assert mistakes(broken, ASYNCAPI, ASYNCAPI), "the check can fail"


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from references(part)


def test_references_and_examples():
    local = Local("", DOCUMENT)
    for reference in references(DOCUMENT):
        local.resolve(reference)
    used = set(references(DOCUMENT["channels"]))
    assert {f"#/components/messages/{name}" for name in DEFINED} <= used, "each message is said somewhere"
    spoken = set(references(DOCUMENT["operations"]))
    for channel, members in DOCUMENT["channels"].items():
        assert {f"#/channels/{channel}/messages/{name}" for name in members["messages"]} <= spoken
    for name, defined in DEFINED.items():
        jsonschema.Draft7Validator.check_schema(defined["payload"])
        for example in defined.get("examples", []):
            check(name, example["payload"])


def test_codes_and_names_are_those_of_the_pages():
    schemas = DOCUMENT["components"]["schemas"]
    codes = re.findall(r"^\| (\d+) \| `(\w+)` \|", CODES, re.MULTILINE)
    assert [(str(one["const"]), one["title"]) for one in schemas["closeCode"]["anyOf"] if "const" in one and one["const"] != 1000] == codes
    errors = re.findall(r"^\| `(\w+)` \|", CODES, re.MULTILINE)
    assert sorted(schemas["gatewayErrorName"]["enum"]) == sorted(errors)
    reasons = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "tasks" / "resume.md").read_text().split("## Reasons")[1].split("\n## ")[0], re.MULTILINE)[1:]
    assert sorted(schemas["resumeReason"]["enum"]) == sorted(reasons)
    for word in [*(code for pair in codes for code in pair), *errors, *reasons]:
        assert f"`{word}`" in PROTOCOL or f"| {word} |" in PROTOCOL, f"protocol.md lacks {word}"


def test_the_pages_show_messages_as_they_are():
    """Every JSON block of the client pages, and at least one for each definition."""
    shown = set()
    for page in ("reference/protocol.md", "tasks/resume.md", "tasks/javascript-client.md"):
        for block in re.findall(r"^ *```json\n(.*?)^ *```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                fits = names_of(json.loads(line))
                assert fits, f"{page}: {line}"
                shown |= fits
    assert not CLIENTS - shown, "each is shown in protocol.md"


def test_what_the_gateway_takes_from_clients_of_nuropb_gw():
    """The messages of tests/interop, in which it is written down what is answered to each: good ones fit, bad ones don't."""
    taken = {"trace_id a float", "trace_id a big integer", "the context", "NaN", "type command"}  # and answered otherwise
    refused = set(MESSAGE_DIFFERENCES) - taken | {"a list", "a number", "a string", "null", "payload a string", "payload a list"}  # the latter as by 0.1.4
    for name, text in MESSAGES.items():
        if isinstance(text, bytes):
            continue
        try:
            fits = names_of(json.loads(text.replace("{service}", "service").replace("{tag}", "tag"))) & CLIENTS
        except ValueError:
            assert name in refused, f"{name}: no JSON, and taken"
            continue
        assert bool(fits) != (name in refused), f"{name}: {fits}"


POLICY = """
default = ["request", "command", "describe", "event", "subscribe", "publish"]
[[controller]]
methods = ["*"]
users = ["nobody"]
"""


@pytest.fixture
def issuer():
    with Issuer() as running:
        yield running


async def test_what_is_said_is_what_is_described(gateways, issuer, demo):
    """A conversation with every message there is; each is checked, and none is left out."""
    settings = {
        **issuer.settings(),
        "snorky": {"path": "/ws", "services_file": "services.toml"}, "backend": {"port": 0, "key_file": "keys.toml"}, "lines": {"enabled": True, "port": 0},
    }
    settings["auth"] = {**settings["auth"], "policy_file": "policy.toml"}
    gateway = gateways(settings=settings, files={"services.toml": SERVICES, "keys.toml": KEYS, "policy.toml": POLICY}, secrets={KEY})
    heard = {"mistake": 0}

    def take(name, message):
        heard[name] = heard.get(name, 0) + 1
        return check(name, message)

    async def say(consumer, name, verb=None, **members):
        message = {"type": verb or name, "payload": {**members, "trace_id": f"{name}-{len(heard)}"}}
        await consumer.ws.send(json.dumps(take(name, message)))
        return message["payload"]["trace_id"]

    async def hear(consumer, *names):
        """The next message; it is one of these."""
        message = json.loads(await consumer.ws.recv())
        fits = names_of(message) & set(names)
        assert fits, f"not {names}: {message}"
        take(fits.pop(), message)
        return message

    async def answered(consumer, name, verb=None, error=None, **members):
        trace_id = await say(consumer, name, verb, **members)
        payload = (await hear(consumer, "response"))["payload"]
        assert payload["trace_id"] == trace_id and (payload["error"] or {}).get("error") == error, payload
        return payload

    ann = Resuming(issuer.token(lasts=3000))
    gateway.secrets.add(ann.bearer)
    ann.ws = await ann.dial(gateway.url)
    await hear(ann, "hello")
    topic = unique("described")
    kept = (await answered(ann, "resume"))["result"]["resume"]["token"]
    await answered(ann, "request", service=demo, method="add", params={"a": 1, "b": 2}, ttl=5000, idempotent=True)
    await answered(ann, "request", service="nobody-here", method="m", params=None, error="NuropbNotDeliveredError")
    await answered(ann, "request", service=demo, method="slow", params={"ms": 400}, ttl=50, error="NuropbTimeoutError")
    await answered(ann, "command", service=demo, method="echo", params=[])
    await answered(ann, "describe", service=demo)
    await answered(ann, "subscribe", topic=f"{topic}.#")
    for target in (None, ["ann"]):
        await say(ann, "publish", "event", topic=f"{topic}.a", event={"n": 1}, target=target)
        assert {(await hear(ann, "event", "response"))["type"] for _ in range(2)} == {"event", "response"}
    await answered(ann, "unsubscribe", topic=f"{topic}.#")
    ctl(gateway, "send", "--user", "ann", "[1]")
    seq = (await hear(ann, "pushedInEnvelope"))["seq"]
    await say(ann, "ack", seq=seq)
    for text in ("{", "[]", '{"type":"request","payload":{}}', '{"type":"nothing","payload":{}}', '{"type":"request"}'):
        await ann.ws.send(text)
        await hear(ann, "mistake")
    soon = issuer.token(lasts=50)
    gateway.secrets.add(soon)
    assert (await answered(ann, "authorize", token=soon))["error"] is None
    await hear(ann, "sessionExpiring")
    await answered(ann, "authorize", token="rubbish", error="NuropbAuthenticationError")

    other = Resuming(ann.bearer)
    other.ws = await other.dial(gateway.url)
    await hear(other, "hello")
    await answered(other, "resume", token="rubbish", seq=1, error="NuropbResumeFailed")
    await say(other, "resume", token=kept, seq=seq)
    assert (await hear(other, "resumed"))["payload"]["event"]["pending"] == []
    await other.ws.close()

    plain = await Consumer.open(gateway.url)
    ctl(gateway, "send", "--user", "ann", '{"any": "thing"}')
    take("pushed", await plain.other())
    await plain.close()

    line = await LineSocket.connect(gateway.edges[0].lines_port)
    await line.send(json.dumps(take("authorize", {"type": "authorize", "payload": {"token": "secret-of-nobody"}})))
    gateway.secrets.discard("secret-of-nobody")
    last = take("close", json.loads(await line.reader.readline()))
    assert last["payload"]["code"] == 4501
    await line.close()

    url = gateway.edges[0].snorky_url
    async with await SnorkyClient.open(url) as one, await SnorkyClient.open(url) as twin, await SnorkyClient.open(url, "secret-bob") as two:
        async def snorky(client, service, command, params, name="snorkyResponse", also=()):
            """The answer, and the messages that arrived with it."""
            await client.send(json.dumps(take("snorkyCall", {"service": service, "message": {"command": command, "params": params, "callId": 1}})))
            for wanted in [name, *also]:
                message = await client.other()
                fits = names_of(message) & {name, *also}
                assert fits, f"not {wanted}: {message}"
                take(fits.pop(), message)
        await snorky(one, "pubsub", "subscribe", {"channel": {"a": 1}})
        await snorky(one, "pubsub", "subscribe", {"channel": {"a": 1}}, name="snorkyError")
        await snorky(one, "pubsub", "publish", {"channel": {"a": 1}, "message": [1]}, also=["pubsubMessage"])
        await snorky(one, "messaging", "registerParticipant", {"name": "ann"})
        await snorky(one, "messaging", "send", {"sender": "ann", "dest": "ann", "body": 1}, also=["messagingMessage"])
        await snorky(one, "chat", "join", {"channel": 1})
        await snorky(twin, "chat", "join", {"channel": 1})
        await snorky(two, "chat", "join", {"channel": 1})
        take("chatPresence", await one.other())
        await snorky(two, "chat", "send", {"channel": 1, "body": "hi"}, also=["chatMessage"])
        take("chatMessage", await one.other())
        await snorky(one, "chat", "read", {"channel": 1})
        for wanted in ("chatPresence", "chatMessage", "chatRead"):
            take(wanted, await twin.other())
        ctl(gateway, "send", "--user", "bob", '{"any": "thing"}')
        take("snorkyPushed", await two.other())
        await one.send("{}")
        take("snorkyError", await one.other())

    call = take("snorkyCall", envelope("news_backend", "publish", channel="c", message=1))
    status, answer, _ = await asyncio.to_thread(post, gateway.edges[0], call)
    assert status == 200
    take("snorkyResponse", answer)
    status, refusal, _ = await asyncio.to_thread(post, gateway.edges[0], call, key="wrong")
    assert status == 401
    take("httpRefusal", refusal)
    assert set(heard) == set(DEFINED), f"never said: {set(DEFINED) - set(heard)}"

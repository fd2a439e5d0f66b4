"""The original's own backend connector (snorky 0.1.0a4 from PyPI) against our backend, and frames as its browser client
makes them (snorky.js is not on npm: what it sends and takes is done here by hand)."""

import asyncio
import json
import subprocess

import pytest

from support.gateway import Gateway
from support.paths import ROOT, peers_python
from support.snorky import KEY, SnorkyClient, options


@pytest.fixture(scope="module")
def snorky(broker_url):
    with Gateway(broker_url, **options(edges=2)) as running:
        yield running


def backend(edge, *calls, key=KEY):
    script = ROOT / "tests" / "interop" / "peers" / "snorky_backend.py"
    done = subprocess.run([str(peers_python()), str(script), edge.backend_url, key, json.dumps(calls)], capture_output=True, text=True, timeout=150)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) == len(calls), done.stdout + done.stderr
    return outcomes


async def test_the_original_backend_connector(snorky):
    async with await SnorkyClient.open(snorky.edges[1].snorky_url) as one:
        await one.call("news", "subscribe", channel={"topic": 1})
        outcomes = await asyncio.get_running_loop().run_in_executor(None, lambda: backend(
            snorky.edges[0],
            ["news_backend", "publish", {"channel": {"topic": 1}, "message": ["hello", "é"]}],
            ["news_backend", "publish", {"channel": 1}],
            ["news_backend", "nonsense", {}],
            ["nowhere", "publish", {}],
            ["gateway", "send_to_users", {"user_ids": ["ann", "ann"], "message": {"x": 1}}],
        ))
        assert outcomes[:3] == [["returned", None], ["SnorkyError", "Invalid params"], ["SnorkyError", "Unknown command"]]
        assert outcomes[3][0] == "RuntimeError" and "404" in outcomes[3][1]
        assert outcomes[4][0] == "returned" and outcomes[4][1]["connections"] == 1
        assert await one.notification("news") == {"type": "message", "channel": {"topic": 1}, "message": ["hello", "é"]}
        assert await one.notification("gateway") == {"x": 1}


def test_a_wrong_key_is_a_runtime_error_there(snorky):
    [[kind, text]] = backend(snorky.edges[0], ["news_backend", "publish", {"channel": 1, "message": 1}], key="wrong")
    assert kind == "RuntimeError" and "401" in text


async def test_what_the_browser_client_sends(snorky):
    """callIds count from 0 within a service; what was asked before the socket opened goes out at once when it does, and
    params are {} where a method has none."""
    async with await SnorkyClient.open(snorky.edges[0].snorky_url) as one:
        queued = [
            '{"service":"pubsub","message":{"command":"subscribe","params":{"channel":"c"},"callId":0}}',
            '{"service":"messaging","message":{"command":"listParticipants","params":{},"callId":0}}',
            '{"service":"pubsub","message":{"command":"publish","params":{"channel":"c","message":"m"},"callId":1}}',
        ]
        for frame in queued:
            await one.send(frame)
        frames = [await one.other() for _ in range(4)]
        assert frames == [
            {"service": "pubsub", "message": {"type": "response", "callId": 0, "data": None}},
            {"service": "messaging", "message": {"type": "response", "callId": 0, "data": []}},
            {"service": "pubsub", "message": {"type": "message", "channel": "c", "message": "m"}},
            {"service": "pubsub", "message": {"type": "response", "callId": 1, "data": None}},
        ]

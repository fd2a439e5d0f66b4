"""A real Python service authenticates tokens (authorizer "mesh")."""

import os

import pytest

from support.broker import declare_exchanges
from support.consumer import Consumer
from support.gateway import Gateway
from support.paths import ROOT, peers_python
from support.processes import Process
from support.services import unique


@pytest.fixture
def trusting(broker_url, folder):
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("the real peers could not be installed from PyPI")  # scripts/test says so at its end
    declare_exchanges(broker_url)
    name = unique("users")
    with Process("users", [peers_python(), ROOT / "tests" / "interop" / "peers" / "users.py", broker_url, name], folder) as users:
        users.wait_for_log("^ready$", timeout=120)
        with Gateway(broker_url, settings={"auth": {"authorizers": ["tokens", "mesh"], "mesh_service": name, "mesh_timeout_ms": 30_000, "verdict_timeout_ms": 40_000, "context_claims_key": "claims"}}) as running:
            running.secrets.add("token-of-carol")
            yield running


async def test_what_it_says_counts(trusting, python):
    async with await Consumer.open(trusting.url, "token-of-carol") as consumer:
        event = consumer.hello["payload"]["event"]
        assert (event["user_id"], event["username"]) == ("carol", "Carol")
        context = await consumer.result(python, "context")
        assert (context["user_id"], context["claims"], context["Authorisation"]) == ("carol", {"tenant": "acme"}, "token-of-carol")
        assert (await consumer.done("authorize", token="token-of-carol"))["expires_at"] == 4102444800
    for token, code in (("token-that-was-stolen", 4501), ("token-of-nobody", 4501), ("token-that-breaks-it", 4002)):
        consumer = await Consumer.open(trusting.url, token, hello=False)
        assert await consumer.other() is None
        assert (await consumer.closed())[0] == code, token

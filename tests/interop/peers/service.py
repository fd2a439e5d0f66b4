"""A real NuroPb service: nuropb 0.1.8 from PyPI, with one method per way in which a service can answer.

    python service.py AMQP_URL SERVICE_NAME [INSTANCE_ID]

Prints "ready" when it consumes. Runs under the Python of the peers' venv.
"""

import asyncio
import datetime
import logging
import sys
import uuid

import nuropb.interface
from nuropb.contexts.context_manager_decorator import nuropb_context
from nuropb.contexts.describe import publish_to_mesh
from nuropb.interface import (
    NuropbAuthorizationError,
    NuropbCallAgain,
    NuropbSuccess,
    NuropbValidationError,
)
from nuropb.rmq_api import RMQAPI

# What 0.1.4 puts into the context as a token is the user's name; ours is the token. Both are claims of the same users.
CLAIMS = {"secret-ann": "ann", "Ann": "ann", "secret-bob": "bob", "Bob": "bob"}


def claims_of(token):
    if token not in CLAIMS:
        raise NuropbAuthorizationError(description="no claims for this token")
    return {"sub": CLAIMS[token]}


class EveryKindOfAnswer:
    """Answers in every way that a NuroPb service can"""

    _version = "1.2.3"

    def __init__(self, service_name):
        self._service_name = service_name
        self._seen = set()

    def echo(self, value=None):
        """Gives back what it got"""
        return value

    def add(self, a: int, b: int = 1) -> int:
        return a + b

    def nothing(self):
        return None

    async def later(self, value=None, ms: int = 10):
        await asyncio.sleep(ms / 1000)
        return value

    def raises(self, text="boom"):
        raise ValueError(text)

    async def raises_later(self, text="boom later"):
        await asyncio.sleep(0.01)
        raise ValueError(text)

    def invalid(self):
        raise NuropbValidationError(description="a is not a number")

    def raises_named(self, name):
        raise getattr(nuropb.interface, name)(description=f"{name}, by name")

    def call_again_once(self, key):
        if key not in self._seen:
            self._seen.add(key)
            raise NuropbCallAgain("come back")
        return "second time"

    def call_again_always(self):
        raise NuropbCallAgain("come back")

    def success(self, topic):
        raise NuropbSuccess(
            result="done",
            events=[{"topic": topic, "payload": {"n": 1}, "target": None}, {"topic": topic, "payload": {"n": 2}, "target": None}],
        )

    def dates(self):
        """Values that only the peer's own encoder can write"""
        return {"at": datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc), "day": datetime.date(2024, 2, 29)}

    @nuropb_context
    @publish_to_mesh(authorize_func=claims_of, context_token_key="Authorisation")
    def claims(self, ctx):
        return ctx.user_claims

    @nuropb_context
    @publish_to_mesh(authorize_func=claims_of, context_token_key="Unheard-of")
    def claims_by_another_key(self, ctx):
        return ctx.user_claims

    @nuropb_context
    def context(self, ctx):
        return ctx.context

    def _hidden(self):
        return "must not be seen"


async def main(url, name, instance=None):
    api = RMQAPI(
        amqp_url=url,
        service_name=name,
        instance_id=instance or uuid.uuid4().hex,
        service_instance=EveryKindOfAnswer(name),
        transport_settings={"prefetch_count": 10},
    )
    await api.connect()
    assert api.connected
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)  # the errors that it is made to give are no news
    asyncio.run(main(*sys.argv[1:4]))

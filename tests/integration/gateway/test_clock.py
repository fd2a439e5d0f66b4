"""A wall clock that is set forward and back while sessions with expiring tokens are open."""

import time

import pytest

from support import metrics
from support.authorities import AuthorizationServer, Issuer
from support.consumer import Consumer
from support.gateway import Gateway
from support.stepped_clock import SteppedClock
from support.waiting import eventually

HOUR = 3600


@pytest.fixture(scope="module")
def clock(scratch):
    folder = scratch / "stepped-clock"
    folder.mkdir()
    return SteppedClock(folder)


@pytest.fixture(autouse=True)
def set_right(clock):
    clock.set(0)


class Stepped(Gateway):
    """A gateway whose meshd uses the clock that the test sets."""

    def __init__(self, clock, *arguments, **more):
        super().__init__(*arguments, **more)
        self.clock = clock

    def start_meshd(self):
        self.instead["nuropb-meshd"] = ("nuropb-meshd", self.clock.environment())
        super().start_meshd()


async def stepped(gateway, clock, seconds):
    steps = metrics.value(gateway, "clock_steps_total")
    clock.set(seconds)
    await eventually(lambda: metrics.value(gateway, "clock_steps_total") == steps + 1, "the step is seen and counted")


async def test_an_hour_forward_does_not_end_all_sessions(broker_url, clock):
    with Issuer() as issuer, Stepped(clock, broker_url, settings=issuer.settings()) as gateway:
        consumers = [await Consumer.open(gateway.url, issuer.token(f"user-{n}", lasts=1800)) for n in range(12)]
        await stepped(gateway, clock, HOUR)
        gateway.meshd.wait_for_log(r"WARNING .*the wall clock was set.* by_ms=3[56]\d\d\d\d\d")
        # meshd ends what is over in the same moment in which it sees the step.
        assert metrics.value(gateway, "sessions") >= 9, "their ends are spread over ten minutes"
        # The same for a meshd that begins while the clock is wrong.
        gateway.meshd.kill()
        gateway.start_meshd()
        gateway.until_ready()
        await eventually(lambda: metrics.value(gateway, "sessions") >= 9, "their edge brings them back")
        assert metrics.value(gateway, "clock_steps_total") == 0, "it has seen none itself"
        # A clock that is set right again ends nobody.
        before = metrics.value(gateway, "sessions")
        await stepped(gateway, clock, 0)
        assert metrics.value(gateway, "sessions") >= before - 1
        assert sum(consumer.open_still for consumer in consumers) >= 8
        for consumer in consumers:
            await consumer.close()


@pytest.mark.parametrize("restart", [False, True])
async def test_an_hour_back_prolongs_no_session(broker_url, clock, restart):
    with Issuer() as issuer, Stepped(clock, broker_url, settings=issuer.settings()) as gateway:
        until = int(time.time()) + 15
        consumer = await Consumer.open(gateway.url, issuer.token(lasts=15))
        lasting = await Consumer.open(gateway.url, issuer.token("bob"))
        await stepped(gateway, clock, -HOUR)
        if restart:
            gateway.meshd.kill()
            gateway.start_meshd()
            gateway.until_ready()
        assert (await consumer.closed())[0] == 4401
        assert time.time() >= until - 1
        assert lasting.open_still
        await lasting.close()


async def test_an_hour_back_prolongs_no_remembered_verdict(broker_url, clock):
    """A cached introspection result: a client that presents the token again is accepted for the rest of its lifetime, no longer."""
    with AuthorizationServer() as server:
        settings = {"auth": {"authorizers": ["introspection"], "cache_s": 300},
                    "introspection": {"url": server.url + "/introspect", "client_id": server.client[0], "client_secret_file": "client-secret", "timeout_ms": 15_000}}
        with Stepped(clock, broker_url, settings=settings, files={"client-secret": server.client[1]}) as gateway:
            server.tokens["opaque"] = {"sub": "ann", "exp": int(time.time()) + 20}
            first = await Consumer.open(gateway.url, "opaque")
            await stepped(gateway, clock, -HOUR)
            asked = server.requests
            second = await Consumer.open(gateway.url, "opaque")
            assert server.requests == asked, "the verdict was remembered"
            assert (await first.closed())[0] == 4401
            assert (await second.closed())[0] == 4401

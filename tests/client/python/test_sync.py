"""GatewaySync: the Python client for programs without an event loop."""

import threading
import time

import pytest

from support.ctl import ctl
from support.python_client import QUICK
from support.services import unique
from support.waiting import wait_until

from nuropb_gateway_client import Closed, GatewayError, GatewaySync, NotDelivered, ServiceError, Settings


def threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("nuropb-gateway")}


def test_all_that_it_can_say(opened, demo):
    gateway = opened()
    topic = unique("sync")
    with GatewaySync(gateway.url, lambda why: "secret-ann", Settings(**QUICK)) as client:
        client.ready(30)
        assert client.request(demo, "add", {"a": 1, "b": 2}) == 3 and client.session.user_id == "ann" and client.state == "open"
        assert client.command(demo, "echo", {}) is None and client.describe(demo)["service_name"] == demo
        with pytest.raises(ServiceError):
            client.request(demo, "fail")
        with pytest.raises(NotDelivered):
            client.request("nobody-of-that-name", "m")
        with client.events(f"{topic}.#") as events:
            for number in range(3):
                client.publish(f"{topic}.n", number)
            assert [next(events).data for _ in range(3)] == [0, 1, 2]
            assert events.next(timeout=0.01) is None and events.dropped == 0
            client.publish(f"{topic}.n", 3, target=["ann"])
            assert events.next(timeout=30).target == ("ann",)
        # Of many threads at once.
        results = []
        workers = [threading.Thread(target=lambda n=n: results.append(client.request(demo, "add", {"a": n, "b": 0}))) for n in range(20)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sorted(results) == list(range(20))
    with pytest.raises(Closed):
        client.request(demo, "echo")
    client.close()
    assert not threads()


def test_a_callback_that_waits_for_its_own_thread(opened, demo):
    gateway = opened()
    raised = []
    with GatewaySync(gateway.url, "secret-ann", Settings(**QUICK)) as client:
        client.ready(30)

        def asks(_):
            try:
                client.request(demo, "echo")
            except RuntimeError as error:
                raised.append(str(error))
        client.on("message", asks)
        ctl(gateway, "send", "--user", "ann", "1")
        wait_until(lambda: raised, "it is told")
        assert "its own thread" in raised[0] or "own thread" in raised[0]
        assert client.request(demo, "echo", {"n": 1}) == {"n": 1}


def test_a_stream_ends_with_the_client(opened):
    gateway = opened()
    client = GatewaySync(gateway.url, "secret-ann")
    client.ready(30)
    got = []
    with client.events("a.b") as events:
        reader = threading.Thread(target=lambda: got.extend(events))
        reader.start()
        time.sleep(0)
        client.close()
        reader.join(30)
        assert not reader.is_alive() and got == []
    assert not threads()


def test_one_that_is_collected_is_closed(opened):
    gateway = opened()
    client = GatewaySync(gateway.url, "secret-ann")
    client.ready(30)
    del client
    wait_until(lambda: not threads(), lambda: str(threads()))


def test_closed_by_a_callback_and_by_many_threads_at_once(opened, demo):
    """Each call that is under way ends, and none hangs."""
    gateway = opened()
    for how in ("callback", "threads"):
        client, outcomes = GatewaySync(gateway.url, "secret-ann", Settings(**QUICK)), []
        client.ready(30)

        def asks():
            while True:
                try:
                    client.request(demo, "echo", {})
                except Exception as error:
                    outcomes.append(type(error))
                    return
        callers = [threading.Thread(target=asks) for _ in range(5)]
        for caller in callers:
            caller.start()
        if how == "callback":
            client.on("message", lambda _: client.close())
            ctl(gateway, "send", "--user", "ann", "1")
        else:
            enders = [threading.Thread(target=client.close) for _ in range(3)]
            for ender in enders:
                ender.start()
            for ender in enders:
                ender.join(30)
        for caller in callers:
            caller.join(30)
        assert len(outcomes) == 5 and all(issubclass(kind, GatewayError) for kind in outcomes), outcomes
        wait_until(lambda: not threads(), lambda: str(threads()))


def test_an_address_that_can_not_be_leaves_no_thread():
    with pytest.raises(ValueError):
        GatewaySync("http://127.0.0.1/")
    assert not threads()

"""A service with a fixed instance id exists once, no matter which comes first: the real Python nuropb 0.1.8, or ours. And what
either shows of itself in the broker's list of connections."""

import json
import re
import subprocess

import pytest

from support.paths import ROOT, peers_python
from support.services import demo_service, python_service, unique
from support.waiting import wait_until


def call(url, service):
    script = ROOT / "tests" / "interop" / "peers" / "client.py"
    calls = json.dumps([{"service": service, "method": "add", "params": {"a": 40, "b": 2}}])
    return json.loads(subprocess.run([str(peers_python()), str(script), url, calls], capture_output=True, text=True, timeout=150, check=True).stdout)


@pytest.mark.parametrize("first, second", [(python_service, demo_service), (demo_service, python_service), (demo_service, demo_service)],
                         ids=["ours after theirs", "theirs after ours", "ours after ours"])
def test_the_second_one_is_refused_and_the_first_one_goes_on(broker_url, folder, python, first, second):
    name = unique("single")
    with first(broker_url, folder, name, instance="only"):
        with second(broker_url, folder, name, instance="only", wait_ready=False) as refused:
            wait_until(lambda: not refused.running(), lambda: f"the second one gives up:\n{refused.tail()}", 120)
            assert refused.popen.returncode == 1
            if second is demo_service:
                assert re.search(f"another participant with service name '{name}' and instance id 'only' is running", refused.tail()), refused.tail()
        assert call(broker_url, name) == {"result": 42}


def test_what_a_connection_tells_of_itself(private_broker, folder):
    """What the real peer makes for its connections, which it sends where it was given its broker's parts and not a URL.
    Not the operating system's user, which is nobody's business."""
    theirs = "import json, nuropb.rmq_lib as l; print(json.dumps(l.get_client_connection_properties(name='n', instance_id='i', client_only=False)))"
    expected = json.loads(subprocess.run([str(peers_python()), "-c", theirs], capture_output=True, text=True, timeout=150, check=True).stdout)
    with demo_service(private_broker.url, folder, instance="seen") as ours:
        listed = json.loads(private_broker.ctl("--quiet", "--formatter", "json", "list_connections", "client_properties"))
    shown = [{key: value for key, kind, value in connection["client_properties"] if kind == "longstr"} for connection in listed]
    got, = (one for one in shown if one.get("name") == ours.service)
    assert set(expected) - {"env_userid"} <= set(got), (expected, got)
    assert got["instance_id"] == "seen"
    assert got["protocol"] == expected["protocol"]
    assert "client_only" not in got

"""Where the JavaScript client runs."""

import pytest

from support.javascript import Chromium, Node

OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'
SERVICES = '[frontend.pubsub]\nkind = "pubsub"\npublish = "all"\n'


@pytest.fixture
def node(folder, without_peers):
    return Node(folder)


@pytest.fixture
def chromium(folder):
    return Chromium(folder)


@pytest.fixture(params=["node", "chromium"])
def js(request):
    """`async with js:` and `await js.run("return 1")`."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def opened(gateways, folder):
    """Gateways that allow clients everything, on both paths, also from pages."""
    def start(js=None, edges=1, settings=None, **more):
        sections = {"auth": {"policy_file": "policy.toml"}, "snorky": {"path": "/ws", "services_file": "services.toml"}, "listen": {}}
        for section, keys in (settings or {}).items():
            sections.setdefault(section, {}).update(keys)
        if isinstance(js, Chromium):
            sections["listen"]["origins"] = [js.origin]
        return gateways(edges=edges, settings=sections, files={"policy.toml": OPEN, "services.toml": SERVICES}, **more)
    return start

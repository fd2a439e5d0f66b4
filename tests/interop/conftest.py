import asyncio
import json
from types import SimpleNamespace

import pytest

from support.gateway import TOKENS, Gateway
from support.paths import ROOT, peers_python
from support.processes import Process
from support.services import unique

from .comparison import shake_hands, talk
from .messages import HANDSHAKES, MESSAGES

ORIGINS = ["example.com"]


@pytest.fixture(scope="module")
def nuropb_gw(broker_url, python, module_folder):
    """The real nuropb-gw 0.1.4."""
    script = ROOT / "tests" / "interop" / "peers" / "gateway.py"
    command = [peers_python(), script, broker_url, unique("nuropb-gw"), json.dumps(TOKENS), json.dumps(ORIGINS)]
    with Process("nuropb-gw", command, module_folder) as process:
        port = int(process.wait_for_log(r"^port (\d+)$", timeout=120)[1])
        yield SimpleNamespace(port=port, url=f"ws://127.0.0.1:{port}/websocket")


@pytest.fixture(scope="module")
def ours(broker_url):
    with Gateway(broker_url, settings={"listen": {"origins": ORIGINS}}) as running:
        yield SimpleNamespace(port=running.edges[0].port, url=running.url, gateway=running)


@pytest.fixture(scope="module")
def conversations(nuropb_gw, ours, python):
    """The answers of each gateway to each message: (theirs, ours)."""
    async def both():
        return await asyncio.gather(talk(nuropb_gw.url, python, MESSAGES, False), talk(ours.url, python, MESSAGES, True))
    return asyncio.run(asyncio.wait_for(both(), 400))


@pytest.fixture(scope="module")
def handshakes(nuropb_gw, ours):
    async def both():
        return await asyncio.gather(shake_hands(nuropb_gw.port, HANDSHAKES), shake_hands(ours.port, HANDSHAKES))
    return asyncio.run(asyncio.wait_for(both(), 200))

"""docs/tasks/tutorial.md, walked from an empty folder: its commands in a bash, its page in Chromium."""

import os
import shutil
import signal
import subprocess

import pytest

from support.pages import DOCS, Ports, blocks_of, make_clone, missing
from support.paths import BIN, ROOT, peers_python
from support.processes import Process
from support.terminal import Terminal
from support.waiting import eventually

PAGE = DOCS / "tasks" / "tutorial.md"
STATE, RESULT = ("document.getElementById('{}').textContent".format(name) for name in ("state", "result"))
EVENTS = "[...document.querySelectorAll('#events li')].map((line) => line.textContent).join()"
SUITABLE = "import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))"


def has_suitable_python():
    """As scripts/service-venv looks for one; without it, that fetches a Python from the internet."""
    found = (shutil.which(name) for name in ("python3.11", "python3.10", "python3.9", "python3", "/usr/bin/python3"))
    return any(subprocess.run([python, "-c", SUITABLE], stderr=subprocess.DEVNULL).returncode == 0 for python in found if python)


@pytest.fixture
def clone(folder):
    if BIN.resolve() != (ROOT / "build" / "release" / "bin").resolve():
        pytest.skip("the pages run what scripts/build has built, and NUROPB_BIN names something else")
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("nuropb could not be installed from PyPI")
    if not has_suitable_python():
        there = folder / "orders" / "venv" / "bin" / "python"
        there.parent.mkdir(parents=True)
        there.write_text(f'#!/bin/sh\nexec "{peers_python()}" "$@"\n')
        there.chmod(0o755)
    return make_clone(folder / "clone")


async def order(page):
    """Presses the button and returns the text that the page shows."""
    await page.evaluate("document.getElementById('result').textContent = ''")
    await page.evaluate("document.querySelector('#order button').click()")
    return await page.until(f"{RESULT} !== '' && {RESULT}")


@pytest.mark.limit(900)
async def test_it_is_walked_from_an_empty_folder(folder, clone, browser):
    ports = Ports()
    origin = f"http://localhost:{ports.instead['8000']}"
    blocks = {}
    for block in blocks_of(PAGE):
        blocks.setdefault(block.section, []).append(block)
    assert [[block.runs for block in section] for section in blocks.values()] == [[False], [True, True], [True], [True, True], [True]]

    with Process("quickstart", ["env", "--default-signal=INT", clone / "scripts" / "quickstart", "--bin", "build/release/bin", "--port", ports.instead["8880"],
                                "--console-port", ports.instead["8882"], "--origin", origin], folder) as quickstart, \
            Terminal(folder, clone, {"NUROPB_WAIT_LIMIT": "240"}) as terminal:
        async def paste(block):
            assert not missing(block, await terminal.run(ports.put_into(block.text)))

        await eventually(lambda: "Ctrl-C stops everything" in quickstart.log(), quickstart.tail, timeout=300)
        assert "The gateway runs." in quickstart.log()
        for block in [*blocks["Your service"], *blocks["Your page"]]:
            await paste(block)
        index = folder / "orders" / "web" / "index.html"
        index.write_text(ports.put_into(index.read_text()))

        async with browser:
            page, other = [await browser.page(f"{origin}/#token=demo-token") for _ in range(2)]
            for each in (page, other):
                await each.until(f"{STATE} === 'connected as demo'")
            assert await order(page) == "order 2 is placed"  # the page's first command has placed one
            for each in (page, other):
                assert await each.until(EVENTS) == "2 × apple for demo"

            kill_edges, kill_meshd = blocks["Kill the gateway"]
            await paste(kill_edges)
            for each in (page, other):
                await each.until(f"{STATE} === 'resumed as demo'")
            assert await order(page) == "order 3 is placed"
            for each in (page, other):
                await each.until(f"{EVENTS} === '2 × apple for demo,2 × apple for demo'")

            await page.evaluate("globalThis.downs = 0; new MutationObserver(() => downs++).observe(document.getElementById('state'), {childList: true})")
            await paste(kill_meshd)
            assert await order(page) == "order 5 is placed"
            assert await page.evaluate("downs") == 0, "the page notices nothing"
            assert not [entry for entry in page.console if "exceptionDetails" in entry], page.console

        for block in blocks["Stop"]:
            await paste(block)
        quickstart.signal(signal.SIGINT)
        await eventually(lambda: not quickstart.running(), quickstart.tail, timeout=150)
        assert quickstart.popen.returncode == 130, quickstart.tail()

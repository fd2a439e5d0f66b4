"""scripts/quickstart: what it prints works, and when it ends nothing of it is left. (.ci/run runs its --smoke.)"""

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from support.paths import BIN, ROOT
from support.ports import free_port
from support.processes import Process
from support.waiting import wait_until

if BIN.resolve() != (ROOT / "build" / "release" / "bin").resolve():
    pytest.skip("it runs what scripts/build has built, and NUROPB_BIN names something else", allow_module_level=True)


def belonging_to(folder):
    """Processes whose command line or environment names the folder, but for the tests themselves."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
                if str(folder).encode() in command + (entry / "environ").read_bytes():
                    found[int(entry.name)] = command.replace(b"\0", b" ")
            except OSError:
                pass
    return found


def shell(line):
    return subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=90)


@pytest.fixture
def quickstart(folder):
    run = folder / "quickstart"
    process = Process("quickstart", ["env", "--default-signal=INT", ROOT / "scripts" / "quickstart", "--port", free_port(), "--edges", "3"], folder,
                      {"NUROPB_QUICKSTART_DIR": str(run)})
    process.run_folder = run
    process.wait_for_log(r"Ctrl-C stops everything\.", timeout=600)
    yield process
    process.stop(150)
    wait_until(lambda: not belonging_to(run), lambda: f"nothing is left: {belonging_to(run)}", 60)


def test_what_it_prints_works_and_ctrl_c_ends_it(quickstart):
    printed = quickstart.log()
    call = re.search(r"^  (scripts/call .*)$", printed, re.MULTILINE)[1]
    done = shell(call)
    assert done.returncode == 0 and '"result": 3' in done.stdout, done.stdout + done.stderr
    health = shell(re.search(r"curl (http://\S+/healthz)$", printed, re.MULTILINE)[0])
    assert '"broker":"ready"' in health.stdout, health.stdout + health.stderr
    page = re.search(r"^  console +(http://\S+)#token=(\S+)$", printed, re.MULTILINE)
    assert "NuroPb gateway" in shell(f"curl -fsS {shlex.quote(page[1])}").stdout
    figures = shell(f"curl -fsS -H 'Authorization: Bearer {page[2]}' {page[1]}api/status").stdout
    assert len(json.loads(figures)["workers"]) == 3, figures
    # The page's origin may connect, as a browser does it: with a cookie, and without a header of its own.
    url = json.loads(shell(f"curl -fsS {page[1]}api/about").stdout)["url"]
    upgrade = shell(f"curl -sS -i -m 5 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "
                    f"-H 'Origin: {page[1].rstrip('/')}' -H 'Cookie: Authorization=demo-token' {shlex.quote(url.replace('ws:', 'http:'))}")
    assert upgrade.stdout.startswith("HTTP/1.1 101") and '"topic":"hello"' in upgrade.stdout, upgrade.stdout + upgrade.stderr

    assert len(belonging_to(quickstart.run_folder)) > 6  # the search below can find something
    quickstart.signal(signal.SIGINT)
    wait_until(lambda: not quickstart.running(), lambda: f"it ends:\n{quickstart.tail()}", 150)
    assert quickstart.popen.returncode == 130
    # Each of what takes longer than a moment said so first.
    phases = ("packages", "building", "starting a private RabbitMQ", "starting the demo service", "starting the gateway",
              "stopping the gateway", "stopping the demo service", "stopping RabbitMQ")
    said = re.findall(r"^quickstart: (.*)$", quickstart.log(), re.MULTILINE)
    assert [phase for line in said for phase in phases if line.startswith(phase)] == list(phases), said


def test_killed_it_takes_the_gateway_with_it(quickstart):
    """Only the broker stays, which the next start finds and the next `scripts/broker stop` ends."""
    quickstart.kill()
    def left():
        return [command for command in belonging_to(quickstart.run_folder).values() if b"nuropb-" in command and b"rabbit" not in command]
    wait_until(lambda: not left(), lambda: f"the gateway has ended: {left()}", 90)
    stop = subprocess.run([ROOT / "scripts" / "broker", "stop"], env={**os.environ, "NUROPB_BROKER_DIR": str(quickstart.run_folder / "broker")}, timeout=200)
    assert stop.returncode == 0


def test_a_wrong_option_is_refused_before_anything_is_done():
    done = shell("scripts/quickstart --no-such-option")
    assert done.returncode == 2 and "unknown option" in done.stderr and not done.stdout

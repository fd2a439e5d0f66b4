"""scripts/quickstart: the commands that it prints work, and it leaves nothing behind. (.ci/run runs its --smoke, which builds.)"""

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from support.javascript import node
from support.paths import BIN, ROOT, peers_python
from support.ports import free_port
from support.processes import Process
from support.waiting import wait_until


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


def shell(line, **environment):
    return subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=90, env={**os.environ, **environment})


@pytest.fixture
def start(folder):
    """Starts it repeatedly in the same folder."""
    run, started = folder / "quickstart", []

    def begin(*options):
        process = Process("quickstart", ["env", "--default-signal=INT", ROOT / "scripts" / "quickstart", "--bin", BIN, *options], folder, {"NUROPB_QUICKSTART_DIR": str(run)})
        process.run_folder = run
        started.append(process)
        process.wait_for_log(r"Ctrl-C stops everything\.", timeout=300)
        return process

    yield begin
    for process in started:
        process.stop(150)
    wait_until(lambda: not belonging_to(run), lambda: f"nothing is left: {belonging_to(run)}", 60)


@pytest.fixture
def quickstart(start):
    return start("--port", free_port(), "--console-port", free_port(), "--edges", "3")


def end(process):
    process.signal(signal.SIGINT)
    wait_until(lambda: not process.running(), lambda: f"it ends:\n{process.tail()}", 150)
    assert process.popen.returncode == 130


def line_after(printed, title):
    return re.search(rf"^{re.escape(title)}.*\n  (.*)$", printed, re.MULTILINE)[1]


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
    end(quickstart)
    # Each of what takes longer than a moment said so first.
    phases = ("starting a private RabbitMQ", "starting the demo service", "starting the gateway",
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


def test_what_it_prints_for_your_own_programs_works(quickstart):
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("nuropb and Node could not be installed from PyPI")
    printed = quickstart.log()
    in_javascript = line_after(printed, "The same in JavaScript")
    assert in_javascript.startswith("node ")
    done = shell(in_javascript.replace("node", shlex.quote(node()), 1))
    assert done.stdout == "3\n", done.stdout + done.stderr

    sent = shell(line_after(printed, "Send to every client with curl"))
    assert json.loads(sent.stdout)["message"]["data"]["connections"] == 0, sent.stdout + sent.stderr

    service = re.search(r"^  (AMQP_URL=\S+) \.run/venv/bin/python (examples/service\.py)$", printed, re.MULTILINE)
    with Process("service", ["env", service[1], peers_python(), ROOT / service[2]], quickstart.run_folder) as process:
        process.wait_for_log("^ready$", timeout=60)
        call = re.search(r"^  (scripts/call \S+ \S+) ", printed, re.MULTILINE)[1]
        done = shell(f"""{call} orders place '{{"item": "apple"}}'""")
        assert '"user_id": "demo"' in done.stdout, done.stdout + done.stderr


def test_the_next_start_keeps_what_was_changed(start):
    first = start("--port", free_port(), "--console-port", free_port(), "--origin", "https://a.example", "--origin", "https://b.example")
    url = re.search(r"^  AMQP +(\S+)$", first.log(), re.MULTILINE)[1]
    port = re.search(r":(\d+)/healthz", first.log())[1]
    assert "  https://a.example https://b.example\n" in first.log()
    end(first)
    with (first.run_folder / "tokens.toml").open("a") as tokens:
        tokens.write('[tokens."mine"]\nuser_id = "me"\n')
    settings = first.run_folder / "gateway.toml"
    settings.write_text(settings.read_text() + "[limits]\nmessages_per_s = 1234\n")

    second = start("--edges", "1")
    printed = second.log()
    assert re.search(r"^  AMQP +(\S+)$", printed, re.MULTILINE)[1] == url and f":{port}/healthz" in printed, printed
    assert "  https://a.example https://b.example\n" in printed
    assert '"user_id": "me"' in shell(f"scripts/call ws://127.0.0.1:{port}/websocket mine demo add '{{\"a\": 1, \"b\": 2}}'").stdout
    kept = settings.read_text()
    assert "messages_per_s = 1234" in kept and "edges = 1" in kept, kept
    end(second)

    # With a mistake it says so, and --fresh writes them again.
    settings.write_text(kept.replace("messages_per_s", "messages_per_x"))
    done = shell(f"scripts/quickstart --bin {BIN}", NUROPB_QUICKSTART_DIR=str(first.run_folder))
    assert done.returncode == 1 and "messages_per_x" in done.stderr and "--fresh" in done.stderr, done.stderr
    third = start("--fresh", "--port", free_port(), "--console-port", free_port())
    assert "limits" not in settings.read_text() and "mine" not in (first.run_folder / "tokens.toml").read_text()
    end(third)


def test_a_wrong_option_is_refused_before_anything_is_done():
    done = shell("scripts/quickstart --no-such-option")
    assert done.returncode == 2 and "unknown option" in done.stderr and not done.stdout

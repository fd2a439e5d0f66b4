"""nuropb-loadgen, which all figures rest on, against a bare echo: what it counts, and what an open loop shows."""

import json
import os
import signal
import subprocess
import time

import pytest

from support.paths import BIN, binary
from support.processes import Process

pytestmark = pytest.mark.skipif(not (BIN / "bench_echo_websocketpp").exists(), reason="the benchmarks are not built (NUROPB_BENCH)")


@pytest.fixture
def echo(folder):
    with Process("echo", [binary("bench_echo_websocketpp")], folder) as process:
        process.port = json.loads(process.wait_for_log(r"^\{.*\}$")[0])["port"]
        yield process


def load(echo, *words):
    command = [binary("nuropb-loadgen"), "--url", f"ws://127.0.0.1:{echo.port}/", "--echo", *words]
    return subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def found(generator):
    out, _ = generator.communicate(timeout=120)
    assert generator.returncode == 0
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("words", [["--outstanding", 3], ["--outstanding", 3, "--rotate"], ["--rate", 20_000]], ids=["closed", "rotating", "open"])
def test_every_request_is_sent_once_and_answered(echo, words):
    told = found(load(echo, "--connections", 5, "--requests", 1000, "--seconds", 30, "--histogram", *words))
    assert told["answered"] == 1000 and told["errors"] == {}
    bounds, counts = zip(*told["histogram"])
    assert counts[-1] == 1000 and list(bounds) == sorted(bounds) and list(counts) == sorted(counts)
    assert bounds[0] <= told["p50_us"] * 1.02 and told["p99_us"] <= bounds[-1]


@pytest.mark.parametrize("who", ["server", "generator"])
def test_an_open_loop_charges_a_stall_to_all_that_were_due(echo, who):
    """A closed loop asks nothing meanwhile: one late answer for each socket, and a p99 that knows of nothing. And should the
    generator itself be held up, what it sends late has been waiting all the same."""
    generator = load(echo, "--connections", 2, "--rate", 500, "--seconds", 4, "--wait")
    assert json.loads(generator.stdout.readline()) == {"open": 2}
    stalled = echo.pid if who == "server" else generator.pid
    generator.stdin.write("\n")
    generator.stdin.flush()
    time.sleep(0.2)  # some are answered as they should
    os.kill(stalled, signal.SIGSTOP)
    time.sleep(0.6)  # the stall itself
    os.kill(stalled, signal.SIGCONT)
    told = found(generator)
    assert told["answered"] == 2000
    assert told["p99_us"] > 500_000, "the requests that were due at the stall's beginning waited for 0.6 s"


def test_held_sockets_are_open_until_the_input_ends(echo):
    holder = load(echo, "--hold", "--connections", 50)
    assert json.loads(holder.stdout.readline()) == {"open": 50}
    sockets = [fd for fd in os.listdir(f"/proc/{holder.pid}/fd") if os.readlink(f"/proc/{holder.pid}/fd/{fd}").startswith("socket:")]
    assert len(sockets) == 50 and holder.poll() is None
    holder.stdin.close()
    assert holder.wait(60) == 0
    holder.stdout.close()


def test_a_server_that_goes_is_an_error(echo):
    generator = load(echo, "--connections", 2, "--seconds", 30, "--wait")
    generator.stdout.readline()
    generator.stdin.write("\n")
    generator.stdin.flush()
    echo.kill()
    generator.communicate(timeout=60)
    assert generator.returncode == 1

"""python -m nuropb_gateway_client, and what a program leaves behind when it ends: nothing, in any way that it may end."""

import json
import os
import signal
import subprocess
import sys

import pytest

from support.manual_service import ManualService
from support.ports import free_port
from support.processes import Process
from support.python_client import environment
from support.services import unique
from support.waiting import eventually, wait_until

PYTHON = sys.executable
CLIENT = [PYTHON, "-W", "error", "-m", "nuropb_gateway_client"]
TOKEN = {"NUROPB_GATEWAY_TOKEN": "secret-ann"}


def run(*words, stdin="", token=TOKEN, timeout=60):
    done = subprocess.run([str(word) for word in words], input=stdin, capture_output=True, text=True, timeout=timeout, env=environment(**token))
    return done.returncode, done.stdout, done.stderr


def test_call(opened, demo, folder):
    gateway = opened()
    assert run(*CLIENT, "call", gateway.url, demo, "add", '{"a": 1, "b": 2}') == (0, "3\n", "")
    (folder / "token").write_text("secret-bob\n")
    assert run(*CLIENT, "call", "--token-file", folder / "token", gateway.url, demo, "echo", '{"ü": 1}', token={}) == (0, '{"ü": 1}\n', "")
    assert run(*CLIENT, "call", "--token-file", "-", gateway.url, demo, "echo", stdin="secret-bob\n", token={})[0] == 0
    code, out, err = run(*CLIENT, "call", gateway.url, demo, "fail")
    assert (code, out) == (1, "") and err.count("\n") == 1
    code, out, err = run(*CLIENT, "call", gateway.url, "nobody-of-that-name", "m")
    assert (code, out) == (3, "") and "NuropbNotDeliveredError" in err
    code, out, err = run(*CLIENT, "call", "--ttl", "0.5", gateway.url, demo, "slow", '{"ms": 30000}')
    assert (code, out) == (4, "") and "NuropbTimeoutError" in err or "it may have run" in err
    code, out, err = run(*CLIENT, "call", gateway.url, demo, "echo", token={"NUROPB_GATEWAY_TOKEN": "wrong"})
    assert (code, out, err) == (1, "", "closed with 4501 token refused\n")
    code, out, err = run(*CLIENT, "call", "--connect-timeout", "0.3", f"ws://127.0.0.1:{free_port()}/websocket", demo, "echo")
    assert (code, out) == (3, "") and "no session in 0.3 s" in err
    for words in (["call", gateway.url, demo, "echo", "{"], ["call", "http://a", demo, "echo"], ["call", "--token-file", folder / "nothing", gateway.url, demo, "echo"],
                  ["stream", "--parallel", "0", gateway.url, demo, "echo"], ["call", "--ttl", "-1", gateway.url, demo, "echo"], ["whisper"]):
        code, out, err = run(*CLIENT, *words)
        assert (code, out) == (2, "") and "Traceback" not in err, err
    code, out, err = run(*CLIENT, "--help")
    assert code == 0 and "call,listen,stream" in out.replace("|", ",") and "exit codes" in out


def test_stream(opened, demo):
    gateway = opened()
    lines = "".join(f'{{"a": {n}, "b": 1}}\n' for n in range(100))
    code, out, err = run(*CLIENT, "stream", gateway.url, demo, "add", stdin=lines + "\n{\n" + '{"a": 5, "b": 6}')
    told = {line["line"]: line for line in map(json.loads, out.splitlines())}
    assert (code, err) == (2, "") and len(told) == 102
    assert [told[n + 1]["result"] for n in range(100)] == [n + 1 for n in range(100)]
    assert told[102]["error"] == "JSONDecodeError" and told[103]["result"] == 11
    code, out, err = run(*CLIENT, "stream", gateway.url, "nobody-of-that-name", "m", stdin="1\n")
    assert code == 3 and json.loads(out)["retryable"] is True


def test_listen(opened, folder):
    gateway = opened()
    topic = unique("listen")
    with Process("listen", [*CLIENT, "listen", "--count", "2", gateway.url, f"{topic}.*", f"{topic}.#"], folder, environment(**TOKEN)) as process:
        process.wait_for_log("^listening$")
        program = f"import nuropb_gateway_client as c, sys\nwith c.GatewaySync(sys.argv[1], 'secret-bob') as g:\n    [g.publish('{topic}.' + str(n), n, target=['ann']) for n in (1, 2)]"
        assert run(PYTHON, "-W", "error", "-c", program, gateway.url) == (0, "", "")
        wait_until(lambda: not process.running(), process.tail)
        assert process.popen.returncode == 0
        assert process.log().splitlines() == ["listening"] + [json.dumps({"topic": f"{topic}.{n}", "event": n, "target": ["ann"]}) for n in (1, 2)]


@pytest.mark.parametrize("verb", ["listen", "stream"])
def test_interrupted(opened, demo, folder, verb):
    gateway = opened()
    words = ["listen", gateway.url, "a"] if verb == "listen" else ["stream", gateway.url, demo, "add"]
    with open(folder / "out", "wb") as out:
        process = subprocess.Popen([*CLIENT, *words], stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, env=environment(**TOKEN),
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # shells have background jobs ignore it
    try:
        if verb == "listen":
            wait_until(lambda: b"listening" in (folder / "out").read_bytes(), "it listens")
        else:
            process.stdin.write(b'{"a": 1, "b": 2}\n')
            process.stdin.flush()
            wait_until(lambda: b"result" in (folder / "out").read_bytes(), lambda: (folder / "out").read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert b"Traceback" not in (folder / "out").read_bytes() and b"rror" not in (folder / "out").read_bytes(), (folder / "out").read_text()
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def test_nobody_reads_what_it_prints(opened, demo):
    gateway = opened()
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([*CLIENT, "stream", gateway.url, demo, "add"], input=b'{"a": 1, "b": 2}\n' * 5, stdout=write, stderr=subprocess.PIPE, env=environment(**TOKEN), timeout=60)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")

BEGIN = """
import asyncio, gc, sys
from nuropb_gateway_client import Gateway, GatewaySync, Settings, connect
url, service = sys.argv[1:]
def provider(why):
    return "secret-ann"
async def never(*_):
    await asyncio.Event().wait()
"""
ENDS = {
    "closed": """
async def main():
    async with Gateway(url, provider) as gateway:
        await gateway.ready()
        await gateway.request(service, "m", ttl=0.5)
""",
    "never closed": """
async def main():
    gateway = connect(url, provider)
    await gateway.subscribe("a.#", never)
    gateway.on("open", never)
    gateway.on("close", never)
    asyncio.ensure_future(gateway.request(service, "m"))
    await gateway.publish("a.b", 1)
    await asyncio.sleep(0.05)
""",
    "cancelled": """
async def main():
    async with Gateway(url, provider) as gateway:
        await gateway.ready()
        async with gateway.events("a") as events:
            asyncio.get_running_loop().call_later(0.05, asyncio.current_task().cancel)
            async for event in events:
                pass
""",
    "cancelled while it connects": """
async def main():
    gateways = [connect("ws://127.0.0.1:1/", provider), connect(url, never), connect(url, provider), connect(url, lambda why: __import__("time").sleep(60))]
    for gateway in gateways:
        asyncio.ensure_future(gateway.request(service, "m"))
    await asyncio.sleep(0)
    asyncio.current_task().cancel()
    await never()
""",
    "cancelled while it subscribes": """
async def main():
    gateway = connect(url, provider)
    for n in range(5):
        asyncio.ensure_future(gateway.subscribe("a", never))
        asyncio.ensure_future(gateway.events("b").__aenter__())
    await gateway.ready()
    asyncio.current_task().cancel()
    await never()
""",
    "an exception": """
async def main():
    async with Gateway(url, provider) as gateway:
        await gateway.ready()
        raise KeyError("of the application")
""",
    "collected": """
async def main():
    connect(url, provider)
    gc.collect()
    await asyncio.sleep(0.05)
    gc.collect()
""",
    "never opened": """
async def main():
    gateway = Gateway(url, provider)
    await gateway.close()
    gateway.events("a")
""",
}
FINISH = """
try:
    asyncio.run(main())
except (asyncio.CancelledError, KeyError, Exception) as error:
    print(type(error).__name__)
gc.collect()
"""
SYNC = {
    "closed": "with GatewaySync(url, provider) as gateway: gateway.ready()",
    "left open": "gateway = GatewaySync(url, provider); gateway.ready()",
    "left open with a stream": "gateway = GatewaySync(url, provider); gateway.ready(); events = gateway.events('a').__enter__()",
    "left open, never connected": "gateway = GatewaySync('ws://127.0.0.1:1/', lambda why: __import__('time').sleep(60))",
    "left open with a callback that never returns": "gateway = GatewaySync(url, provider); gateway.on('open', never); gateway.ready()",
    "an exception": "gateway = GatewaySync(url, provider); gateway.ready(); raise SystemExit(0)",
}


@pytest.mark.parametrize("how", ENDS)
async def test_a_program_that_ends_leaves_nothing(opened, broker_url, how):
    """No warning, no traceback, no open socket: each warning is an error."""
    gateway = opened()
    async with ManualService(broker_url, unique("nobody")) as service:
        code, out, err = run(PYTHON, "-W", "error", "-c", BEGIN + ENDS[how] + FINISH, gateway.url, service.name)
    assert (code, err) == (0, ""), err
    assert out == {"closed": "TimeoutUnknown\n", "cancelled": "CancelledError\n", "cancelled while it connects": "CancelledError\n", "cancelled while it subscribes": "CancelledError\n", "an exception": "KeyError\n"}.get(how, "")
    await eventually(lambda: gateway.edges[0].health()[1].get("connections", 0) == 0, lambda: str(gateway.edges[0].health()))


@pytest.mark.parametrize("how", SYNC)
def test_a_program_with_the_synchronous_face_leaves_nothing(opened, how):
    gateway = opened()
    code, out, err = run(PYTHON, "-W", "error", "-c", BEGIN + SYNC[how], gateway.url, "nobody")
    assert (code, out, err) == (0, "", ""), err

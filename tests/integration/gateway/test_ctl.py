"""nuropb-ctl but for sessions, send, kick (test_pushes.py) and mesh configure (test_mesh_configure.py)."""

import asyncio
import base64
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time

import pytest

from support.consumer import Consumer
from support.ctl import ctl
from support.paths import ROOT, binary
from support.resuming import Resuming
from support.waiting import wait_until

CTL = str(binary("nuropb-ctl"))


def run(*words, code=0, stdin=None, env=None):
    done = subprocess.run([CTL, *map(str, words)], input=stdin, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})})
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if code == 0 or done.stdout else done.stderr


async def test_status_tells_of_every_worker(gateway):
    ann = await Consumer.open(gateway.url)
    said = ctl(gateway, "status")
    assert said["service"] == gateway.name and said["pid"] == gateway.meshd.pid and said["broker"]["state"] == "ready"
    assert said["sessions"] == 1 and said["handler_sessions"] == {"websocket": 1}
    [worker] = said["workers"]
    assert worker["pid"] == gateway.edges[0].process.pid and worker["sessions"] == 1 and worker["request_ring"]["capacity"] == 8 << 20
    shown = run("--config", gateway.config_file, "status")
    listed = run("--config", gateway.config_file, "sessions")
    assert listed.startswith(f"{ann.session_id}  ann  edge {worker['slot']}") and listed.endswith("\n1 session, 1 user, 1 gateway\n"), listed
    assert "broker    ready" in shown and re.search(rf"^{worker['slot']}\.{worker['generation']} +{worker['pid']} +1 ", shown, re.MULTILINE), shown
    await ann.close()


@pytest.mark.parametrize("words, unknown", [(["statsu"], "statsu"), (["token", "chek"], "chek"), (["--json", "stat\x1b[2J"], "stat\\u001b[2J")])
def test_a_command_that_does_not_exist_is_named(words, unknown):
    assert run(*words, code=2) == f"nuropb-ctl: unknown command '{unknown}'; nuropb-ctl --help lists the commands\n"


async def test_a_session_without_a_socket_is_shown_as_resumable(gateway):
    ann = await Resuming.open(gateway.url)
    await ann.lost()
    listed = lambda: run("--config", gateway.config_file, "sessions")  # noqa: E731
    wait_until(lambda: listed().startswith(f"{ann.session_id}  ann  resumable  gateway "), listed)
    assert "sessions  open 0  resumable 1  websocket " in run("--config", gateway.config_file, "status")


def test_status_is_3_where_nobody_is_served(gateways):
    gateway = gateways()
    gateway.edges[0].process.kill()
    wait_until(lambda: not ctl(gateway, "status", code=None)["workers"], "the worker is gone")
    assert ctl(gateway, "status", code=3)["workers"] == []
    assert "no worker is attached" in run("--config", gateway.config_file, "status", code=3)


async def test_top_shows_rates(gateway, demo):
    ann = await Consumer.open(gateway.url)
    live = subprocess.Popen([CTL, "--config", gateway.config_file, "top", "--json", "--interval", "0.2"], stdout=subprocess.PIPE, text=True)
    try:
        first = json.loads(live.stdout.readline())
        assert first["rates"]["requests"] == 0
        for n in range(20):
            assert (await ann.request(demo, "echo", {"n": n}))["error"] is None
        lines = [first]
        while lines[-1]["counts"]["requests"] < first["counts"]["requests"] + 20:  # the test's own limit ends it
            lines.append(json.loads(live.stdout.readline()))
        # One look may find a part of them; each look's rate is that of what came since the one before.
        for before, line in zip(lines, lines[1:]):
            assert (line["rates"]["requests"] > 0) == (line["counts"]["requests"] > before["counts"]["requests"]), lines
        assert any(line["rates"]["workers"][0]["requests"] > 0 for line in lines)
    finally:
        live.send_signal(signal.SIGINT)
        assert live.wait(30) == 0
        live.stdout.close()
        await ann.close()
    assert "per second  requests" in run("--config", gateway.config_file, "top", "--once", "--interval", "0.1")


def test_top_leaves_the_terminal_as_it_was(gateway):
    ours, its = pty.openpty()
    live = subprocess.Popen([CTL, "--config", gateway.config_file, "top", "--interval", "0.2"], stdin=its, stdout=its, stderr=its, env={**os.environ, "TERM": "xterm"})
    os.close(its)
    seen = b""

    def read_until(word):
        nonlocal seen
        until = time.monotonic() + 30
        while word not in seen:
            assert time.monotonic() < until, seen
            try:
                seen += os.read(ours, 65536)
            except OSError:
                return
    try:
        read_until(b"per second")
        assert seen.startswith(b"\x1b[?1049h\x1b[?25l")
        os.write(ours, b"q")
        assert live.wait(30) == 0
        read_until(b"\x1b[?25h\x1b[?1049l")
        assert seen.endswith(b"\x1b[?25h\x1b[?1049l")
    finally:
        live.kill()
        live.wait()
        os.close(ours)


def test_config_check_finds_what_meshd_would(gateway, folder):
    (gateway.folder / "tokens.toml").chmod(0o600)  # otherwise a warning says that every user can read it
    assert run("--config", gateway.config_file, "config", "check") == f"{gateway.config_file}: ok\n"
    assert ctl(gateway, "config", "check") == {"file": str(gateway.config_file), "ok": True, "mistakes": [], "warnings": []}
    wrong = folder / "wrong.toml"
    wrong.write_text('[gateway]\nedges = "two"\n[nonsense]\n')
    said = json.loads(run("--config", wrong, "config", "check", "--json", code=2))
    assert not said["ok"] and len(said["mistakes"]) == 2 and "wrong.toml:2" in said["mistakes"][0]
    # The settings are right, the file that they name is not there.
    wrong.write_text('[auth]\ntoken_file = "nowhere.toml"\npolicy_file = "nor-here.toml"\n')
    said = run("--config", wrong, "config", "check", code=2)
    assert "nowhere.toml" in said and "nor-here.toml" in said
    run("--config", wrong, "config", "check", "--only-settings")


def test_config_default_and_doc():
    assert run("config", "default") == (ROOT / "deploy" / "nuropb-gateway.toml").read_text()
    keys = {one["key"]: one for one in json.loads(run("config", "doc", "--json"))}
    assert keys["listen.port"] == {"key": "listen.port", "type": "whole number", "minimum": 0, "maximum": 65535, "default": 8880, "doc": keys["listen.port"]["doc"]}
    values = json.loads(run("config", "default", "--json"))
    assert {f"{section}.{key}" for section, its in values.items() for key in its} <= set(keys)
    doc = run("config", "doc")
    assert all(f"| `{key}` |" in doc for key in keys)


@pytest.fixture
def jwt(folder):
    (folder / "secret").write_text("0123456789abcdef0123456789abcdef\n")
    settings = folder / "jwt.toml"
    settings.write_text('[auth]\nauthorizers = ["jwt"]\n[jwt]\nalgorithms = ["HS256", "RS256"]\nsecret_file = "secret"\nissuer = "tests"\naudience = ["gateway"]\n')
    return settings


def test_a_token_that_is_made_is_accepted(jwt):
    token = run("--config", jwt, "token", "make", "--user", "ann", "--name", "Ann", "--role", "clerk", "--claim", "tenant=acme", "--claim", "level=3").strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (claims["sub"], claims["iss"], claims["aud"], claims["tenant"], claims["level"]) == ("ann", "tests", "gateway", "acme", 3)
    assert run("--config", jwt, "token", "check", stdin=token + "\n").startswith("accepted: user ann (jwt), roles clerk, for ")
    said = json.loads(run("--config", jwt, "token", "check", "--json", token))
    assert said["accepted"] and said["user_id"] == "ann" and said["username"] == "Ann" and said["expires"] == claims["exp"] + 30


def test_a_private_key_makes_one_too(jwt, folder):
    for command in (["genrsa", "-out", folder / "key.pem", "2048"], ["rsa", "-in", folder / "key.pem", "-pubout", "-out", folder / "public.pem"]):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    token = run("--config", jwt, "token", "make", "--user", "bob", "--key-file", folder / "key.pem").strip()
    assert json.loads(run("--config", jwt, "--set", f"jwt.key_file={folder / 'public.pem'}", "token", "check", token, "--json"))["user_id"] == "bob"


@pytest.mark.parametrize("words, reason", [(["--expires-s", "-100"], "expired"), (["--claim", "aud=other"], "jwt.audience"), (["--claim", "nbf=99999999999"], "not valid yet")])
def test_a_token_is_refused_with_its_reason_and_never_repeated(jwt, words, reason):
    token = run("--config", jwt, "token", "make", "--user", "ann", *words).strip()
    said = run("--config", jwt, "token", "check", stdin=token, code=3)
    assert said.startswith("refused: ") and reason in said and token not in said
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    assert "signature is wrong" in run("--config", jwt, "token", "check", forged, code=3)


def test_what_can_sign_nothing_says_so(jwt, folder):
    assert "--secret-file" in run("token", "make", "--user", "ann", code=2)
    (folder / "short").write_text("short\n")
    assert "32 bytes" in run("token", "make", "--user", "ann", "--secret-file", folder / "short", code=1)
    assert "not a private RSA key" in run("token", "make", "--user", "ann", "--key-file", folder / "secret", code=1)


def test_mesh_call_and_describe(gateway, demo):
    assert run("--config", gateway.config_file, "mesh", "call", demo, "add", '{"a": 40, "b": 2}') == "42\n"
    assert ctl(gateway, "mesh", "call", demo, "echo", "-", stdin='{"x": "ü"}') == {"result": {"x": "ü"}, "error": None}
    failed = ctl(gateway, "mesh", "call", demo, "fail", code=3)
    assert failed["result"] is None and "as asked" in failed["error"]["description"]
    assert "NuropbNotDeliveredError" in run("--config", gateway.config_file, "mesh", "call", "no-such-service", "x", code=3)
    shown = run("--config", gateway.config_file, "mesh", "describe", demo)
    assert "  add(a: number, b: number)  Adds two numbers\n" in shown
    assert ctl(gateway, "mesh", "describe", demo)["result"]["methods"]["slow"]["description"]
    assert "not JSON" in run("--config", gateway.config_file, "mesh", "call", demo, "add", "{", code=2)


def test_reload_reads_tokens_again(gateways):
    gateway = gateways(tokens={"first-token": {"user_id": "ann"}})
    assert ctl(gateway, "reload") == {"edges": [gateway.edges[0].process.pid]}
    gateway.meshd.wait_for_log("tokens reloaded")
    gateway.edges[0].process.wait_for_log("certificates read again")
    (gateway.folder / "tokens.toml").write_text("not TOML [")
    assert "tokens.toml" in ctl(gateway, "reload", code=1)["stderr"]
    (gateway.folder / "tokens.toml").write_text('[tokens.second-token]\nuser_id = "ann"\n')
    assert "1 edges were told to reload their certificates" in run("--config", gateway.config_file, "reload")


async def test_drain_ends_one_worker_in_order(gateways):
    gateway = gateways(edges=2, settings={"drain": {"spread_ms": 0}})
    slots = {worker["pid"]: worker["slot"] for worker in ctl(gateway, "status")["workers"]}
    gone, stays = gateway.edges
    ann = await Consumer.open(gone.url)
    said = await asyncio.to_thread(ctl, gateway, "drain", slots[gone.process.pid])  # its consumer says goodbye meanwhile
    assert [worker["pid"] for worker in said["drained"]] == [gone.process.pid]
    assert (await ann.closed())[0] == 1001
    wait_until(lambda: not gone.process.running(), "the edge ends")
    assert gone.process.popen.returncode == 0 and stays.process.running()
    assert "no worker in slot 31" in ctl(gateway, "drain", 31, code=1)["stderr"]
    assert "SLOT, --all" in ctl(gateway, "drain", code=2)["stderr"]


def tapped(gateway, *words):
    """The running tap, once meshd has it."""
    before = gateway.meshd.log().count("an operator watches messages")
    tap = subprocess.Popen([CTL, "--config", gateway.config_file, "tap", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_until(lambda: gateway.meshd.log().count("an operator watches messages") > before, lambda: f"an operator watches:\n{gateway.meshd.tail()}")
    return tap


async def test_tap_shows_one_user_and_no_value(gateways, demo):
    gateway = gateways(files={"policy.toml": 'default = ["request", "subscribe", "event", "command"]\n'}, settings={"auth": {"policy_file": "policy.toml"}, "admin": {"tap": True}})
    tap = await asyncio.to_thread(tapped, gateway, "--user", "ann", "--json", "--count", "10")
    bob, ann = await Consumer.open(gateway.url, "secret-bob"), await Consumer.open(gateway.url)
    for_people = await asyncio.to_thread(tapped, gateway, "--session", bob.session_id, "--count", "2")
    for consumer in (bob, ann):
        await consumer.request(demo, "echo", {"card": "4111-1111", "pin": 1234})
    shown = [await asyncio.wait_for(asyncio.to_thread(for_people.stdout.readline), 30) for _ in range(2)]
    assert await asyncio.to_thread(for_people.wait, 30) == 0
    for_people.stdout.close()
    assert all(line.endswith(f"(bob, {bob.session_id[:8]})\n") and "text of 9 bytes" in line and "4111" not in line.replace(demo, "").replace(bob.session_id[:8], "") for line in shown), shown
    assert "  >> request  " in shown[0] and "method echo" in shown[0] and "  << answer  " in shown[1]
    await ann.request(demo, "fail", {"message": "5555-5555"})
    await ann.done("subscribe", topic="news.*")
    await bob.done("event", topic="news.secret", event={"for": "bob"}, target=["bob"])  # she does not get it, so it is not shown
    await ann.done("event", topic="news.sport", event={"goal": "7777-7777"})
    ann_lines = []
    # The event comes to her, too; before or after it is confirmed.
    for _ in range(10):
        ann_lines.append(json.loads(await asyncio.wait_for(asyncio.to_thread(tap.stdout.readline), 30)))
        if len(ann_lines) == 9:
            await asyncio.to_thread(ctl, gateway, "send", "--user", "bob", '{"not": "hers"}')
            await asyncio.to_thread(ctl, gateway, "send", "--user", "ann", '{"news": "8888-8888"}')
    assert await asyncio.to_thread(tap.wait, 30) == 0
    tap.stdout.close()
    assert {line["user_id"] for line in ann_lines} == {"ann"} and {line["session_id"] for line in ann_lines} == {ann.session_id}
    request, answer = ann_lines[:2]
    shape = {"card": "text of 9 bytes", "pin": "number"}
    assert (request["direction"], request["what"], request["service"], request["method"], request["params"]) == ("in", "request", demo, "echo", shape)
    assert (answer["direction"], answer["of"], answer["result"], answer["sequence"]) == ("out", "request", shape, request["sequence"]) and answer["took_ms"] > 0
    assert ann_lines[3]["error"] == "NuropbException" and "result" not in ann_lines[3]
    assert [line["what"] for line in ann_lines[4:6]] == ["subscribe", "answer"]
    assert sorted((line["direction"], line["what"]) for line in ann_lines[6:9]) == [("in", "event"), ("out", "answer"), ("out", "event")]
    assert ann_lines[9]["what"] == "push" and ann_lines[9]["message"] == {"news": "text of 9 bytes"}
    # Random hexadecimal digits of an identifier may happen to hold the same four digits.
    text = json.dumps(ann_lines).replace(ann.session_id, "").replace(demo, "")
    assert not any(secret in text for secret in ("4111", "1234", "5555", "7777", "8888", "secret-ann")), text
    gateway.meshd.wait_for_log("an operator has stopped watching")
    await ann.close()
    await bob.close()


async def test_tap_shows_sessions_whose_messages_are_numbered(gateways):
    gateway = gateways(files={"policy.toml": 'default = ["subscribe"]\n'}, settings={"auth": {"policy_file": "policy.toml"}, "admin": {"tap": True}})
    async with await Resuming.open(gateway.url) as ann:
        tap = await asyncio.to_thread(tapped, gateway, "--user", "ann", "--json", "--count", "4")
        await ann.done("subscribe", topic="news.*")
        for words in (("--user", "ann"), ("--all",)):
            await asyncio.to_thread(ctl, gateway, "send", *words, '{"news": "8888-8888"}')
        shown = [json.loads(await asyncio.wait_for(asyncio.to_thread(tap.stdout.readline), 30)) for _ in range(4)]
        assert await asyncio.to_thread(tap.wait, 30) == 0
        tap.stdout.close()
    assert [(line["direction"], line["what"], line.get("of")) for line in shown] == [("in", "subscribe", None), ("out", "answer", "subscribe"), ("out", "push", None), ("out", "push", None)], shown
    assert {line["session_id"] for line in shown} == {ann.session_id} and "8888" not in json.dumps(shown)


def test_tap_is_refused_unless_it_is_allowed(gateway):
    assert "admin.tap" in ctl(gateway, "tap", "--user", "ann", code=1)["stderr"]
    assert "an operator watches" not in gateway.meshd.log()


async def test_a_tap_that_is_not_read_holds_nobody_up(gateways, demo):
    gateway = gateways(settings={"admin": {"tap": True}})
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(gateway.folder / "run" / "admin.sock"))
        body = b'{"user_id": "ann"}'
        key = (gateway.folder / "run" / "admin.key").read_bytes()
        slow.sendall(b"POST /tap HTTP/1.1\r\nHost: meshd\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (key, len(body)) + body)
        await asyncio.to_thread(gateway.meshd.wait_for_log, "an operator watches messages")
        ann = await Consumer.open(gateway.url)
        params = {f"{'k' * 50}{n}": n for n in range(32)}
        for answer in await asyncio.gather(*(ann.request(demo, "echo", params) for _ in range(200))):
            assert answer["error"] is None
        seen = b""
        slow.settimeout(30)
        while b'"left_out":' not in seen:
            if b"\n" in seen:  # what waited is out: the next line says what was left out
                await ann.request(demo, "echo", {})
            seen += await asyncio.to_thread(slow.recv, 1 << 20)
        await ann.close()


def completed(line):
    """bash's completions at the end of the line."""
    words = line.split(" ")
    script = f'source <("{CTL}" completion bash)\nCOMP_WORDS=({" ".join(word or chr(39) * 2 for word in words)}) COMP_CWORD={len(words) - 1}\n_nuropb_ctl\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    return set(done.stdout.split())


def test_bash_completes_what_there_is():
    assert {"status", "top", "sessions", "send", "kick", "drain", "reload", "mesh", "config", "token", "--config", "--json"} <= completed("nuropb-ctl ")
    assert completed("nuropb-ctl mesh c") == {"configure", "call"}
    assert completed("nuropb-ctl --config x.toml kick --us") == {"--user"}
    assert {"--user", "--expires-s", "--json"} <= completed("nuropb-ctl token make --")
    assert "--interval" in completed("nuropb-ctl --json top --") and completed("nuropb-ctl top --interval ") == set()
    assert completed("nuropb-ctl drain 3 --a") == {"--all"}
    assert run("completion", "zsh").startswith("#compdef nuropb-ctl\n")


@pytest.mark.parametrize("page, word", [("nuropb-ctl", "mesh configure"), ("nuropb-gateway", "SIGTERM"), ("nuropb-gateway.toml", "max_workers")])
def test_manual_pages_are_such(page, word):
    made = run("man", page)
    if page == "nuropb-ctl":
        for command in ("status", "top", "sessions", "send", "kick", "drain", "reload", "mesh call", "config doc", "token make"):
            assert f".SS {command}" in made
        assert ".B \\-\\-expires\\-s INT\n" in made and ".B \\-\\-config TEXT\n" in made
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-Wbreak"], input=made, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert word in re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)


def test_what_was_built_beside_it_is_current():
    share = binary("nuropb-ctl").parent.parent / "share"
    for file, words in (("man/man1/nuropb-ctl.1", ["man"]), ("man/man5/nuropb-gateway.toml.5", ["man", "nuropb-gateway.toml"]), ("man/man7/nuropb-gateway.7", ["man", "nuropb-gateway"]),
                        ("bash-completion/completions/nuropb-ctl", ["completion", "bash"]), ("zsh/vendor-completions/_nuropb-ctl", ["completion", "zsh"])):
        assert (share / file).read_text() == run(*words), file

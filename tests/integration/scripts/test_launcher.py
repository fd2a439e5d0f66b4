"""scripts/nuropb-gateway: starts, restarts, drains, rolls, and leaves no orphan."""

import asyncio
import itertools
import json
import os
import re
import signal
import socket
import time
from collections import Counter

import pytest
import websockets

from support import tracing
from support.consumer import Closed, Consumer
from support.gateway import TOKENS, toml
from support.launched import LIMIT, Launched, alive
from support.manual_service import ManualService
from support.paths import binary
from support.resuming import Resuming
from support.services import unique
from support.waiting import eventually, wait_until
from support.websocket import is_closed


async def test_it_is_ready_when_it_says_so_and_stops_in_order(launch, demo):
    gateway = launch()
    wait_until(gateway.ready_file.exists, lambda: f"it says so:\n{gateway.process.tail()}")
    assert gateway.attached() == 2, "all edges accept clients"
    gateway.until_ready()
    consumers = [await Consumer.open(gateway.url) for _ in range(6)]
    for consumer in consumers:
        assert await consumer.result(demo, "add", {"a": 1, "b": 2}) == 3
    gateway.process.signal(signal.SIGTERM)
    for consumer in consumers:
        assert (await consumer.closed())[0] == 1001
    assert await gateway.code() == 0
    assert not gateway.ready_file.exists()


def test_edges_that_only_listen_are_not_ready(launch, folder):
    """Until meshd has accepted them they refuse clients."""
    bin = versions(folder, other=False)
    (bin / "nuropb-edge").unlink()
    (bin / "nuropb-edge").write_text(
        f'#!/bin/sh\n[ "$1" != --version ] || exec {binary("nuropb-edge")} --version\nwhile [ "$1" != --port-file ]; do shift; done\necho 1 >"$2"\nexec tail -f /dev/null\n')
    (bin / "nuropb-edge").chmod(0o755)
    gateway = launch(bin=bin)
    wait_until(lambda: all((folder / "run" / f"edge-{n}.port").exists() and (folder / "run" / f"edge-{n}.port").read_text() for n in (0, 1)), gateway.process.tail)
    # What it waits for, it says.
    wait_until(lambda: "launcher starting: not all edges are attached to meshd yet" in gateway.process.log(), gateway.process.tail)
    versions(folder, other=False)
    for number in (0, 1):
        os.kill(gateway.pids(f"edge {number}")[0], signal.SIGKILL)
    gateway.until_ready()
    said = gateway.process.log()
    assert said.index("launcher ready: ") > said.rindex(" started, pid ") and said[:said.index("launcher ready: ")].count("worker attached") == 2, said


def test_with_json_every_line_of_every_process_is_an_object(launch):
    gateway = launch(edges=1, log={"format": "json"}).until_ready()
    gateway.process.signal(signal.SIGTERM)
    assert gateway.ended() == 0
    lines = [json.loads(line) for line in gateway.process.log().splitlines()]
    assert {line["process"] for line in lines} == {"launcher", "meshd", "edge"}
    assert lines[-1]["message"] == "stopped" and lines[-1]["level"] == "info"


def test_the_level_of_the_log_is_the_launchers_too(launch):
    gateway = launch(edges=1, log={"level": "error"})
    wait_until(gateway.ready_file.exists, gateway.process.tail)
    gateway.process.signal(signal.SIGTERM)
    assert gateway.ended() == 0 and gateway.process.log() == ""


async def test_sigterm_lets_pending_requests_finish(launch, broker_url):
    gateway = launch(edges=1).until_ready()
    async with ManualService(broker_url, unique("held")) as service:
        consumer = await Consumer.open(gateway.url)
        answer = await consumer.begin(service.name, "hold")
        call = await service.next_call()
        gateway.process.signal(signal.SIGTERM)
        await eventually(lambda: "draining" in gateway.process.log(), "the edge drains")
        service.answer(call, result="finished")
        assert (await asyncio.wait_for(answer, LIMIT))["result"] == "finished"
        assert (await consumer.closed())[0] == 1001
    assert await gateway.code() == 0


async def test_a_process_that_makes_a_forbidden_call_is_named_and_replaced(launch):
    gateway = launch(edges=1).until_ready()
    assert tracing.call(gateway.pids("edge 0")[0], "execve") is None
    gateway.process.wait_for_log("edge 0 ended after .* killed by SIGSYS: .*docs/tasks/hardening.md.*; again in")
    await eventually(lambda: len(gateway.pids("edge 0")) == 2, "edge 0 is started again")


async def test_an_edge_that_dies_comes_back(launch, demo):
    gateway = launch().until_ready()
    os.kill(gateway.pids("edge 0")[0], signal.SIGKILL)
    gateway.process.wait_for_log(r"edge 0 ended after .* killed by SIGKILL; again in 0\.1 s")
    await eventually(lambda: len(gateway.pids("edge 0")) == 2, "edge 0 is started again")
    assert len(gateway.pids("edge 1")) == 1 and len(gateway.pids("meshd")) == 1
    # The new one may not be attached yet when it is asked.
    await eventually(lambda: gateway.process.log().count("worker attached") == 3 and gateway.attached() == 2, lambda: gateway.process.tail())
    for _ in range(4):
        async with await Consumer.open(gateway.url) as consumer:
            assert await consumer.result(demo, "echo", {"n": 1}) == {"n": 1}


async def test_meshd_comes_back_under_open_sockets(launch, demo):
    gateway = launch().until_ready()
    async with await Consumer.open(gateway.url) as consumer:
        os.kill(gateway.pids("meshd")[0], signal.SIGKILL)
        await eventually(lambda: len(gateway.pids("meshd")) == 2, "meshd is started again")
        assert await consumer.result(demo, "echo", {"n": 2}) == {"n": 2}
        assert consumer.open_still and len(gateway.pids("edge 0")) == 1


def test_a_launcher_that_is_killed_leaves_no_orphan(launch):
    gateway = launch().until_ready()
    assert len(gateway.children()) == 3
    gateway.process.kill()
    wait_until(lambda: not gateway.children(), lambda: f"nobody is left: {gateway.children()}")


async def test_a_roll_replaces_every_edge_and_always_listens(launch, demo):
    gateway = launch(edges=1).until_ready()
    old = await Consumer.open(gateway.url)
    gateway.write_tokens({**TOKENS, "secret-new": {"user_id": "new", "username": "New"}})
    refused = []

    async def knock():
        while True:
            with socket.socket() as probe:
                refused.append(probe.connect_ex(("127.0.0.1", gateway.port)))
            await asyncio.sleep(0.001)

    knocking = asyncio.create_task(knock())
    gateway.process.signal(signal.SIGHUP)
    assert (await old.closed())[0] == 1001
    await eventually(lambda: "launcher reload complete" in gateway.process.log(), lambda: f"it has rolled:\n{gateway.process.tail()}")
    knocking.cancel()
    assert set(refused) == {0}
    first, second = gateway.pids("edge 0")
    assert not alive(first) and alive(second) and len(gateway.pids("meshd")) == 1
    async with await Consumer.open(gateway.url, token="secret-new") as consumer:
        assert await consumer.result(demo, "echo", {"n": 3}) == {"n": 3}


async def test_sigusr1_reads_again_and_drops_nobody(launch, demo):
    gateway = launch(edges=1).until_ready()
    async with await Consumer.open(gateway.url) as old:
        before = (gateway.pids("edge 0"), gateway.pids("meshd"))
        gateway.write_tokens({**TOKENS, "secret-new": {"user_id": "new", "username": "New"}})
        gateway.process.signal(signal.SIGUSR1)
        await eventually(lambda: "tokens reloaded" in gateway.process.log(), lambda: f"the tokens are read:\n{gateway.process.tail()}")
        async with await Consumer.open(gateway.url, token="secret-new") as consumer:
            assert await consumer.result(demo, "echo", {"n": 3}) == {"n": 3}
        assert await old.result(demo, "echo", {"n": 4}) == {"n": 4}
        assert (gateway.pids("edge 0"), gateway.pids("meshd")) == before


async def ask_all_the_time(gateway, service, outcomes, stop):
    """Like a client that reconnects whenever it is closed; the outcomes are appended to `outcomes`."""
    while not stop.is_set():
        try:
            consumer = await Consumer.open(gateway.url)
        except Exception as refused:  # 503 with Retry-After, or a socket that was closed in its handshake
            outcomes.append(("turned away", repr(refused)))
            await asyncio.sleep(0.01)
            continue
        try:
            while not stop.is_set():
                answer = await consumer.request(service, "echo", {"n": 1})
                outcomes.append(("answered", None) if answer["error"] is None else ("refused", answer["error"]))
        except (Closed, websockets.ConnectionClosed):
            outcomes.append(("closed", consumer.ws.close_code))
        finally:
            await consumer.close()


async def rolled(gateway, times=1):
    await eventually(lambda: gateway.process.log().count("launcher reload complete\n") >= times, lambda: f"it has rolled:\n{gateway.process.tail()}", 2 * LIMIT)


async def test_new_settings_reach_meshd_and_no_socket_drops_for_it(launch, demo):
    """A roll replaces meshd if its program or settings changed; sockets are closed only when it is their edge's turn, with 1001."""
    gateway = launch(edges=2).until_ready()
    outcomes, stop = [], asyncio.Event()
    asking = [asyncio.create_task(ask_all_the_time(gateway, demo, outcomes, stop)) for _ in range(8)]
    await eventually(lambda: len(outcomes) > 100, "requests are answered")
    gateway.settings["amqp"]["heartbeat_s"] = 20
    gateway.settings["gateway"]["edges"] = 3
    gateway.config.write_text(toml(gateway.settings))
    gateway.process.signal(signal.SIGHUP)
    await rolled(gateway)
    so_far = len(outcomes)
    await eventually(lambda: len(outcomes) > so_far + 100, "requests are answered")
    stop.set()
    await asyncio.gather(*asking)
    assert [len(gateway.pids(name)) for name in ("meshd", "edge 0", "edge 1", "edge 2")] == [2, 2, 2, 1]
    assert gateway.process.log().index("replacing meshd") < gateway.process.log().index("edge 0 replaced")
    assert {code for what, code in outcomes if what == "closed"} <= {1001}
    refused = [error for what, error in outcomes if what == "refused"]
    assert all("not sent" in error["description"] and "outcome" not in error for error in refused), refused
    assert alive(gateway.pids("edge 2")[0])
    gateway.settings["gateway"]["edges"] = 1
    gateway.config.write_text(toml(gateway.settings))
    gateway.process.signal(signal.SIGHUP)
    await rolled(gateway, 2)
    assert not alive(gateway.pids("edge 2")[-1]) and not alive(gateway.pids("edge 1")[-1]) and alive(gateway.pids("edge 0")[-1])


async def outcome(consumer, url, verb, **members):
    """As docs/tasks/resume.md advises clients: after a loss, a request that is neither answered nor pending was never read."""
    trace_id = None
    while True:
        try:
            if trace_id is None or not (consumer.answers.get(trace_id) or trace_id in consumer.pending):
                trace_id = await consumer.send(verb, trace_id, **members)
            await consumer.until(lambda: consumer.answers.get(trace_id) or is_closed(consumer.ws), f"{verb} {trace_id}")
            if consumer.answers.get(trace_id):
                answer = consumer.answers[trace_id][0]
                if not answer["error"]:
                    return answer["result"]
                assert "the request was not sent" in answer["error"]["description"] and "outcome" not in answer["error"], answer
                trace_id = None  # its socket was leaving
        except websockets.ConnectionClosed:
            pass
        if is_closed(consumer.ws):
            assert await consumer.closed() == 1001
            while True:
                try:
                    await consumer.resume(url)
                    break
                except (OSError, websockets.WebSocketException):
                    await asyncio.sleep(0.01)  # 503: an edge that is stopping
            await consumer.until(lambda: consumer.seq >= consumer.last_of_log, "what was missed")


async def test_a_roll_costs_those_nothing_who_can_resume(launch, broker_url, folder):
    """Every request is answered once and runs once; every event arrives once and in order."""
    (folder / "policy.toml").write_text('default = ["request", "event", "subscribe"]\n')
    gateway = launch(edges=2, auth={"policy_file": str(folder / "policy.toml")}).until_ready()
    topic, ran, stop = unique("news"), Counter(), asyncio.Event()
    async with ManualService(broker_url, unique("ledger")) as service:
        async def serve():
            while True:
                call = await service.calls.get()
                ran[call.params["n"]] += 1
                service.answer(call, result=call.params["n"])

        async def ask(consumer):
            for n in itertools.count():
                if stop.is_set():
                    return n
                assert await outcome(consumer, gateway.url, "request", service=service.name, method="note", params={"n": n}) == n

        async def tell(consumer):
            for n in itertools.count():
                if stop.is_set():
                    return n
                await outcome(consumer, gateway.url, "event", topic=topic, event=n)

        serving = asyncio.create_task(serve())
        asker, teller = [await Resuming.open(gateway.url, token=f"secret-{user}") for user in ("ann", "bob")]
        asker.pending = teller.pending = []
        await asker.done("subscribe", topic=topic)
        asking, telling = asyncio.create_task(ask(asker)), asyncio.create_task(tell(teller))
        for times in (1, 2, 3):
            so_far = sum(ran.values())
            await eventually(lambda: sum(ran.values()) > so_far + 50 or asking.done() or telling.done(), "requests are answered")
            gateway.process.signal(signal.SIGHUP)
            await rolled(gateway, times)
        stop.set()
        asked, told = await asking, await telling
        while len(asker.events) < told:
            await asker.until(lambda: len(asker.events) >= told or is_closed(asker.ws), "the last events")
            if is_closed(asker.ws):
                await asker.resume(gateway.url)
        assert asker.events == [(topic, n) for n in range(told)]
        assert ran == Counter(range(asked))
        for consumer in (asker, teller):
            consumer.check()
            await consumer.close()
        serving.cancel()


def versions(folder, other):
    """A folder of programs as after a package upgrade."""
    bin = folder / "bin"
    bin.mkdir(exist_ok=True)
    for name in ("meshd", "edge"):
        new = folder / "new"
        new.symlink_to(binary(f"{name}_other_abi" if other else f"nuropb-{name}"))
        new.rename(bin / f"nuropb-{name}")
    return bin


async def test_a_version_that_does_not_understand_the_old_one(launch, folder, demo):
    gateway = launch(edges=2, bin=versions(folder, other=False)).until_ready()
    outcomes, stop = [], asyncio.Event()
    asking = [asyncio.create_task(ask_all_the_time(gateway, demo, outcomes, stop)) for _ in range(8)]
    await eventually(lambda: len(outcomes) > 100, "requests are answered")
    versions(folder, other=True)
    gateway.process.signal(signal.SIGHUP)
    await rolled(gateway)
    so_far = len(outcomes)
    await eventually(lambda: outcomes[so_far:].count(("answered", None)) > 100, lambda: f"requests are answered: {outcomes[-3:]}")
    stop.set()
    await asyncio.gather(*asking)
    log = gateway.process.log()
    assert re.search(r"from ABI \d+ to ABI 99999: the edges drain together, then meshd is replaced", log)
    assert "is not ABI" in log, "a new edge was refused by the old meshd, and said why"
    assert {code for what, code in outcomes if what == "closed"} <= {1001}, outcomes
    refused = [error for what, error in outcomes if what == "refused"]
    assert all("not sent" in error["description"] and "outcome" not in error for error in refused), refused
    assert [len(gateway.pids(name)) for name in ("meshd", "edge 0", "edge 1")] == [2, 2, 2]


async def test_a_meshd_that_comes_back_in_another_version_takes_the_edges_along(launch, folder, demo):
    """Upgraded on the disk, not rolled, and then it crashes."""
    gateway = launch(edges=2, bin=versions(folder, other=False)).until_ready()
    versions(folder, other=True)
    os.kill(gateway.pids("meshd")[0], signal.SIGKILL)
    await eventually(lambda: "processes of several versions run (ABI" in gateway.process.log(), lambda: gateway.process.tail())
    await rolled(gateway)
    gateway.until_ready()
    async with await Consumer.open(gateway.url) as consumer:
        assert await consumer.result(demo, "echo", {"n": 1}) == {"n": 1}
    assert [len(gateway.pids(name)) for name in ("meshd", "edge 0", "edge 1")] == [2, 2, 2]


def test_half_an_upgrade_is_not_rolled_to(launch, folder):
    gateway = launch(edges=1, bin=versions(folder, other=False)).until_ready()
    (folder / "bin" / "nuropb-edge").unlink()
    (folder / "bin" / "nuropb-edge").symlink_to(binary("edge_other_abi"))
    gateway.process.signal(signal.SIGHUP)
    gateway.process.wait_for_log("nuropb-edge ABI 99999: they can't work together; reload aborted")
    assert len(gateway.pids("edge 0")) == 1 and gateway.health()[0] == 200


def test_programs_that_are_missing_for_a_while_end_nothing(launch, folder):
    """As while a package is being replaced."""
    bin = versions(folder, other=False)
    gateway = launch(edges=2, bin=bin).until_ready()
    (bin / "nuropb-edge").unlink()
    os.kill(gateway.pids("edge 0")[0], signal.SIGKILL)
    gateway.process.wait_for_log("edge 0 can't be started: .*/nuropb-edge: No such file or directory; again in")
    (bin / "nuropb-meshd").unlink()
    gateway.process.signal(signal.SIGHUP)
    gateway.process.wait_for_log("launcher reload aborted")
    assert gateway.health()[0] == 200 and alive(gateway.pids("edge 1")[0]) and alive(gateway.pids("meshd")[0])
    versions(folder, other=False)
    wait_until(lambda: len(gateway.pids("edge 0")) == 2, lambda: f"it is back:\n{gateway.process.tail()}")


def test_new_edges_that_do_not_start_leave_the_old_ones(launch, folder):
    """A version with another ABI, so that all would be restarted at once."""
    bin = versions(folder, other=False)
    gateway = launch(edges=2, bin=bin).until_ready()
    versions(folder, other=True)
    (bin / "nuropb-edge").unlink()
    (bin / "nuropb-edge").write_text("#!/bin/sh\ncase $1 in --version) echo 'nuropb-edge 9 (ABI 99999)';; *) exit 1;; esac\n")
    (bin / "nuropb-edge").chmod(0o755)
    gateway.process.signal(signal.SIGHUP)
    gateway.process.wait_for_log("the new edges do not start: keeping the old ones")
    assert gateway.health()[0] == 200 and all(alive(gateway.pids(f"edge {number}")[0]) for number in (0, 1))
    assert len(gateway.pids("meshd")) == 1
    # And from there the old ones can be rolled to.
    versions(folder, other=False)
    gateway.process.signal(signal.SIGHUP)
    gateway.process.wait_for_log("launcher reload complete", LIMIT)


def test_a_roll_with_wrong_settings_changes_nothing(launch):
    gateway = launch(edges=1).until_ready()
    gateway.config.write_text(toml(gateway.settings) + "\n[limits]\nconnections = \"many\"\n")
    gateway.process.signal(signal.SIGHUP)
    gateway.process.wait_for_log("the configuration is invalid: reload aborted, the running one is unchanged")
    assert "limits.connections" in gateway.process.log()
    assert len(gateway.pids("edge 0")) == 1 and gateway.health()[0] == 200


def test_what_breaks_a_restart_later_does_not_end_what_runs(launch):
    gateway = launch(edges=1).until_ready()
    gateway.tokens.rename(gateway.folder / "away")
    os.kill(gateway.pids("meshd")[0], signal.SIGKILL)
    gateway.process.wait_for_log("meshd ended after .* exit code 78")
    assert alive(gateway.pids("edge 0")[0])
    (gateway.folder / "away").rename(gateway.tokens)
    wait_until(lambda: gateway.health()[1].get("broker") == "ready", lambda: f"meshd is back:\n{gateway.process.tail()}", LIMIT)


def test_a_mistake_in_the_settings_ends_it_at_once(launch):
    gateway = launch(listen={"port": 70000})
    assert gateway.ended() == 2
    assert re.search(r"gateway\.toml:\d+: listen\.port: 70000 is above 65535", gateway.process.log()), gateway.process.log()
    assert "started" not in gateway.process.log()


def test_a_meshd_that_can_not_start_ends_it(launch, folder):
    gateway = launch(auth={"token_file": str(folder / "no-such-file")})
    assert gateway.ended() == 78
    assert "no-such-file" in gateway.process.log()


def test_a_port_that_is_taken_ends_it(folder, broker_url):
    gateway = Launched(folder, broker_url)
    with socket.create_server(("127.0.0.1", gateway.port)):
        gateway.start()
        assert gateway.ended() == 78
    assert f"listen.port: 127.0.0.1 port {gateway.port} is taken" in gateway.process.log()
    assert not gateway.children() and not gateway.ready_file.exists()


def test_two_gateways_in_one_folder_do_not_mix(launch, folder, broker_url):
    first = launch(edges=1).until_ready()
    (folder / "second").mkdir()
    second = Launched(folder / "second", broker_url)
    second.settings["gateway"]["runtime_dir"] = first.settings["gateway"]["runtime_dir"]
    second.config.write_text(toml(second.settings))
    second.start()
    assert second.ended() == 78, second.process.log()
    assert not second.pids("edge 0") and first.health()[0] == 200


def test_back_off_grows(launch, folder):
    bin = folder / "bin"
    bin.mkdir()
    (bin / "nuropb-meshd").symlink_to(binary("nuropb-meshd"))
    (bin / "nuropb-edge").write_text("#!/bin/sh\nexit 1\n")
    (bin / "nuropb-edge").chmod(0o755)
    gateway = launch(edges=1, bin=bin)
    gateway.process.wait_for_log("again in 0.8 s")
    pauses = re.findall(r"edge 0 ended after .*: exit code 1; again in ([0-9.]+) s", gateway.process.log())
    assert pauses[:4] == ["0.1", "0.2", "0.4", "0.8"]
    assert not gateway.ready_file.exists()


def test_sigterm_while_it_starts_is_a_stop_in_order(launch, folder):
    """An edge that has not installed its signal handlers yet is ended by the signal, which is no error."""
    bin = versions(folder, other=False)
    (bin / "nuropb-edge").unlink()
    (bin / "nuropb-edge").write_text(f'#!/bin/sh\n[ "$1" != --version ] || exec {binary("nuropb-edge")} --version\nexec tail -f /dev/null\n')
    (bin / "nuropb-edge").chmod(0o755)
    gateway = launch(bin=bin)
    wait_until(lambda: len(gateway.pids(r"edge \d+")) == 2, lambda: f"edges are started:\n{gateway.process.tail()}")
    gateway.process.signal(signal.SIGTERM)
    assert gateway.ended() == 0, gateway.process.tail()
    assert "stopped" in gateway.process.log() and not gateway.children()


def test_a_second_signal_means_at_once(launch):
    gateway = launch(edges=1).until_ready()
    edge = gateway.pids("edge 0")[0]
    os.kill(edge, signal.SIGSTOP)  # it will not drain
    gateway.process.signal(signal.SIGTERM)
    gateway.process.wait_for_log("launcher stopping")
    time.sleep(1.1)  # another one within a second asks for nothing else
    gateway.process.signal(signal.SIGTERM)
    assert gateway.ended() == 1, "something had to be killed"
    assert "edge 0 did not stop in time: killing it" in gateway.process.log() and not alive(edge)


async def test_with_no_broker_at_all(launch):
    gateway = launch(edges=1, amqp={"urls": ["amqp://guest:guest@127.0.0.1:1/"]}, words=["--mesh", "loopback"]).until_ready()
    async with await Consumer.open(gateway.url) as ann:
        assert await ann.result("any", "method", {"n": 1}) == {"n": 1}


def test_binaries_that_are_missing_are_named(launch, folder):
    gateway = launch(bin=folder)
    assert gateway.ended() == 78
    assert str(folder / "nuropb-meshd") in gateway.process.log()
    (folder / "nuropb-meshd").symlink_to(binary("nuropb-meshd"))
    gateway.start()
    assert gateway.ended() == 78
    assert f"can't be started: {folder / 'nuropb-edge'}" in gateway.process.log()


def test_two_signals_at_once_are_one_wish(launch):
    """Like `timeout`: to its child and to the child's process group."""
    gateway = launch(edges=1, drain={"grace_ms": 1500}).until_ready()
    for pause in (0.002, 0.01, 0.2, 0.0):
        gateway.process.popen.send_signal(signal.SIGTERM)
        time.sleep(pause)
    assert gateway.ended() == 0
    assert gateway.process.log().rstrip().endswith("launcher stopped"), gateway.process.tail()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR2])
def test_signals_count_from_the_first_moment(launch, number):
    gateway = launch(edges=1)
    time.sleep(0.02)  # in which `env`, which makes the launcher deaf to them until it listens, comes to that; Python needs longer
    for _ in range(100):  # while Python starts, while the settings are read, while meshd and the edge start
        gateway.process.signal(number)
        time.sleep(0.01)
    gateway.until_ready()
    gateway.process.signal(signal.SIGTERM)
    assert gateway.ended() == 0, gateway.process.tail()
    assert "killed by" not in gateway.process.log()


def test_processes_that_start_are_not_ended_by_what_they_are_told_later(launch):
    """An edge or meshd that gets SIGHUP before it has installed its handlers."""
    gateway = launch(edges=1).until_ready()
    for name in ("meshd", "edge 0"):
        os.kill(gateway.pids(name)[0], signal.SIGKILL)
        wait_until(lambda: len(gateway.pids(name)) == 2, gateway.process.tail)
        new = gateway.pids(name)[1]
        for number in (signal.SIGHUP, signal.SIGUSR1) * 20:
            os.kill(new, number)
            time.sleep(0.005)
        gateway.until_ready()
        assert gateway.pids(name)[1:] == [new] and alive(new)


@pytest.mark.parametrize("ready_file, why", [("no/such/ready", "No such file or directory"), ("", "is not a regular file"), ("gateway.toml/ready", "Not a directory")])
def test_a_ready_file_that_can_not_be_written_is_refused_at_the_start(folder, broker_url, ready_file, why):
    gateway = Launched(folder, broker_url)
    gateway.ready_file = folder / ready_file
    assert gateway.start().ended() == 78
    assert why in gateway.process.log() and "started" not in gateway.process.log() and "Traceback" not in gateway.process.log()

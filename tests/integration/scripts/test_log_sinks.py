"""Log sinks that fail: lines may be lost, and nothing else."""

import asyncio
import os
import pty
import signal
import subprocess

import pytest

from support.consumer import Consumer
from support.launched import LIMIT, Launched, alive, below
from support.standard_error import WRAPPERS, Reader
from support.waiting import eventually, wait_until

LOOPBACK = ["--mesh", "loopback"]
DEBUG = {"level": "debug"}  # four lines for each request


@pytest.fixture
def start(folder):
    """start(before=…, **sections): a launched gateway without a broker that logs as much as it can."""
    started = []

    def begin(before=(), log=DEBUG, **sections):
        gateway = Launched(folder, "amqp://guest:guest@127.0.0.1:1/", words=LOOPBACK, log=log, **sections)
        started.append(gateway)
        return gateway.start(before)
    yield begin
    for gateway in started:
        gateway.process.stop()


def named(gateway, name):
    return [pid for pid in below(gateway.process.pid) if alive(pid) and open(f"/proc/{pid}/comm").read().strip() == name]


async def answered(consumer, requests=200):
    for number in range(0, requests, 50):
        assert all(answer["result"] == {"n": number} for answer in await asyncio.gather(
            *(consumer.request("any", "echo", {"n": number}) for _ in range(50))))


async def all_goes_on(gateway):
    """With more lines than a pipe and the queues before it hold: no process ends, killed ones are restarted, sockets stay open."""
    gateway.until_ready()
    meshd, edges = named(gateway, "nuropb-meshd"), named(gateway, "nuropb-edge")
    assert (len(meshd), len(edges)) == (1, 2)
    async with await Consumer.open(gateway.url) as ann:
        for _ in range(8):
            await answered(ann)
        gateway.process.signal(signal.SIGUSR1)
        await answered(ann)
        os.kill(meshd[0], signal.SIGKILL)
        await eventually(lambda: [pid for pid in named(gateway, "nuropb-meshd") if pid != meshd[0]], "meshd is back")
        await eventually(lambda: gateway.attached() == 2, "with its edges")
        await answered(ann)
        assert ann.open_still and named(gateway, "nuropb-edge") == edges
    async with await Consumer.open(gateway.url) as late:
        await answered(late)
    gateway.process.signal(signal.SIGTERM)
    assert await gateway.code() == 0
    assert not any(alive(pid) for pid in [*meshd, *edges])


@pytest.mark.parametrize("what", WRAPPERS)
async def test_a_standard_error_that_fails_costs_lines_only(start, what):
    await all_goes_on(start(WRAPPERS[what]))


@pytest.mark.parametrize("what", ["closed", "full device", "broken pipe"])
def test_what_is_wrong_with_settings_is_an_exit_code_at_least(start, what):
    for sections, code in (({"listen": {"port": 70000}}, 2), ({"auth": {"token_file": "/no/such/file"}}, 78)):
        assert start(WRAPPERS[what], **sections).ended() == code


async def test_what_was_dropped_is_counted_and_said(start, folder):
    with Reader(folder / "standard-error") as reader:
        gateway = start(reader.wrapper()).until_ready()
        assert gateway.dropped() == {"meshd": 0, "edge 0": 0, "edge 1": 0}
        reader.stall()
        # On one edge each, however the kernel spreads them.
        async with await Consumer.open(gateway.url) as ann, await Consumer.open(gateway.url) as bob:
            async def until_dropped():
                await asyncio.gather(answered(ann), answered(bob))
                counts = gateway.dropped()
                return counts["meshd"] > 0 and max(counts["edge 0"], counts["edge 1"]) > 0
            await eventually(until_dropped, gateway.dropped, LIMIT)
            reader.go_on()
            for process in ("meshd", "edge"):
                await eventually(lambda: f"{process} " in "".join(line for line in reader.text.splitlines() if "were dropped lines=" in line), lambda: reader.text[-2000:])
            # What is written from here on is complete again.
            counts = gateway.dropped()
            gateway.process.signal(signal.SIGUSR1)
            await eventually(lambda: "tokens reloaded" in reader.text, lambda: reader.text[-2000:])
            assert gateway.dropped()["meshd"] - counts["meshd"] == 0 and ann.open_still and bob.open_still
        said = [int(line.split("lines=")[1].split()[0]) for line in reader.text.splitlines() if "meshd" in line and "dropped lines=" in line]
        assert sum(said) == gateway.dropped()["meshd"]
        gateway.process.signal(signal.SIGTERM)
        assert await gateway.code() == 0
        assert "launcher stopped" in reader.text


def places(folder):
    os.mkfifo(folder / "fifo")
    ours, theirs = pty.openpty()
    return {"/dev/null": None, "/dev/full": None, "/dev/stderr": None, "/dev/stdout": None, str(folder / "fifo"): None,
            os.ttyname(theirs): (ours, theirs)}


async def test_each_kind_of_file_can_be_the_log(start, folder):
    for place in places(folder):
        gateway = start(log={**DEBUG, "file": place})
        await all_goes_on(gateway)
        assert "SIGSYS" not in gateway.process.log(), place


async def test_a_log_file_that_was_renamed_is_left_at_sighup(start, folder):
    log = folder / "gateway.log"
    gateway = start(log={"file": str(log)}).until_ready()
    assert "meshd started" in log.read_text()
    for number, told in enumerate((signal.SIGUSR1, signal.SIGHUP)):
        old = folder / f"gateway.log.{number}"
        log.rename(old)
        gateway.process.signal(told)
        # Of meshd and, whose certificates are none, of both edges (SIGUSR1), or of the new ones (SIGHUP).
        await eventually(lambda: log.exists() and "tokens reloaded" in log.read_text(), gateway.process.tail)
        await eventually(lambda: log.read_text().count("certificates read again" if told == signal.SIGUSR1 else "edge attached") == 2, lambda: log.read_text())
        before = old.stat().st_size
        if told == signal.SIGUSR1:
            async with await Consumer.open(gateway.url) as ann:
                await answered(ann)
            assert old.stat().st_size == before
    assert (await asyncio.to_thread(gateway.process.stop)) == 0
    assert "meshd stopped" in log.read_text()


def test_a_reload_by_ctl_opens_the_file_again_too(start, folder):
    from support.paths import binary
    log = folder / "gateway.log"
    gateway = start(log={"file": str(log)}).until_ready()
    log.rename(folder / "old")
    subprocess.run([binary("nuropb-ctl"), "--config", gateway.config, "reload"], check=True, capture_output=True)
    wait_until(lambda: log.exists() and log.read_text().count("certificates read again") == 2 and "tokens reloaded" in log.read_text(), lambda: gateway.process.tail())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
async def test_a_full_disk_costs_lines_and_the_log_goes_on_when_there_is_room(start, folder):
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=True)
    try:
        gateway = start(log={**DEBUG, "file": str(disk / "log")}).until_ready()
        async with await Consumer.open(gateway.url) as ann, await Consumer.open(gateway.url) as bob:
            async def until_dropped():
                await asyncio.gather(answered(ann), answered(bob))
                return gateway.dropped()["meshd"] > 0
            await eventually(until_dropped, gateway.dropped, LIMIT)
            os.truncate(disk / "log", 0)
            await eventually(lambda: 'lines were dropped lines=' in (disk / "log").read_text() and 'reason="No space left on device"' in (disk / "log").read_text(), lambda: (disk / "log").read_text()[-2000:])
            assert ann.open_still and bob.open_still
            lines = (disk / "log").read_text().splitlines()
            assert all(line.startswith("20") for line in lines if line), "no line is glued to the rest of another"
        assert (await asyncio.to_thread(gateway.process.stop)) == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


async def test_a_killed_writer_costs_no_line_of_standard_error(start, folder):
    gateway = start().until_ready()
    for writer in named(gateway, "nuropb-log"):
        os.kill(writer, signal.SIGKILL)
    # A writer that is about to end still takes lines, which end with it.
    await eventually(lambda: not named(gateway, "nuropb-log"), gateway.process.tail)
    gateway.process.signal(signal.SIGUSR1)
    await eventually(lambda: "tokens reloaded" in gateway.process.log() and gateway.process.log().count("certificates read again") == 2, gateway.process.tail)
    async with await Consumer.open(gateway.url) as ann:
        await answered(ann)

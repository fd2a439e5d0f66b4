"""A process that hangs (SIGSTOP: it exists and does nothing) is detected by its missing heartbeats, killed and replaced."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from support.consumer import Consumer
from support.launched import alive, below
from support.waiting import eventually, wait_until

QUICK = {"hung_after_s": 4}  # on a busy machine a process that is well may be kept waiting


def suspend(pid):
    """A process with many threads takes a moment to stop."""
    os.kill(pid, signal.SIGSTOP)
    states = [Path(f"/proc/{pid}/task/{thread}/stat") for thread in os.listdir(f"/proc/{pid}/task")]
    wait_until(lambda: all(state.read_text().rsplit(")", 1)[1].split()[0] == "T" for state in states), f"{pid} stands still")


async def test_a_meshd_that_hangs_is_replaced_and_no_socket_drops(launch, demo):
    gateway = launch(gateway=QUICK).until_ready()
    async with await Consumer.open(gateway.url) as consumer:
        assert await consumer.result(demo, "echo", {"value": 1}) == {"value": 1}
        hung = gateway.pids("meshd")[0]
        suspend(hung)
        waiting = await consumer.begin(demo, "echo", {"value": 2})
        await eventually(lambda: "meshd hangs: killing it" in gateway.process.log(), gateway.process.tail)
        assert (await asyncio.wait_for(waiting, 60))["result"] == {"value": 2}, "it had not been taken"
        assert consumer.open_still and not alive(hung) and len(gateway.pids("meshd")) == 2


@pytest.mark.parametrize("meshd", ["lives", "is killed as well"])
async def test_an_edge_that_hangs_is_replaced(launch, meshd):
    """Also where meshd is killed meanwhile: the new one has never seen that edge, so it does not watch its heartbeat."""
    gateway = launch(gateway=QUICK).until_ready()
    hung = gateway.pids("edge 1")[0]
    suspend(hung)
    if meshd != "lives":
        os.kill(gateway.pids("meshd")[0], signal.SIGKILL)
    await eventually(lambda: len(gateway.pids("edge 1")) == 2, gateway.process.tail, 60)
    assert not alive(hung)
    gateway.until_ready()
    assert len(gateway.pids("edge 0")) == 1, "the other one is left alone"


async def test_signs_that_came_while_the_launcher_stood_still_count(launch):
    gateway = launch(gateway=QUICK).until_ready()
    gateway.process.signal(signal.SIGSTOP)
    await asyncio.sleep(QUICK["hung_after_s"] + 1)  # longer than hung_after_s: there is no state to wait for, nothing happens
    gateway.process.signal(signal.SIGCONT)
    os.kill(gateway.pids("edge 0")[0], signal.SIGKILL)  # something that it does once it runs again
    await eventually(lambda: len(gateway.pids("edge 0")) == 2, gateway.process.tail)
    assert "hangs" not in gateway.process.log()


async def test_one_that_ran_comes_back_within_a_second_however_often_it_dies(launch):
    gateway = launch(edges=1).until_ready()
    for times in range(1, 6):
        os.kill(gateway.pids("edge 0")[-1], signal.SIGKILL)
        await eventually(lambda: len(gateway.pids("edge 0")) == times + 1, gateway.process.tail)
        await eventually(lambda: gateway.health()[0] == 200, gateway.process.tail)
    pauses = [float(line.split("again in ")[1].split()[0]) for line in gateway.process.log().splitlines() if " launcher edge 0 ended" in line]
    assert len(pauses) == 5 and max(pauses) <= 0.5, pauses


@pytest.mark.parametrize("first", ["the launcher", "its processes"])
async def test_all_of_it_is_paused_and_goes_on(launch, demo, first):
    """Like a control group's freezer or a virtual machine's snapshot: no process counts as hung, and no socket is lost."""
    gateway = launch(gateway=QUICK).until_ready()
    launcher, others = gateway.process.pid, below(gateway.process.pid)
    consumers = [await Consumer.open(gateway.url) for _ in range(6)]
    for _ in range(2):
        for pid in (launcher, *others):
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(QUICK["hung_after_s"] + 3)  # there is no state to wait for, nothing happens
        for pid in (launcher, *others) if first == "the launcher" else (*others, launcher):
            os.kill(pid, signal.SIGCONT)
        for consumer in consumers:
            assert await consumer.result(demo, "echo", {"n": 1}) == {"n": 1}
        await asyncio.sleep(3)  # in which the launcher looks more than once
    assert all(consumer.open_still for consumer in consumers)
    assert "hangs" not in gateway.process.log() and len(gateway.children()) == 3, gateway.process.tail()
    for consumer in consumers:
        await consumer.close()
    # One that hangs after that is found all the same.
    suspend(gateway.pids("edge 0")[0])
    await eventually(lambda: len(gateway.pids("edge 0")) == 2, gateway.process.tail, 60)

"""The units of the Debian package, under a real systemd (support/booted.py): two edges and meshd as users of their own, with
all that the units take from them, go through what operators do to them."""

import asyncio
import shutil

import pytest

from support.booted import Booted
from support.consumer import Consumer
from support.gateway import health, tokens_toml
from support.ports import free_port
from support.services import demo_service
from support.waiting import eventually

from test_package import CONFIG, SECRETS

UNITS = ("nuropb-meshd.service", "nuropb-edge@0.service", "nuropb-edge@1.service")


@pytest.fixture
def machine(folder, package):
    with Booted(folder) as machine:
        if machine.why_not:
            pytest.skip(f"the units are not started anywhere: {machine.why_not}")
        shutil.copy(package, machine.path("/tmp/package.deb"))
        machine.run("dpkg", "--force-unsafe-io", "--no-pager", "-i", "/tmp/package.deb")
        machine.path("/usr/bin/kill").unlink()  # of procps, which a small machine does not have
        yield machine


class Gateway:
    def __init__(self, machine, broker_url):
        self.machine, self.port = machine, free_port()
        host = broker_url.rsplit("@", 1)[1]
        user, password = broker_url.split("//")[1].rsplit("@", 1)[0].split(":")
        config = machine.path(CONFIG)
        config.write_text(config.read_text().replace("port = 8880", f"port = {self.port}").replace("gateway@127.0.0.1:5672/", f"{user}@{host}"))
        for name, text in (("amqp-password", password), ("tokens.toml", tokens_toml({"secret-ann": {"user_id": "ann", "username": "Ann"}}))):
            file = machine.path(f"{SECRETS}/{name}")
            file.touch(0o600)
            file.write_text(text)
            machine.run("chown", "nuropb-meshd:", f"{SECRETS}/{name}")

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/websocket"

    def systemctl(self, *words, **options):
        return self.machine.run("systemctl", *words, **options)

    def shown(self, unit, name):
        return self.systemctl("show", "--value", "--property", name, unit).strip()

    def pid(self, unit):
        return int(self.shown(unit, "MainPID"))

    def log(self):
        return self.machine.run("journalctl", "--no-pager", "--output=short-precise", "--lines=40", *(f"--unit={unit}" for unit in UNITS))

    async def whole(self, *units):
        """Waits until these units run and the broker is connected."""
        def so():
            states = [self.shown(unit, "ActiveState") for unit in units or UNITS]
            return set(states) == {"active"} and health(self.port)[1].get("broker") == "ready"
        await eventually(so, self.log, 60)

    async def attached(self, edge):
        """Waits until this edge has attached to meshd: it logs that once after its start and after each restart of meshd."""
        def so():
            said = self.machine.run("journalctl", "--no-pager", "--output=cat", f"_PID={self.pid(edge)}")
            lines = [line for line in said.splitlines() if "attached" in line]
            return bool(lines) and "not attached" not in lines[-1]
        await eventually(so, self.log, 60)


@pytest.mark.limit(400)
async def test_the_units_start_and_go_through_what_operators_do(machine, broker_url, folder):
    gateway = Gateway(machine, broker_url)
    gateway.systemctl("start", "nuropb-gateway.target")
    await gateway.whole()
    for unit, user in zip(UNITS, ("nuropb-meshd", "nuropb-edge", "nuropb-edge")):
        status = machine.run("ps", "-o", "user:20=,nlwp=", "-p", gateway.pid(unit)).split()
        assert status[0] == user, f"{unit} runs as {status}"
    with demo_service(broker_url, folder) as demo:
        async def called():
            async with await Consumer.open(gateway.url) as ann:
                assert await ann.result(demo.service, "echo", {"n": 1}) == {"n": 1}
        await called()

        # A reload: the same processes, with tokens and certificates read again; edges that start later find them too.
        before = [gateway.pid(unit) for unit in UNITS]
        tokens = machine.path(f"{SECRETS}/tokens.toml")
        tokens.write_text(tokens.read_text().replace("secret-ann", "secret-new"))
        gateway.systemctl("reload", *UNITS)
        await eventually(lambda: "tokens reloaded" in gateway.log(), gateway.log, 60)
        assert [gateway.pid(unit) for unit in UNITS] == before
        async with await Consumer.open(gateway.url, token="secret-new"):
            pass
        tokens.write_text(tokens.read_text().replace("secret-new", "secret-ann"))
        gateway.systemctl("reload", "nuropb-meshd.service")
        gateway.systemctl("restart", "nuropb-edge@0.service")
        await gateway.whole()
        await gateway.attached("nuropb-edge@0.service")

        async def answered():
            return (await ann.request(demo.service, "echo", {"n": 2}, ttl=5000))["error"] is None

        # Killed, each of them comes back; meshd's death drops no socket.
        async with await Consumer.open(gateway.url) as ann:
            meshd = gateway.pid("nuropb-meshd.service")
            gateway.systemctl("kill", "--signal=KILL", "nuropb-meshd.service")
            await eventually(lambda: gateway.pid("nuropb-meshd.service") not in (0, meshd), gateway.log, 60)
            await gateway.whole()
            await eventually(answered, gateway.log, 60)
        edge = gateway.pid("nuropb-edge@1.service")
        gateway.systemctl("kill", "--signal=KILL", "nuropb-edge@1.service")
        await eventually(lambda: gateway.pid("nuropb-edge@1.service") not in (0, edge), gateway.log, 60)
        await gateway.whole()
        await gateway.attached("nuropb-edge@1.service")
        await called()

        # One that hangs is found by systemd's watchdog: it is killed, and comes again.
        async with await Consumer.open(gateway.url) as ann:
            for unit in ("nuropb-meshd.service", "nuropb-edge@1.service"):
                assert gateway.shown(unit, "Type") == "notify" and gateway.shown(unit, "WatchdogUSec") == "10s"
                hung = gateway.pid(unit)
                gateway.systemctl("kill", "--kill-who=main", "--signal=STOP", unit)
                await eventually(lambda: gateway.pid(unit) not in (0, hung), gateway.log, 60)
                await gateway.whole()
                if unit == "nuropb-meshd.service":
                    assert ann.open_still, "meshd's hang drops no socket"
                    await eventually(answered, gateway.log, 60)

        # Told to stop, an edge drains: its consumers are sent away in order, and the other one goes on.
        ann = await Consumer.open(gateway.url)
        gateway.systemctl("stop", "nuropb-edge@0.service", "nuropb-edge@1.service")
        await asyncio.wait_for(ann.ws.wait_closed(), 60)
        assert ann.ws.close_code == 1001
        gateway.systemctl("start", "nuropb-edge@1.service")
        await gateway.whole("nuropb-edge@1.service")
        await called()

    gateway.systemctl("stop", "nuropb-gateway.target")
    await eventually(lambda: {gateway.shown(unit, "ActiveState") for unit in UNITS} == {"inactive"}, gateway.log, 60)
    assert {gateway.shown(unit, "Result") for unit in UNITS} == {"success"}
    # What is wrong with the settings is said once, and not tried again and again.
    config = machine.path(CONFIG)
    config.write_text(config.read_text() + "\n[nonsense]\nx = 1\n")
    gateway.systemctl("start", "nuropb-gateway.target")
    await eventually(lambda: {gateway.shown(unit, "ActiveState") for unit in UNITS} == {"failed"}, gateway.log, 60)
    assert {gateway.shown(unit, "NRestarts") for unit in UNITS} == {"0"} and "nonsense" in gateway.log()


def test_a_package_is_removed_from_under_running_units(machine, broker_url):
    gateway = Gateway(machine, broker_url)
    gateway.systemctl("enable", "--now", "nuropb-gateway.target")
    pids = [gateway.pid(unit) for unit in UNITS]
    assert all(pids), gateway.log()
    machine.run("dpkg", "--force-unsafe-io", "--no-pager", "-r", "nuropb-gateway")
    assert not any(machine.path(f"/proc/{pid}").exists() for pid in pids)

"""What a cleaner of /run and /tmp may take from the runtime folder while the gateway runs."""

import getpass
import shutil

from support import metrics
from support.consumer import Consumer
from support.waiting import wait_until

LOOPBACK = {"gateway": {"mesh": "loopback"}}


def restored(gateway):
    return metrics.value(gateway, "runtime_dir_restored_total")


async def test_sockets_and_files_are_made_again(gateways):
    gateway = gateways(settings=LOOPBACK)
    run = gateway.folder / "run"
    kept = {name: (run / name).read_bytes() for name in ("secret", "instance")}
    for name in ("meshd.sock", "admin.sock", "secret", "instance"):
        (run / name).unlink()
    wait_until(lambda: all((run / name).exists() for name in ("meshd.sock", "admin.sock", "secret", "instance")), gateway.meshd.tail)
    wait_until(lambda: restored(gateway) == 4, gateway.meshd.tail)
    assert {name: (run / name).read_bytes() for name in kept} == kept
    wait_until(lambda: "removed from the runtime folder" in gateway.meshd.log(), gateway.meshd.tail)
    edge = gateway.add_edge()
    wait_until(edge.attached, lambda: f"a new edge attaches: {edge.health()}")
    async with await Consumer.open(edge.url):
        pass


async def test_all_of_the_folder(gateways):
    """Clients' sockets stay open, a new edge attaches, and the next meshd takes over as usual."""
    # Edges of another user reach meshd from within the folder: those that ran before stand in the removed one.
    gateway = gateways(settings={**LOOPBACK, "hardening": {"edge_user": getpass.getuser(), "core_dumps": True}})
    run = gateway.folder / "run"
    async with await Consumer.open(gateway.url) as ann:
        shutil.rmtree(run)
        wait_until(lambda: (run / "admin.sock").exists() and (run / "meshd.sock").exists(), gateway.meshd.tail)
        wait_until(lambda: restored(gateway) == 6, gateway.meshd.tail)
        edge = gateway.add_edge()
        wait_until(edge.attached, lambda: f"a new edge attaches: {edge.health()}")
        gateway.meshd.kill()
        gateway.start_meshd()
        gateway.until_ready()
        assert await ann.result("any", "method", {"x": 1}) == {"x": 1}, "its session is still its own"

"""The long run: `scripts/test soak --minutes N [--seed S]`, or python3 -m chaos.soak in tests/."""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
from pathlib import Path

from chaos import scheduler
from chaos.run import Run
from chaos.world import LARGEST_MESSAGE, World
from support.broker import Broker


async def soak(arguments, folder):
    node = Broker(folder / "broker", lines=[f"max_message_size = {LARGEST_MESSAGE}"])
    print("a broker, a service and the gateway start", flush=True)
    try:
        async with World(folder, node, arguments.seed, edges=arguments.edges) as world:
            run = await Run(world, arguments.sockets, every=arguments.every, quiet=10.0, without=arguments.without).go(60 * arguments.minutes)
            print("the gateway and the broker stop", flush=True)
    finally:
        node.stop()
    print(run.table())
    return run.right()


def main():
    parser = argparse.ArgumentParser(description="Chaos for a long time; exit code 1 if any outcome is wrong.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6), help="of an earlier run, whose faults come again")
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--edges", type=int, default=4)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two faults, in the mean")
    parser.add_argument("--without", action="append", default=[], metavar="KIND", help="a kind of fault to leave out, as scheduler.py names it")
    parser.add_argument("--only", action="append", default=[], metavar="KIND", help="the only kinds of fault to inject")
    arguments = parser.parse_args()
    if unknown := {*arguments.without, *arguments.only} - set(scheduler.FAULTS):
        parser.error(f"no such fault: {', '.join(unknown)}; there are {', '.join(scheduler.FAULTS)}")
    if arguments.only:
        arguments.without = set(scheduler.FAULTS) - set(arguments.only)
    print(f"seed {arguments.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="nuropb-soak-"))
    # Asked to end, it stops what it has started, its broker above all, which no other end of it would.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        well = asyncio.run(soak(arguments, folder))
    except KeyboardInterrupt:
        print(f"ended before its time; the logs are in {folder}")
        sys.exit(130)
    print(f"the logs are in {folder}")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()

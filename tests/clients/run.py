"""Runs the scenarios on a client.

usage: python3 -m clients.run [--list] [--only NAME]... [-- COMMAND...]      in the folder tests

COMMAND starts the driver of your client (docs/tasks/test-your-client.md); without one it is the Python client's. Starts a broker, gateways
and services of its own; NUROPB_TEST_AMQP_URL names a broker that runs already. Exit code: 0 if no scenario has failed.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from support.broker import Broker, declare_exchanges
from support.gateway import Gateway
from support.services import demo_service

from .driver import DriverFailed
from .scenario import Mistake, read_all
from .suite import DRIVERS, Skipped, Suite


async def run_all(scenarios, command, suite):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        for scenario in scenarios:
            since = time.monotonic()
            try:
                await suite.run(scenario, command)
                outcome, more = "passed", f"{time.monotonic() - since:.1f} s"
            except Skipped as skipped:
                outcome, more = "skipped", f"the client does not do: {skipped}"
            except (AssertionError, asyncio.TimeoutError, OSError) as error:
                outcome, more = "failed", f"{type(error).__name__}: {error}"
            counts[outcome] += 1
            print(f"{outcome.upper() if outcome == 'failed' else outcome:8} {scenario.name}: {more}", flush=True)
    finally:
        await suite.end()
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] or not counts["passed"] else 0


def main(words):
    words, command = (words[:words.index("--")], words[words.index("--") + 1:]) if "--" in words else (words, [])
    if {"-h", "--help"} & set(words):
        print(__doc__.strip())
        return 0
    parser = argparse.ArgumentParser("clients.run", add_help=False)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", action="append", metavar="NAME")
    arguments = parser.parse_args(words)
    scenarios = read_all()
    if unknown := set(arguments.only or ()) - {scenario.name for scenario in scenarios}:
        print(f"clients.run: no scenario is called {', '.join(map(repr, sorted(unknown)))}; --list names them", file=sys.stderr)
        return 2
    scenarios = [scenario for scenario in scenarios if not arguments.only or scenario.name in arguments.only]
    if arguments.list:
        for scenario in scenarios:
            print(f"{scenario.name}{' (' + ', '.join(scenario.needs) + ')' if scenario.needs else ''}: {scenario.what}")
        return 0
    return with_a_broker(scenarios, command or DRIVERS["python"]())


def with_a_broker(scenarios, command):
    folder, broker = Path(tempfile.mkdtemp(prefix="nuropb-clients-")), None
    try:
        url = os.environ.get("NUROPB_TEST_AMQP_URL")
        if not url:
            broker = Broker(folder / "broker")
            broker.start()
            url = broker.url
        declare_exchanges(url)
        with demo_service(url, folder) as demo:
            return asyncio.run(run_all(scenarios, command, Suite(url, demo.service)))
    finally:
        if broker is not None:
            broker.stop()
        for used in (folder, *Gateway.folders):
            shutil.rmtree(used, ignore_errors=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Mistake, DriverFailed) as error:
        print(f"clients.run: {error}", file=sys.stderr)
        sys.exit(2)

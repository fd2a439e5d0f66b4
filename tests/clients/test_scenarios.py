"""Every client does what each scenario says. A failed test shows the step, what the client reported, and its standard error."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from .scenario import read_all
from .suite import DRIVERS, Skipped, Suite

SCENARIOS = read_all()
LEFT_OUT = tomllib.loads((Path(__file__).resolve().parent / "left_out.toml").read_text())


@pytest.fixture(scope="module")
def loop():
    """One suite for all tests, because drivers and gateways are reused."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(scope="module")
def suite(loop, broker_url, demo):
    suite = Suite(broker_url, demo)
    yield suite
    loop.run_until_complete(suite.end())


@pytest.fixture(params=DRIVERS)
def driver(request):
    if request.param.startswith("node"):
        request.getfixturevalue("without_peers")
    return request.param


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_a_client(loop, suite, driver, scenario):
    try:
        loop.run_until_complete(suite.run(scenario, DRIVERS[driver]()))
    except Skipped as skipped:
        pytest.skip(f"{driver} leaves out '{scenario.name}', which needs: {skipped}")


def test_what_a_driver_leaves_out(loop, suite, driver):
    capabilities = loop.run_until_complete(suite.capabilities(DRIVERS[driver]()))
    assert sorted(scenario.name for scenario in SCENARIOS if scenario.missing(capabilities)) == sorted(LEFT_OUT[driver])


def test_the_list_names_each_driver():
    assert set(LEFT_OUT) == set(DRIVERS)

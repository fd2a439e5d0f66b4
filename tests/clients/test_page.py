"""docs/tasks/test-your-client.md describes the suite: capabilities and the clients that have them; commands, reports and steps."""

import asyncio
import re

import pytest

from support.paths import ROOT

from .driver import Driver
from .scenario import APP, CAPABILITIES, VERBS, read
from .suite import DRIVERS, Suite

PAGE = (ROOT / "docs" / "tasks" / "test-your-client.md").read_text()


def table(first):
    """The rows of the table whose first heading this is, as lists of cells."""
    [rows] = re.findall(rf"^\| {re.escape(first)} \|.*\n\|[ -|]*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]


def names(first):
    return [name for row in table(first) for name in re.findall(r"`([^`]+)`", row[0])]


def test_capabilities():
    assert [(row[0].strip("` |"), row[1]) for row in table("capability")] == list(CAPABILITIES.items())


@pytest.mark.parametrize("column, driver", [(2, "python"), (3, "node"), (3, "node-ws"), (3, "chromium"), (4, "C++ example")])
def test_who_has_them(request, column, driver):
    if driver.startswith("node"):
        request.getfixturevalue("without_peers")

    async def said():
        async with Driver(DRIVERS[driver]()) as running:
            return running.capabilities
    assert {row[0].strip("` |") for row in table("capability") if row[column].strip(" |") == "yes"} == set(asyncio.run(said()))


def test_the_scenario_that_it_shows(folder, broker_url, demo):
    [text] = re.findall(r"^```\n(\[\[scenario\]\]\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (folder / "shown.toml").write_text(text)
    [scenario] = read(folder / "shown.toml")

    async def perform():
        suite = Suite(broker_url, demo)
        try:
            await suite.run(scenario, DRIVERS["python"]())
        finally:
            await suite.end()
    asyncio.run(perform())


def test_commands_reports_and_steps():
    assert sorted(names("`do`")) == sorted(APP)
    assert sorted(names("`saw`")) == sorted(VERBS["expect"])
    assert sorted(names("step")) == sorted(VERBS)
    for row in table("step"):
        verb = row[0].strip("` |")
        if verb in ("gateway", "network", "broker", "service", "other"):
            assert set(VERBS[verb]) <= set(re.findall(r"`(\w+)`", row[1])), verb

"""docs/reference/platforms.md names the versions that this release of Debian has."""

import re
import subprocess
from pathlib import Path

import pytest

from support.paths import ROOT

PAGE = (ROOT / "docs/reference/platforms.md").read_text()
SYSTEM = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
RELEASE = f"{SYSTEM['ID'].capitalize()} {SYSTEM.get('VERSION_ID')}"
# A row of the first table, and the packages whose versions it has, in that order.
ROWS = {
    "GCC": ["g++"], "CMake": ["cmake"], "Boost": ["libboost-dev"], "websocketpp": ["libwebsocketpp-dev"], "rabbitmq-c": ["librabbitmq-dev"], "OpenSSL": ["libssl-dev"],
    "libcurl, with OpenSSL": ["libcurl4-openssl-dev"],
    "nlohmann-json": ["nlohmann-json3-dev"], "toml++": ["libtomlplusplus-dev"], "CLI11": ["libcli11-dev"],
    "cjose": ["libcjose-dev"], "libseccomp": ["libseccomp-dev"], "tl-expected": ["libexpected-dev"], "GoogleTest": ["libgtest-dev"],
    "Python, `websockets`": ["python3", "python3-websockets"], "RabbitMQ": ["rabbitmq-server"],
}
COLUMNS = [cell.strip() for cell in re.search(r"^\| +\|(.*)\|$", PAGE, re.MULTILINE)[1].split("|")]


def cells(row):
    found = re.search(rf"^\| {re.escape(row)} \|(.*)\|$", PAGE, re.MULTILINE)
    assert found, f"the page has no row {row}"
    return [cell.strip() for cell in found[1].split("|")]


@pytest.mark.skipif(RELEASE not in COLUMNS, reason=f"the page has no column for {RELEASE}")
@pytest.mark.parametrize("row", ROWS)
def test_a_version_is_that_of_the_package(row):
    named = cells(row)[COLUMNS.index(RELEASE)].split(", ")
    assert len(named) == len(ROWS[row])
    for version, package in zip(named, ROWS[row]):
        asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
        assert asked.returncode == 0, f"{package}: {asked.stderr}"
        installed = asked.stdout.split(":")[-1]
        assert re.match(rf"{re.escape(version)}(?![0-9])", installed), f"{package} is {installed}, the page says {version}"


def test_the_page_has_both_releases():
    assert COLUMNS == ["Debian 13", "Debian 12"]
    assert all(len(cells(row)) == 2 for row in ROWS)

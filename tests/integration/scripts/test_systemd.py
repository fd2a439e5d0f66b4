"""The units of deploy/systemd: systemd accepts them without a warning, and they permit little."""

import re
import subprocess

import pytest

from support.paths import BIN, ROOT

UNITS = ROOT / "deploy" / "systemd"
SERVICES = ("nuropb-meshd.service", "nuropb-edge@.service")
HIGHEST = 2.0  # of 10, where 10 is a service with no protection at all


@pytest.fixture
def units(folder):
    """The installed units with the paths of the built programs."""
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.target")]:
        (folder / unit.name).write_text(unit.read_text().replace("/usr/sbin/nuropb-", f"{BIN}/nuropb-"))
    return folder


def analyze(*words, folder):
    done = subprocess.run(["systemd-analyze", *words], cwd=folder, env={"PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0", "LANG": "C.UTF-8"}, capture_output=True, text=True, timeout=150)
    return done.returncode, done.stdout + done.stderr


def test_systemd_finds_nothing_wrong(units):
    code, said = analyze("verify", "--man=no", "nuropb-gateway.target", "nuropb-meshd.service", "nuropb-edge@0.service", folder=units)
    assert (code, said.strip()) == (0, "")
    # And it would, if there were something.
    service = units / SERVICES[0]
    service.write_text(service.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in analyze("verify", "--man=no", SERVICES[0], folder=units)[1]


@pytest.mark.parametrize("service", SERVICES)
def test_exposure_is_low_and_what_the_docs_say(units, service):
    code, said = analyze("security", "--offline=yes", "--no-pager", f"--threshold={HIGHEST * 10:.0f}", str(units / service), folder=units)
    level = re.search(r"Overall exposure level for .*: ([\d.]+)", said)
    assert level and code == 0 and float(level[1]) <= HIGHEST, said
    page = (ROOT / "docs" / "tasks" / "hardening.md").read_text()
    assert f"`{service}` {level[1]}" in page, f"docs/tasks/hardening.md says something else than {level[1]} for {service}"


def test_units_start_the_programs_with_settings_that_exist():
    for service in SERVICES:
        for setting in re.findall(r"--set (\S+)=\S+", (UNITS / service).read_text()):
            section, key = setting.split(".")
            sample = (ROOT / "deploy" / "nuropb-gateway.toml").read_text().split(f"[{section}]")[1].split("\n[")[0]
            assert re.search(rf"^{key} = ", sample, re.MULTILINE), setting

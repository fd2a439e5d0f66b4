"""The Debian package: it is made by cpack, installed, upgraded, removed and purged by dpkg on a machine of its own
(support/chroot.py), and what it installs runs there, each process as its own user."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.chroot import Chroot
from support.consumer import Consumer
from support.gateway import health, tokens_toml
from support.paths import ROOT
from support.ports import free_port
from support.processes import Process
from support.waiting import eventually

CONFIG = "/etc/nuropb-gateway/gateway.toml"
SECRETS = "/etc/nuropb-gateway/secrets"
USERS = ("nuropb-meshd", "nuropb-edge")


@pytest.fixture(scope="module")
def next_package(package, module_folder):
    """The package as a later version: other programs, other default settings."""
    tree = module_folder / "next"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    for file, old, new in [(tree / "DEBIAN/control", r"^Version: .*", "Version: 99.1"), (tree / CONFIG[1:], r"\Z", "# of version 99.1\n")]:
        file.write_text(re.sub(old, new, file.read_text(), count=1, flags=re.MULTILINE))
    for program in ("nuropb-meshd", "nuropb-edge"):
        os.utime(tree / "usr/sbin" / program)
    shutil.copy(tree / "usr/bin/nuropb-ctl", tree / "usr/bin/nuropb-of-the-next-version")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", tree, module_folder / "next.deb"], check=True, stdout=subprocess.DEVNULL)
    return module_folder / "next.deb"


@pytest.fixture
def machine(folder):
    with Chroot(folder) as machine:
        if machine.why_not:
            pytest.skip(f"the package is not installed anywhere: {machine.why_not}")
        yield machine


def dpkg(machine, *words, **options):
    return machine.run("dpkg", "--force-unsafe-io", "--no-pager", *words, **options)


def install(machine, package, *options):
    copy = machine.path("/tmp/package.deb")
    shutil.copy(package, copy)
    return dpkg(machine, *options, "-i", "/tmp/package.deb")


def status(machine):
    return machine.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Version}", "nuropb-gateway").split()


def files_of(package):
    """{path: (mode, owner)}"""
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 5) for line in listed.splitlines())
    return {row[5].split(" -> ")[0].lstrip("."): (row[0], row[1]) for row in rows}


def settings(machine):
    """An operator's settings: no broker, tokens, a test port. Creates the runtime folder, which meshd's unit would create."""
    port = free_port()
    config = machine.path(CONFIG)
    config.write_text(config.read_text().replace("port = 8880", f"port = {port}").replace("[gateway]", '[gateway]\nmesh = "loopback"\nedges = 1'))
    machine.path(SECRETS + "/tokens.toml").write_text(tokens_toml({"secret-ann": {"user_id": "ann", "username": "Ann"}}))
    machine.run("chown", "nuropb-meshd:", SECRETS + "/tokens.toml")
    return port


async def round_trip(port):
    async with await Consumer.open(f"ws://127.0.0.1:{port}/websocket") as ann:
        assert await ann.result("any", "method", {"n": 1}) == {"n": 1}


def attached(port):
    return health(port, page="readyz")[0] == 200


def test_what_is_in_it(package):
    files = files_of(package)
    for path in ("/usr/sbin/nuropb-meshd", "/usr/sbin/nuropb-edge", "/usr/bin/nuropb-ctl", "/usr/bin/nuropb-gateway", CONFIG,
                 "/usr/lib/systemd/system/nuropb-meshd.service", "/usr/lib/systemd/system/nuropb-edge@.service", "/usr/lib/systemd/system/nuropb-gateway.target",
                 "/usr/lib/sysusers.d/nuropb-gateway.conf", "/usr/lib/tmpfiles.d/nuropb-gateway.conf", "/usr/share/doc/nuropb-gateway/copyright",
                 "/usr/share/doc/nuropb-gateway/deploy/nuropb-gateway.toml"):
        assert path in files, path
    for path, (mode, owner) in files.items():
        assert owner == "root/root" and (mode[0] == "l" or mode[5] + mode[8] == "--"), f"{path}: {mode} {owner}"
        # Each command has a page, once the program that describes itself is there.
        if command := re.fullmatch(r"/usr/s?bin/(\S+)", path):
            if (ROOT / "build/release/share/man/man1").is_dir() or command[1] != "nuropb-ctl":
                assert any(f"/man{n}/{command[1]}.{n}.gz" in " ".join(files) for n in (1, 8)), f"{command[1]} has no manual page"
    # What lies in BUILD/share was made to be packed.
    for made in (ROOT / "build/release/share").rglob("*"):
        if made.is_file():
            path = f"/usr/share/{made.relative_to(ROOT / 'build/release/share')}"
            assert path in files or path + ".gz" in files, path
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    # Debian 13 has a time of 64 bits on every architecture, and says so in the names of some libraries.
    for library in ("libc6", "libssl3(t64)?", "libcurl4(t64)?", "librabbitmq4", "libcjose0", "libseccomp2", "libtomlplusplus3(t64)?"):
        assert re.search(rf"\b{library} \(", depends), depends


def test_its_file_and_version_name_the_release_that_it_is_for(package):
    system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    release = {"debian": "deb"}.get(system["ID"], system["ID"]) + (system.get("VERSION_ID") or system["VERSION_CODENAME"])
    said = subprocess.run(["dpkg-deb", "-f", package, "Version"], capture_output=True, text=True, check=True).stdout.strip()
    assert re.fullmatch(rf"\d+\.\d+\.\d+\+{release}", said), said
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(package).name == f"nuropb-gateway_{said}_{architecture}.deb"


# An upgrade of the system brings the package of the newer release, and an upgrade of the gateway the newer gateway.
@pytest.mark.parametrize("older, newer", [("0.1.0+deb12", "0.1.0+deb13"), ("0.1.0+deb9", "0.1.0+deb12"), ("0.1.0+deb13", "0.1.0+debforky"),
                                          ("0.1.0+deb13", "0.1.1+deb12"), ("0.1.0", "0.1.0+deb12")])
def test_versions_sort_by_gateway_and_then_by_release(older, newer):
    assert subprocess.run(["dpkg", "--compare-versions", older, "lt", newer]).returncode == 0


def test_units_documents_and_manuals_name_files_that_are_in_it(package, module_folder):
    tree = module_folder / "tree"
    subprocess.run(["dpkg-deb", "-x", package, tree], check=True)
    for unit in (tree / "usr/lib/systemd/system").iterdir():
        for path in re.findall(r"^(?:ExecStart=|Documentation=file://)(/\S+)", unit.read_text(), re.MULTILINE):
            assert (tree / path[1:]).exists(), f"{unit.name} names {path}"
    for page in (tree / "usr/share/man").rglob("*.gz"):
        said = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, text=True, check=True, env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
        assert not said.stderr and page.name.split(".")[0] in said.stdout, f"{page}: {said.stderr}"
    help_text = subprocess.run([tree / "usr/sbin/nuropb-meshd", "--help"], capture_output=True, text=True, check=True).stdout
    shown = subprocess.run(["man", "-E", "ascii", "-l", tree / "usr/share/man/man8/nuropb-meshd.8.gz"], capture_output=True, text=True, check=True).stdout
    for option in re.findall(r"--[a-z-]+", help_text):
        assert option in shown, f"nuropb-meshd(8) does not know {option}"


async def test_installed_it_runs_as_its_units_start_it(machine, package, folder):
    install(machine, package)
    assert status(machine)[0] == "ii"
    for program in ("/usr/sbin/nuropb-meshd", "/usr/sbin/nuropb-edge", "/usr/bin/nuropb-ctl", "/usr/bin/nuropb-gateway"):
        machine.run(program, "--help")
    users = machine.path("/etc/passwd").read_text()
    assert all(re.search(f"^{user}:.*:/usr/sbin/nologin$", users, re.MULTILINE) for user in USERS), users
    assert machine.run("stat", "-c", "%U %a", SECRETS).split() == ["nuropb-meshd", "700"]
    # As shipped they are right, and nothing more: without a password and tokens nobody starts.
    machine.run("/usr/bin/nuropb-ctl", "--config", CONFIG, "config", "check", "--only-settings")
    machine.run("install", "-d", "-o", "nuropb-meshd", "-g", "nuropb-meshd", "-m", "710", "/run/nuropb-gateway")  # RuntimeDirectory=
    def command(unit, user):
        words = re.search(r"^ExecStart=(.*)$", machine.path(f"/usr/lib/systemd/system/{unit}").read_text(), re.MULTILINE)[1].split()
        return ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--inh-caps=-all", *words]
    machine.run(*command("nuropb-meshd.service", "nuropb-meshd"), code=78)

    port = settings(machine)
    def start(name, unit, user):
        return Process(name, machine.command(*command(unit, user)), folder)
    with start("meshd", "nuropb-meshd.service", "nuropb-meshd") as meshd, start("edge", "nuropb-edge@.service", "nuropb-edge") as edge:
        await eventually(lambda: attached(port), lambda: f"attached:\n{meshd.tail()}\n{edge.tail()}")
        await round_trip(port)
        assert edge.stop() == 0 and meshd.stop() == 0


def ours(machine):
    """All that is named after us; also what this machine had of us before, in the folders of a container engine, say."""
    return set(machine.run("find", "/etc", "/usr", "/var", "/run", "-xdev", "-name", "*nuropb*", "-not", "-path", "/usr/lib/python3*").splitlines())


async def test_upgraded_under_a_running_launcher_and_removed(machine, package, next_package, folder):
    before = ours(machine)
    install(machine, package)
    assert ours(machine) > before
    port = settings(machine)
    edited = machine.path(CONFIG).read_text()
    launcher = Process("launcher", machine.command("/usr/bin/nuropb-gateway", "--config", CONFIG, "--ready-file", "/tmp/ready"), folder)
    with launcher:
        await eventually(lambda: machine.path("/tmp/ready").exists() and attached(port), launcher.tail)
        await round_trip(port)
        # The operator's settings stay; the new ones lie beside them.
        said = install(machine, next_package, "--force-confold", "--force-confdef")
        assert status(machine) == ["ii", "99.1"]
        assert machine.path(CONFIG).read_text() == edited, said
        assert machine.path(CONFIG + ".dpkg-dist").read_text().endswith("# of version 99.1\n")
        assert machine.path("/usr/bin/nuropb-of-the-next-version").exists()
        # Whatever the package replaced under it: it goes on, and goes over when it is told to.
        await round_trip(port)
        launcher.popen.send_signal(1)
        await eventually(lambda: re.search("edge 0 replaced", launcher.log()) and "launcher reload complete" in launcher.log(), launcher.tail)
        await eventually(lambda: attached(port), launcher.tail)
        await round_trip(port)
        assert launcher.stop() == 0, launcher.tail()

    dpkg(machine, "-r", "nuropb-gateway")
    assert machine.path(CONFIG).read_text() == edited and machine.path(SECRETS + "/tokens.toml").exists()
    assert not machine.path("/usr/sbin/nuropb-meshd").exists()
    dpkg(machine, "-P", "nuropb-gateway")
    assert ours(machine) == before
    # Their ids are given to nobody else.
    assert all(user in machine.path("/etc/passwd").read_text() for user in USERS)


def test_under_systemd_an_upgrade_restarts_what_runs_and_a_removal_stops_it(machine, package, next_package):
    """There is no systemd in a chroot: a script that records its arguments replaces it."""
    machine.path("/run/systemd/system").mkdir(parents=True)
    stand_in = machine.path("/usr/bin/systemctl")
    stand_in.unlink(missing_ok=True)
    stand_in.write_text('#!/bin/sh\necho "$*" >>/tmp/asked\n[ "$1" != list-units ] || printf "nuropb-edge@0.service loaded active running\\nnuropb-edge@1.service loaded active running\\n"\n')
    stand_in.chmod(0o755)
    asked = machine.path("/tmp/asked")

    def asked_by(act):
        asked.write_text("")
        act()
        return [line for line in asked.read_text().splitlines() if re.match("(re|try-re)?start |stop |enable |disable ", line) and "nuropb" in line]

    assert asked_by(lambda: install(machine, package)) == []  # nothing is started that has no settings yet
    assert asked_by(lambda: install(machine, next_package, "--force-confnew")) == [f"try-restart {unit}" for unit in ("nuropb-meshd.service", "nuropb-edge@0.service", "nuropb-edge@1.service")]
    assert asked_by(lambda: dpkg(machine, "-r", "nuropb-gateway")) == ["disable --now nuropb-gateway.target", "stop nuropb-edge@*.service", "stop nuropb-meshd.service"]

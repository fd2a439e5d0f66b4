"""scripts/debian-root: a root that is there is used, one that is half made never is. mmdebstrap is a small one of this test."""

import os
import subprocess
import threading

import pytest

from support.paths import ROOT

SCRIPT = ROOT / "scripts" / "debian-root"
# Makes the folder first, as the real one does, and the packages' list last.
MMDEBSTRAP = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
for word; do case $word in */roots/*) into=$word ;; --include=*) packages=${word#*=} ;; esac; done
mkdir "$into" || exit 1
[ -z "$FAILING" ] || { echo "E: no such mirror"; exit 1; }
[ -z "$SLOW" ] || sleep 1
mkdir -p "$into/var/lib/dpkg"
for package in $(echo $packages | tr , ' '); do
  printf 'Package: %s\\nStatus: install ok installed\\nArchitecture: all\\nMaintainer: a@b\\nDescription: d\\nVersion: 1\\n\\n' $package
done >"$into/var/lib/dpkg/status"
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="scripts/debian-root needs root")


@pytest.fixture
def make(folder):
    (folder / "path").mkdir()
    (folder / "path" / "mmdebstrap").write_text(MMDEBSTRAP)
    (folder / "path" / "mmdebstrap").chmod(0o755)

    def make(*words, **environment):
        environment = {**os.environ, "PATH": f"{folder / 'path'}:{os.environ['PATH']}", "CALLS": str(folder / "calls"), "NUROPB_ROOTS": str(folder / "roots"), "FAILING": "", "SLOW": "", **environment}
        environment.pop("NUROPB_DEBIAN_MIRROR", None)
        return subprocess.run([SCRIPT, *words], env=environment, capture_output=True, text=True, timeout=60)
    return make


def calls(folder):
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_it_is_made_once(make, folder):
    for _ in range(2):
        done = make("trixie", "--with", "one", "two")
        assert (done.returncode, done.stdout) == (0, f"{folder}/roots/trixie\n"), done.stderr
    assert make("trixie").stdout == f"{folder}/roots/trixie\n" and make("trixie", "--with", "two").returncode == 0
    assert len(calls(folder)) == 1
    assert "--include=one,two" in calls(folder)[0] and 'Acquire::Check-Valid-Until "false"' in calls(folder)[0]
    assert calls(folder)[0].endswith(f"trixie {folder}/roots/trixie.making http://deb.debian.org/debian")


def test_a_folder_and_a_mirror_of_ones_own(make, folder):
    done = make("forky", str(folder / "roots" / "mine"), "--mirror", "http://127.0.0.1:1/debian", "--arch", "arm64")
    assert (done.returncode, done.stdout) == (0, f"{folder}/roots/mine\n"), done.stderr
    assert "--architectures=arm64" in calls(folder)[0] and calls(folder)[0].endswith("http://127.0.0.1:1/debian")


def test_packages_of_another_architecture_beside_its_own(make, folder):
    done = make("trixie", "--also", "arm64", "--with", "one")
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    assert done.returncode == 0 and f"--architectures={native},arm64" in calls(folder)[0], done.stderr


def test_what_is_half_made_is_not_used(make, folder):
    failed = make("trixie", FAILING="1")
    assert failed.returncode == 1 and failed.stdout == "" and "E: no such mirror" in failed.stderr and "cannot make a root of trixie" in failed.stderr
    assert not (folder / "roots" / "trixie").exists() and (folder / "roots" / "trixie.making").exists()
    # As one that was killed leaves it, with something in the way.
    (folder / "roots" / "trixie.making" / "half").mkdir()
    done = make("trixie")
    assert done.returncode == 0 and not (folder / "roots" / "trixie" / "half").exists(), done.stderr


def test_two_at_once_make_one(make, folder):
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(make("trixie", SLOW="1"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(done.returncode, done.stdout) for done in outcomes] == [(0, f"{folder}/roots/trixie\n")] * 2, outcomes
    assert len(calls(folder)) == 1


@pytest.mark.parametrize("words", [(), ("--with", "one"), ("a/b",), ("trixie", "--with"), ("trixie", "a", "b"), ("trixie", "--nonsense")])
def test_nonsense_is_refused(make, folder, words):
    assert make(*words).returncode in (1, 2)
    assert not (folder / "roots").exists() and calls(folder) == []

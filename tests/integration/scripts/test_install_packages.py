"""scripts/install-packages: nothing to do, nothing done; else apt-get, with no service started. dpkg and apt are replaced."""

import os
import subprocess

import pytest

from support.paths import ROOT

SCRIPT = ROOT / "scripts" / "install-packages"


@pytest.fixture
def machine(folder):
    """A PATH in which dpkg-query knows the packages of a file, and apt-get and sudo record their arguments."""
    calls = folder / "calls"
    programs = {
        "dpkg-query": f'grep -qx "$4" {folder}/installed && echo -n installed',
        "apt-get": f'echo "apt-get $*" >>{calls}; [ ! -e {folder}/broken ] || {{ echo "no network"; exit 100; }}',
        "sudo": f'echo sudo >>{calls}; case $1 in tee) cat >/dev/null;; chmod | rm) ;; *) exec "$@";; esac',
        "id": f"cat {folder}/uid",
        "tee": f'cat >/dev/null; echo "tee $*" >>{calls}',
        "chmod": "exit 0",
        "rm": f'echo "rm $*" >>{calls}; exec /bin/rm -f /nonexistent',
    }
    (folder / "path").mkdir()
    for name, text in programs.items():
        (folder / "path" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "path" / name).chmod(0o755)
    (folder / "uid").write_text("0\n")
    (folder / "installed").write_text("")
    return folder


def run(machine, *words):
    return subprocess.run([SCRIPT, *words], env={**os.environ, "PATH": f"{machine / 'path'}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=90)


def calls(machine):
    return (machine / "calls").read_text() if (machine / "calls").exists() else ""


def packages(*words):
    return subprocess.run([SCRIPT, "--list", *words], capture_output=True, text=True, check=True).stdout.split()


def test_with_all_there_it_does_nothing(machine):
    (machine / "installed").write_text("\n".join(packages("--test", "--bench")))
    (machine / "uid").write_text("1000\n")
    done = run(machine, "--test", "--bench")
    assert done.returncode == 0 and not done.stdout and not calls(machine)


def test_it_installs_only_what_is_missing(machine):
    (machine / "installed").write_text("\n".join(name for name in packages("--test") if name not in ("spin", "cmake")))
    done = run(machine, "--test")
    assert done.returncode == 0 and "2 packages" in done.stdout, done.stdout + done.stderr
    assert "apt-get install -y --no-install-recommends cmake spin\n" in calls(machine)


def test_services_are_kept_from_starting_meanwhile(machine):
    if os.path.exists("/usr/sbin/policy-rc.d"):
        pytest.skip("this machine has a policy of its own, which is left alone")
    assert run(machine).returncode == 0
    said = calls(machine).splitlines()
    assert said[0] == "tee /usr/sbin/policy-rc.d" and "rm -f /usr/sbin/policy-rc.d" in said[1:], said
    assert said[1] == "apt-get update"


def test_apt_fails(machine):
    (machine / "broken").touch()
    done = run(machine)
    assert done.returncode == 1 and "no network" in done.stderr
    assert "rm -f /usr/sbin/policy-rc.d" in calls(machine) or os.path.exists("/usr/sbin/policy-rc.d")


def test_not_root_goes_by_sudo(machine):
    (machine / "uid").write_text("1000\n")
    assert run(machine).returncode == 0
    assert "sudo\napt-get update" in calls(machine)


def test_the_lists_are_apart():
    assert "spin" not in packages() and "spin" in packages("--test") and "g++" in packages()
    assert subprocess.run([SCRIPT, "--no-such-option"], capture_output=True).returncode == 2


def test_what_is_for_arm64_is_for_a_root_folder():
    listed = subprocess.run([SCRIPT, "--arm64", "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert "g++-aarch64-linux-gnu" in listed and "libssl-dev:arm64" in listed
    # Every library that a build needs is there, whichever architecture its package is of.
    assert {name for name in packages() if name.endswith("-dev")} <= {name.removesuffix(":arm64") for name in listed}
    for words in (["--arm64"], ["--test", "--arm64", "--list"]):
        done = subprocess.run([SCRIPT, *words], capture_output=True, text=True)
        assert done.returncode == 2 and "root folder" in done.stderr


def test_the_format_is_that_of_one_version_on_every_release():
    linters = [name for name in packages("--lint") if name.startswith("clang")]
    assert "clang-format-19" in linters and len(linters) == 2, linters
    # scripts/lint runs the clang-tidy that was installed, and the preset `fuzz` names the clang of --fuzz.
    assert [name for name in linters if name.startswith("clang-tidy-")][0] in ("clang-tidy-14", "clang-tidy-19")
    assert "clang-19" in packages("--fuzz") and '"clang++-19"' in (ROOT / "CMakePresets.json").read_text()

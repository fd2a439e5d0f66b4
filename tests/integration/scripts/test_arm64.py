"""What scripts/test arm64 runs with says what it lacks. That it works is seen by scripts/test arm64 itself, which takes minutes."""

import os
import subprocess

from support.paths import ROOT

WITH, MACHINE = ROOT / "scripts/lib/with-arm64", ROOT / "scripts/lib/arm64-machine"


def run(*words, **environment):
    return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def test_each_says_how_it_is_used():
    for script, words in ((WITH, ()), (MACHINE, ()), (MACHINE, ("tests/arm64",)), (MACHINE, ("tests/arm64", "--"))):
        done = run(script, *words)
        assert done.returncode == 2 and f"scripts/lib/{script.name} " in done.stderr, done.stderr


def test_without_an_emulator_it_names_the_package(folder):
    (folder / "python3").symlink_to("/usr/bin/python3")
    done = run(WITH, "true", PATH=str(folder))
    assert done.returncode == 1 and "qemu-user" in done.stderr, done.stderr

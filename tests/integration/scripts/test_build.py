"""scripts/build: what it knows, and that what --times measures are targets that scripts/quickstart and scripts/test build."""

import importlib.util
import re
import subprocess

from support.paths import ROOT

BUILD = ROOT / "scripts" / "build"


def run(*words):
    return subprocess.run([BUILD, *words], capture_output=True, text=True, timeout=60)


def test_what_it_does_not_know_is_refused_by_name():
    done = run("realease")
    assert done.returncode == 2 and "unknown variant 'realease'" in done.stderr
    done = run("--times", "quickstart", "nothing")
    assert done.returncode == 2 and done.stdout == "" and "not nothing" in done.stderr and "quickstart" in done.stderr


def test_help_names_both_uses():
    done = run("--help")
    assert done.returncode == 0 and "scripts/build --times" in done.stdout and "asan" in done.stdout


def test_what_times_measures_is_what_the_scripts_build():
    spec = importlib.util.spec_from_file_location("build_times", ROOT / "scripts" / "lib" / "build_times.py")
    times = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(times)
    called = set()
    for script in ("quickstart", "test"):
        for variant, targets in re.findall(r"scripts/build (release|asan|tsan) ([a-z_ -]+?)(?:;|$|\n)", (ROOT / "scripts" / script).read_text()):
            called.add((variant, *targets.split()))
    assert called == {(variant, *targets) for _, variant, targets in times.PARTS.values()}
